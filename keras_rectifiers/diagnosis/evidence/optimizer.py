"""What an optimizer tells about the steps that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_rectifiers.diagnosis.evidence.data import Training
from keras_rectifiers.live.optimizers import inner_of
from keras_rectifiers.live.optimizers import slots
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
    optimizer = inner_of(getattr(model, "optimizer", None))
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        return None
    kept: dict[int, dict[str, Any]] = {}
    for slot in slots(optimizer):
        kept.setdefault(id(slot.weight), {})[slot.name] = slot.variable
    ratios = {}
    for path, layer in layers.items():
        kernel = getattr(layer, kernel_name(layer) or "", None)
        ratio = _step_ratio(optimizer, kernel, kept.get(id(kernel), {}))
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


def _step_ratio(optimizer: Any, kernel: Any, kept: Mapping[str, Any]) -> float | None:
    """Norm of the step that the moments alone would take over that of the kernel."""
    count = int(to_numpy(optimizer.iterations))
    if "momentums" in kept:  # SGD keeps the step itself
        step = to_numpy(kept["momentums"])
    elif count and {"_momentums", "_velocities"} <= kept.keys():
        mean = to_numpy(kept["_momentums"]) / (1 - optimizer.beta_1**count)
        square = to_numpy(kept["_velocities"]) / (1 - optimizer.beta_2**count)
        rate = float(to_numpy(optimizer.learning_rate))
        step = rate * mean / (np.sqrt(square) + optimizer.epsilon)
    else:
        return None
    size = np.linalg.norm(to_numpy(kernel))
    return None if size == 0 else float(np.linalg.norm(step) / size)
