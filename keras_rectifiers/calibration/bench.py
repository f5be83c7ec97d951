"""The bench on which slopes are tried: one model, its samples, and its reference."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras

from keras_rectifiers.calibration import absorbers as absorbing
from keras_rectifiers.calibration import compensate
from keras_rectifiers.calibration import objective
from keras_rectifiers.calibration.absorbers import Absorber
from keras_rectifiers.calibration.absorption import Absorption
from keras_rectifiers.calibration.absorption import absorption
from keras_rectifiers.calibration.forward import CalibrationPass
from keras_rectifiers.calibration.forward import PassResult
from keras_rectifiers.calibration.samples import Batches
from keras_rectifiers.calibration.search import Choice
from keras_rectifiers.calibration.search import search
from keras_rectifiers.calibration.trial import Trial
from keras_rectifiers.diagnosis.diagnose import diagnose
from keras_rectifiers.errors import DataError
from keras_rectifiers.live import rectifiers


class Bench:
    """Measure what slopes change, on the same samples each time.

    Args:
        trial: The model in which slopes are tried, with all of them 0.
        samples: What it is run on.
        measure: `"loss"`, `"outputs"`, or None for the loss where there is one.
        correcting: Whether changes are measured with shifts absorbed.

    Raises:
        DataError: The model gives no finite numbers on the samples, or the labels
            do not fit its loss.
        ValueError: The loss is to be measured, but there is none.
    """

    def __init__(
        self, trial: Trial, samples: Batches, measure: str | None, *, correcting: bool
    ) -> None:
        self._trial = trial
        self._samples = samples
        self.measure = _measure(trial.model, samples, measure)
        #: Loss and metrics of the original.
        self.before = objective.metrics(trial.model, samples)
        self._absorbers = absorbing.find(trial.model)
        self._plain = self._forward(correct=False)
        self._correcting = self._forward(correct=True) if correcting else None
        self._reference = self._plain.run(samples.batches)
        _check_finite(self._reference)

    def search(
        self, candidates: Sequence[float], *, minimum: float, max_change: float
    ) -> Choice:
        """Choose slopes and leave the trial with them; see `search.search`."""
        found = search(
            self._trial.sites,
            [float(each) for each in candidates],
            self._try,
            minimum=float(minimum),
            max_change=float(max_change),
        )
        self._trial.set_slopes(found.slopes)
        return found

    def compensate(self) -> None:
        """Let the trial's biases absorb what its slopes shift."""
        if self._correcting is not None:
            compensate.compensate(
                self._absorbers,
                self._samples.batches,
                self._reference,
                self._correcting,
                self._plain,
            )

    def changes(self) -> dict[str, float]:
        """How far the trial is from the original, by each measure there is."""
        found = self._plain.run(self._samples.batches)
        return {
            name: objective.change(name, self._reference, found)
            for name in {self.measure, objective.OUTPUTS}
        }

    def units(self) -> dict[str, tuple[int, int]]:
        """Units of each site, and those that never fired, by the site's path."""
        inputs = iter([(x,) for x in self._samples.inputs])
        found = diagnose(self._trial.model, inputs, explain=False)
        measured = {each.layer: each.statistics for each in found.layers}
        counts: dict[str, tuple[int, int]] = {}
        for rectifier in rectifiers.find(self._trial.model):
            site = self._trial.site_of(rectifier.layer)
            statistics = measured.get(rectifier.path)
            if site is None or statistics is None:
                continue
            units, silent = counts.get(site, (0, 0))
            never = int((statistics.fired == 0).sum())
            counts[site] = units + statistics.units, silent + never
        return counts

    def absorption(self) -> dict[str, Absorption]:
        """What becomes of the shifts of the sites."""
        seen = {each.path for each in self._absorbers} & set(self._reference.moments)
        return absorption(self._trial.opened.survey, self._trial.sites, seen)

    def give(self, model: Any) -> None:
        """Give a model the biases and moving statistics of the trial.

        Args:
            model: A conversion of the trial's original; it is changed.
        """
        by_path: dict[str, Absorber] = {
            each.path: each for each in absorbing.find(model)
        }
        for absorber in self._absorbers:
            twin = by_path[absorber.path]
            for mine, theirs in zip(absorber.weights, twin.weights, strict=True):
                theirs.assign(keras.ops.convert_to_numpy(mine))

    def _try(self, slopes: Mapping[str, float]) -> float:
        self._trial.set_slopes(slopes)
        forward = self._correcting or self._plain
        found = forward.run(self._samples.batches, self._reference)
        return objective.change(self.measure, self._reference, found)

    def _forward(self, *, correct: bool) -> CalibrationPass:
        loss = self.measure == objective.LOSS
        return CalibrationPass(
            self._trial.model, self._absorbers, correct=correct, loss=loss
        )


def _measure(model: Any, samples: Batches, measure: str | None) -> str:
    possible = objective.can_measure_loss(model, samples)
    if measure is None:
        return objective.LOSS if possible else objective.OUTPUTS
    if measure == objective.LOSS and not possible:
        missing = "the data have no labels"
        if samples.labeled:
            missing = f"the model {model.name!r} is not compiled with a loss"
        raise ValueError(
            f"measure='loss' needs labels and a compiled model. Received: {missing}. "
            "Call model.compile(loss=...), pass (x, y), or measure='outputs'."
        )
    return measure


def _check_finite(passed: PassResult) -> None:
    change = objective.change(objective.OUTPUTS, passed, passed)
    if change != 0 or objective.change(objective.LOSS, passed, passed) != 0:
        raise DataError(
            "The outputs and the loss of the model must be finite on the data. "
            "Received: NaN or infinite values. Check the weights, the inputs and the "
            "labels."
        )
