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


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation of a file, as far as devices make conditions for it."""

    name: str
    #: The name of what it computes.
    place: str
    #: Number types of the tensors that it reads and writes; of constants float16 only.
    types: frozenset[str]
    #: Shapes of its constants, in the order of its inputs.
    constants: tuple[tuple[int, ...], ...] = ()
    #: The slope of a LEAKY_RELU.
    slope: float | None = None
    #: Whether an activation, such as a ReLU, is fused into it.
    fused: bool = False
    #: Whether it reads an input of the file, or writes an output.
    at_edge: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Inspection:
    """What a file consists of."""

    #: Operation -> how many there are.
    operations: Mapping[str, int]
    rectifying: tuple[Rectifying, ...]
    #: Operations that the plain runtime does not have, each with its place.
    foreign: tuple[tuple[str, str], ...] = ()
    #: Each operation, in running order; only for LiteRT.
    nodes: tuple[Operation, ...] = ()


def slopes(value: Any) -> npt.NDArray[np.float64]:
    """Slopes as the inspectors report them.

    Args:
        value: An array of any dtype.
    """
    return np.asarray(value, dtype="float64")
