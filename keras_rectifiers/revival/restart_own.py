"""Redraw a layer's weights by its own initializers, with numpy where possible."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from keras_rectifiers.revival import fresh
from keras_rectifiers.revival.restart_kernels import Values
from keras_rectifiers.revival.restart_kernels import orthogonal

#: Weights whose initializer is not called after them.
_NAMES = {
    "pointwise_kernel": "pointwise_initializer",
    "depthwise_kernel": "depthwise_initializer",
    "recurrent_kernel": "recurrent_initializer",
}
#: Standard deviation of a normal distribution that is cut at two of them.
_CUT = 0.87962566103423978


def own(layer: Any, variable: Any, rng: np.random.Generator) -> Values | None:
    """New values of one weight, as its layer starts with them.

    Args:
        layer: The layer that has the weight itself, not in a layer inside it.
        variable: The weight.
        rng: Draws, where the initializer is one of Keras' own; else its seed.

    Returns:
        Array of the weight's shape; None where the layer does not say how it starts.
    """
    name = variable.name
    found = getattr(layer, _NAMES.get(name, f"{name}_initializer"), None)
    if name == "kernel":
        found = getattr(layer, "depthwise_initializer", found)
    if found is None:
        return None
    shape = tuple(variable.shape)
    if name == "bias" and getattr(layer, "unit_forget_bias", False):
        return _forget_bias(shape)
    initializer = keras.initializers.get(found)
    if hasattr(layer, "equation") and hasattr(initializer, "input_axes"):
        initializer = fresh._for_einsum(initializer, layer.equation)  # noqa: SLF001
    return drawn(initializer, shape, rng)


def drawn(initializer: Any, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
    """Values of an initializer.

    Args:
        initializer: An initializer of Keras, or any that Keras takes.
        shape: What to draw.
        rng: Draws for the random initializers of Keras. Another one gets a seed, and
            draws with the backend: its numbers differ from backend to backend.
    """
    known = keras.initializers
    if not type(initializer).__module__.startswith("keras.src."):
        pass
    elif isinstance(initializer, known.VarianceScaling):
        return _scaled(initializer, shape, rng)
    elif isinstance(initializer, known.Orthogonal):
        matrix = orthogonal(math.prod(shape[:-1]), shape[-1], rng)
        return float(initializer.gain) * matrix.reshape(shape)
    elif isinstance(initializer, known.RandomUniform):
        return rng.uniform(initializer.minval, initializer.maxval, shape)
    elif isinstance(initializer, known.TruncatedNormal):
        return initializer.mean + initializer.stddev * _cut_normal(shape, rng)
    elif isinstance(initializer, known.RandomNormal):
        return rng.normal(initializer.mean, initializer.stddev, shape)
    seed = int(rng.integers(2**31))
    return fresh._drawn(initializer, shape, seed)  # noqa: SLF001 - its neighbor


def _scaled(initializer: Any, shape: tuple[int, ...], rng: Any) -> Values:
    fans = dict(zip(("fan_in", "fan_out"), _fans(initializer, shape), strict=True))
    fans["fan_avg"] = (fans["fan_in"] + fans["fan_out"]) / 2
    variance = initializer.scale / max(1.0, fans[initializer.mode])
    if initializer.distribution == "uniform":
        limit = math.sqrt(3 * variance)
        return rng.uniform(-limit, limit, shape)
    if initializer.distribution == "untruncated_normal":
        return rng.normal(0.0, math.sqrt(variance), shape)
    return math.sqrt(variance) / _CUT * _cut_normal(shape, rng)


def _fans(initializer: Any, shape: tuple[int, ...]) -> tuple[float, float]:
    """What a value comes from and goes to, as Keras counts it."""
    made = getattr(initializer, "output_axes", None)
    summed = getattr(initializer, "input_axes", None)
    if made is not None and summed is not None:
        fans = [math.prod(shape[axis] for axis in axes) for axes in (summed, made)]
        return fans[0], fans[1]
    if len(shape) < 2:  # noqa: PLR2004 - no matrix
        return math.prod(shape), math.prod(shape)
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def _cut_normal(shape: tuple[int, ...], rng: np.random.Generator) -> Values:
    values = rng.normal(size=shape)
    outside = np.abs(values) > 2  # noqa: PLR2004 - where Keras cuts
    while outside.any():
        values[outside] = rng.normal(size=int(outside.sum()))
        outside = np.abs(values) > 2  # noqa: PLR2004 - as above
    return values


def _forget_bias(shape: tuple[int, ...]) -> Values:
    """Zeros, and ones for the second of the four gates of an LSTM."""
    values = np.zeros(shape)
    quarter = shape[-1] // 4
    values[..., quarter : 2 * quarter] = 1.0
    return values
