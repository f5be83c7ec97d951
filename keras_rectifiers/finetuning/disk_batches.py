"""Batches of arrays on the disk, read one at a time."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from keras_rectifiers.files.data import Data


class DiskBatches(keras.utils.PyDataset):
    """A data set object of arrays of which some are on the disk.

    Args:
        data: Inputs, labels and weights.
        batch_size: Samples in a batch; the last one may have fewer.
        seed: Of the order of samples, another one in each epoch; None leaves them in
            their order.
    """

    def __init__(self, data: Data, batch_size: int, seed: int | None = None) -> None:
        super().__init__()
        self._data = data
        self._batch_size = batch_size
        self._samples = data.samples or 0
        self._random = None if seed is None else np.random.default_rng(seed)
        self._order = np.arange(self._samples)
        self.on_epoch_end()

    @property
    def num_batches(self) -> int:
        """Batches of an epoch."""
        return math.ceil(self._samples / self._batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """One batch, as `keras.Model.fit` takes it."""
        start = index * self._batch_size
        part = self._data.taken(np.sort(self._order[start : start + self._batch_size]))
        parts = (part.x, part.y, part.sample_weight)
        if part.sample_weight is not None:
            return parts
        return parts[:1] if part.y is None else parts[:2]

    def on_epoch_end(self) -> None:
        """Put the samples in another order."""
        if self._random is not None:
            self._order = self._random.permutation(self._samples)
