"""A diagnosis of one layer: its units, what they did, and what that means.

Plain data; Keras is never imported here.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.criteria import NEVER_POSITIVE
from keras_rectifiers.diagnosis.criteria import Criterion
from keras_rectifiers.diagnosis.criteria import dormancy_score
from keras_rectifiers.diagnosis.statistics import UnitStatistics
from keras_rectifiers.diagnosis.statistics import Values
from keras_rectifiers.diagnosis.verdicts import DORMANT_THRESHOLD

#: Keys of a row, and columns of the table.
COLUMNS = (
    "layer",
    "unit",
    "samples",
    "fired",
    "fired_fraction",
    "upper_bound",
    "positive_fraction",
    "mean_abs",
    "dormancy",
    "slope",
    "verdict",
)


@dataclasses.dataclass(frozen=True, eq=False)
class LayerDiagnosis:
    """The units of one rectifier."""

    #: Path of the rectifier in its model.
    layer: str
    #: What the units did.
    statistics: UnitStatistics
    #: Slope of each unit below the threshold, shape `(units,)`.
    slopes: Values
    #: Whether a gradient flows below the threshold, shape `(units,)`.
    keeps_gradient: npt.NDArray[np.bool_]
    #: Upper bound of the output, or None.
    cap: float | None = None
    #: ReDo's tau.
    dormant_threshold: float = verdicts.DORMANT_THRESHOLD
    #: Of `upper_bound`.
    confidence: float = 0.95
    #: What counts as dead.
    criterion: Criterion = NEVER_POSITIVE
    #: The units as an array: more than one axis where the user chose axes.
    unit_shape: tuple[int, ...] | None = None
    #: Whether its slopes are trained: a PReLU.
    learns: bool = False
    #: `"output"` where it makes an output of the model; None where it does not, or
    #: where that is not known.
    role: str | None = None

    @functools.cached_property
    def verdicts(self) -> npt.NDArray[np.str_]:
        """The verdict of each unit."""
        return verdicts.verdicts(
            self.statistics,
            self.keeps_gradient,
            cap=self.cap,
            dormant_threshold=self.dormant_threshold,
            criterion=self.criterion,
        )

    @functools.cached_property
    def dormancy(self) -> Values:
        """ReDo's score of each unit: its mean |h| over that of the layer's units."""
        return dormancy_score(self.statistics)

    def dormant_fraction(self, tau: float = DORMANT_THRESHOLD) -> float:
        """Share of the units that are tau-dormant, silent ones included, 0..1.

        Args:
            tau: ReDo's threshold; Sokar et al. report 0.025 and 0.1.
        """
        return float((self.dormancy <= tau).mean())

    @property
    def flagged(self) -> bool:
        """Whether the authors of the criterion would flag this layer."""
        share = self.criterion.layer_share
        return share is not None and self.dead_fraction >= share

    @functools.cached_property
    def upper_bound(self) -> Values:
        """Upper bound of each unit's firing rate per sample, 0..1."""
        return verdicts.upper_bound(
            self.statistics.fired, self.statistics.samples, self.confidence
        )

    @functools.cached_property
    def silent(self) -> npt.NDArray[np.bool_]:
        """Whether each unit never fired, whatever the criterion says of it."""
        seen = self.statistics
        return (seen.fired == 0) & (seen.not_finite == 0)

    @property
    def units(self) -> int:
        """Number of units."""
        return self.statistics.units

    def count(self, *words: str) -> int:
        """Number of units with one of the verdicts."""
        return int(np.isin(self.verdicts, words).sum())

    @property
    def dead(self) -> int:
        """Number of dead units."""
        return self.count(verdicts.DEAD)

    @property
    def leaking(self) -> int:
        """Number of leaking units."""
        return self.count(verdicts.LEAKING)

    @property
    def dormant(self) -> int:
        """Number of dormant units."""
        return self.count(verdicts.DORMANT)

    @property
    def linear(self) -> int:
        """Number of units at which the rectifier does nothing."""
        return self.count(verdicts.LINEAR)

    @property
    def alive(self) -> int:
        """Number of units that are none of the others."""
        return self.count(verdicts.ALIVE)

    @property
    def not_finite(self) -> int:
        """Number of units whose output was NaN or infinite."""
        return self.count(verdicts.NOT_FINITE)

    @property
    def dead_fraction(self) -> float:
        """Share of the units that are dead, 0..1."""
        return self.dead / self.units

    @property
    def silent_fraction(self) -> float:
        """Share of the units that never fired (dead or leaking), 0..1."""
        return self.count(verdicts.DEAD, verdicts.LEAKING) / self.units

    def summary(self) -> dict[str, Any]:
        """Counts of the verdicts, as plain data."""
        counts = {word: self.count(word) for word in reversed(verdicts.VERDICTS)}
        return {
            "layer": self.layer,
            "units": self.units,
            "samples": self.statistics.samples,
            **counts,
            "criterion": self.criterion.name,
            "flagged": self.flagged,
            "dead_fraction": self.dead_fraction,
            "silent_fraction": self.silent_fraction,
        }

    def rows(self) -> list[dict[str, Any]]:
        """One dict for each unit, with the keys `COLUMNS`."""
        seen = self.statistics
        return [
            dict(zip(COLUMNS, (self.layer, unit, seen.samples, *values), strict=True))
            for unit, values in enumerate(
                zip(
                    seen.fired.tolist(),
                    seen.fired_fraction.tolist(),
                    self.upper_bound.tolist(),
                    seen.positive_fraction.tolist(),
                    seen.mean_abs.tolist(),
                    self.dormancy.tolist(),
                    self.slopes.tolist(),
                    self.verdicts.tolist(),
                    strict=True,
                )
            )
        ]

    def __add__(self, other: object) -> LayerDiagnosis:
        """The diagnosis on both data sets, with the later slopes."""
        if not isinstance(other, LayerDiagnosis):
            return NotImplemented
        return dataclasses.replace(other, statistics=self.statistics + other.statistics)
