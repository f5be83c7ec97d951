"""What an optimizer tells about the steps that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_rectifiers.diagnosis.evidence.data import Training
from keras_rectifiers.live.state import to_numpy
from keras_rectifiers.live.upstream import kernel_name

#: Optimizers whose step has about the size of the learning rate in each weight.
_SCALE_FREE = (
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lion",
    "Nadam",
    "RMSprop",
)


def training(model: Any, layers: Mapping[str, Any]) -> Training | None:
    """What is known of a model's training.

    Args:
        model: A Keras model.
        layers: The layer with the kernel before each rectifier (or None), by the
            rectifier's path.
    """
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        return None
    ratios = {}
    for path, layer in layers.items():
        ratio = _step_ratio(optimizer, layer)
        if ratio is not None:
            ratios[path] = ratio
    kind = type(optimizer).__name__
    return Training(
        optimizer=kind,
        learning_rate=float(to_numpy(optimizer.learning_rate)),
        iterations=int(to_numpy(optimizer.iterations)),
        scale_free=kind in _SCALE_FREE,
        momentum=float(getattr(optimizer, "momentum", 0.0) or 0.0),
        step_ratio=ratios,
    )


def _step_ratio(optimizer: Any, layer: Any) -> float | None:
    """Norm of a step over that of the kernel, as the moments have it."""
    name = kernel_name(layer)
    if name is None or not optimizer.built:
        return None
    kernel = getattr(layer, name)
    known = optimizer._trainable_variables_indices  # noqa: SLF001 - no public way
    place = known.get(optimizer._var_key(kernel))  # noqa: SLF001
    if place is None:
        return None
    step = _step(optimizer, place)
    size = np.linalg.norm(to_numpy(kernel))
    return None if step is None or size == 0 else float(np.linalg.norm(step) / size)


def _step(optimizer: Any, place: int) -> Any:
    """The step that the moments alone would take, weight by weight."""
    rate = float(to_numpy(optimizer.learning_rate))
    if getattr(optimizer, "momentums", None):  # SGD keeps the step itself
        return to_numpy(optimizer.momentums[place])
    first = getattr(optimizer, "_momentums", None)
    second = getattr(optimizer, "_velocities", None)
    count = int(to_numpy(optimizer.iterations))
    if not first or not second or count == 0:
        return None
    mean = to_numpy(first[place]) / (1 - optimizer.beta_1**count)
    square = to_numpy(second[place]) / (1 - optimizer.beta_2**count)
    return rate * mean / (np.sqrt(square) + optimizer.epsilon)
