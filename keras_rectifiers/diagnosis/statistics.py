"""Counts and sums of one rectifier's units, which add up.

Plain numpy: statistics of batches, calls, shards, replicas, workers and resumed
runs all combine by `+`. Keras is never imported here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import Self

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

_ADDED = (
    "samples",
    "positions",
    "fired",
    "fired_positions",
    "not_finite",
    "sum_abs",
)
#: Added where both have them: not every run counts them.
_OPTIONAL = ("sum_squares", "peaks", "with_gradient")

#: Lower edges of the bins of `peaks`; the first bin takes what is not above 0.
#: Steps of 4 reach from far below a normalized activation to far above one.
PEAK_EDGES = np.array([0.0, *(4.0**power for power in range(-7, 7))])
#: Number of bins.
PEAK_BINS = len(PEAK_EDGES) + 1


@dataclasses.dataclass(frozen=True, eq=False)
class UnitStatistics:
    """What the units (channels) of one rectifier did on some data.

    `x` is the pre-activation minus the rectifier's threshold, `h` the
    post-activation. Arrays have shape `(units,)`. Addition is exact for counts and
    maxima; sums are rounded to float64 at each addition.
    """

    #: Samples seen (rows of the batch axis).
    samples: int
    #: Values seen of each unit: samples times spatial positions and calls.
    positions: int
    #: Samples in which x > 0 at one position at least.
    fired: Counts
    #: Positions with x > 0.
    fired_positions: Counts
    #: Samples in which h was NaN or infinite, or x was NaN, at some position; they
    #: count in `samples` and `positions`, and nowhere else.
    not_finite: Counts
    #: Sum of |h| over positions.
    sum_abs: Values
    #: Greatest h, -inf where nothing was seen.
    maximum: Values
    #: Sum of h squared over positions. None where it was not summed.
    sum_squares: Values | None = None
    #: Histogram of each unit over samples, shape `(units, PEAK_BINS)`: in bin 0 the
    #: samples in which it never fired, in bin k > 0 those whose greatest h lies in
    #: `[PEAK_EDGES[k - 1], PEAK_EDGES[k])`. None where it was not counted.
    peaks: Counts | None = None
    #: Samples in which the loss had a gradient other than 0 for x at one position at
    #: least. None where it was not counted.
    with_gradient: Counts | None = None

    @classmethod
    def empty(cls, units: int) -> Self:
        """The statistic of no data: `a + empty == a`.

        Args:
            units: Number of units.
        """
        counts = np.zeros(units, np.int64)
        sums = np.zeros(units, np.float64)
        nothing = np.full(units, -np.inf)
        return cls(0, 0, counts, counts, counts, sums, nothing, sums)

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.fired)

    @property
    def fired_fraction(self) -> Values:
        """Share of the samples in which each unit fired, 0..1; NaN without data."""
        return np.asarray(self.fired / _or_nan(self.samples), np.float64)

    @property
    def positive_fraction(self) -> Values:
        """Share of the positions of finite samples with x > 0; NaN without any."""
        return np.asarray(self.fired_positions / _or_nan(self.finite_positions))

    @property
    def mean_abs(self) -> Values:
        """Mean of |h| over the positions of finite samples; NaN without any."""
        return np.asarray(self.sum_abs / _or_nan(self.finite_positions))

    @property
    def mean_square(self) -> Values:
        """Mean of h squared over the positions of finite samples; NaN without any."""
        if self.sum_squares is None:
            return np.full(self.units, np.nan)
        return np.asarray(self.sum_squares / _or_nan(self.finite_positions))

    @property
    def finite_positions(self) -> Values:
        """Values of each unit in samples that were finite throughout."""
        per_sample = self.positions / max(self.samples, 1)
        return np.asarray((self.samples - self.not_finite) * per_sample)

    def __add__(self, other: object) -> Self:
        """The statistic of both data sets.

        Raises:
            ValueError: If the numbers of units differ.
        """
        if not isinstance(other, UnitStatistics):
            return NotImplemented
        if other.units != self.units:
            raise ValueError(
                "Statistics add up for the same units only. "
                f"Received: {self.units} and {other.units} units. "
                "Merge statistics of the same rectifier of the same model."
            )
        added: dict[str, Any] = {
            name: getattr(self, name) + getattr(other, name) for name in _ADDED
        }
        for name in _OPTIONAL:
            both = (self, other)
            seen = [each for each in both if each.samples] or both
            counted = [getattr(each, name) for each in seen]
            known = all(counts is not None for counts in counted)
            added[name] = np.sum(counted, axis=0) if known else None
        return type(self)(
            **added,
            maximum=np.maximum(self.maximum, other.maximum),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UnitStatistics):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, field.name), getattr(other, field.name))
            for field in dataclasses.fields(self)
        )

    __hash__ = None  # type: ignore[assignment]


#: Statistics of rectifiers by their paths.
Measured = dict[str, UnitStatistics]


def merged(parts: Iterable[Mapping[str, UnitStatistics]]) -> Measured:
    """Statistics of several counts, of calls, steps, replicas or workers, added.

    Args:
        parts: Statistics by path; a path may be in some of them only.
    """
    total: Measured = {}
    for part in parts:
        for path, found in part.items():
            total[path] = found if path not in total else total[path] + found
    return total


def _or_nan(value: Any) -> Any:
    """Zero as NaN, so that a ratio without data is NaN and warns nobody."""
    return np.where(value == 0, np.nan, value)
