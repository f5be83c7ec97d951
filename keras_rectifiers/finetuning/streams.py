"""Data set objects: whether they end, how many samples they hold, the first of them."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import types
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_rectifiers.errors import DataError
from keras_rectifiers.files.grain_data import few_ahead
from keras_rectifiers.files.structures import are_arrays
from keras_rectifiers.files.structures import as_arrays
from keras_rectifiers.files.structures import is_tensorflow
from keras_rectifiers.files.structures import kind_of
from keras_rectifiers.files.structures import leaves

#: Batches up to which a data set that does not know its length is counted: one that
#: has not ended by then is taken for one that never does.
MOST_COUNTED = 100_000
#: What says "for ever" and "unknown" in `tf.data.Dataset.cardinality`.
_INFINITE, _UNKNOWN = -1, -2


@dataclasses.dataclass(frozen=True)
class StreamLength:
    """How long an epoch of a data set object is."""

    #: Batches of an epoch.
    batches: int
    #: Samples of an epoch: counted, or batches times the samples of the first one.
    samples: int
    #: Whether the data set ends by itself.
    ends: bool


class Generator:
    """A generator that several readers share, one batch each at a time.

    Backends read ahead in threads, also after training has ended, and a generator
    that is at work cannot be asked again.

    Args:
        generator: The generator.
        source: Where it came from, for messages.
    """

    def __init__(self, generator: Iterator[Any], source: str) -> None:
        self._generator = generator
        self._source = source
        self._lock = threading.Lock()
        self._given = 0

    def __iter__(self) -> Iterator[Any]:
        while True:
            with self._lock:
                batch = next(self._generator, None)
                self._given += batch is not None
            if batch is None:
                raise DataError(
                    "steps_per_epoch= takes a generator that never ends. Received: "
                    f"one from {self._source!r} that ended after {self._given} "
                    "batches. Give a tf.data.Dataset, a PyDataset or arrays, which "
                    "can be read again."
                )
            yield batch


def check_kind(stream: Any, name: str, source: str) -> None:
    """Refuse what `keras.Model.fit` does not take.

    Raises:
        DataError: It names the kind that was received.
    """
    known = is_tensorflow(stream) or isinstance(
        stream, (keras.utils.PyDataset, Generator)
    )
    loader = any(
        each.__name__ in ("DataLoader", "MapDataset", "IterDataset")
        for each in type(stream).__mro__
    )
    if known or loader or isinstance(stream, types.GeneratorType):
        return
    raise DataError(
        f"{name} must be (x, y), (x, y, sample_weight), a tf.data.Dataset, a "
        "keras.utils.PyDataset, a torch DataLoader, or a generator with "
        f"steps_per_epoch=. Received: {kind_of(stream)} from {source!r}."
    )


def length(stream: Any, steps: int | None, name: str, source: str) -> StreamLength:
    """How long an epoch is.

    Args:
        stream: A data set object.
        steps: Batches of an epoch, where that was given.
        name: The argument that it came by, for messages.
        source: Where it came from, for messages.

    Raises:
        DataError: It does not end, and no steps were given; or it is empty.
    """
    known = _batches(stream)
    if known == _UNKNOWN and steps is None:
        return _counted(stream, name, source)
    if known == _INFINITE and steps is None:
        raise endless(stream, name, source)
    first = next(batches(stream), None) if known else None
    if first is None:
        raise _empty(f"{kind_of(stream)} in {name} from {source!r}")
    found = steps or known
    return StreamLength(found, found * _size(first), known != _INFINITE)


def endless(stream: Any, name: str, source: str) -> DataError:
    """The error for a data set that does not end."""
    remedy = (
        "Pass steps_per_epoch= (on the command line --steps-per-epoch)"
        if name == "data"
        else "Shorten it, as with .take(n)"
    )
    must = ", or steps_per_epoch= must say how many batches an epoch takes"
    return DataError(
        f"{name} must end{must if name == 'data' else ''}. Received: a "
        f"{kind_of(stream)} from {source!r} that never ends. {remedy}."
    )


def batches(stream: Any) -> Iterator[Any]:
    """The batches of a data set object, as it gives them."""
    if isinstance(stream, keras.utils.PyDataset):
        count = stream.num_batches
        return (
            stream[i] for i in (itertools.count() if count is None else range(count))
        )
    return iter(few_ahead(stream))


def first_samples(stream: Any, limit: int) -> tuple[Any, Any, Any]:
    """The first inputs, labels and weights, at most `limit` of them, as arrays.

    Batches of another shape than the first (sequences are often padded batch by
    batch) are left out.
    """
    taken: list[Any] = []
    samples = 0
    for batch in batches(stream):
        part = as_numpy(batch)
        if taken and not _alike(taken[0], part):
            break
        taken.append(part)
        samples += len(leaves(part[0])[0])
        if samples >= limit:
            break
    if not taken:
        raise _empty("data set")
    x, y, weight = keras.tree.map_structure(
        lambda *parts: None if parts[0] is None else np.concatenate(parts)[:limit],
        *taken,
    )
    return (list(x) if isinstance(x, tuple) else x), y, weight


def as_numpy(batch: Any) -> tuple[Any, Any, Any]:
    """Inputs, labels and weights of one batch as arrays.

    Raises:
        DataError: They are not arrays.
    """
    try:
        parts = keras.utils.unpack_x_y_sample_weight(batch)
    except ValueError as error:
        raise _no_batch(batch) from error
    if not leaves(parts[0]) or not all(are_arrays(part) for part in parts):
        raise _no_batch(batch)
    x, y, weight = (as_arrays(part) for part in parts)
    shapes = [leaf.shape for part in (x, y, weight) for leaf in leaves(part)]
    if () in shapes:
        raise DataError(
            "A data set must give batches, whose first axis is that of the samples. "
            f"Received: arrays of shape {', '.join(map(str, shapes))}. Group samples "
            "into batches, as with .batch(32)."
        )
    return x, y, weight


def _empty(what: str) -> DataError:
    return DataError(f"Training needs one batch at least. Received: an empty {what}.")


def _no_batch(batch: Any) -> DataError:
    return DataError(
        "Each batch must be (x, y) or (x, y, sample_weight) of arrays. Received: "
        f"{type(batch).__name__} of "
        f"{', '.join(type(leaf).__name__ for leaf in leaves(batch)) or 'nothing'}."
    )


def _alike(first: Any, other: Any) -> bool:
    shapes = [
        [leaf.shape[1:] for leaf in keras.tree.flatten(part) if leaf is not None]
        for part in (first, other)
    ]
    return shapes[0] == shapes[1]


def _size(batch: Any) -> int:
    return len(leaves(as_numpy(batch)[0])[0])


def _batches(stream: Any) -> int:
    """Number of batches, or one of the two words of `tf.data`."""
    if isinstance(stream, keras.utils.PyDataset):
        count = stream.num_batches
        return _INFINITE if count is None else int(count)
    if isinstance(stream, Generator):
        return _INFINITE
    if hasattr(stream, "cardinality"):
        return int(stream.cardinality())
    try:
        return len(stream)
    except TypeError:  # a DataLoader of an iterable
        return _UNKNOWN
    except OverflowError:  # what repeats for ever, elsewhere
        return _INFINITE


def _counted(stream: Any, name: str, source: str) -> StreamLength:
    samples = count = 0
    for batch in itertools.islice(batches(stream), MOST_COUNTED + 1):
        samples += _size(batch)
        count += 1
    if count > MOST_COUNTED:
        raise endless(stream, name, source)
    if not count:
        raise _empty(f"{kind_of(stream)} in {name} from {source!r}")
    return StreamLength(count, samples, ends=True)
