"""Which units a network needs least: continual backpropagation's utility.

Plain numpy; Keras is never imported here.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


@dataclasses.dataclass
class Utility:
    """Running utility and age of the units of one layer.

    The utility of a unit is the mean of |h| times the sum of |w| over its outgoing
    weights, as a running average. A small share of the units that are old enough is
    replaced all the time, those of least utility first.

    Args:
        units: Number of units.
        decay: Of the running average, float in [0, 1). Default 0.99.
        maturity: Training steps for which a new unit is left alone. Default 100.
        rate: Share of the mature units that is replaced in one training step.
            Default 1e-4.

    Reference:
        Dohare et al. 2024, "Loss of plasticity in deep continual learning", Nature
        632, equation 1 and algorithm 1.
    """

    units: int
    decay: float = 0.99
    maturity: int = 100
    rate: float = 1e-4

    def __post_init__(self) -> None:
        self._average: Values = np.zeros(self.units)
        #: Sum of the weights in the running average.
        self._weight: Values = np.zeros(self.units)
        self.age: npt.NDArray[np.int64] = np.zeros(self.units, np.int64)
        #: Fraction of a unit that is due, carried over.
        self._due = 0.0

    @property
    def value(self) -> Values:
        """Utility of each unit, free of the bias of a young average; 0 if new."""
        return self._average / np.where(self._weight == 0, 1.0, self._weight)

    def update(self, mean_abs: Values, strength: Values, steps: int) -> None:
        """Take in a measurement.

        Args:
            mean_abs: Mean |h| of each unit, shape `(units,)`.
            strength: Sum of |w| over each unit's outgoing weights, same shape.
            steps: Training steps since the measurement before.
        """
        now = np.nan_to_num(mean_abs * strength, nan=0.0, posinf=0.0)
        decay = self.decay**steps
        self._average = decay * self._average + (1 - decay) * now
        self._weight = decay * self._weight + (1 - decay)
        self.age += steps
        self._due += self.rate * steps * int((self.age > self.maturity).sum())

    def due(self) -> npt.NDArray[np.int64]:
        """The mature units that are to be replaced now, the least useful first."""
        mature = np.flatnonzero(self.age > self.maturity)
        count = min(int(self._due), len(mature))
        self._due -= count
        order = np.argsort(self.value[mature], kind="stable")
        return np.asarray(mature[order[:count]], np.int64)

    def renew(self, units: npt.ArrayLike) -> None:
        """Reset the units that were replaced."""
        for each in (self._average, self._weight, self.age):
            each[np.asarray(units, np.int64)] = 0
