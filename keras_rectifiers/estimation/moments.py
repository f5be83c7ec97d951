"""What batch statistics say of a channel's distribution, and how often it is positive.

A BatchNormalization puts out mean beta and deviation `|gamma|`. That is followed a
little further: through a ReLU, and through a sum of two branches, so that the
rectifiers after the additions of a residual network also get an estimate.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

#: The channel comes from a BatchNormalization.
BATCH_NORM = "batch_norm"
#: ... from a sum of such, taken to be independent and normal.
SUM = "sum"
#: ... from a ReLU: not normal at all, but a term of the next sum.
RECTIFIED = "rectified"


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """Mean and standard deviation of each channel, aligned as bounds are."""

    mean: Values
    deviation: Values
    #: One of the words above.
    basis: str = BATCH_NORM

    def chance(self, threshold: float) -> Values:
        """P(x > threshold) for normal x; with a deviation of 0 it is 0 or 1."""
        z = _standardized(self.mean - threshold, self.deviation)
        return np.where(
            self.deviation == 0, (self.mean > threshold).astype(float), _normal(z)
        )

    def scaled(self, factor: float, offset: float) -> Moments:
        """Moments of `factor * x + offset`."""
        return Moments(
            factor * self.mean + offset, abs(factor) * self.deviation, self.basis
        )

    def rectified(self) -> Moments:
        """Moments of `maximum(x, 0)` for normal x.

        Reference:
            Frey & Hinton 1999, Neural Computation 11(1): rectified Gaussian units.
        """
        mean, deviation = self.mean, self.deviation
        z = _standardized(mean, deviation)
        above = np.where(deviation == 0, (mean > 0).astype(float), _normal(z))
        edge = deviation * np.exp(-np.square(z) / 2) / math.sqrt(2 * math.pi)
        first = mean * above + edge
        second = (mean**2 + deviation**2) * above + mean * edge
        spread = np.sqrt(np.maximum(second - first**2, 0.0))
        return Moments(first, spread, RECTIFIED)


def summed(a: Moments | None, b: Moments | None) -> Moments | None:
    """Moments of a sum of independent terms; None where one is unknown."""
    if a is None or b is None or a.mean.shape != b.mean.shape:
        return None
    return Moments(a.mean + b.mean, np.hypot(a.deviation, b.deviation), SUM)


def _standardized(distance: Values, deviation: Values) -> Values:
    with np.errstate(invalid="ignore", divide="ignore"):
        z = distance / deviation
    return np.where(deviation == 0, 0.0, np.clip(z, -1e3, 1e3))


def _normal(z: Values) -> Values:
    return 0.5 * _erfc(-z / math.sqrt(2))


_erfc = np.vectorize(math.erfc, otypes=[np.float64])
