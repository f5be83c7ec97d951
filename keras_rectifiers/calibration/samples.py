"""The batches of a calibration, kept so that each pass sees the same data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras

from keras_rectifiers.diagnosis import data as data_sets
from keras_rectifiers.diagnosis.finite import broken_samples
from keras_rectifiers.errors import DataError


@dataclasses.dataclass(frozen=True, eq=False)
class Batches:
    """Batches in memory."""

    #: `(x, y, sample_weight)` each; `y` and `sample_weight` may be None.
    batches: tuple[tuple[Any, Any, Any], ...]

    @property
    def count(self) -> int:
        """Number of samples."""
        return sum(_length(x) for x, _, _ in self.batches)

    @property
    def labeled(self) -> bool:
        """Whether every batch has labels."""
        return all(y is not None for _, y, _ in self.batches)

    @property
    def inputs(self) -> list[Any]:
        """The input of each batch."""
        return [x for x, _, _ in self.batches]


def held(model: Any, data: Any, *, samples: int, batch_size: int) -> Batches:
    """The first batches of a data set, or evenly spaced samples of arrays.

    Args:
        model: The model that takes them.
        data: What `keras_rectifiers.diagnose` takes, with labels or without.
        samples: Most samples to take (data sets: up to a whole batch more).
        batch_size: Samples in a batch of arrays.

    Raises:
        DataError: There are none, or they do not fit the model.
        TypeError: The data is something else.
    """
    if isinstance(data, Iterator):
        taken = _upto(data, samples)
        data = [each if isinstance(each, tuple) else (each,) for each in taken]
    data = data_sets.evenly_spaced(data, samples)
    try:
        found = list(_upto(_labeled(data, samples, batch_size), samples))
    except DataError:
        inputs = data_sets.batches(data, batch_size=batch_size, steps=samples)
        found = [(x, None, None) for x in _upto(inputs, samples)]
    if not found:
        raise DataError(
            "Calibration needs at least one batch. Received: data without samples. "
            "Check the path, the filter or the generator."
        )
    for x, _, _ in found:
        data_sets.check_fits(model, x)
        _check_finite(x)
    return Batches(tuple(found))


def _labeled(data: Any, samples: int, batch_size: int) -> Iterator[Any]:
    for batch in data_sets.batches(
        data, batch_size=batch_size, steps=samples, labels=True
    ):
        yield keras.utils.unpack_x_y_sample_weight(batch)


def _upto(batches: Iterator[Any], samples: int) -> Iterator[Any]:
    """Batches until there are enough samples."""
    taken = 0
    for batch in batches:
        if taken >= samples:
            return
        taken += _length(batch)
        yield batch


def _length(batch: Any) -> int:
    leaves = [leaf for leaf in keras.tree.flatten(batch) if leaf is not None]
    return int(leaves[0].shape[0])


def _check_finite(x: Any) -> None:
    if broken_samples(x):
        raise DataError(
            "The data must be finite. Received: inputs with NaN or infinite values. "
            "Remove or replace them."
        )
