"""Statistics as named arrays: for files, and for other processes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_rectifiers.diagnosis.statistics import Measured
from keras_rectifiers.diagnosis.statistics import UnitStatistics
from keras_rectifiers.live import processes

_FIELDS = tuple(field.name for field in dataclasses.fields(UnitStatistics))
#: The array of the names of what was measured, between processes.
_NAMES = "names"


def to_arrays(prefix: str, measured: Measured) -> dict[str, npt.NDArray[Any]]:
    """Arrays of what was measured, named by its place and not by its path.

    Args:
        prefix: What the names begin with.
        measured: Statistics by path.
    """
    return {
        f"{prefix}/{place}/{name}": np.asarray(getattr(found, name))
        for place, found in enumerate(measured.values())
        for name in _FIELDS
        if getattr(found, name) is not None
    }


def from_arrays(
    prefix: str, paths: Iterable[str], named: Mapping[str, npt.NDArray[Any]]
) -> dict[str, UnitStatistics]:
    """What `to_arrays` was given.

    Args:
        prefix: See there.
        paths: The paths, in the same order.
        named: The arrays, among others; not trusted.

    Raises:
        KeyError: One is not there.
        ValueError: Arrays of one path differ in their number of units.
    """
    return {
        str(path): _statistics(f"{prefix}/{place}", named)
        for place, path in enumerate(paths)
    }


def of_all_processes(measured: Measured) -> list[Measured]:
    """What each process that trains the model has measured, the first one first.

    Args:
        measured: What this one has measured.
    """
    if processes.count() == 1:
        return [measured]
    named = {**to_arrays("found", measured), _NAMES: np.asarray([*measured], np.str_)}
    return [
        from_arrays("found", each[_NAMES], each) for each in processes.gathered(named)
    ]


def _statistics(prefix: str, named: Mapping[str, npt.NDArray[Any]]) -> UnitStatistics:
    values: dict[str, Any] = {
        name: named[f"{prefix}/{name}"]
        for name in _FIELDS
        if f"{prefix}/{name}" in named
    }
    for name in ("samples", "positions"):
        values[name] = int(values[name])
    found = UnitStatistics(**values)
    for name in set(values) - {"samples", "positions"}:
        if values[name].shape[:1] != (found.units,):
            raise ValueError(f"{prefix}/{name} has a different number of units")
    return found
