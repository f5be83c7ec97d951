"""The arithmetic of the rectifiers, with their gradients: pure functions of tensors.

Every kernel states its own gradient. What a framework derives from the formulas is
wrong where it matters to a dying unit: at 0, at -inf and at slope 0.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import ml_dtypes
import numpy as np
from keras import ops

from keras_rectifiers.layers import plain_forms
from keras_rectifiers.layers import primitives
from keras_rectifiers.layers import tracing

_HALF = ("float16", "bfloat16")
#: Neighboring positions that are summed side by side: enough to fill the vector
#: registers, few enough to stay in the first-level cache.
_MAX_FOLD = 64


def tensor(inputs: Any, layer: keras.layers.Layer) -> Any:
    """The inputs of a layer in its compute dtype, or as they are without autocast.

    Args:
        inputs: What the layer is called on.
        layer: The layer.
    """
    dtype = layer.compute_dtype if layer.autocast else None
    return ops.convert_to_tensor(inputs, dtype=dtype)


def leaky_relu(x: Any, slope: float, max_value: float | None = None) -> Any:
    """`min(max_value, x if x > 0 else slope * x)` for one constant slope.

    Args:
        x: Floating point tensor of any shape.
        slope: Slope for `x <= 0`, any finite number.
        max_value: Upper bound of the result, above 0, or None.

    Returns:
        Tensor like `x`. Its gradient is 1 for `x > 0`, else `slope`; 0 wherever the
        result has reached `max_value`. With slope 0 it is Keras' own ReLU.
    """
    slope = _rounded(slope, keras.backend.standardize_dtype(x.dtype))
    if slope == 0:
        return keras.activations.relu(x, max_value=max_value)
    if tracing.form(x) is not None:
        return plain_forms.leaky_relu(x, slope, max_value)

    @ops.custom_gradient
    def kernel(x: Any) -> tuple[Any, Any]:
        y = _capped(primitives.leaky(x, slope), max_value)

        def gradient(*args: Any, upstream: Any = None) -> Any:
            dy = args[0] if upstream is None else upstream
            dy = _below_cap(dy, y, max_value)
            return primitives.leaky_gradient(dy, x, slope)

        return y, gradient

    return kernel(x)


def prelu(x: Any, alpha: Any, max_value: float | None = None) -> Any:
    """`min(max_value, x if x > 0 else alpha * x)` with learned slopes.

    Args:
        x: Floating point tensor of any shape.
        alpha: Slopes for `x <= 0`, a tensor that broadcasts to the shape of `x`,
            of the same or of a wider dtype.
        max_value: Upper bound of the result, above 0, or None.

    Returns:
        Tensor like `x`. Its gradient for `x` is that of `leaky_relu`; its gradient
        for `alpha`, in alpha's dtype, is the sum of `dy * x` over the `x <= 0` that
        share a slope. A term is 0 where `dy` is 0, also at `x = -inf`.
    """
    return _sloped(x, alpha, max_value, learns=True)


def drawn_relu(x: Any, slopes: Any, max_value: float | None = None) -> Any:
    """`min(max_value, x if x > 0 else slopes * x)` with slopes that do not learn.

    Args:
        x: Floating point tensor of any shape.
        slopes: Slopes for `x <= 0`, a tensor of the same dtype that broadcasts to the
            shape of `x`.
        max_value: Upper bound of the result, above 0, or None.

    Returns:
        Tensor like `x`. Its gradient for `x` is that of `prelu`; there is none for
        `slopes`.
    """
    return _sloped(x, slopes, max_value, learns=False)


def _sloped(x: Any, alpha: Any, max_value: float | None, *, learns: bool) -> Any:
    """`prelu`, whose gradient for alpha is 0 unless alpha learns."""

    @ops.custom_gradient
    def kernel(x: Any, alpha: Any) -> tuple[Any, Any]:
        uncapped, slope = primitives.prelu(x, ops.cast(alpha, x.dtype))
        y = _capped(uncapped, max_value)

        def gradient(*args: Any, upstream: Any = None) -> tuple[Any, Any]:
            # Torch passes the inputs back: only these carry second derivatives.
            inputs, dy = ((x, alpha), *args) if upstream is None else (args, upstream)
            at, slopes = inputs[0], inputs[1]
            dy = _below_cap(dy, y, max_value)
            if learns and (quick := _quick_gradients(at, slopes, dy)) is not None:
                return quick
            dx = primitives.prelu_gradient(dy, at, ops.cast(slopes, x.dtype), slope)
            if learns:
                return dx, _slope_gradient(at, slopes, dy)
            return dx, ops.zeros_like(slopes)

        return y, gradient

    return kernel(x, alpha)


def _rounded(number: float, dtype: str) -> float:
    """The number as it is in `dtype`: a small slope is 0 in float16."""
    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    return float(np.asarray(number).astype(kind))


def _capped(y: Any, max_value: float | None) -> Any:
    return y if max_value is None else primitives.at_most(y, max_value)


def _below_cap(dy: Any, y: Any, max_value: float | None) -> Any:
    """`dy` where the cap does not hold the result, else 0."""
    if max_value is None:
        return dy
    # Asked this way round, NaN is not at the cap and keeps its gradient.
    return ops.where(y >= ops.cast(max_value, y.dtype), ops.zeros_like(dy), dy)


def _slope_gradient(x: Any, alpha: Any, dy: Any) -> Any:
    """Sum of `dy * min(x, 0)` over the axes that share a slope."""
    negative, dy = _wide(primitives.at_most(x, 0.0), dy)
    return _summed(primitives.product(negative, dy), alpha)


def _quick_gradients(x: Any, alpha: Any, dy: Any) -> tuple[Any, Any] | None:
    """Both gradients in fewer passes over memory, where that gives the right values."""
    quick = primitives.quick_prelu_gradients(dy, x, ops.cast(alpha, x.dtype))
    if quick is None:
        return None
    dx, below = quick
    below, x = _wide(below, x)
    total = _summed(below * x, alpha)
    return (dx, total) if primitives.is_finite(total) else None


def _wide(*tensors: Any) -> tuple[Any, ...]:
    """Half floats as float32: they saturate where thousands share a slope."""
    if keras.backend.standardize_dtype(tensors[0].dtype) not in _HALF:
        return tensors
    return tuple(ops.cast(each, "float32") for each in tensors)


def _summed(terms: Any, alpha: Any) -> Any:
    """Terms summed over the axes that share a slope, in the form of alpha."""
    if len(alpha.shape) == 1:
        total = _sum_per_channel(terms)
    else:
        shape = (1,) * (len(terms.shape) - len(alpha.shape)) + tuple(alpha.shape)
        shared = tuple(axis for axis, length in enumerate(shape) if length == 1)
        total = ops.reshape(ops.sum(terms, axis=shared), alpha.shape)
    return ops.cast(total, alpha.dtype)


def _sum_per_channel(terms: Any) -> Any:
    """Sum over all axes but the last, in two stages.

    A narrow matrix is slow to sum over its rows: XLA walks it one column at a time.
    So neighboring positions are first folded into columns, and unfolded after.
    """
    channels = terms.shape[-1]
    fold = _fold(terms.shape[-2]) if len(terms.shape) > 2 else 1  # noqa: PLR2004
    folded = primitives.column_sums(ops.reshape(terms, (-1, fold * channels)))
    if fold == 1:
        return folded
    return ops.sum(ops.reshape(folded, (fold, channels)), axis=0)


def _fold(length: int | None) -> int:
    """The largest divisor of an axis' length that is not above the limit."""
    if not length:
        return 1
    return max(math.gcd(length, width) for width in range(1, _MAX_FOLD + 1))
