"""Weights of classes in the loss, for labels of which some are rare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def class_weights(given: Any, labels: Any) -> dict[int, float] | None:
    """Weights of classes as `Model.fit` takes them.

    Args:
        given: None; a mapping from class to weight; or `"balanced"`, which weighs
            each class by `samples / (classes * samples of the class)` (King & Zeng
            2001, as scikit-learn computes it).
        labels: Numbers of classes, shape (samples,) or (samples, 1), or one column
            for each class, shape (samples, classes); None for a data set object.

    Raises:
        ValueError: It is neither, or the labels are no classes.
    """
    if given is None:
        return None
    if isinstance(given, Mapping):
        return {int(key): float(value) for key, value in given.items()}
    if given != "balanced" or labels is None:
        raise ValueError(
            'class_weight must be a mapping from class to weight, or "balanced" for '
            f"arrays with labels. Received: class_weight={given!r}"
            f"{'' if labels is not None else ' for a data set object'}."
        )
    values = np.asarray(labels)
    if values.ndim > 1 and values.shape[-1] > 1:
        values = values.argmax(axis=-1)
    values = values.ravel()
    if not np.array_equal(values, np.floor(values)) or values.min() < 0:
        raise ValueError(
            'class_weight="balanced" needs numbers of classes. Received: labels '
            f"between {values.min():g} and {values.max():g}."
        )
    classes, counts = np.unique(values.astype(int), return_counts=True)
    share = len(values) / (len(classes) * counts)
    return dict(zip(classes.tolist(), share.tolist(), strict=True))
