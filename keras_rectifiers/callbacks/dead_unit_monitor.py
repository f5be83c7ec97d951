"""Monitor dead units while a model trains."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from typing import Any

import keras

from keras_rectifiers.callbacks import sampling
from keras_rectifiers.callbacks.backup import Backup
from keras_rectifiers.callbacks.figures import figures_of
from keras_rectifiers.callbacks.sources import ExactSource
from keras_rectifiers.callbacks.sources import Source
from keras_rectifiers.callbacks.sources import source_of
from keras_rectifiers.callbacks.state import MonitorState
from keras_rectifiers.callbacks.thresholds import Streaks
from keras_rectifiers.callbacks.thresholds import Threshold
from keras_rectifiers.callbacks.weights import WeightHistory
from keras_rectifiers.diagnosis import data as data_sets
from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.diagnose import Diagnostician
from keras_rectifiers.diagnosis.diagnose import check_arguments
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.diagnosis.timeline import Timeline
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.live.processes import is_first
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.state import steps_taken
from keras_rectifiers.live.trace import seen
from keras_rectifiers.shares import percent

AUTO = "auto"
ALL = "all"


class DeadUnitMonitor(keras.callbacks.Callback):
    """Logs which units are dead while a model trains.

    With a probe set, samples of it run through the model in inference mode: before
    training, and at the end of epochs. Without one, every training sample is counted
    inside the training step, in training mode, and the figures of an epoch cover all
    its samples. At the end of every epoch `logs` gets the latest figures, fractions of
    units in 0..1:

    - `dead_fraction`: units that never fired and get no gradient;
    - `silent_fraction`: units that never fired, whether or not a slope keeps their
      gradient: after a conversion to Leaky ReLU or PReLU, this figure should fall;
    - `not_finite_fraction`: units whose output was NaN or infinite;
    - each of them as `<figure>/<layer>`, by the rectifier's path.

    `History` and the progress bar show them; so do `CSVLogger`, `EarlyStopping`,
    `ModelCheckpoint` and similar callbacks if they come after this callback in the
    list. The first measurement with NaN or infinity causes a warning: such units count
    neither as dead nor as silent. Nothing is added to the model, its weights or its
    file, and training gives the same weights, bit for bit.

    Attributes:
        history: One dict for each measurement of the latest `fit`: `epoch` (epochs
            finished), `step` (the optimizer's steps), and `Diagnosis.summary()`. With
            a probe set the first is from before training.
        timeline: What each unit did at each of them, a `Timeline`.
        diagnosis: The latest `Diagnosis`; None before the first.

    Args:
        probe: Data as `keras_rectifiers.diagnose` takes it, which can be iterated over
            repeatedly, so not a generator. Default None: count the training samples.
        every: Measure at the end of every `every` epochs. Default 1.
        every_steps: Also measure after every `every_steps` training steps. These
            measurements are in `history`; in exact mode each covers the epoch so far.
            Default None.
        probe_samples: Samples of the probe set that are measured, the same ones each
            time: `"auto"`, a number that costs about 1 % of an epoch, between 32 and
            512; an int; or `"all"`. If a unit does not fire on n samples, its firing
            rate is below about 3/n. Default `"auto"`.
        batch_size: Samples in a batch of probe arrays. Default 128.
        steps: Most batches of the probe set to use. Default all.
        dormant_threshold: ReDo's tau, float >= 0. Default 0.025.
        confidence: Of the upper bounds, float in (0, 1). Default 0.95.
        per_layer: Whether `logs` get figures for each layer. Default True.
        thresholds: What to do when a figure is too high. Default nothing.
        state_path: A `.npz` that keeps the monitor's state, for runs that use
            `keras.callbacks.BackupAndRestore`. Default None.
        state_freq: `save_freq` of that callback: `"epoch"` or a number of batches.
            Default `"epoch"`.
        log_dir: Folder for TensorBoard. Default None.
        explain: Whether to look for the causes of silent units, and for the change of
            the weights, at each measurement. It costs more time. Default False.
        verbose: 1 prints a line at each measurement. Default 0.

    Raises:
        TypeError: If the probe set can be iterated over only once.
        ValueError: If a number is out of range.
        UnsupportedModelError: Before the first epoch, if the model has no rectifier
            that can be monitored.
        DataError: Before the first epoch, if the probe set does not match the model, or
            `state_path` is another kind of file.

    Example:
        ```python
        monitor = keras_rectifiers.callbacks.DeadUnitMonitor(x_val)
        history = model.fit(x, y, callbacks=[monitor])
        history.history["dead_fraction"]
        ```
    """

    history: list[dict[str, Any]]
    timeline: Timeline
    diagnosis: Diagnosis | None
    #: Epochs finished, None before the first begins (Keras passes it then).
    _epoch: int | None
    #: Whether NaN or infinity was warned of.
    _broken: bool
    #: What the logs get.
    _figures: dict[str, float]

    def __init__(
        self,
        probe: Any = None,
        every: int = 1,
        *,
        every_steps: int | None = None,
        probe_samples: int | str = AUTO,
        batch_size: int = 128,
        steps: int | None = None,
        dormant_threshold: float = verdicts.DORMANT_THRESHOLD,
        confidence: float = 0.95,
        per_layer: bool = True,
        thresholds: Iterable[Threshold] = (),
        state_path: str | os.PathLike[str] | None = None,
        state_freq: int | str = "epoch",
        log_dir: str | os.PathLike[str] | None = None,
        explain: bool = False,
        verbose: int = 0,
    ) -> None:
        super().__init__()
        if not data_sets.can_be_repeated(probe):
            raise TypeError(
                "The probe set is measured many times, so it must be possible to "
                f"iterate over it repeatedly. Received: {type(probe).__name__}. Pass "
                "an array, a tf.data.Dataset or a PyDataset."
            )
        if probe_samples not in (AUTO, ALL):
            _check_whole("probe_samples", probe_samples)
        _check_whole("every", every)
        _check_whole("every_steps", every_steps)
        check_arguments(batch_size, steps, dormant_threshold, confidence)
        self.probe = probe
        self.every = every
        self.every_steps = every_steps
        self.probe_samples = probe_samples
        self.per_layer = per_layer
        self.thresholds = tuple(thresholds)
        self.log_dir = log_dir
        self.explain = explain
        self.verbose = verbose
        self._options: dict[str, Any] = {
            "batch_size": batch_size,
            "steps": steps,
            "dormant_threshold": dormant_threshold,
            "confidence": confidence,
            "explain": explain,
        }
        self._backup = None if state_path is None else Backup(state_path, state_freq)
        self._source: Source | None = None
        #: The model, its compiled step, and what observes the model.
        self._observer: tuple[Any, Any, Diagnostician] | None = None
        self._events: Any = None
        self._begin_anew("")
        if every_steps is not None or state_path is not None:
            # Keras waits for each batch where this method is overridden, so it is
            # only where it is wanted.
            self.on_train_batch_end = self._after_batch

    @property
    def total(self) -> Diagnosis | None:
        """The diagnosis of all training samples of the run; exact mode only."""
        exact = isinstance(self._source, ExactSource)
        return self._source.everything() if exact else None  # type: ignore[union-attr]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._source is not None:
            self._source.stop()  # a run before this one may have ended in an error
        rectifiers = seen(self.model)
        if not rectifiers:
            raise UnsupportedModelError(
                "DeadUnitMonitor needs a model with a rectifier that can be "
                f"monitored. Received: model {self.model.name!r}, which has none. A "
                "bare `ops.relu` in a subclassed `call` cannot be monitored: use a "
                "layer, or remove the callback."
            )
        self._begin_anew(self.model.name)
        self._paths = [each.path for each in rectifiers]
        self._source = self._source_for(rectifiers)
        self._source.start()
        self._weights = WeightHistory(self.model) if self.explain else None
        self._events = self._opened_events()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # Only now is what BackupAndRestore restores in the model.
        first, self._epoch = self._epoch is None, epoch
        self._last_batch = -1
        if first:
            self._resume_or_begin()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch + 1
        self._end_epoch()
        if logs is not None:
            logs.update(self._figures)
        if self._backup is not None:
            self._backup.save(self._snapshot())
            self._backup.end_epoch()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._source is not None:
            self._source.stop()
        if self._events is not None:
            self._events.close()

    def _begin_anew(self, model: str) -> None:
        """Forget an earlier run."""
        self.history = []
        self.timeline = Timeline(model)
        self.diagnosis = None
        self._epoch = None
        self._steps_before = 0
        self._last_batch = -1
        self._figures = {}
        self._broken = False
        self._streaks = Streaks(self.thresholds)

    def _source_for(self, rectifiers: tuple[LiveRectifier, ...]) -> Source:
        # What was compiled serves the next `fit`, too, as long as Keras' own step does.
        step = getattr(self.model, "train_function", None)
        kept = self._observer
        if kept is None or kept[0] is not self.model or kept[1] is not step:
            kept = self.model, step, Diagnostician(self.model, **self._options)
            self._observer = kept
        observer = kept[2]
        size = self.probe_samples
        if size == AUTO:
            size = sampling.sample_size((self.params or {}).get("steps"))
        return source_of(
            observer, rectifiers, self.probe, None if size == ALL else int(size)
        )

    def _opened_events(self) -> Any:
        if self.log_dir is None or not is_first():
            return None
        from keras_rectifiers.callbacks import tensorboard  # noqa: PLC0415 - an extra

        return tensorboard.UnitEvents(self.log_dir)

    def _resume_or_begin(self) -> None:
        snapshot = (
            None
            if self._backup is None
            else self._backup.resume(steps_taken(self.model), self._paths)
        )
        if snapshot is None:
            if self._source is not None and self._source.at_start:
                self._measure()
            return
        self._restore(snapshot)
        if (self._epoch or 0) > snapshot.epoch:
            # The run was killed after the last batch of an epoch, before its end.
            self._end_epoch()

    def _after_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # With steps_per_execution > 1 Keras reports the last of several steps.
        self._steps_before += batch - self._last_batch
        self._last_batch = batch
        if self.every_steps is not None and self._steps_before >= self.every_steps:
            self._steps_before %= self.every_steps
            self._measure()
        if self._backup is not None and self._backup.is_due(batch, self.params):
            self._backup.save(self._snapshot())

    def _end_epoch(self) -> None:
        source = self._source
        if source is None:
            return
        if (self._epoch or 0) % self.every == 0:
            self._measure()
            source.end_window()
        elif not self._figures:
            self._figures = figures_of(source.measure(), per_layer=self.per_layer)

    def _measure(self) -> None:
        if self._source is None:
            return
        step = steps_taken(self.model)  # on JAX this brings the weights home too
        diagnosis = self._source.measure()
        if not diagnosis.layers:
            warnings.warn(
                "DeadUnitMonitor did not see any rectifier run: "
                f"{list(diagnosis.unseen)} were not part of the step. Its figures are "
                "meaningless.",
                stacklevel=2,
            )
        if self._weights is not None:
            diagnosis = self._weights.added_to(diagnosis, step)
        epoch = self._epoch or 0
        self.diagnosis = diagnosis
        self.history.append({"epoch": epoch, "step": step, **diagnosis.summary()})
        self.timeline.append(diagnosis, epoch=epoch, step=step)
        self._figures = figures_of(diagnosis, per_layer=self.per_layer)
        if self._events is not None:
            self._events.write(diagnosis, step)
        if diagnosis.not_finite and not self._broken:
            self._broken = True
            warnings.warn(diagnosis.not_finite, stacklevel=2)
        if self.verbose:
            print(  # noqa: T201 - what verbose=1 asks for
                f"\nEpoch {epoch}: {percent(diagnosis.dead_fraction)} of "
                f"{diagnosis.units} units are dead, "
                f"{percent(diagnosis.silent_fraction)} never fired."
            )
        every_layer = figures_of(diagnosis, per_layer=True)
        for threshold, crossed in self._streaks.due(every_layer):
            threshold.act(crossed, self, diagnosis)

    def _snapshot(self) -> MonitorState:
        source = self._source
        return MonitorState(
            step=steps_taken(self.model),
            epoch=self._epoch or 0,
            history=self.history,
            timeline=self.timeline,
            figures=self._figures,
            streaks=self._streaks.counts,
            steps_before=self._steps_before,
            window={} if source is None else source.window(),
            total={} if source is None else source.total,
            paths=self._paths,
        )

    def _restore(self, snapshot: MonitorState) -> None:
        self.history = snapshot.history
        self.timeline = snapshot.timeline
        self._figures = snapshot.figures
        self._steps_before = snapshot.steps_before
        if len(snapshot.streaks) == len(self.thresholds):
            self._streaks.counts = snapshot.streaks
        if self._source is not None:
            self._source.resume(snapshot.window, snapshot.total)


def _check_whole(name: str, value: Any) -> None:
    """Refuse what is not an integer of at least 1; None is allowed."""
    if value is None:
        return
    if isinstance(value, str) or int(value) != value or value < 1:
        raise ValueError(
            f"{name} must be an integer of at least 1. Received: {name}={value!r}."
        )
