"""Read the data that a command is given: arrays, images, or your own function.

Nothing in a file is run (`allow_pickle` stays off), and an array is not allocated
before its declared size has been held against the file. Keras is not imported.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_rectifiers.errors import DataError
from keras_rectifiers.files import arrays

#: `package.module:function`.
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")

Shape = tuple[int | None, ...]


@dataclasses.dataclass(frozen=True)
class Data:
    """A data set: arrays, or a data set object of a framework.

    Arrays have the samples along their first axis, and as many labels as inputs.
    """

    #: Inputs: an array, a mapping of input name to array, or a data set object
    #: (`tf.data.Dataset`, `PyDataset`, `DataLoader`, a generator).
    x: Any
    #: Labels, or None. A data set object brings its own.
    y: np.ndarray | None = None
    #: Inputs kept apart for evaluation, or None.
    x_test: np.ndarray | None = None
    #: Labels kept apart for evaluation, or None.
    y_test: np.ndarray | None = None
    #: Where the data came from, for messages.
    source: str = ""

    @property
    def is_stream(self) -> bool:
        """Whether `x` is a data set object and not arrays."""
        return not isinstance(self.x, (np.ndarray, Mapping))

    @property
    def samples(self) -> int | None:
        """Number of samples, None for a data set object."""
        if self.is_stream:
            return None
        first = next(iter(self.x.values())) if isinstance(self.x, Mapping) else self.x
        return int(first.shape[0])

    def part(self, start: int, stop: int) -> Any:
        """The inputs of the samples from `start` to before `stop`."""
        if isinstance(self.x, Mapping):
            return {name: array[start:stop] for name, array in self.x.items()}
        return self.x[start:stop]

    def limited(self, limit: int | None) -> Data:
        """At most `limit` samples, evenly spaced (files are often sorted by class).

        Args:
            limit: Number of samples; None for all. A data set object stays whole.
        """
        samples = self.samples
        if limit is None or samples is None or limit >= samples:
            return self
        index = np.linspace(0, samples - 1, limit).astype(int)
        x = (
            {name: array[index] for name, array in self.x.items()}
            if isinstance(self.x, Mapping)
            else self.x[index]
        )
        y = None if self.y is None else self.y[index]
        return dataclasses.replace(self, x=x, y=y)


def load(
    spec: str,
    model: Any = None,
    *,
    scale: float = 1.0,
    limit: int | None = None,
    labels: bool = False,
) -> Data:
    """Read a data set, and hold it against a model's inputs.

    Args:
        spec: A `.npz` (`x`, `y` or `x_train`, `y_train`, `x_test`, `y_test`, or the
            names of the model's inputs), a `.npy`, a folder of images (one folder
            for each class, or flat), or `package.module:function`.
        model: The `keras.Model` that the data are for, or None for no check.
        scale: Factor for the inputs; 1 leaves them, and their dtype, as they are.
        limit: At most so many samples, evenly spaced; None for all.
        labels: Whether labels are needed.

    Raises:
        DataError: The data cannot be read, lack labels, or do not fit the model.
    """
    inputs = _inputs(model)
    path = Path(spec)
    if path.is_dir():
        from keras_rectifiers.files.images import load_folder

        x, y = load_folder(path, inputs, limit)
        data = Data(x, y, source=spec)
    elif path.exists():
        data = _load_file(path, inputs)
    elif _FUNCTION.fullmatch(spec):
        data = _call(spec)
    else:
        raise DataError(
            f"The data {spec!r} do not exist. Give a .npz, a .npy, a folder of "
            "images, or package.module:function."
        )
    if labels and data.y is None and not data.is_stream:
        raise DataError(
            f"Training needs labels, and {spec!r} has none. Add an array 'y' to a "
            ".npz, sort images into one folder for each class, or return (x, y)."
        )
    data = _fitted(data.limited(limit), inputs)
    return _scaled(data, scale)


def _load_file(path: Path, inputs: Mapping[str, Shape]) -> Data:
    if path.suffix == ".npy":
        return Data(arrays.read_npy(path), source=str(path))
    if path.suffix != ".npz":
        raise DataError(
            "Data are read from .npz, .npy, a folder of images or package.module:"
            f"function. Received: {str(path)!r}."
        )
    names = arrays.names(path)
    for keys in (("x", "y"), ("x_train", "y_train", "x_test", "y_test")):
        if keys[0] in names:
            return Data(**_arrays(path, keys, names), source=str(path))
    if inputs and all(name in names for name in inputs):
        found = arrays.read_npz(path, [*inputs, *(["y"] if "y" in names else [])])
        y = found.get("y") if "y" not in inputs else None
        return Data({name: found[name] for name in inputs}, y, source=str(path))
    wanted = "'x' (and 'y'), or 'x_train' (and 'y_train', 'x_test', 'y_test')"
    if len(inputs) > 1:
        wanted += ", or the model's inputs " + ", ".join(map(repr, inputs))
    raise DataError(
        f"A .npz must hold {wanted}. Received: {', '.join(map(repr, names)) or 'none'}"
        f" in {str(path)!r}. Rename them with numpy.savez(path, x=..., y=...)."
    )


def _arrays(
    path: Path, keys: tuple[str, ...], names: list[str]
) -> dict[str, np.ndarray]:
    """The arrays of some keys as fields of `Data`; what else is there stays unread."""
    found = arrays.read_npz(path, [key for key in keys if key in names])
    return {key.replace("_train", ""): array for key, array in found.items()}


def _call(spec: str) -> Data:
    """Import a function, call it without arguments, and take what it returns."""
    module_name, name = spec.split(":")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise DataError(
            f"The data's module cannot be imported. Received: {spec!r}; importing "
            f"{module_name!r} raises {type(error).__name__}: {error}."
        ) from error
    if not hasattr(module, name):
        near = difflib.get_close_matches(name, dir(module), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise DataError(f"The module {module_name!r} has no {name!r}.{hint}")
    value = getattr(module, name)
    if callable(value) and not isinstance(value, np.ndarray):
        try:
            value = value()
        except Exception as error:
            raise DataError(
                f"The data function must return a data set. Received: {spec!r}, which "
                f"raises {type(error).__name__}: {error}."
            ) from error
    return _returned(value, spec)


def _returned(value: Any, spec: str) -> Data:
    if isinstance(value, Data):
        return dataclasses.replace(value, source=spec)
    if isinstance(value, tuple) and len(value) == 2:  # noqa: PLR2004
        x, y = value
        x = x if isinstance(x, Mapping) else np.asarray(x)
        return Data(x, np.asarray(y), source=spec)
    if isinstance(value, (np.ndarray, Mapping)):
        return Data(value, source=spec)
    iterable = hasattr(value, "__iter__") or hasattr(value, "__getitem__")
    if iterable and not isinstance(value, (str, bytes, list)):
        return Data(value, source=spec)
    raise DataError(
        "The data function must return (x, y), an array, or a data set object "
        f"(tf.data.Dataset, PyDataset, DataLoader). Received: "
        f"{type(value).__name__} from {spec!r}."
    )


def _inputs(model: Any) -> dict[str, Shape]:
    """Name and shape of each input of a model, empty where it does not say."""
    tensors = getattr(model, "inputs", None) or []
    return {str(tensor.name): tuple(tensor.shape) for tensor in tensors}


def _fitted(data: Data, inputs: Mapping[str, Shape]) -> Data:
    """Check lengths and shapes; add the channel axis that gray images often lack."""
    if data.is_stream:
        return data
    _check_lengths(data)
    if isinstance(data.x, Mapping):
        for name, shape in inputs.items():
            if name in data.x and not _fits(data.x[name].shape, shape):
                raise _misfit(f"input {name!r}", data.x[name].shape, shape, data)
        return data
    if not inputs:
        return data
    if len(inputs) > 1:
        raise DataError(
            f"The model has {len(inputs)} inputs, {', '.join(map(repr, inputs))}. "
            f"Received: one array in {data.source!r}. Give an array for each name."
        )
    shape = next(iter(inputs.values()))
    x = _with_channel(data.x, shape)
    if not _fits(x.shape, shape):
        raise _misfit("the model's input", data.x.shape, shape, data)
    x_test = None if data.x_test is None else _with_channel(data.x_test, shape)
    if x_test is not None and not _fits(x_test.shape, shape):
        raise _misfit("the model's input (x_test)", x_test.shape, shape, data)
    return dataclasses.replace(data, x=x, x_test=x_test)


def _check_lengths(data: Data) -> None:
    pairs = [("x", "y", data.samples, data.y)]
    if data.x_test is not None:
        if data.y_test is None:
            raise DataError(f"The data {data.source!r} have x_test but no y_test.")
        pairs.append(("x_test", "y_test", len(data.x_test), data.y_test))
    for x, y, samples, labels in pairs:
        if samples == 0:
            raise DataError(f"The data {data.source!r} hold no sample in {x!r}.")
        if labels is not None and (not labels.ndim or len(labels) != samples):
            raise DataError(
                f"{x} and {y} must have the same number of samples. Received: "
                f"{samples} and {len(labels) if labels.ndim else 'a scalar'} in "
                f"{data.source!r}."
            )


def _with_channel(x: np.ndarray, shape: Shape) -> np.ndarray:
    if x.ndim == len(shape) - 1 and shape[-1] == 1:
        return x[..., None]
    return x


def _fits(actual: tuple[int, ...], shape: Shape) -> bool:
    return len(actual) == len(shape) and all(
        wanted is None or axis == 0 or length == wanted
        for axis, (length, wanted) in enumerate(zip(actual, shape, strict=True))
    )


def _misfit(what: str, actual: tuple[int, ...], wanted: Shape, data: Data) -> DataError:
    def text(shape: tuple[Any, ...]) -> str:
        return " x ".join("any" if axis is None else str(axis) for axis in shape[1:])

    return DataError(
        f"The data must fit {what}. Received: samples of {text(actual) or 'no axis'} "
        f"in {data.source!r}, where the model takes {text(wanted)}. Reshape or resize "
        "the data."
    )


def _scaled(data: Data, scale: float) -> Data:
    if scale == 1.0:
        return data
    if data.is_stream:
        raise DataError(
            "A scale applies to arrays and images. Received: a "
            f"{type(data.x).__name__} from {data.source!r}. Scale inside its function."
        )

    def times(x: Any) -> Any:
        return None if x is None else np.asarray(x, "float32") * np.float32(scale)

    x = (
        {name: times(array) for name, array in data.x.items()}
        if isinstance(data.x, Mapping)
        else times(data.x)
    )
    return dataclasses.replace(data, x=x, x_test=times(data.x_test))
