"""Revive dead units while a model trains."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_rectifiers.callbacks.lagging import LaggingStatistics
from keras_rectifiers.callbacks.pace import Pace
from keras_rectifiers.callbacks.sampling import sample_size
from keras_rectifiers.callbacks.sources import ProbeSource
from keras_rectifiers.callbacks.sources import Source
from keras_rectifiers.callbacks.sources import source_of
from keras_rectifiers.diagnosis import data as data_sets
from keras_rectifiers.diagnosis.diagnose import Diagnostician
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.diagnosis.verdicts import DEAD
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.live.optimizers import has_schedule
from keras_rectifiers.live.optimizers import inner_of
from keras_rectifiers.live.rectifiers import find
from keras_rectifiers.live.state import steps_taken
from keras_rectifiers.live.state import synchronize
from keras_rectifiers.live.state import to_numpy
from keras_rectifiers.revival import slots
from keras_rectifiers.revival.choose import dormant
from keras_rectifiers.revival.live_units import LiveWiring
from keras_rectifiers.revival.outputs import redraw_outputs
from keras_rectifiers.revival.revive import revive
from keras_rectifiers.revival.utility import Utility
from keras_rectifiers.shares import percent

REDO = "redo"
CONTINUAL = "continual"
METHODS = (REDO, CONTINUAL)
#: Units that died between two revivals, as a share of all, from which on it is the
#: rate that kills.
_DIED = 0.25
#: Share of an epoch that a measurement may take, and the fewest samples of it.
_SHARE = 0.04
_FEWEST = 128


class ReviveDeadUnits(keras.callbacks.Callback):
    """Gives inactive units new incoming weights while a model trains.

    The outgoing weights of a revived unit become 0, so that replacing a unit whose
    output was 0 does not change the model's outputs; the optimizer's slots of these
    entries are reset. See `keras_rectifiers.revival.revive`.

    At the end of every epoch, `logs["revived"]` is the number of units that were
    revived since the previous one. Rectifiers that cannot be revived safely, such as
    those before a residual sum, are skipped, and one warning gives the reasons. A
    rectifier that is an output of the model and whose units are all dead gets new
    weights, so that its output is about 1: no gradient reaches the model's weights
    through it. If moving statistics silence 5 % of the units or more at inference, and
    these fire in training, the statistics are estimated again from `data`, and one
    warning says so.

    Attributes:
        history: One dict for each time of the latest `fit`: `epoch` (epochs
            finished), `step` (the optimizer's steps), `revived` (units by path).
        left: Why rectifiers are skipped, by path.

    Args:
        data: Data to measure with, as `keras_rectifiers.diagnose` takes it, which can
            be iterated over repeatedly. Normalizations use the statistics of each
            batch, as in training, and dropout is off. Default None: the training
            samples since the last measurement, counted in the training step.
        every: Measure and revive at the end of every `every` epochs. Default None:
            every epoch at first; if less than 5 % of the units were revived, the
            interval doubles, up to 16 epochs, and never exceeds 1,000 training steps;
            `"continual"` measures every epoch.
        every_steps: Measure after every `every_steps` training steps instead. Default
            None.
        method: `"redo"` (default): all units below `tau`; or `"continual"`: a few of
            the least useful ones each time, dead or not.
        tau: ReDo's threshold of a unit's mean |h| over its layer's mean, float >= 0.
            Default 0.025; 0 selects only units without any output.
        criterion: In place of `tau`, what counts as dead: a name that `diagnose`
            takes, such as `"never_positive"`. Default None.
        max_fraction: Largest fraction of a layer that is revived at one time, float in
            (0, 1]. Default 1.
        rate: Of `"continual"`: share of the mature units that is replaced per step.
            Default 1e-4.
        maturity: Of `"continual"`: steps during which a new unit is not replaced.
            Default 100.
        decay: Of `"continual"`: of the running utility, per step. Default 0.99.
        lower_rate: Factor by which the learning rate is lowered if a quarter of all
            units died again after a revival, float in (0, 1): this shows that the rate
            is too high. A revival in an earlier `fit` of the model counts. The
            optimizer's moments are also reset, and a warning is shown. A learning-rate
            schedule is not changed. Default 0.1; None disables this.
        last_epoch: No revival after this many epochs, so that new units have time to
            learn. Default None: no limit.
        seed: Of the new weights. Default 0.
        fold: See `revive`. Default True.
        initializer: Of the new kernels. Default None: each layer's own.
        batch_size: Samples in a batch of data arrays. Default 128.
        samples: Most samples of `data` that are used. Default None: a number that costs
            about 4 % of an epoch, between 128 and 512.
        verbose: 1 prints a line at each revival. Default 0.
        warn: Whether to warn about rectifiers that are skipped. Default True.

    Raises:
        TypeError: If the data can be iterated over only once.
        ValueError: If an argument is out of range.
        UnsupportedModelError: When training begins, if the model's config does not list
            its layers, or it has no rectifier.

    Reference:
        `"redo"`: Sokar et al. 2023 (arXiv:2302.12902), algorithm 1. `"continual"`:
        Dohare et al. 2024, Nature 632.

    Example:
        ```python
        revive = keras_rectifiers.callbacks.ReviveDeadUnits(x_val, every=2)
        model.fit(x, y, callbacks=[revive])
        ```
    """

    history: list[dict[str, Any]]
    left: dict[str, str]
    _wiring: LiveWiring | None
    #: Share of dead units after the last revival; None before the first one.
    _dead_after: float | None
    #: Units revived since the last epoch end.
    _in_epoch: int

    def __init__(
        self,
        data: Any = None,
        every: int | None = None,
        *,
        every_steps: int | None = None,
        method: str = REDO,
        tau: float = 0.025,
        criterion: str | None = None,
        max_fraction: float = 1.0,
        rate: float = 1e-4,
        maturity: int = 100,
        decay: float = 0.99,
        lower_rate: float | None = 0.1,
        last_epoch: int | None = None,
        seed: int = 0,
        fold: bool = True,
        initializer: Any = None,
        batch_size: int = 128,
        samples: int | None = None,
        verbose: int = 0,
        warn: bool = True,
    ) -> None:
        super().__init__()
        if not data_sets.can_be_repeated(data):
            raise TypeError(
                "The data are measured many times, so it must be possible to iterate "
                f"over them repeatedly. Received: {type(data).__name__}. Pass an "
                "array, a tf.data.Dataset or a PyDataset."
            )
        if method not in METHODS:
            raise ValueError(
                f"method must be one of {METHODS}. Received: method={method!r}."
            )
        for name, value in (
            ("every", every),
            ("every_steps", every_steps),
            ("samples", samples),
        ):
            _check(name, 1 if value is None else value, at_least=1)
        _check("tau", tau, at_least=0)
        _check("rate", rate, at_least=0, at_most=1)
        _check("decay", decay, at_least=0, at_most=1)
        _check("max_fraction", max_fraction, at_least=0, at_most=1)
        _check("lower_rate", lower_rate or 0, at_least=0, at_most=1)
        self.data = data
        self.every = every
        self._pace = Pace(every if method == REDO else every or 1)
        self.every_steps = every_steps
        self.method = method
        self.tau = None if criterion is not None else tau
        self.max_fraction = max_fraction
        self.lower_rate = lower_rate
        self.last_epoch = last_epoch
        self.seed = seed
        self.samples = samples
        self.verbose = verbose
        self.warn = warn
        self._revival = {"fold": fold, "initializer": initializer}
        self._utility: dict[str, Any] = {
            "rate": rate,
            "maturity": maturity,
            "decay": decay,
        }
        self._observation: dict[str, Any] = {
            "batch_size": batch_size,
            "explain": False,
        }
        if criterion is not None:
            self._observation["criterion"] = criterion
        self._source: Source | None = None
        self._statistics: LaggingStatistics | None = None
        self._begin_anew()
        if every_steps is not None:
            self.on_train_batch_end = self._after_batch

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._source is not None:
            self._source.stop()
        rectifiers = find(self.model)
        if not rectifiers:
            raise UnsupportedModelError(
                "ReviveDeadUnits needs a model with a rectifier. Received: model "
                f"{self.model.name!r}, which has none that can be monitored."
            )
        same = self._wiring is not None and self._wiring.model is self.model
        before = self._dead_after if same else None
        self._begin_anew()
        self._dead_after = before  # one `fit` after the other is one training
        self._wiring = LiveWiring(self.model)
        observer = Diagnostician(self.model, **self._observation, batch_statistics=True)
        samples = self.samples or sample_size(
            (self.params or {}).get("steps"), share=_SHARE, fewest=_FEWEST
        )
        self._source = source_of(observer, rectifiers, self.data, samples)
        self._source.start()
        if isinstance(self._source, ProbeSource):
            self._statistics = LaggingStatistics(self._source, **self._observation)
        self._measured_at = steps_taken(self.model)
        self._pace.begin(self._measured_at)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch
        self._last_batch = -1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch + 1
        if self.every_steps is None and self._pace.is_due(
            self._epoch, steps_taken(self.model)
        ):
            self._revive()
        if logs is not None:
            logs["revived"] = float(self._in_epoch)
        self._in_epoch = 0

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._source is not None:
            self._source.stop()

    def _begin_anew(self) -> None:
        self.history = []
        self.left = {}
        self._told: set[str] = set()
        self._utilities: dict[str, Utility] = {}
        self._epoch = 0
        self._in_epoch = 0
        self._last_batch = -1
        self._steps_since = 0
        self._measured_at = 0
        self._wiring = None
        self._dead_after = None
        self._lagged = False

    def _after_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # With steps_per_execution > 1 Keras reports the last of several steps.
        self._steps_since += batch - self._last_batch
        self._last_batch = batch
        if self.every_steps is not None and self._steps_since >= self.every_steps:
            self._steps_since %= self.every_steps
            self._revive()

    def _revive(self) -> None:
        source, wiring = self._source, self._wiring
        if source is None or wiring is None:
            return
        if self.last_epoch is not None and self._epoch > self.last_epoch:
            return
        step = steps_taken(self.model)
        diagnosis = source.measure()
        lagging = self._statistics is not None and self._statistics.lag(diagnosis)
        self._slow_down(diagnosis)
        chosen = self._chosen(diagnosis, wiring, step)
        # Each measurement has its own seed, so that a run that is resumed from a backup
        # draws the same numbers.
        seed = int(np.random.SeedSequence([self.seed, step]).generate_state(1)[0])
        ends = _dead_ends(diagnosis)
        redrawn = redraw_outputs(self.model, ends, seed) if ends else ()
        for path in redrawn:
            chosen.pop(path, None)
        done = revive(self.model, chosen, seed=seed, wiring=wiring, **self._revival)
        source.end_window()
        self._measured_at = step
        for path, units in done.units.items():
            if path in self._utilities:
                self._utilities[path].renew(units)
        self._tell(done.left)
        counts = {path: len(units) for path, units in done.units.items()}
        counts |= {path: diagnosis.layer(path).units for path in redrawn}
        count = sum(counts.values())
        self._in_epoch += count
        if lagging:
            self._refresh()
        self._pace.looked(diagnosis.units if lagging else count, diagnosis.units)
        if count:
            left = max(0, diagnosis.count(DEAD) - count)
            self._dead_after = left / max(diagnosis.units, 1)
        self.history.append({"epoch": self._epoch, "step": step, "revived": counts})
        if self.verbose and count:
            print(  # noqa: T201 - what verbose=1 asks for
                f"\nStep {step}: {count} units revived, "
                + ", ".join(f"{count} of {path}" for path, count in counts.items())
            )

    def _refresh(self) -> None:
        """Estimate moving statistics again; one warning says so."""
        if self._statistics is not None:
            self._statistics.refresh()
        if self.warn and not self._lagged:
            warnings.warn(
                "Units that fire in training are silent at inference: the moving "
                "statistics of BatchNormalization lag behind. They are estimated again "
                "from the data; a lower momentum makes them keep up.",
                stacklevel=2,
            )
        self._lagged = True

    def _slow_down(self, diagnosis: Diagnosis) -> None:
        """Lower the rate where units died again since they were revived."""
        dead = diagnosis.dead_fraction
        before = self._dead_after
        optimizer = self.model.optimizer
        if before is None or not self.lower_rate or dead < before + _DIED:
            return
        if has_schedule(optimizer):
            return
        synchronize(self.model)
        rate = float(to_numpy(optimizer.learning_rate)) * self.lower_rate
        inner_of(optimizer).learning_rate = rate
        slots.forget(self.model)
        if self.warn:
            warnings.warn(
                f"{percent(dead)} of the units died again: the learning rate is "
                f"lowered to {rate:.3g}. Start the next run with this rate.",
                stacklevel=2,
            )

    def _chosen(
        self, diagnosis: Diagnosis, wiring: LiveWiring, step: int
    ) -> dict[str, npt.NDArray[np.int64]]:
        """The units of each rectifier that are to be revived."""
        chosen = {}
        for layer in diagnosis.layers:
            path = layer.layer
            site = wiring.sites.get(path)
            if site is not None and site.units != layer.units:
                continue
            if self.method == REDO:
                if site is not None or path in wiring.left:
                    chosen[path] = dormant(layer, self.tau, self.max_fraction)
                continue
            if site is None:
                continue
            utility = self._utilities.setdefault(
                path, Utility(site.units, **self._utility)
            )
            steps = max(step - self._measured_at, 0)
            utility.update(layer.statistics.mean_abs, site.strength(), steps)
            chosen[path] = utility.due()
        return chosen

    def _tell(self, left: dict[str, str]) -> None:
        """Warn once which rectifiers are skipped, and why."""
        self.left |= left
        new = {path: why for path, why in left.items() if path not in self._told}
        if new and self.warn:
            self._told |= set(new)
            reasons = "; ".join(f"{path!r}: {why}" for path, why in new.items())
            warnings.warn(
                "ReviveDeadUnits skips rectifiers that it cannot revive safely. "
                f"{reasons}.",
                stacklevel=2,
            )


def _dead_ends(diagnosis: Diagnosis) -> list[str]:
    """Outputs of the model whose units are all dead."""
    return [
        each.layer
        for each in diagnosis.layers
        if each.layer in diagnosis.dead_outputs and each.dead == each.units
    ]


def _check(
    name: str, value: Any, *, at_least: float, at_most: float = float("inf")
) -> None:
    if not isinstance(value, int | float) or not at_least <= value <= at_most:
        upper = "" if at_most == float("inf") else f" and at most {at_most}"
        raise ValueError(
            f"{name} must be at least {at_least}{upper}. Received: {name}={value!r}."
        )
