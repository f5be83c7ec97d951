"""What an inspection of a file finds: plain data, the same for every format."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclasses.dataclass(frozen=True, eq=False)
class Rectifying:
    """Operations of a file that compute one rectifier with slopes."""

    #: Their names, in running order.
    operations: tuple[str, ...]
    #: The slopes, in the shape that they have in the file.
    slopes: npt.NDArray[np.float64]
    #: Whether it is the format's own operation for it.
    native: bool
    #: By how much a slope may differ by being rounded.
    rounding: float = 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class Inspection:
    """What a file consists of."""

    #: Operation -> how many there are.
    operations: Mapping[str, int]
    rectifying: tuple[Rectifying, ...]
    #: Operations that the plain runtime does not have, each with its place.
    foreign: tuple[tuple[str, str], ...] = ()


def slopes(value: Any) -> npt.NDArray[np.float64]:
    """Slopes as the inspectors report them.

    Args:
        value: An array of any dtype.
    """
    return np.asarray(value, dtype="float64")
