"""Divide data into what is trained on, what is measured, and what is watched."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_rectifiers.errors import DataError
from keras_rectifiers.files.data import Data

#: What metrics are measured on, in words.
VALIDATION = "validation split"
TEST = "test data"
TRAINING = "training data"


@dataclasses.dataclass(frozen=True, eq=False)
class Parts:
    """Training and evaluation data of one run."""

    #: What the model trains on.
    train: Data
    #: What its metrics are measured on, None for the training data.
    test: Data | None
    #: What the metrics are measured on: one of the words above.
    evaluated_on: str
    #: Samples in a step, for arrays.
    batch_size: int

    def training(self) -> dict[str, Any]:
        """Arguments of `keras.Model.fit`."""
        arguments = self._arguments(self.train)
        if self.test is not None:
            arguments["validation_data"] = (self.test.x, self.test.y)
        return arguments

    def evaluation(self) -> dict[str, Any]:
        """Arguments of `keras.Model.evaluate`, for what is reported."""
        return self._arguments(self.test or self.train)

    def choosing(self) -> dict[str, Any]:
        """The same for what the best epoch is chosen by: never by test arrays."""
        held_out = self.test if self.held_out else None
        return self._arguments(held_out or self.train)

    def sample(self, limit: int) -> Data:
        """At most `limit` samples of the training data with labels, in memory."""
        if not self.train.is_stream:
            return self.train.limited(limit)
        return Data(*_head(self.train.x, limit), source=self.train.source)

    @property
    def steps(self) -> int | None:
        """Steps of an epoch, where that is known."""
        if self.train.samples is not None:
            return math.ceil(self.train.samples / self.batch_size)
        try:
            return len(self.train.x)
        except TypeError:
            return getattr(self.train.x, "num_batches", None)

    @property
    def held_out(self) -> int | None:
        """Samples that choose the best epoch; test arrays choose nothing."""
        chosen = self.evaluated_on == VALIDATION and self.test is not None
        return self.test.samples if chosen and self.test else None

    def _arguments(self, data: Data) -> dict[str, Any]:
        if data.is_stream:
            return {"x": data.x}
        return {"x": data.x, "y": data.y, "batch_size": self.batch_size}


def as_data(data: Any) -> Data:
    """What `finetune` is given, as `Data`.

    Args:
        data: `Data`, `(x, y)`, or a data set object of batches.
    """
    if isinstance(data, Data):
        return data
    if isinstance(data, tuple) and len(data) == 2:  # noqa: PLR2004
        x, y = data
        x = x if isinstance(x, Mapping) else np.asarray(x)
        return Data(x, np.asarray(y), source="data")
    return Data(data, source="data")


def split(data: Data, share: float, batch_size: int, seed: int) -> Parts:
    """Hold out test arrays, or a random share of the samples.

    Args:
        data: Arrays with labels, or a data set object of batches.
        share: Part of the samples to hold out, 0..1; 0 for none. Data with test
            arrays of their own, and data set objects, are not divided.
        batch_size: Samples in a step.
        seed: Of the random choice.

    Raises:
        DataError: Arrays without labels, or a data set that can be read only once.
    """
    if data.is_stream:
        if isinstance(data.x, Iterator):
            raise DataError(
                "Training reads its data several times. Received: a "
                f"{type(data.x).__name__} from {data.source!r}, which can be read "
                "once. Return a tf.data.Dataset, PyDataset, DataLoader or (x, y)."
            )
        return Parts(data, None, TRAINING, batch_size)
    if data.y is None:
        raise DataError(
            f"Training needs labels, and {data.source!r} has none. Give (x, y)."
        )
    if data.x_test is not None:
        test = Data(data.x_test, data.y_test, source=data.source)
        train = dataclasses.replace(data, x_test=None, y_test=None)
        return Parts(train, test, TEST, batch_size)
    samples = data.samples or 0
    held_out = round(samples * share)
    if held_out in (0, samples):
        return Parts(data, None, TRAINING, batch_size)
    # Keras' own validation_split takes the last samples: in a file that is sorted
    # by class those are one class.
    order = np.random.default_rng(seed).permutation(samples)
    test = _taken(data, np.sort(order[:held_out]))
    rest = _taken(data, np.sort(order[held_out:]))
    return Parts(rest, test, VALIDATION, batch_size)


def _taken(data: Data, index: np.ndarray) -> Data:
    x = (
        {name: array[index] for name, array in data.x.items()}
        if isinstance(data.x, Mapping)
        else data.x[index]
    )
    return Data(x, None if data.y is None else data.y[index], source=data.source)


def _head(stream: Any, limit: int) -> tuple[Any, Any]:
    """The first inputs and labels of a data set object, at most `limit` of them."""
    if isinstance(stream, keras.utils.PyDataset):
        batches: Any = (stream[i] for i in range(stream.num_batches or 1))
    else:
        batches = iter(stream)
    taken: list[Any] = []
    samples = 0
    for batch in batches:
        x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
        taken.append(keras.tree.map_structure(_as_array, (x, y)))
        samples += len(keras.tree.flatten(taken[-1])[0])
        if samples >= limit:
            break
    if not taken:
        raise DataError(
            "Training needs one batch at least. Received: an empty data set."
        )
    x, y = keras.tree.map_structure(
        lambda *parts: None if parts[0] is None else np.concatenate(parts)[:limit],
        *taken,
    )
    return x, y


def _as_array(value: Any) -> np.ndarray | None:
    if value is None:
        return None
    return keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(value))
