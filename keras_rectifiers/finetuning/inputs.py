"""A normalization of the inputs, as part of the model that is saved."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_rectifiers.files.data import Data
from keras_rectifiers.graph.document import free_name
from keras_rectifiers.surgery.live import LiveModel

#: Name of the layer, unless the model has one of that name.
NAME = "input_normalization"


def normalized(model: Any, sample: Data) -> tuple[Any, str]:
    """A copy of a model that normalizes its input by what the data look like.

    Args:
        model: A Sequential model, or a Functional one with one input.
        sample: Data in memory; each feature or channel, the last axis, gets a mean
            of 0 and a variance of 1, and one that is constant a mean of 0.

    Returns:
        The copy, and what was done in one sentence.

    Raises:
        UnsupportedModelError: The model is of another kind.
    """
    values = keras.tree.flatten(sample.x)[0]  # of several none is normalized
    axes = tuple(range(values.ndim - 1))
    mean = values.mean(axis=axes, dtype=np.float64)
    variance = values.var(axis=axes, dtype=np.float64)
    layer = keras.layers.Normalization(
        axis=-1,
        mean=mean.tolist(),
        variance=np.where(variance > 0, variance, 1.0).tolist(),
        name=free_name(NAME, {each.name for each in model.layers}),
    )
    said = f"{mean.mean():.3g}, deviation {np.sqrt(variance.mean()):.3g}"
    return LiveModel(model).with_layer_in_front(layer), (
        f"{layer.name!r} was put in front of the model: it normalizes its input (mean "
        f"{said})."
    )
