"""Train one treated model: some epochs, and then the rest of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras

from keras_rectifiers.callbacks import DeadUnitMonitor
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.training.keeping import KeepBest
from keras_rectifiers.training.schedule import WarmupCosine
from keras_rectifiers.training.split import Parts
from keras_rectifiers.training.treated import Treated

COSINE = "cosine"
#: What `schedule=` takes.
SCHEDULES = (COSINE, "constant")


@dataclasses.dataclass(frozen=True, eq=False)
class Training:
    """What the runs of one call have in common."""

    parts: Parts
    #: Epochs of a run.
    epochs: int
    #: Metrics of the original, to which a run falls back.
    before: Mapping[str, float]
    #: `"cosine"` or `"constant"`.
    schedule: str
    #: Inputs on which units are watched; None where there are no units.
    probe: Any
    #: The user's, and such as end a run.
    callbacks: Sequence[Any]
    #: Of `keras.Model.fit`.
    options: Mapping[str, Any]
    seed: int


class Run:
    """The training of one treated model.

    Args:
        treated: The model.
        training: What to train it with.
    """

    def __init__(self, treated: Treated, training: Training) -> None:
        self.treated = treated
        self.model = treated.model
        self.epochs = training.epochs
        self.keeper = KeepBest(
            training.before,
            treated.start,
            held_out=training.parts.held_out,
            first=treated.first_epoch,
        )
        self.logs: list[dict[str, float]] = []
        self._ended = False
        self._training = training
        self._callbacks = [
            *_monitors(training.probe),  # first: the others see its logs
            *treated.callbacks,
            *([WarmupCosine(self.epochs)] if training.schedule == COSINE else []),
            _StopWhereNotFinite(),
            self.keeper,
            *training.callbacks,
        ]

    def train(self, until: int) -> None:
        """Train up to an epoch, unless a callback has ended the run before.

        Args:
            until: Number of epochs that will be done, at most those of the run.
        """
        done = len(self.logs)
        if self._ended or done >= until:
            return
        keras.utils.set_random_seed(self._training.seed + done)
        history = self.model.fit(
            **self._training.parts.training(),
            initial_epoch=done,
            epochs=until,
            callbacks=list(self._callbacks),
            **self._training.options,
        ).history
        self._ended = bool(self.model.stop_training)
        length = max(map(len, history.values()), default=0)
        self.logs += [
            {name: float(each[i]) for name, each in history.items() if i < len(each)}
            for i in range(length)
        ]

    @property
    def diverged(self) -> bool:
        """Whether the loss is no longer a finite number."""
        return bool(self.logs) and not math.isfinite(self.logs[-1].get("loss", 0.0))

    def require_finite(self) -> None:
        """Refuse a run that diverged.

        Raises:
            RectifierError: The loss became NaN or infinite.
        """
        if self.diverged:
            raise RectifierError(
                "Fine-tuning diverged: the loss became NaN or infinite in epoch "
                f"{len(self.logs)} of {self.epochs}. Use a smaller learning rate "
                "(--learning-rate), and look for NaN in the data."
            )


def _monitors(probe: Any) -> list[Any]:
    if probe is None:
        return []
    return [DeadUnitMonitor(probe, probe_samples="all", batch_size=256)]


class _StopWhereNotFinite(keras.callbacks.Callback):
    """Ends training after an epoch without a finite loss, silently.

    Keras' own `TerminateOnNaN` prints to stdout, where the result belongs.
    """

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not math.isfinite(float((logs or {}).get("loss", 0.0))):
            self.model.stop_training = True
