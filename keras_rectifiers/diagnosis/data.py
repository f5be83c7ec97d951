"""Batches of a model's input from whatever holds data, and whether they fit."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_rectifiers.errors import DataError
from keras_rectifiers.files.grain_data import few_ahead
from keras_rectifiers.files.rows import Rows
from keras_rectifiers.files.rows import rows_of

_KINDS = (
    "an array, a tuple (x, y), a dict or list of arrays, a tf.data.Dataset, a "
    "keras.utils.PyDataset, a torch DataLoader, or an iterator of batches"
)
#: Iterable, but what they give are no batches.
_NO_BATCHES = (str, bytes, Mapping, list, tuple)


def batches(
    data: Any, *, batch_size: int, steps: int | None, labels: bool = False
) -> Iterator[Any]:
    """The inputs of each batch, with or without labels and sample weights.

    Args:
        data: Arrays (cut into batches here), or anything that gives batches. In a
            tuple the first item is the input, as in `keras.Model.fit`.
        batch_size: Samples in a batch of arrays; data sets have their own.
        steps: Most batches to give, None for all.
        labels: Whether batches are `(x, y)` or `(x, y, sample_weight)`.

    Yields:
        A tensor, or a structure of tensors, that the backend understands.

    Raises:
        TypeError: If nothing can be iterated.
        DataError: If arrays differ in length, or the data never ends.
    """
    found = _raw_batches(data, batch_size, steps)
    for batch in itertools.islice(found, steps):
        x, y, weight = keras.utils.unpack_x_y_sample_weight(batch)
        if not labels:
            yield keras.tree.map_structure(_as_input, x)
            continue
        if y is None:
            raise DataError(
                "Gradients need labels. Received: batches without them. Pass the data "
                "as (x, y)."
            )
        parts = (x, y) if weight is None else (x, y, weight)
        yield tuple(keras.tree.map_structure(_as_input, part) for part in parts)


def can_be_repeated(data: Any) -> bool:
    """Whether data can be iterated more than once."""
    return not isinstance(data, Iterator)


def first_samples(batch: Any, count: int) -> Any:
    """The first samples of a batch.

    Args:
        batch: A tensor or a structure of tensors; what has no samples stays whole.
        count: Most samples to take.
    """
    return keras.tree.map_structure(
        lambda leaf: leaf[:count] if getattr(leaf, "shape", None) else leaf, batch
    )


def evenly_spaced(data: Any, count: int) -> Any:
    """Evenly spaced samples where data are arrays of numpy; else all of them.

    Args:
        data: An array or a structure of arrays, where some may be None.
        count: Most samples to take. A file is often sorted by class, so that its
            first samples would not do.
    """
    leaves = [leaf for leaf in keras.tree.flatten(data) if leaf is not None]
    if not all(isinstance(leaf, np.ndarray | Rows) and leaf.ndim for leaf in leaves):
        return data
    lengths = {len(leaf) for leaf in leaves}
    if len(lengths) != 1 or max(lengths) <= count:
        return data
    rows = np.linspace(0, lengths.pop() - 1, count).astype(int)
    return keras.tree.map_structure(
        lambda leaf: None if leaf is None else rows_of(leaf)[rows], data
    )


def check_fits(model: Any, x: Any) -> None:
    """Compare a batch with what a model declares as its inputs.

    A model that declares none (a subclassed one) accepts anything here.

    Raises:
        DataError: If the number of arrays, their keys or their shapes do not fit.
    """
    try:
        inputs = list(model.inputs or ())
    except (AttributeError, ValueError):
        return  # subclassed, or a Sequential that has no input shape yet
    if not inputs:
        return
    expected = {tensor.name: tuple(tensor.shape) for tensor in inputs}
    if isinstance(x, Mapping):
        _check_keys(model, expected, x)
        pairs = [(name, expected[name], x[name]) for name in expected if name in x]
    else:
        given = keras.tree.flatten(x)
        if len(given) != len(expected):
            raise DataError(
                f"The model takes {len(expected)} input(s): {_listed(expected)}. "
                f"Received: {len(given)} array(s) (model {model.name!r}). Pass one "
                "array for each input, as a list or as a dict by name; labels belong "
                "in a tuple (x, y)."
            )
        pairs = [
            (*item, array) for item, array in zip(expected.items(), given, strict=True)
        ]
    for name, shape, array in pairs:
        if not _compatible(shape, tuple(array.shape)):
            raise DataError(
                f"Input {name!r} must have the shape {_shown(shape)}. Received: a "
                f"batch of shape {tuple(array.shape)} (model {model.name!r}). Bring "
                "the data into this shape; a data set must give batches."
            )


def _check_keys(model: Any, expected: Mapping[str, Any], x: Mapping[str, Any]) -> None:
    known = set(expected)
    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, Mapping):
        known |= set(structure)
        missing = [name for name in structure if name not in x]
    else:
        missing = [name for name in expected if name not in x]
    if missing:
        raise DataError(
            f"The data must have one array for each input: {_listed(expected)}. "
            f"Received keys: {sorted(map(str, x))}; missing: {missing} (model "
            f"{model.name!r}). Rename the keys or add the arrays."
        )


def _raw_batches(data: Any, batch_size: int, steps: int | None) -> Iterator[Any]:
    if isinstance(data, keras.utils.PyDataset):
        return _from_py_dataset(data)
    if hasattr(data, "cardinality"):
        if steps is None and int(data.cardinality()) == -1:
            raise DataError(
                "Data must end, or `steps` must say how many batches to take. "
                "Received: a tf.data.Dataset that repeats for ever and steps=None. "
                "Pass steps=."
            )
        return iter(data)
    if isinstance(data, list) and data and all(isinstance(x, tuple) for x in data):
        return iter(data)  # batches (x, y); several inputs are a list of arrays
    leaves = keras.tree.flatten(data)
    if leaves and all(_is_array(leaf) for leaf in leaves):
        return _from_arrays(data, leaves, batch_size)
    data = few_ahead(data)
    if isinstance(data, Iterable) and not isinstance(data, _NO_BATCHES):
        return iter(data)
    raise _not_data(data)


def _not_data(data: Any) -> TypeError:
    return TypeError(
        f"data must be {_KINDS}. Received: {type(data).__name__}. "
        "Load it first, for instance with numpy.load."
    )


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and len(value.shape) > 0


def _from_py_dataset(data: Any) -> Iterator[Any]:
    count = data.num_batches
    indices = itertools.count() if count is None else range(count)
    for index in indices:
        yield data[index]


def _from_arrays(data: Any, leaves: list[Any], batch_size: int) -> Iterator[Any]:
    lengths = {int(leaf.shape[0]) for leaf in leaves}
    if len(lengths) > 1:
        raise DataError(
            "All arrays must have the same number of samples. Received lengths: "
            f"{[int(leaf.shape[0]) for leaf in leaves]}. A tuple is taken for "
            "(x, y): pass several inputs as a list or a dict."
        )
    parts = data if isinstance(data, tuple) else (data,)
    given = [part for part in parts if part is not None]
    given = [keras.tree.map_structure(_sliceable, part) for part in given]
    for start in range(0, lengths.pop(), batch_size):
        piece = slice(start, start + batch_size)
        yield tuple(
            keras.tree.map_structure(lambda leaf, piece=piece: leaf[piece], part)
            for part in given
        )


def _sliceable(leaf: Any) -> Any:
    """Data frames are cut by columns, everything else by rows; maps are not kept."""
    leaf = rows_of(leaf)
    return leaf.to_numpy() if hasattr(leaf, "to_numpy") else leaf


def _as_input(leaf: Any) -> Any:
    """One array as a tensor of the backend, floats in Keras' default precision."""
    if keras.ops.is_tensor(leaf):
        return leaf
    if hasattr(leaf, "detach"):
        leaf = leaf.detach().cpu().numpy()
    elif not isinstance(leaf, np.ndarray) and hasattr(leaf, "__array__"):
        leaf = np.asarray(leaf)
    if not isinstance(leaf, np.ndarray):
        return leaf  # ragged or sparse: the model knows what it takes
    if leaf.dtype.kind == "f" and str(leaf.dtype) != keras.config.floatx():
        leaf = leaf.astype(keras.config.floatx())
    return leaf if leaf.dtype.kind in "SUO" else keras.ops.convert_to_tensor(leaf)


def _compatible(
    expected: tuple[int | None, ...], given: tuple[int | None, ...]
) -> bool:
    """Whether a Functional model takes a batch: it adds or drops an axis of 1."""
    if len(given) == len(expected) - 1 and expected[-1] == 1:
        given = (*given, 1)
    elif len(given) == len(expected) + 1 and given[-1] == 1:
        given = given[:-1]
    return len(expected) == len(given) and all(
        want is None or have is None or want == have
        for want, have in zip(expected[1:], given[1:], strict=True)
    )


def _listed(expected: Mapping[str, tuple[int | None, ...]]) -> str:
    return ", ".join(f"{name!r} {_shown(shape)}" for name, shape in expected.items())


def _shown(shape: tuple[int | None, ...]) -> str:
    sizes = ["batch", *("any" if size is None else str(size) for size in shape[1:])]
    return f"({', '.join(sizes)})"
