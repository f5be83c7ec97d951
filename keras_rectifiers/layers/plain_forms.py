"""The rectifiers in plain operations, as the runtimes of exported models know them.

No gradient is stated here, and no operation that only one framework has. The values
are those of `kernels`, but where `alpha` is 0 and the input is -inf: there a product
gives NaN. A runtime has no other PReLU.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_rectifiers.layers import primitives
from keras_rectifiers.layers.tracing import Form

#: LiteRT's PRELU takes no tensor of a higher rank.
_MAX_FUSED_RANK = 4


def leaky_relu(x: Any, slope: float, max_value: float | None) -> Any:
    """`min(max_value, x if x > 0 else slope * x)` for one constant slope.

    Args:
        x: Floating point tensor of any shape.
        slope: Slope for `x <= 0`, any finite number.
        max_value: Upper bound of the result, or None.
    """
    return _capped(primitives.leaky(x, slope), max_value)


def prelu(x: Any, alpha: Any, max_value: float | None, form: Form) -> Any:
    """`min(max_value, x if x > 0 else alpha * x)`, in the form that is asked for.

    Args:
        x: Floating point tensor.
        alpha: Slopes, a tensor that broadcasts to the shape of `x`.
        max_value: Upper bound of the result, or None.
        form: `"prelu"` or `"sum"`; the latter only holds for slopes of at most 1.
    """
    alpha = ops.cast(alpha, x.dtype)
    # LiteRT wants all axes but the batch; OpenVINO takes a vector for another axis.
    missing = max(len(x.shape) - 1 - len(alpha.shape), 0)
    alpha = ops.reshape(alpha, (1,) * missing + tuple(alpha.shape))
    if form == "sum":
        # Not max(x, alpha * x): in 8 bits all operands of a maximum have its range,
        # and an x below that would be cut off before it is multiplied.
        y = x + ops.relu((alpha - 1) * x)
    elif len(x.shape) <= _MAX_FUSED_RANK:
        y = ops.relu(x) + -alpha * ops.relu(-x)
    else:
        y = ops.relu(x) - ops.relu(-x) * alpha
    return _capped(y, max_value)


def _capped(y: Any, max_value: float | None) -> Any:
    return y if max_value is None else primitives.at_most(y, max_value)
