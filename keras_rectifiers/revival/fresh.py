"""New values for incoming weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_rectifiers.live.state import to_numpy
from keras_rectifiers.revival.live_units import Incoming
from keras_rectifiers.revival.live_units import Values

#: What a unit starts with, whatever made it die.
_START = {
    "bias": 0.0,
    "beta": 0.0,
    "gamma": 1.0,
    "moving_mean": 0.0,
    "moving_variance": 1.0,
}
#: The layer's argument that initializes each kernel.
_ARGUMENTS = {
    "pointwise_kernel": "pointwise_initializer",
    "embeddings": "embeddings_initializer",
}
#: In place of one that gives every weight the same value.
_VARIED = "glorot_uniform"


def fresh(weight: Incoming, seed: int, initializer: Any = None) -> Values:
    """New values for a whole incoming weight, of which some will be used.

    A kernel is redrawn from the layer's own initializer. If that returns a constant
    (such as zeros), all units would be the same, so Glorot's is used instead.

    Args:
        weight: The weight.
        seed: Of the draw.
        initializer: In place of the layer's own, as Keras takes it.

    Returns:
        Array of the weight's shape.
    """
    variable, role = weight.variable, weight.part.role
    shape = tuple(variable.shape)
    if role != "kernel":
        return np.full(shape, _START[role])
    chosen = _initializer(weight, initializer)
    values = _drawn(chosen, shape, seed)
    if values.size > 1 and np.ptp(values) == 0:
        values = _drawn(keras.initializers.get(_VARIED), shape, seed)
    return values


def _initializer(weight: Incoming, initializer: Any) -> Any:
    name = _ARGUMENTS.get(weight.part.weight, "kernel_initializer")
    if len(weight.part.axes) > 1:  # a depthwise kernel
        name = "depthwise_initializer"
    own = getattr(weight.layer, name, _VARIED) if initializer is None else initializer
    own = keras.initializers.get(own)
    if weight.part.class_name == "EinsumDense" and hasattr(own, "input_axes"):
        return _for_einsum(own, weight.layer.equation)
    return own


def _for_einsum(initializer: Any, equation: str) -> Any:
    """Variance scaling with the fans of an equation, as EinsumDense does it."""
    config = initializer.get_config()
    if config.get("input_axes") is None:
        left, _, output = equation.replace(" ", "").partition("->")
        given, _, kernel = left.partition(",")
        summed = [i for i, letter in enumerate(kernel) if letter not in output]
        made = [i for i, letter in enumerate(kernel) if letter not in given]
        if summed and made:
            config |= {"input_axes": summed, "output_axes": made}
    return type(initializer).from_config(config)


def _drawn(initializer: Any, shape: tuple[int, ...], seed: int) -> Values:
    if isinstance(initializer, keras.initializers.Initializer):
        config = initializer.get_config()
        if "seed" in config:
            initializer = type(initializer).from_config({**config, "seed": seed})
    return to_numpy(initializer(shape, dtype="float32"))
