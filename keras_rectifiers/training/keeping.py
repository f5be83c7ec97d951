"""Callbacks of a fine-tuning run: keep the best weights, and stop in time."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

#: Metrics of which less is more; of every other, more is.
_LESS = ("loss", "error", "entropy", "divergence", "perplexity", "hinge", "log_cosh")


class KeepBest(keras.callbacks.Callback):
    """Ends a run with the weights of its best epoch, the start counted as one.

    Args:
        before: Metrics before the first epoch, as `Model.evaluate` names them.
        held_out: Whether they were measured on data that the model does not train
            on: then the best validation metric counts, else the training metric.
    """

    def __init__(self, before: Mapping[str, float], *, held_out: bool) -> None:
        super().__init__()
        others = [name for name in before if name != "loss"]
        #: The metric that decides: the first of the model's own, or its loss.
        self.metric = others[0] if others else "loss"
        self._key = f"val_{self.metric}" if held_out else self.metric
        self._sign = -1.0 if is_less_better(self.metric) else 1.0
        self._best = self._score(before.get(self.metric))
        self._weights: list[np.ndarray] | None = None
        #: The epoch whose weights were kept, from 1; 0 is the start.
        self.best_epoch = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self._weights = self.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        score = self._score((logs or {}).get(self._key))
        if (
            math.isfinite(score) and score >= self._best
        ):  # of equals the later one, which trained longer
            self._best, self.best_epoch = score, epoch + 1
            self._weights = self.model.get_weights()

    def on_train_end(self, logs: Any = None) -> None:
        if self._weights is not None:
            self.model.set_weights(self._weights)

    def _score(self, value: Any) -> float:
        number = math.nan if value is None else self._sign * float(value)
        return -math.inf if math.isnan(number) else number  # and never kept


class Budget(keras.callbacks.Callback):
    """Ends a run when its time is over, after the step that is at work.

    Args:
        seconds: Time from the beginning of training, > 0.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        if not 0 < seconds < math.inf:
            raise ValueError(
                "budget must be a finite number of seconds > 0. Received: "
                f"budget={seconds}."
            )
        self._seconds = seconds
        self._end = math.inf

    def on_train_begin(self, logs: Any = None) -> None:
        self._end = time.monotonic() + self._seconds

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if time.monotonic() >= self._end:
            self.model.stop_training = True


def is_less_better(metric: str) -> bool:
    """Whether less of a metric is better, by its name."""
    return any(part in metric for part in _LESS)


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
