"""Train one treated model: some epochs, and then the rest of them."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras

from keras_rectifiers.callbacks import DeadUnitMonitor
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.files.data import Data
from keras_rectifiers.finetuning.best_epoch import KeepBest
from keras_rectifiers.finetuning.dying import StopDying
from keras_rectifiers.finetuning.margin import error_over_parts
from keras_rectifiers.finetuning.notes import Notes
from keras_rectifiers.finetuning.prepare import Treated
from keras_rectifiers.finetuning.resume import RunFile
from keras_rectifiers.finetuning.resume import RunState
from keras_rectifiers.finetuning.schedule import COSINE
from keras_rectifiers.finetuning.schedule import WarmupCosine
from keras_rectifiers.finetuning.split import Parts
from keras_rectifiers.finetuning.stage import Seat
from keras_rectifiers.finetuning.stage import variables_of
from keras_rectifiers.live.processes import is_first
from keras_rectifiers.live.seeding import seed_everything
from keras_rectifiers.live.state import synchronize
from keras_rectifiers.live.state import to_numpy


@dataclasses.dataclass(frozen=True, eq=False)
class RunSettings:
    """What the runs of one call have in common."""

    parts: Parts
    #: Epochs of a run.
    epochs: int
    #: Metrics of the original, to which a run falls back.
    before: Mapping[str, float]
    #: `"cosine"` or `"constant"`.
    schedule: str
    #: Watches units in each run, first of all callbacks; None where there are no units.
    monitor: DeadUnitMonitor | None
    #: The user's, and such as end a run.
    callbacks: Sequence[Any]
    #: Of `keras.Model.fit`.
    options: Mapping[str, Any]
    seed: int
    #: Inputs and labels in memory that scores are measured on, or a part of them.
    sample: Data
    #: Where it is said that units die again.
    notes: Notes = dataclasses.field(default_factory=Notes)


class Run:
    """The training of one treated model, which may be that of other runs, too.

    Args:
        treated: What was done to the model.
        seat: Where the model is.
        training: What to train it with.
        file: Where its state is kept after each epoch; what is there already is
            gone on from. None keeps nothing.

    Attributes:
        logs: Of each epoch that is done.
        dying: Sees that units die again.
        scores: Of the keeper, after each epoch.
    """

    def __init__(
        self,
        treated: Treated,
        seat: Seat,
        training: RunSettings,
        file: RunFile | None = None,
    ) -> None:
        self.treated = treated
        self._seat = seat
        self.epochs = training.epochs
        #: Samples that its scores are measured on, where that is known.
        self.samples = training.parts.chosen_by_samples
        self.keeper = KeepBest(
            training.before,
            treated.start,
            held_out=training.parts.held_out,
            first=treated.first_epoch,
        )
        #: What the deciding metric is measured on, in words.
        self.chosen_on = training.parts.chosen_on
        self.logs: list[dict[str, float]] = []
        self.scores: list[float] = []
        self._ended = False
        self._training = training
        schedule = None
        if training.schedule == COSINE:
            schedule = WarmupCosine(
                self.model.optimizer, self.epochs, treated.prescription.peak
            )
        self._schedule = schedule
        self.dying = StopDying(self.keeper, schedule, training.notes)
        self._callbacks = [
            *([] if training.monitor is None else [training.monitor]),
            *treated.callbacks,
            *([] if schedule is None else [schedule]),
            _StopWhereNotFinite(),
            self.keeper,
            self.dying,
            *training.callbacks,
            _Record(self, file),
        ]
        state = None if file is None else file.read()
        if state is not None:
            self._go_on_from(state)

    @property
    def model(self) -> Any:
        """The model, with the variables of this run."""
        return self._seat.model

    def train(self, until: int) -> None:
        """Train up to an epoch, unless a callback has ended the run before.

        Args:
            until: Number of epochs that will be done, at most those of the run.
        """
        done = len(self.logs)
        if self._ended or done >= until:
            return
        seed_everything(self._training.seed + done)
        with warnings.catch_warnings():
            if until < self.epochs:  # a trial: the slopes go on later
                warnings.filterwarnings("ignore", "AnnealSlope must reach its end")
            self.model.fit(
                **self._training.parts.training(),
                initial_epoch=done,
                epochs=until,
                callbacks=list(self._callbacks),
                **self._training.options,
            )

    def end(self) -> None:
        """Leave the model to others, compiled for no run."""
        if self.treated.is_quick:
            self.model.train_function = None

    def record(self, logs: Mapping[str, Any]) -> None:
        """Note an epoch that is done."""
        self.logs.append({name: float(value) for name, value in logs.items()})
        self.scores.append(self.keeper.latest)
        self._ended = bool(self.model.stop_training)

    def state(self) -> RunState:
        """All that it takes to go on from here."""
        synchronize(self.model)
        facts = {
            "logs": self.logs,
            "scores": self.scores,
            "ended": self._ended,
            "keeper": self.keeper.facts(),
            "dying": self.dying.facts(),
            "peak": None if self._schedule is None else self._schedule.peak,
        }
        values = {
            name: list(map(to_numpy, each))
            for name, each in variables_of(self.model).items()
        }
        return RunState(facts, {**values, "kept": list(self.keeper.weights)})

    def _go_on_from(self, state: RunState) -> None:
        self.logs, self.scores = state.facts["logs"], state.facts["scores"]
        self._ended = state.facts["ended"]
        self.keeper.set_facts(state.facts["keeper"], state.values["kept"])
        self.dying.set_facts(state.facts["dying"])
        if self._schedule is not None:
            self._schedule.peak = float(state.facts["peak"])
        for name, variables in variables_of(self.model).items():
            for variable, value in zip(variables, state.values[name], strict=True):
                variable.assign(value)

    def error(self, score: float) -> float:
        """Standard error of a score of this run, 0 or more.

        Of a share of the samples it is that of a binomial share; of any other metric
        it is measured over parts of a sample, with the weights of now.

        Args:
            score: The score, as the keeper has it.
        """
        if not math.isfinite(score):
            return 0.0
        if self.keeper.is_share(score) and self.samples:
            return self.keeper.error(score, self.samples)
        sample = self._training.sample
        return error_over_parts(self.model, sample, self.keeper.metric)

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


class _Record(keras.callbacks.Callback):
    """Notes each epoch, after all others have had their say, and keeps the state."""

    def __init__(self, run: Run, file: RunFile | None) -> None:
        super().__init__()
        self._run = run
        self._file = file

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._run.record(logs or {})
        if self._file is not None and is_first():
            self._file.write(self._run.state())


class _StopWhereNotFinite(keras.callbacks.Callback):
    """Ends training after an epoch without a finite loss, silently.

    Keras' own `TerminateOnNaN` prints to stdout, where the result belongs.
    """

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not math.isfinite(float((logs or {}).get("loss", 0.0))):
            self.model.stop_training = True
