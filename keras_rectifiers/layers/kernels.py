"""The arithmetic of the rectifiers, with their gradients: pure functions of tensors.

Every kernel states its own gradient. What a framework derives from the formulas is
wrong where it matters to a dying unit: at 0, at -inf and at slope 0.
"""

from __future__ import annotations

from typing import Any

import keras
import ml_dtypes
import numpy as np
from keras import ops

_HALF = ("float16", "bfloat16")


def leaky_relu(x: Any, slope: float, max_value: float | None = None) -> Any:
    """`min(max_value, x if x > 0 else slope * x)` for one constant slope.

    Args:
        x: Floating point tensor of any shape.
        slope: Slope for `x <= 0`, any finite number.
        max_value: Upper bound of the result, or None.

    Returns:
        Tensor like `x`. Its gradient is 1 for `x > 0`, else `slope`; 0 from
        `max_value` on.
    """
    dtype = keras.backend.standardize_dtype(x.dtype)
    slope = _rounded(slope, dtype)
    if slope == 0:
        return relu(x, max_value)

    @ops.custom_gradient
    def kernel(x: Any) -> tuple[Any, Any]:
        # max(x, slope * x) picks the right branch for every slope up to 1.
        choose = ops.maximum if slope <= 1 else ops.minimum
        y = _capped(choose(x, slope * x), max_value)

        def gradient(*args: Any, upstream: Any = None) -> Any:
            dy = args[0] if upstream is None else upstream
            dy = _below_cap(dy, y, max_value)
            return ops.where(x > 0, dy, slope * dy)

        return y, gradient

    return kernel(x)


def prelu(x: Any, alpha: Any, max_value: float | None = None) -> Any:
    """`min(max_value, x if x > 0 else alpha * x)` with learned slopes.

    Args:
        x: Floating point tensor of any shape.
        alpha: Slopes for `x <= 0`, a tensor that broadcasts to the shape of `x`,
            of the same or of a wider dtype.
        max_value: Upper bound of the result, or None.

    Returns:
        Tensor like `x`. Its gradient for `x` is that of `leaky_relu`; its gradient
        for `alpha`, of alpha's dtype, is the sum of `dy * x` over `x <= 0`.
    """

    @ops.custom_gradient
    def kernel(x: Any, alpha: Any) -> tuple[Any, Any]:
        slope = ops.cast(alpha, x.dtype)
        negative = ops.minimum(x, 0)
        y = _capped(ops.relu(x) + _product(negative, slope), max_value)

        def gradient(*args: Any, upstream: Any = None) -> tuple[Any, Any]:
            dy = args[0] if upstream is None else upstream
            dy = _below_cap(dy, y, max_value)
            dx = ops.where(x > 0, dy, _product(dy, slope))
            return dx, _slope_gradient(negative, dy, alpha)

        return y, gradient

    return kernel(x, alpha)


def relu(x: Any, max_value: float | None = None) -> Any:
    """Keras' own ReLU: what the kernels have to equal, bit for bit, at slope 0."""
    return keras.activations.relu(x, max_value=max_value)


def _rounded(number: float, dtype: str) -> float:
    """The number as it is in `dtype`: a small slope is 0 in float16."""
    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    return float(np.asarray(number).astype(kind))


def _product(factor: Any, weight: Any) -> Any:
    """`factor * weight`, and 0 wherever `weight` is 0, also for inf and NaN."""
    # Adding -0.0 changes no number, not even the sign of a zero.
    return ops.where(weight == 0, ops.cast(-0.0, factor.dtype), factor * weight)


def _capped(y: Any, max_value: float | None) -> Any:
    return y if max_value is None else ops.minimum(y, max_value)


def _below_cap(dy: Any, y: Any, max_value: float | None) -> Any:
    if max_value is None:
        return dy
    return ops.where(y >= max_value, ops.zeros_like(dy), dy)


def _slope_gradient(negative: Any, dy: Any, alpha: Any) -> Any:
    """Sum of `negative * dy` over the axes that share a slope."""
    if keras.backend.standardize_dtype(dy.dtype) in _HALF:
        # Thousands of positions share a slope: a half float would saturate.
        negative, dy = ops.cast(negative, "float32"), ops.cast(dy, "float32")
    shape = (1,) * (len(dy.shape) - len(alpha.shape)) + tuple(alpha.shape)
    axes = tuple(axis for axis, length in enumerate(shape) if length == 1)
    total = ops.sum(_product(negative, dy), axis=axes)
    return ops.cast(ops.reshape(total, alpha.shape), alpha.dtype)
