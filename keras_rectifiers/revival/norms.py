"""Undo what batch normalizations did to kill units, and keep every kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_rectifiers.live.batch_statistics import batch_norms
from keras_rectifiers.live.state import to_numpy

#: A unit whose beta is this many gammas below 0 fires for 2 % of normal inputs.
_SILENT = 2.0


def reset_norms(model: keras.Model) -> tuple[str, ...]:
    """Undo what batch normalizations did to kill units, and keep every kernel.

    Where a network died of its normalizations (gammas pressed to 0, betas far below
    it), its kernels may still be what they were. Gammas below 1 become 1; betas that
    keep a unit silent, more than two gammas below 0, become 0. Everything else
    stays, the moving statistics included.

    Args:
        model: A built model; changed in place. Frozen layers stay as they are.

    Returns:
        The paths of the layers that were set back.

    Example:
        >>> import keras
        >>> from keras_rectifiers.revival import reset_norms
        >>> norm = keras.layers.BatchNormalization(name="bn")
        >>> model = keras.Sequential([keras.Input((3,)), norm], name="net")
        >>> norm.gamma.assign([0.0, 3.0, 1.0])
        >>> norm.beta.assign([-0.1, 0.5, -9.0])
        >>> reset_norms(model)
        ('net/bn',)
        >>> print(*(w.round(1) for w in norm.get_weights()[:2]))
        [1. 3. 1.] [-0.1  0.5  0. ]
    """
    reset = []
    for layer in learning_norms(model):
        gamma = np.float32(1.0)
        if layer.gamma is not None:
            gamma = np.maximum(to_numpy(layer.gamma), 1.0)
            layer.gamma.assign(gamma)
        if layer.beta is not None:
            beta = to_numpy(layer.beta)
            layer.beta.assign(np.where(beta < -_SILENT * gamma, 0.0, beta))
        reset.append(layer.path or layer.name)
    return tuple(reset)


def learning_norms(model: keras.Model) -> Iterator[Any]:
    """The batch normalizations of a model that learn, at any depth."""
    learned = {id(variable) for variable in model.trainable_variables}
    for layer in batch_norms(model):
        if any(id(variable) in learned for variable in layer.trainable_variables):
            yield layer
