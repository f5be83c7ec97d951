"""The reductions of a step as three vectors, and statistics from their totals.

A step of training hands over few arrays, so that counting costs little: whole
numbers that add up, sums that add up, and values of which the greatest stays.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from keras_rectifiers.diagnosis import reduce
from keras_rectifiers.diagnosis.collect import Raw
from keras_rectifiers.diagnosis.probe import as_statistics
from keras_rectifiers.diagnosis.statistics import Measured
from keras_rectifiers.diagnosis.statistics import UnitStatistics
from keras_rectifiers.diagnosis.statistics import merged

#: Arrays of `reduce.over_batch` that hold whole numbers, after its `counts`.
_INTEGERS = ("counts", "reached")
_MAXIMUM = reduce.FLOATS.index("maximum")


@dataclasses.dataclass(frozen=True)
class VectorLayout:
    """The layout of the vectors: one entry for each call of a rectifier."""

    #: Path of the rectifier, its number of units, and the shapes of its integers.
    calls: tuple[tuple[str, int, tuple[tuple[int, ...], ...]], ...]


@dataclasses.dataclass(frozen=True)
class Vectors:
    """Three vectors: of the backend inside a step, of numpy outside."""

    #: For each call: samples, positions of all samples, and its integer arrays.
    integers: Any
    #: For each call: what `reduce.FLOATS` lists, but for the maximum.
    sums: Any
    #: For each call: the maximum.
    maxima: Any

    def __iter__(self) -> Any:
        return iter((self.integers, self.sums, self.maxima))


def pack(raw: Raw) -> tuple[VectorLayout, Vectors]:
    """The reductions of a step as vectors.

    Args:
        raw: What a `Collector` reduced, inside the step.
    """
    # JAX has no 64-bit integers by default; elsewhere nothing must overflow.
    integer = "int32" if keras.backend.backend() == "jax" else "int64"
    calls, integers, sums, maxima = [], [], [], []
    one_by_one = ((path, each) for path, found in raw.items() for each in found)
    for path, each in one_by_one:
        shapes = tuple(tuple(each[name].shape) for name in _INTEGERS)
        calls.append((path, int(each["floats"].shape[-1]), shapes))
        samples = ops.cast(each["samples"], integer)
        positions = samples * ops.cast(each["positions"], integer)
        integers.append(ops.stack([samples, positions]))
        integers += [_flat(ops.cast(each[name], integer)) for name in _INTEGERS]
        floats = each["floats"]
        sums.append(_flat(floats[:_MAXIMUM]))
        maxima.append(floats[_MAXIMUM])
    vectors = Vectors(*map(ops.concatenate, (integers, sums, maxima)))
    return VectorLayout(tuple(calls)), vectors


def unpack(layout: VectorLayout, totals: Vectors) -> Measured:
    """The statistics of each rectifier.

    Args:
        layout: Of the vectors.
        totals: Vectors of numpy, totals of any number of steps.

    Returns:
        Statistics by path; several calls of one rectifier are added.
    """
    return merged({path: found} for path, found in _calls(layout, map(_Reader, totals)))


def _calls(
    layout: VectorLayout, readers: Iterable[_Reader]
) -> Iterator[tuple[str, UnitStatistics]]:
    integers, sums, maxima = readers
    for path, units, shapes in layout.calls:
        samples, positions = integers.take((2,))
        raw = {
            name: integers.take(shape)
            for name, shape in zip(_INTEGERS, shapes, strict=True)
        }
        rows = [*sums.take((_MAXIMUM, units)), maxima.take((units,))]
        found = as_statistics(
            {**raw, "floats": np.stack(rows), "samples": samples, "positions": 0}
        )
        # Batches may differ in their positions: their total was kept.
        yield path, dataclasses.replace(found, positions=int(positions))


class _Reader:
    """Takes arrays from a vector, one after the other."""

    def __init__(self, vector: npt.NDArray[Any]) -> None:
        self._vector = vector
        self._place = 0

    def take(self, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        start, self._place = self._place, self._place + int(np.prod(shape))
        return self._vector[start : self._place].reshape(shape)


def _flat(array: Any) -> Any:
    return ops.reshape(array, (-1,))
