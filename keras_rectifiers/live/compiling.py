"""Whether a model runs compiled: as its backend runs models by default."""

from __future__ import annotations

from typing import Any

import keras

from keras_rectifiers.live import layers

#: Keras' own default for each backend, where layers allow it. TensorFlow's depends on
#: the machine, and neither choice is slow there.
_DEFAULTS = {"jax": True, "torch": False}


def suit_backend(model: Any) -> str:
    """Have a model that another backend saved run as this one runs models.

    A file holds `jit_compile` as the backend that wrote it chose: with TensorFlow's
    False JAX runs one operation after the other, ten times slower, and with JAX'
    True torch compiles every function first. What the model is saved with again stays
    what it was.

    Args:
        model: A model; it is changed.

    Returns:
        What was changed, in one sentence; empty where nothing was.
    """
    wanted = _DEFAULTS.get(keras.config.backend())
    if wanted is None or not model.compiled or model.run_eagerly:
        return ""
    before = model.jit_compile
    if before == wanted or (wanted and not _can_be_compiled(model)):
        return ""
    model.jit_compile = wanted
    return (
        f"The model was saved with jit_compile={before} on another backend; on "
        f"{keras.config.backend()} it runs with jit_compile={wanted}."
    )


def _can_be_compiled(model: Any) -> bool:
    return all(layer.supports_jit for layer in layers.flat(model))
