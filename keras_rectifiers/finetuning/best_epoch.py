"""Callbacks of a fine-tuning run: keep the best weights, and stop in time."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_rectifiers.live import processes

#: Metrics of which less is more; of every other, more is.
_LESS = ("loss", "error", "entropy", "divergence", "perplexity", "hinge", "log_cosh")
#: Key of the monitor's logs, and of what is reported before and after.
DEAD_FRACTION = "dead_fraction"
#: Units that died between two epochs, as a share of all, that count beside a loss.
_DIED = 0.05


@dataclasses.dataclass(frozen=True)
class Standing:
    """How good the model is after an epoch."""

    #: The deciding metric; more is better.
    score: float
    #: The loss of the same samples.
    loss: float = math.nan
    #: Share of dead units on the probe, 0..1.
    dead: float = math.nan

    def better_than_start(self, start: Standing) -> bool:
        """Whether it is better than the original: a constant loss is not.

        Args:
            start: The original.
        """
        if self.score != start.score:
            return self.score > start.score
        if self.loss != start.loss and not math.isnan(self.loss + start.loss):
            return self.loss < start.loss
        return self.dead < start.dead

    def takes_over(self, kept: Standing) -> bool:
        """Whether it is kept in the place of an earlier epoch that is about as good.

        It trained longer, and is taken unless its loss is higher and units died
        meanwhile, or its loss is more than twice as high, or, at the same loss, more
        of its units are dead.

        Args:
            kept: The earlier epoch.
        """
        if self.loss > kept.loss:
            far = self.loss > kept.loss + abs(kept.loss)
            return not (far or self.dead > kept.dead + _DIED)
        return not (self.loss == kept.loss and self.dead > kept.dead)


def deciding_metric(metrics: Mapping[str, float]) -> str:
    """The metric that decides: the first of a model's own, or its loss.

    Args:
        metrics: As `Model.evaluate` names them, and a `dead_fraction`.
    """
    others = (name for name in metrics if name not in ("loss", DEAD_FRACTION))
    return next(others, "loss")


def standing(metrics: Mapping[str, Any], metric: str, prefix: str = "") -> Standing:
    """How good a model is, by its metrics.

    Args:
        metrics: As `Model.evaluate` names them, or logs, and a `dead_fraction`.
        metric: The one that decides.
        prefix: Of its name, and of the loss'.
    """
    value = metrics.get(prefix + metric)
    sign = -1.0 if is_less_better(metric) else 1.0
    number = math.nan if value is None else sign * float(value)
    return Standing(
        -math.inf if math.isnan(number) else number,  # and never kept
        float(metrics.get(f"{prefix}loss", math.nan)),
        float(metrics.get(DEAD_FRACTION, math.nan)),
    )


class KeepBest(keras.callbacks.Callback):
    """Remembers the weights of the best epoch, the start counted as one.

    Of several epochs as good as the best within its standard error it is the last,
    which trained longest, as far as `Standing.takes_over` allows; but none is taken
    that is no better than the start.

    Args:
        before: Metrics of the start, as `Model.evaluate` names them, and its
            `dead_fraction`.
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
        #: The metric that decides: the first of the model's own, or its loss.
        self.metric = deciding_metric(before)
        self._prefix = "" if held_out is None else "val_"
        self._sign = -1.0 if is_less_better(self.metric) else 1.0
        self._samples = held_out
        self._first = first
        self._start = self._kept = standing(before, self.metric)
        self._best = self._start.score
        #: Weights of the epoch that is kept.
        self.weights = start
        #: The epoch whose weights are kept, from 1; 0 is the start.
        self.best_epoch = 0
        #: Score of the latest epoch; more is better.
        self.latest = -math.inf
        self._latest = Standing(self.latest)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        now = standing(logs or {}, self.metric, self._prefix)
        self.latest, self._latest = now.score, now
        if epoch + 1 < self._first:
            return
        self._best = max(self._best, now.score)
        least = self._best - self.error(self._best, self._samples)
        if not math.isfinite(now.score) or now.score < least:
            return
        if not now.better_than_start(self._start):
            return
        kept_still = self.best_epoch > 0 and self._kept.score >= least
        if not kept_still or now.takes_over(self._kept):
            self._kept = now
            self.best_epoch = epoch + 1
            self.weights = self.model.get_weights()

    def facts(self) -> dict[str, Any]:
        """What it knows in addition to the weights, as plain data."""
        return {
            "best": self._best,
            "best_epoch": self.best_epoch,
            "kept": list(dataclasses.astuple(self._kept)),
            "latest": self.latest,
        }

    def set_facts(self, facts: Mapping[str, Any], weights: list[np.ndarray]) -> None:
        """Know what `facts` gave, and the weights that were kept."""
        self._best = float(facts["best"])
        self.best_epoch = int(facts["best_epoch"])
        self._kept = Standing(*map(float, facts["kept"]))
        self.latest = float(facts["latest"])
        self.weights = weights

    def is_better(self, *, last: bool) -> bool:
        """Whether an epoch is better than the start.

        Args:
            last: Ask it of the latest epoch, and not of the one that is kept.
        """
        if not last:
            return self.best_epoch > 0
        return self._latest.better_than_start(self._start)

    @property
    def is_behind(self) -> bool:
        """Whether the latest epoch is worse than the best by a standard error."""
        return self.latest < self._best - self.error(self._best, self._samples)

    @property
    def kept_dead(self) -> float:
        """Share of dead units in what is kept, 0..1; NaN where nothing is watched."""
        return self._kept.dead

    def value(self, score: float) -> float:
        """The metric that a score measures."""
        return self._sign * score

    def error(self, score: float, samples: int | None) -> float:
        """Standard error of a score that is a share of this many samples, else 0."""
        if not self.is_share(score) or samples is None:
            return 0.0
        return math.sqrt(score * (1 - score) / samples)

    def is_share(self, score: float) -> bool:
        """Whether a score is a share of the samples, such as an accuracy."""
        return self._sign > 0 and 0 <= score <= 1


class Budget(keras.callbacks.Callback):
    """Ends a run when its time is over, after the step that is at work.

    Several processes end it together, by the clock of the first one, after the epoch.

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
        self._alone = processes.count() == 1

    def on_train_begin(self, logs: Any = None) -> None:
        if math.isinf(self._end):  # a second fit has what the first one left
            self._end = time.monotonic() + self._seconds

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._alone and time.monotonic() >= self._end:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        over = np.asarray(time.monotonic() >= self._end)
        if not self._alone and processes.of_first({"over": over})["over"]:
            self.model.stop_training = True


def is_less_better(metric: str) -> bool:
    """Whether less of a metric is better, by its name."""
    return any(part in metric for part in _LESS)
