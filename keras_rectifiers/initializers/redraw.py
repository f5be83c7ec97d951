"""Reinitialize existing layers with randomized asymmetric initialization."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers.initializers import arguments
from keras_rectifiers.initializers.asymmetric import draw
from keras_rectifiers.layers.arguments import seed as checked_seed
from keras_rectifiers.live.layers import flat

#: Layers whose kernel has the units on its last axis and all inputs on the others.
_LAYERS = (
    keras.layers.Dense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
)


def redraw_asymmetric(
    model: keras.layers.Layer, seed: int | None = None
) -> tuple[str, ...]:
    """Redraw kernel and bias of each `Dense` and `Conv` layer jointly (RAI).

    The previous weights of these layers are lost. Layers of other classes keep theirs.

    Args:
        model: A built layer, or a model, whose layers are all redrawn, those of models
            inside it too. A layer that is shared is drawn once.
        seed: An int of 0 or more; each layer draws with its own seed, derived from it.
            Defaults to None: random.

    Returns:
        The paths of the layers that were redrawn, in order.

    Raises:
        TypeError: If `seed` is not an int.
        ValueError: If a layer is not built, or nothing in the model can be redrawn.

    Example:
        >>> import keras
        >>> import keras_rectifiers
        >>> dense = [keras.layers.Dense(2, "relu", name=f"d{i}") for i in range(3)]
        >>> model = keras.Sequential([keras.Input((1,)), *dense], name="net")
        >>> keras_rectifiers.initializers.redraw_asymmetric(model, seed=1)
        ('net/d0', 'net/d1', 'net/d2')

    Reference:
        Lu, Shin, Su and Karniadakis 2019, arXiv:1903.06733, section 4.
    """
    first = checked_seed(seed, "redraw_asymmetric")
    if first is None:
        first = arguments.fresh_seed()
    layers = list(_layers(model))
    if not layers:
        raise ValueError(
            "A model must have a Dense or Conv layer to redraw. Received: "
            f'"{model.name}" (a {type(model).__name__}), which has none. Pass a layer '
            "or model that has one."
        )
    for layer in layers:
        if not layer.built:
            raise ValueError(
                "A layer must be built before its weights are redrawn. Received: "
                f'layer "{layer.path or layer.name}", which has no weights. Call the '
                "model once, or build it."
            )
    seeds = np.random.SeedSequence(first).generate_state(len(layers))
    for layer, own in zip(layers, seeds, strict=True):
        _redraw(layer, int(own))
    return tuple(layer.path or layer.name for layer in layers)


def _layers(model: keras.layers.Layer) -> Iterator[Any]:
    for layer in flat(model):
        # Subclasses may use another kernel layout.
        if type(layer) in _LAYERS:
            yield layer


def _redraw(layer: Any, seed: int) -> None:
    # `kernel` of a layer with LoRA is a sum: the variable is what is assigned.
    kernel = layer._kernel  # noqa: SLF001 - as above
    shape = tuple(kernel.shape)
    units = shape[-1]
    fan_in = int(np.prod(shape[:-1]))
    drawn = draw(fan_in, units, seed, bias=layer.use_bias, dtype=kernel.dtype)
    kernel.assign(ops.reshape(drawn[:fan_in], shape))
    if layer.use_bias:
        layer.bias.assign(drawn[-1])
