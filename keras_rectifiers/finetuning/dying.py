"""See that units die again in a fine-tuning run, and stop it."""

from __future__ import annotations

import math
from typing import Any

import keras

from keras_rectifiers.finetuning.best_epoch import DEAD_FRACTION
from keras_rectifiers.finetuning.best_epoch import KeepBest
from keras_rectifiers.finetuning.notes import Notes
from keras_rectifiers.finetuning.schedule import WarmupCosine
from keras_rectifiers.revival import slots
from keras_rectifiers.shares import percent

#: Units that died since the best epoch of a run, as a share of all: from here on it
#: is no fluctuation.
_DIED = 0.25
#: What becomes of the rate when units die.
_SLOWER = 0.1
#: How often a run is taken back before it ends.
_TIMES = 2


class StopDying(keras.callbacks.Callback):
    """Takes a run back to its best epoch where units die again and it gets worse.

    A quarter of all units more than in the best epoch must be dead, at a score that
    is worse. Then the weights of that epoch come back, and training goes on with a
    tenth of the rate and an optimizer without memory; the third time it ends.

    Args:
        keeper: Has the best epoch, and was asked before.
        schedule: Of the run's rate; None where it is constant.
        notes: Where it is said.

    Attributes:
        times: How often units died.
    """

    def __init__(
        self, keeper: KeepBest, schedule: WarmupCosine | None, notes: Notes
    ) -> None:
        super().__init__()
        self._keeper = keeper
        self._schedule = schedule
        self._notes = notes
        self._least = math.inf
        self.times = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        dead = float((logs or {}).get(DEAD_FRACTION, math.nan))
        self._least = min(self._least, dead)
        if not dead >= self._least + _DIED or not self._keeper.is_behind:
            return
        self.times += 1
        said = f"Epoch {epoch + 1}: {percent(dead)} of the units are dead again"
        if (
            self.times > _TIMES
            or self._schedule is None
            or not self._schedule.slower(_SLOWER)
        ):
            self._notes.say(f"{said}; training ends here.")
            self.model.stop_training = True
            return
        best = self._keeper.best_epoch
        if best:
            self.model.set_weights(self._keeper.weights)
            self._least = self._keeper.kept_dead
        slots.forget(self.model)
        where = f" from the weights of epoch {best}" if best else ""
        self._notes.say(f"{said}; training goes on{where} at a tenth of its rate.")

    def facts(self) -> dict[str, Any]:
        """What it knows, as plain data."""
        return {"least": self._least, "times": self.times}

    def set_facts(self, facts: dict[str, Any]) -> None:
        """Know what `facts` gave."""
        self._least, self.times = float(facts["least"]), int(facts["times"])
