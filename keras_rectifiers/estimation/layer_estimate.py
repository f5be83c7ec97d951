"""An estimate of one layer: what its units can do, whatever the data.

Plain data; Keras is never imported here.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

#: Never positive, and no slope: proven for every input in the stated range.
DEAD = "dead"
#: Never positive, but a slope keeps the gradient: proven.
LEAKING = "leaking"
#: Always positive and never capped, so the rectifier does nothing: proven.
LINEAR = "linear"
#: Expected to fire at fewer positions than the stated level; not proven.
UNLIKELY = "unlikely"
#: None of the others.
OPEN = "open"
#: All verdicts, the first that holds counts.
VERDICTS = (DEAD, LEAKING, LINEAR, UNLIKELY, OPEN)

#: Keys of a row, and columns of the table.
COLUMNS = ("layer", "unit", "p_active", "lower", "upper", "slope", "verdict")

#: Comparisons with a threshold or a cap that is not 0 keep this distance.
_ROUNDING = 2.0**-7


@dataclasses.dataclass(frozen=True, eq=False)
class LayerEstimate:
    """The units of one rectifier. Arrays have shape `(units,)`."""

    #: Path of the rectifier in its model.
    layer: str
    #: Least and greatest pre-activation for inputs in the stated range; infinite
    #: where nothing is known.
    lower: Values
    upper: Values
    #: Expected share of positions at which a unit fires, 0..1; None where no batch
    #: statistics reach the rectifier.
    p_active: Values | None
    #: Slope below the threshold (the mean, where positions have their own).
    slopes: Values
    #: Whether a gradient flows below the threshold.
    keeps_gradient: Flags
    #: Input below which the negative branch applies.
    threshold: float = 0.0
    #: Upper bound of the output, or None.
    cap: float | None = None
    #: Expected share of positions below which a unit counts as unlikely to fire.
    level: float = 1e-4
    #: What made bounds infinite, such as `LSTM 'memory'`; empty where they are finite.
    blocked: str = ""
    #: What `p_active` rests on: `"batch_norm"` directly before the rectifier,
    #: `"sum"` of branches that end in one; empty where there is no `p_active`.
    basis: str = ""

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.lower)

    @property
    def bounded(self) -> bool:
        """Whether anything is known of the pre-activations."""
        return bool((np.isfinite(self.lower) | np.isfinite(self.upper)).any())

    @property
    def dead(self) -> Flags | None:
        """Units proven to be dead; None where no bound is known (see `blocked`)."""
        return self._silent & ~self.keeps_gradient if self.bounded else None

    @property
    def leaking(self) -> Flags | None:
        """Units proven never to fire, whose slope keeps a gradient; or None."""
        return self._silent & self.keeps_gradient if self.bounded else None

    @property
    def linear(self) -> Flags | None:
        """Units proven always to fire and never to be capped; or None."""
        if not self.bounded:
            return None
        always = self.lower > self.threshold + _ROUNDING * abs(self.threshold)
        if self.cap is not None:
            always &= self.upper < self.cap - _ROUNDING * abs(self.cap)
        return always

    @property
    def unlikely(self) -> Flags | None:
        """Units expected to fire at a smaller share of positions than `level`."""
        return None if self.p_active is None else self.p_active < self.level

    @property
    def verdicts(self) -> npt.NDArray[np.str_]:
        """The verdict of each unit: proven, expected, or open."""
        nothing = np.zeros(self.units, np.bool_)
        flags = (self.dead, self.leaking, self.linear, self.unlikely)
        held = [nothing if each is None else each for each in flags]
        return np.select(held, VERDICTS[:-1], OPEN)

    def count(self, *words: str) -> int:
        """Number of units with one of the verdicts."""
        return int(np.isin(self.verdicts, words).sum())

    def summary(self) -> dict[str, Any]:
        """Counts of the verdicts, as plain data."""
        return {
            "layer": self.layer,
            "units": self.units,
            **{word: self.count(word) for word in VERDICTS},
            "mean_p_active": None
            if self.p_active is None
            else float(np.mean(self.p_active)),
            "basis": self.basis,
            "blocked": self.blocked,
        }

    def rows(self) -> list[dict[str, Any]]:
        """One dict for each unit, with the keys `COLUMNS`."""
        chances = [None] * self.units if self.p_active is None else self.p_active
        return [
            dict(zip(COLUMNS, (self.layer, unit, *values), strict=True))
            for unit, values in enumerate(
                zip(
                    [None if p is None else float(p) for p in chances],
                    self.lower.tolist(),
                    self.upper.tolist(),
                    self.slopes.tolist(),
                    self.verdicts.tolist(),
                    strict=True,
                )
            )
        ]

    @property
    def _silent(self) -> Flags:
        return self.upper <= self.threshold - _ROUNDING * abs(self.threshold)
