"""Decide what a rectifier with slopes can be folded into: pure arithmetic."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_rectifiers import specs
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.specs import Cannot

Values = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Decision:
    """What one rectifier becomes."""

    #: `"relu"` or `"leaky_relu"`.
    to: str
    #: The one slope that it has then; 0 for a ReLU.
    slope: float
    #: The slopes that it had, in the shape of its weights.
    slopes: Values

    @property
    def distances(self) -> Values:
        """How far each slope moves."""
        return np.abs(self.slopes - self.slope)

    @property
    def distance(self) -> float:
        """How far the furthest slope moves; 0 where the fold is exact."""
        return float(self.distances.max(initial=0.0))


def check_tolerance(tolerance: Any) -> float:
    """The tolerance as a number.

    Raises:
        TypeError: It is not a number.
        ValueError: It is negative or not finite.
    """
    if isinstance(tolerance, bool) or not isinstance(
        tolerance, int | float | np.floating | np.integer
    ):
        raise TypeError(
            f"tolerance must be a number. Received: tolerance={tolerance!r} of type "
            f"{type(tolerance).__name__}. Pass 0 to fold only what stays the same, "
            "bit for bit."
        )
    if not math.isfinite(tolerance) or tolerance < 0:
        raise ValueError(
            "tolerance must be a finite number of at least 0. Received: "
            f"tolerance={tolerance}. It is the largest allowed change of a slope."
        )
    return float(tolerance)


def decide(site: Site, slopes: Any, tolerance: float) -> Decision | Cannot:
    """What a Leaky ReLU or PReLU becomes, or why it stays.

    Args:
        site: The rectifier.
        slopes: Its slopes, a number or an array.
        tolerance: How far a slope may move, at least 0.
    """
    values = np.atleast_1d(np.asarray(slopes, dtype="float64"))
    if not np.isfinite(values).all():
        return Cannot("slopes", "its slopes are not all finite")
    if np.abs(values).max(initial=0.0) <= tolerance:
        return Decision(specs.RELU, 0.0, values)
    low, high = float(values.min()), float(values.max())
    if site.kind == specs.LEAKY_RELU:
        return Cannot("slope", f"its slope is {high:g}, not 0")
    # The middle of the range is the slope whose furthest neighbor is nearest.
    middle = low if low == high else low + (high - low) / 2
    decision = Decision(specs.LEAKY_RELU, middle, values)
    if decision.distance <= tolerance:
        return decision
    return Cannot("slopes", f"its slopes are between {low:.4g} and {high:.4g}")
