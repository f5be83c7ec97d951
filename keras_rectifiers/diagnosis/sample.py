"""A few samples of all data that pass by, each with the same chance."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_rectifiers.live.state import to_numpy


class Sample:
    """A uniform sample of what passes by, in the memory of the sample.

    The first batch of a file that is sorted by class would not do. The same data give
    the same sample.

    Args:
        size: Most samples to keep.

    Reference:
        Vitter 1985, "Random sampling with a reservoir", algorithm R.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._seen = 0
        self._rng = np.random.default_rng(0)
        self._structure: Any = None
        self._kept: list[npt.NDArray[Any]] | None = []

    def add(self, batch: Any) -> None:
        """Let a batch pass by.

        Args:
            batch: A tensor or a structure of tensors, samples in front.
        """
        leaves = keras.tree.flatten(batch)
        if self._kept is None or not self._fits(leaves):
            self._kept = None
            return
        count = int(leaves[0].shape[0])
        places = self._places(count)
        rows = np.flatnonzero(places < self._size)
        if not len(rows):
            return
        values = [to_numpy(leaf) for leaf in leaves]
        if not self._kept:
            self._structure = batch
            self._kept = [
                np.empty((self._size, *each.shape[1:]), each.dtype) for each in values
            ]
        for kept, each in zip(self._kept, values, strict=True):
            for row in rows:  # in this order: a later one takes the place
                kept[places[row]] = each[row]

    def taken(self, instead: Any) -> Any:
        """The sample.

        Args:
            instead: What is given back where no sample could be taken, since batches
                differ in shape, or hold something else than plain arrays.
        """
        if not self._kept:
            return instead
        count = min(self._seen, self._size)
        leaves = [keras.ops.convert_to_tensor(each[:count]) for each in self._kept]
        return keras.tree.pack_sequence_as(self._structure, leaves)

    def _places(self, count: int) -> npt.NDArray[np.int64]:
        """Where each sample of a batch goes; those of no place are beyond the end."""
        numbers = np.arange(self._seen, self._seen + count)
        self._seen += count
        drawn = self._rng.integers(0, numbers + 1)
        return np.where(numbers < self._size, numbers, drawn)

    def _fits(self, leaves: list[Any]) -> bool:
        """Whether a batch holds plain arrays, in the shapes of those before."""
        if not leaves or not all(
            keras.ops.is_tensor(each) and len(each.shape) for each in leaves
        ):
            return False
        if any("string" in str(each.dtype) for each in leaves):
            return False
        if len({int(each.shape[0] or 0) for each in leaves}) != 1:
            return False
        shapes = [tuple(each.shape[1:]) for each in leaves]
        return not self._kept or shapes == [each.shape[1:] for each in self._kept]
