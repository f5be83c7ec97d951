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
    """Remembers the weights of the best epoch, the start counted as one.

    Of several epochs as good as the best within its standard error it is the last,
    which trained longest; but none is taken that is worse than the start.

    Args:
        before: Metrics of the start, as `Model.evaluate` names them.
        start: Weights of the start, as `get_weights` gives them.
        held_out: Samples that the metrics are measured on, where the model does not
            train on them: then the best validation metric counts. None for the
            training metric.
        first: The first epoch, from 1, that may be kept.

    Reference:
        Breiman et al. 1984, "Classification and Regression Trees", section 3.4.3,
        for the rule of one standard error.
    """

    def __init__(
        self,
        before: Mapping[str, float],
        start: list[np.ndarray],
        held_out: int | None = None,
        first: int = 1,
    ) -> None:
        super().__init__()
        others = [name for name in before if name != "loss"]
        #: The metric that decides: the first of the model's own, or its loss.
        self.metric = others[0] if others else "loss"
        self._key = self.metric if held_out is None else f"val_{self.metric}"
        self._sign = -1.0 if is_less_better(self.metric) else 1.0
        self._samples = held_out
        self._first = first
        self._start = self._best = self._score(before.get(self.metric))
        #: Weights of the epoch that is kept.
        self.weights = start
        #: The epoch whose weights are kept, from 1; 0 is the start.
        self.best_epoch = 0
        #: Score of the latest epoch; more is better.
        self.latest = -math.inf

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.latest = self._score((logs or {}).get(self._key))
        if epoch + 1 < self._first:
            return
        self._best = max(self._best, self.latest)
        error = self.error(self._best, self._samples)
        least = max(self._start, self._best - error)
        if math.isfinite(self.latest) and self.latest >= least:
            self.best_epoch = epoch + 1
            self.weights = self.model.get_weights()

    def facts(self) -> dict[str, Any]:
        """What it knows beside the weights, as plain data."""
        return {
            "best": self._best,
            "best_epoch": self.best_epoch,
            "latest": self.latest,
        }

    def set_facts(self, facts: Mapping[str, Any], weights: list[np.ndarray]) -> None:
        """Know what `facts` gave, and the weights that were kept."""
        self._best = float(facts["best"])
        self.best_epoch = int(facts["best_epoch"])
        self.latest = float(facts["latest"])
        self.weights = weights

    def value(self, score: float) -> float:
        """The metric that a score stands for."""
        return self._sign * score

    def error(self, score: float, samples: int | None) -> float:
        """Standard error of a score that is a share of so many samples, else 0."""
        if samples is None or self._sign < 0 or not 0 <= score <= 1:
            return 0.0
        return math.sqrt(score * (1 - score) / samples)

    def _score(self, value: Any) -> float:
        number = math.nan if value is None else self._sign * float(value)
        return -math.inf if math.isnan(number) else number  # and never kept


class Budget(keras.callbacks.Callback):
    """Ends a run when its time is over, after the step that is at work.

    Args:
        seconds: Time from the beginning of the first training, > 0.
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
        if math.isinf(self._end):  # a second fit has what the first one left
            self._end = time.monotonic() + self._seconds

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if time.monotonic() >= self._end:
            self.model.stop_training = True


def is_less_better(metric: str) -> bool:
    """Whether less of a metric is better, by its name."""
    return any(part in metric for part in _LESS)
