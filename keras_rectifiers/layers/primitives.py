"""The few operations that are worth a separate implementation on a backend.

`kernels` is written in `keras.ops` but for these: on each of them a backend has an
operation that does in one pass over memory what the portable form does in several.
Both forms give the same numbers; the tests run both through the same battery.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

_BACKEND = keras.config.backend()

if _BACKEND == "tensorflow":
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util
elif _BACKEND == "torch":
    import torch


def at_most(x: Any, bound: float) -> Any:
    """`min(x, bound)`; NaN stays NaN."""
    if _BACKEND == "torch":
        # On torch, `keras.ops.minimum` turns float64 into float32.
        return x.clamp(max=bound)
    return ops.minimum(x, bound)


def product(factor: Any, weight: Any) -> Any:
    """`factor * weight`, and 0 wherever `weight` is 0, also for inf and NaN.

    Args:
        factor: Floating point tensor.
        weight: Tensor of the same dtype, of the same shape or one that broadcasts.
    """
    if _BACKEND == "tensorflow":
        return tf.math.multiply_no_nan(factor, weight)
    if _BACKEND == "torch":
        # Vectorized, unlike `torch.where`.
        return torch.ops.aten.threshold_backward(factor, weight.abs(), 0) * weight
    return ops.where(weight == 0, ops.zeros_like(factor), factor * weight)


def prelu(x: Any, alpha: Any) -> tuple[Any, Any]:
    """`x if not x <= 0 else alpha * x`, and `relu(x)` wherever `alpha` is 0.

    Bit for bit, but for one case: TensorFlow's ReLU keeps the sign of -0.0 in some
    lanes and drops it in others; here it is dropped in all of them.

    Args:
        x: Floating point tensor.
        alpha: Tensor of the same dtype that broadcasts to the shape of `x`.

    Returns:
        The value, and what `prelu_gradient` can use again, or None.
    """
    if _BACKEND == "torch":
        return _prelu_torch(x, alpha), None
    if _BACKEND == "tensorflow" and not _under_xla():
        slope = ops.where(x <= 0, alpha, ops.ones((), x.dtype))
        return tf.math.multiply_no_nan(x, slope), slope
    negative = ops.where(alpha == 0, ops.relu(x), x * alpha)
    return ops.where(x <= 0, negative, x), None


def prelu_gradient(dy: Any, x: Any, alpha: Any, slope: Any) -> Any:
    """`dy if not x <= 0 else alpha * dy`, and 0 where that `alpha` is 0.

    Args:
        dy: Gradient of the value.
        x: Input, as `prelu` received it.
        alpha: Slopes, as `prelu` received them.
        slope: What `prelu` returned along with the value.
    """
    if _BACKEND == "torch":
        negative = (x <= 0).to(x.dtype)
        slope = torch.addcmul(1 - negative, negative, alpha)
    if slope is not None:
        return product(dy, slope)
    return ops.where(x <= 0, product(dy, alpha), dy)


def quick_prelu_gradients(dy: Any, x: Any, alpha: Any) -> tuple[Any, Any] | None:
    """`prelu_gradient`, and `dy` where `x` is not above 0, in fewer passes.

    Both are right where the sums of the latter times `x` are finite; where an infinity
    or a NaN in `dy` or `x` makes one of them wrong, a sum is not.

    Args:
        dy: Gradient of the value.
        x: Input, as `prelu` received it.
        alpha: Slopes, as `prelu` received them.

    Returns:
        Both, or None where there is no quicker way, or to look at the sums would cost
        more: on an accelerator, and where torch compiles.
    """
    if _BACKEND != "torch" or not _is_eager_on_cpu(x):
        return None
    positive = torch.ops.aten.threshold_backward(dy, x, 0)
    negative = dy - positive
    return torch.addcmul(positive, negative, alpha), negative


def is_finite(total: Any) -> bool:
    """Whether all values of a small tensor outside of any trace are finite."""
    return bool(ops.all(ops.isfinite(total)))


def _is_eager_on_cpu(x: Any) -> bool:
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def _under_xla() -> bool:
    """Whether TensorFlow traces a function that XLA will compile.

    Each operation of a plain graph is one pass over memory: there the slope at each
    position is worth keeping for the gradient. XLA fuses the passes, so there it is
    cheaper to compute it twice than to write it down once. Both forms are right in
    either place.
    """
    context = getattr(control_flow_util, "GraphOrParentsInXlaContext", None)
    return context is not None and context(tf.compat.v1.get_default_graph())


def _prelu_torch(x: Any, alpha: Any) -> Any:
    """`prelu` without `torch.where`, which branches at each element on a CPU."""
    if _is_eager_on_cpu(x):
        zeros = int((alpha == 0).sum())
        if not zeros:
            return _fused_prelu_torch(x, alpha)
        if zeros == alpha.numel():
            return torch.relu(x)
    # The bound keeps 0 * -inf away. Adding -0.0 changes no bit of a ReLU.
    lowest, none = (
        alpha.new_tensor(bound) for bound in (torch.finfo(x.dtype).min, -torch.inf)
    )
    negative = torch.maximum(x.clamp(max=-0.0), torch.where(alpha == 0, lowest, none))
    return torch.relu(x) + negative * alpha


def _fused_prelu_torch(x: Any, alpha: Any) -> Any:
    """Torch's own operation, which takes slopes of the rank of its input."""
    shape = (1,) * (x.ndim - alpha.ndim) + tuple(alpha.shape)
    return torch.ops.aten._prelu_kernel(x, alpha.reshape(shape))  # noqa: SLF001


def leaky(x: Any, slope: float) -> Any:
    """`x if x > 0 else slope * x`, for a slope other than 0."""
    # TensorFlow's operation keeps the slope in float32: too coarse for float64.
    if _BACKEND == "tensorflow" and x.dtype != tf.float64:
        return tf.nn.leaky_relu(x, slope)
    if _BACKEND == "torch":
        return torch.nn.functional.leaky_relu(x, slope)
    # max(x, slope * x) picks the right branch for every slope up to 1.
    return (ops.maximum if slope <= 1 else ops.minimum)(x, slope * x)


def leaky_gradient(dy: Any, x: Any, slope: float) -> Any:
    """`dy if x > 0 else slope * dy`."""
    if _BACKEND == "tensorflow" and x.dtype != tf.float64:
        return tf.raw_ops.LeakyReluGrad(gradients=dy, features=x, alpha=slope)
    if _BACKEND == "torch":
        return torch.ops.aten.leaky_relu_backward(dy, x, slope, False)
    return ops.where(x > 0, dy, slope * dy)


def column_sums(terms: Any) -> Any:
    """Sum a matrix over its rows.

    Args:
        terms: Tensor of shape `(rows, columns)`.

    Returns:
        Tensor of shape `(columns,)`.
    """
    if _BACKEND == "tensorflow":
        # The sum that a bias gradient needs uses all cores; `tf.reduce_sum` does not.
        return tf.raw_ops.BiasAddGrad(out_backprop=terms)
    return ops.sum(terms, axis=0)
