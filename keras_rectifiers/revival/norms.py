"""Set batch normalisations back to their start, and keep every kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np


def reset_norms(model: keras.Model) -> tuple[str, ...]:
    """Give each batch normalisation the gammas and betas that it started with.

    Where a network died of its normalisations (gammas pressed to 0, betas far below
    it), its kernels may still be what they were: this keeps them, and everything
    else, the moving statistics included.

    Args:
        model: A built model; changed in place. Frozen layers stay as they are.

    Returns:
        The paths of the layers that were set back.

    Example:
        >>> import keras
        >>> from keras_rectifiers.revival import reset_norms
        >>> norm = keras.layers.BatchNormalization(name="bn")
        >>> model = keras.Sequential([keras.Input((2,)), norm], name="net")
        >>> norm.gamma.assign([0.0, 3.0])
        >>> reset_norms(model)
        ('net/bn',)
    """
    reset = []
    for layer in batch_norms(model):
        for name, start in (("gamma", 1.0), ("beta", 0.0)):
            variable = getattr(layer, name, None)
            if variable is not None:
                variable.assign(np.full(variable.shape, start))
        reset.append(layer.path or layer.name)
    return tuple(reset)


def batch_norms(model: keras.Model) -> Iterator[Any]:
    """The batch normalisations of a model that learn, at any depth."""
    learned = {id(variable) for variable in model.trainable_variables}
    for layer in model._flatten_layers():  # noqa: SLF001 - Keras has no public way
        if isinstance(layer, keras.layers.BatchNormalization) and any(
            id(variable) in learned for variable in layer.trainable_variables
        ):
            yield layer
