"""The course of the learning rate over a fine-tuning run."""

from __future__ import annotations

import math
from typing import Any

import keras

from keras_rectifiers.live.optimizers import has_schedule
from keras_rectifiers.live.optimizers import inner_of
from keras_rectifiers.live.state import synchronize

COSINE = "cosine"
#: What `schedule=` takes.
SCHEDULES = (COSINE, "constant")
#: Share of a run over which the rate rises.
WARMUP = 0.1
#: A rate is set anew once it is off by this share of the highest.
_STEP = 0.005


class WarmupCosine(keras.callbacks.Callback):
    """Takes the learning rate up in a line, then to 0 along a cosine.

    After training the optimizer has the rate that it had, so that what is saved is
    not a rate of 0. An optimizer with its own schedule is left alone. Epochs
    count from 0: a second `fit` with `initial_epoch` goes on.

    Args:
        optimizer: The optimizer of the model that will be trained.
        epochs: Whole length.
        peak: Highest rate, in rates that the optimizer has. Default 1.
        warmup: Share of the length in 0..1 over which the rate rises. Default 0.1.

    Reference:
        Loshchilov & Hutter 2017 (arXiv:1608.03983), equation 5 without restarts;
        Goyal et al. 2017 (arXiv:1706.02677), section 2.2, for the warm-up.
    """

    def __init__(
        self, optimizer: Any, epochs: int, peak: float = 1.0, warmup: float = WARMUP
    ) -> None:
        super().__init__()
        self._epochs = epochs
        self._warmup = warmup
        #: Highest rate, in rates that the optimizer has.
        self.peak = peak
        self._own: float | None = None
        if not has_schedule(optimizer):
            rate = keras.ops.convert_to_numpy(optimizer.learning_rate)
            self._own = float(rate)
        self._now = math.nan
        self._epoch = 0

    def share_at(self, done: float) -> float:
        """Share of the highest rate once a share of the run, 0..1, is done."""
        if done < self._warmup:
            return done / self._warmup
        left = (done - self._warmup) / (1 - self._warmup)
        return (1 + math.cos(math.pi * min(left, 1.0))) / 2

    def slower(self, factor: float) -> bool:
        """Take the rest of the run at a share of its rate.

        Args:
            factor: The share, 0..1.

        Returns:
            Whether it can: an optimizer's own schedule stays.
        """
        if self._own is None:
            return False
        self.peak *= factor
        return True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        steps = (self.params or {}).get("steps")
        # The middle of the step, so that the first one has a rate above 0.
        within = (batch + 0.5) / steps if steps else 0.5
        if self._own is not None:
            highest = self.peak * self._own
            share = self.share_at((self._epoch + within) / self._epochs)
            self._set(share * highest, highest)

    def on_train_end(self, logs: Any = None) -> None:
        if self._own is not None:
            self._set(self._own, 0.0)

    def _set(self, rate: float, highest: float) -> None:
        if abs(rate - self._now) <= _STEP * highest:  # NaN is set
            return
        synchronize(self.model)
        inner_of(self.model.optimizer).learning_rate = rate
        self._now = rate
