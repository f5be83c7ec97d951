"""Sequentials that have no weights yet: Keras would make them in the first step."""

from __future__ import annotations

from typing import Any

import keras

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.files.structures import mapped
from keras_rectifiers.surgery import compile_state


def built(model: Any, x: Any) -> Any:
    """The model, or a copy of it with weights where it has none.

    Args:
        model: The model; not changed.
        x: A few samples, as arrays.

    Raises:
        UnsupportedModelError: The copy cannot be made.
    """
    unbuilt = not model.built or not all(layer.built for layer in model.layers)
    if not isinstance(model, keras.Sequential) or not unbuilt:
        return model
    try:
        copy = type(model).from_config(model.get_config())
        copy(mapped(keras.ops.convert_to_tensor, x), training=False)
        for old, new in zip(model.layers, copy.layers, strict=True):
            if old.built and old.weights:
                new.set_weights(old.get_weights())
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise UnsupportedModelError(
            f"A model must have weights to be treated. Received: {model.name!r}, which "
            f"is not built, and no copy of it can be ({type(error).__name__}: "
            f"{reason}). Call it once before: model(x[:1])."
        ) from error
    compile_state.carry(model, copy, [])
    return copy
