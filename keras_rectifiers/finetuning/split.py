"""Divide data into what is trained on, what is measured, and what is watched."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_rectifiers.errors import DataError
from keras_rectifiers.files.data import Data
from keras_rectifiers.files.grain_data import few_ahead
from keras_rectifiers.files.rows import Rows
from keras_rectifiers.files.structures import kind_of
from keras_rectifiers.files.structures import leaves
from keras_rectifiers.files.structures import mapped
from keras_rectifiers.finetuning import streams
from keras_rectifiers.finetuning.class_weights import for_stream
from keras_rectifiers.finetuning.class_weights import in_loss
from keras_rectifiers.finetuning.disk_batches import DiskBatches
from keras_rectifiers.finetuning.measured import GIVEN
from keras_rectifiers.finetuning.measured import TEST
from keras_rectifiers.finetuning.measured import TRAINING
from keras_rectifiers.finetuning.measured import VALIDATION
from keras_rectifiers.live import processes
from keras_rectifiers.live.placement import batch_parts

#: Labels on the disk that are looked at before training.
_LABELS = 1024


@dataclasses.dataclass(frozen=True, eq=False)
class Parts:
    """Training and evaluation data of one run."""

    #: What the model trains on.
    train: Data
    #: What its metrics are measured on, None for the training data.
    test: Data | None
    #: What the metrics are measured on: one of the words of `measured`.
    evaluated_on: str
    #: Samples in a step, for arrays.
    batch_size: int
    #: What the best epoch is chosen by, None for the training data.
    validation: Data | None = None
    #: Steps of an epoch, where that was asked for.
    steps_per_epoch: int | None = None
    #: Whether the training data end by themselves.
    ends: bool = True
    #: Batches of the training data, where they are a data set object.
    batches: int | None = None
    #: Weights of samples in training, those of classes among them.
    weights: Any = None
    #: Class -> weight, for a data set object.
    class_weight: Any = None
    #: Of the order of samples that are on the disk.
    seed: int = 0

    def training(self) -> dict[str, Any]:
        """Arguments of `keras.Model.fit`."""
        if self.train.is_on_disk:
            weights = self.train.sample_weight if self.weights is None else self.weights
            train = dataclasses.replace(self.train, sample_weight=weights)
            batches = DiskBatches(train, self.batch_size, seed=self.seed)
            arguments: dict[str, Any] = {"x": batches, "shuffle": False}
        else:
            arguments = self._arguments(self.train)
            if self.weights is not None:
                arguments["sample_weight"] = self.weights
        if self.class_weight is not None:
            arguments["class_weight"] = self.class_weight
        if self.steps_per_epoch is not None:
            arguments["steps_per_epoch"] = self.steps_per_epoch
        if self.train.is_stream and not isinstance(self.train.x, keras.utils.PyDataset):
            arguments["shuffle"] = False  # Keras warns that it has no effect
        watched = self.validation or self.test
        if watched is not None:
            arguments["validation_data"] = _fed(watched, self.batch_size)
        return arguments

    def evaluation(self) -> dict[str, Any]:
        """Arguments of `keras.Model.evaluate`, for what is reported."""
        return self._evaluated(self.test)

    def choosing(self) -> dict[str, Any]:
        """The same for what the best epoch is chosen by: never by test arrays."""
        return self._evaluated(self.validation)

    @property
    def chosen_on(self) -> str:
        """What the best epoch is chosen by: one of the words of `measured`."""
        if self.validation is None:
            return TRAINING
        return VALIDATION if self.evaluated_on == VALIDATION else GIVEN

    def judged(self, limit: int) -> Data | None:
        """At most `limit` samples in memory that the model does not train on."""
        if self.test is None or self.test.is_stream:
            return None
        return _of_first(self.test.limited(limit))

    def sample(self, limit: int) -> Data:
        """At most `limit` samples of the training data with labels, in memory.

        Of several processes, the first one's: all decide by the same samples.
        """
        if not self.train.is_stream:
            return _of_first(self.train.limited(limit))
        x, y, weight = streams.first_samples(self.train.x, limit)
        found = Data(x, y, source=self.train.source, sample_weight=weight)
        return _of_first(found)

    def identity(self, sample: Data) -> list[np.ndarray]:
        """What tells these data from others: values, for a stream shapes alone.

        Args:
            sample: As `sample` gives it; that of a stream may be shuffled again.
        """
        found = leaves([sample.x, sample.y, sample.sample_weight])
        if not self.train.is_stream:
            return found
        return [np.asarray([self.steps, *leaf.shape[1:]]) for leaf in found]

    def in_memory(self) -> list[Data]:
        """The data that are arrays, what is measured first.

        Of labels on the disk these are some.
        """
        parts = (self.test, self.validation, self.train)
        return [
            dataclasses.replace(part, y=mapped(_some, part.y))
            for part in parts
            if part is not None and not part.is_stream
        ]

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        if self.steps_per_epoch or self.batches:
            return self.steps_per_epoch or self.batches or 0
        return math.ceil((self.train.samples or 0) / self.batch_size)

    @property
    def samples_seen(self) -> int:
        """Samples that an epoch of training takes."""
        if self.steps_per_epoch and not self.train.is_stream:
            return self.steps_per_epoch * self.batch_size
        return self.train.samples or 0

    @property
    def held_out(self) -> int | None:
        """Samples that choose the best epoch; test arrays choose nothing."""
        if self.validation is None or self.validation.samples is None:
            return None
        return self.validation.samples * processes.count()

    @property
    def chosen_by_samples(self) -> int | None:
        """Samples on which epochs are compared, those of all processes."""
        if self.held_out is not None or self.train.samples is None:
            return self.held_out
        return self.train.samples * processes.count()

    def weighted(self, class_weight: Any, model: Any, loss: Any = None) -> Parts:
        """The same parts with weights of classes in training.

        Args:
            class_weight: As `finetune` takes it.
            model: The model, for the names of its outputs.
            loss: The loss that replaces the model's, or None.

        Raises:
            ArgumentError: The weights do not fit the labels, or data set objects.
        """
        if class_weight is None:
            return self
        if any(isinstance(leaf, Rows) for leaf in leaves(self.train.y)):
            batches = DiskBatches(self.train, self.batch_size)
            stream = dataclasses.replace(self.train, x=batches)
            passed = for_stream(class_weight, stream, streams.as_numpy(batches[0]))
            return dataclasses.replace(self, class_weight=passed)
        if not self.train.is_stream:
            found = in_loss(class_weight, self.train, model, loss)
            return dataclasses.replace(self, weights=found)
        first = next(streams.batches(self.train.x))
        passed = for_stream(class_weight, self.train, streams.as_numpy(first))
        return dataclasses.replace(self, class_weight=passed)

    def _evaluated(self, data: Data | None) -> dict[str, Any]:
        if data is not None:
            return self._arguments(data)
        arguments = self._arguments(self.train)
        if not self.ends:
            arguments["steps"] = self.steps
        return arguments

    def _arguments(self, data: Data) -> dict[str, Any]:
        if data.is_stream or data.is_on_disk:
            return {"x": _fed(data, self.batch_size)}
        arguments = {"x": data.x, "y": data.y, "batch_size": self.batch_size}
        if data.sample_weight is not None:
            arguments["sample_weight"] = data.sample_weight
        return arguments


def measured_on(data: Data, share: float, *, validation: bool = False) -> str:
    """What metrics are measured on: one of the words of `measured`.

    Args:
        data: Arrays with labels, or a data set object of batches.
        share: Part of the samples to hold out, 0..1.
        validation: Whether there are validation data.
    """
    if data.x_test is not None:
        return TEST
    if validation:
        return GIVEN
    samples = 0 if data.is_stream else data.samples or 0
    return TRAINING if round(samples * share) in (0, samples) else VALIDATION


def split(
    data: Data,
    share: float,
    batch_size: int,
    seed: int,
    *,
    validation: Data | None = None,
    steps: int | None = None,
    labels: bool = True,
) -> Parts:
    """Hold out test arrays, or a random share of the samples.

    Args:
        data: Arrays with labels, or a data set object of batches.
        share: Part of the samples to hold out, 0..1; 0 for none. Data with
            separate test arrays, and data set objects, are not divided, nor where
            there are validation data.
        batch_size: Samples in a step.
        seed: Of the random choice.
        validation: What the best epoch is chosen by, or None.
        steps: Steps of an epoch, or None for all data.
        labels: Whether labels are needed.

    Raises:
        DataError: Arrays without labels, or a data set that can be read only once or
            never ends; or arrays that the devices of `keras.distribution` cannot
            share evenly.
    """
    test = _test_of(data)
    train = dataclasses.replace(data, x_test=None, y_test=None, sample_weight_test=None)
    kept = None if validation is None else _counted(validation, "validation_data")
    evaluated_on = measured_on(data, share, validation=kept is not None)
    parts = Parts(train, test or kept, evaluated_on, batch_size, kept, steps, seed=seed)
    if data.is_stream:
        return _streaming(parts)
    if data.y is None and labels:
        raise DataError(
            f"Training needs labels, and {data.source!r} has none. Give (x, y)."
        )
    _check_shared(parts)
    if evaluated_on != VALIDATION:
        return parts
    samples = data.samples or 0
    held_out = round(samples * share)
    held_out -= held_out % batch_parts()
    # Keras' own validation_split takes the last samples: in a file that is sorted
    # by class those are one class.
    order = np.random.default_rng(seed).permutation(samples)
    out = train.subset(np.sort(order[:held_out]))
    rest = train.subset(np.sort(order[held_out:]))
    return Parts(rest, out, VALIDATION, batch_size, out, steps, seed=seed)


def check_processes(parts: Parts) -> None:
    """Refuse data that processes which train together cannot step through together.

    Raises:
        DataError: Their numbers of samples differ: one would wait for the others.
    """
    sets = (parts.train, parts.test, parts.validation)
    sizes = [-1 if data is None else data.samples or 0 for data in sets]
    sizes = [parts.steps, parts.batch_size, *sizes]
    found = [
        each["sizes"].tolist()
        for each in processes.gathered({"sizes": np.asarray(sizes, np.int64)})
    ]
    if any(each != found[0] for each in found):
        told = "; ".join(
            f"process {i} has {steps} steps of {batch} and {samples} samples"
            for i, (steps, batch, samples, *_) in enumerate(found)
        )
        raise DataError(
            "Processes that train together take their steps together, so each must "
            f"have the same number of samples, for tests too. Received: {told}. "
            "Leave samples out where there are more."
        )


def _of_first(data: Data) -> Data:
    """Samples of the first process, in every process."""
    parts = (data.x, data.y, data.sample_weight)
    x, y, weight = map(processes.as_first, parts)
    return dataclasses.replace(data, x=x, y=y, sample_weight=weight)


def _check_shared(parts: Parts) -> None:
    """Refuse arrays whose last batch Keras cannot divide among devices."""
    devices = batch_parts()
    for data in (parts.test, parts.validation, parts.train):
        if data is None or data.is_stream:
            continue
        if (data.samples or 0) % devices or parts.batch_size % devices:
            raise DataError(
                f"Keras divides each batch among {devices} devices, so the number of "
                f"samples and batch_size must be multiples of {devices}. Received: "
                f"{data.samples} samples from {data.source!r} and "
                f"batch_size={parts.batch_size}. Leave samples out, or change the "
                "batch size."
            )


def _streaming(parts: Parts) -> Parts:
    """The same parts with the training data counted."""
    data, steps = parts.train, parts.steps_per_epoch
    stream = data.x
    if isinstance(stream, Iterator) and not hasattr(stream, "cardinality"):
        if steps is None:
            raise DataError(
                "Training reads its data several times. Received: a "
                f"{kind_of(stream)} from {data.source!r}, which can be read "
                "once. Return a tf.data.Dataset, PyDataset, DataLoader or (x, y); or "
                "pass steps_per_epoch= (on the command line --steps-per-epoch) for "
                "one that never ends."
            )
        stream = streams.Generator(stream, data.source)
    streams.check_kind(stream, "data", data.source)
    found = streams.length(stream, steps, "data", data.source)
    return dataclasses.replace(
        parts,
        train=dataclasses.replace(data, x=few_ahead(stream), counted=found.samples),
        ends=found.ends,
        batches=found.batches,
    )


def _some(labels: Any) -> Any:
    if not isinstance(labels, Rows):
        return labels
    count = min(_LABELS, len(labels))
    return labels[np.linspace(0, len(labels) - 1, count).astype(int)]


def _test_of(data: Data) -> Data | None:
    if data.x_test is None:
        return None
    test = Data(
        data.x_test,
        data.y_test,
        source=data.source,
        sample_weight=data.sample_weight_test,
    )
    return _counted(test, "x_test")


def _counted(data: Data, name: str) -> Data:
    """The same data, with the samples of a data set object counted."""
    if not data.is_stream:
        return data
    if isinstance(data.x, Iterator):
        raise DataError(
            f"{name} is measured several times. Received: a {kind_of(data.x)} "
            f"from {data.source!r}, which can be read once. Give arrays, a "
            "tf.data.Dataset, a PyDataset or a DataLoader."
        )
    streams.check_kind(data.x, name, data.source)
    found = streams.length(data.x, None, name, data.source)
    return dataclasses.replace(data, x=few_ahead(data.x), counted=found.samples)


def _fed(data: Data, batch_size: int) -> Any:
    """Data as Keras takes them in one argument."""
    if data.is_on_disk:
        return DiskBatches(data, batch_size)
    if isinstance(data.x, streams.Generator):
        return (batch for batch in data.x)
    if data.is_stream:
        return data.x
    parts = (data.x, data.y, data.sample_weight)
    return parts if data.sample_weight is not None else parts[:2]
