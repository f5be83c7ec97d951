"""The few operations that are worth a form of their own on a backend.

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
elif _BACKEND == "torch":
    import torch


def product(factor: Any, weight: Any) -> Any:
    """`factor * weight`, and 0 wherever `weight` is 0, also for inf and NaN.

    Args:
        factor: Floating point tensor.
        weight: Tensor of the same shape and dtype.
    """
    if _BACKEND == "tensorflow":
        return tf.math.multiply_no_nan(factor, weight)
    return ops.where(weight == 0, ops.zeros_like(factor), factor * weight)


def scaled(x: Any, slope: Any) -> Any:
    """`x * slope`, and exactly `relu(x)` wherever `slope` is 0.

    Args:
        x: Floating point tensor.
        slope: Tensor of the same shape and dtype, 0 only where `x <= 0`.
    """
    if _BACKEND == "tensorflow":
        return tf.math.multiply_no_nan(x, slope)
    # Torch keeps -0.0 in some lanes: with its own ReLU we do so in the same ones.
    return ops.where(slope == 0, ops.relu(x), x * slope)


def leaky(x: Any, slope: float) -> Any:
    """`x if x > 0 else slope * x`, for a slope other than 0."""
    if _BACKEND == "tensorflow":
        return tf.nn.leaky_relu(x, slope)
    if _BACKEND == "torch":
        return torch.nn.functional.leaky_relu(x, slope)
    # max(x, slope * x) picks the right branch for every slope up to 1.
    return (ops.maximum if slope <= 1 else ops.minimum)(x, slope * x)


def leaky_gradient(dy: Any, x: Any, slope: float) -> Any:
    """`dy if x > 0 else slope * dy`."""
    if _BACKEND == "tensorflow":
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
