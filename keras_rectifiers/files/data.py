"""Read the data that a command is given: arrays, images, or your own function.

Nothing in a file is run (`allow_pickle` stays off), and no array is allocated before
its declared size was checked against the file. Keras is not imported.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import re
import sys
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_rectifiers.errors import DataError
from keras_rectifiers.files import arrays
from keras_rectifiers.files import remote
from keras_rectifiers.files.fitting import Shape
from keras_rectifiers.files.fitting import check_lengths
from keras_rectifiers.files.fitting import fitted
from keras_rectifiers.files.rows import Rows
from keras_rectifiers.files.structures import are_arrays
from keras_rectifiers.files.structures import as_arrays
from keras_rectifiers.files.structures import kind_of
from keras_rectifiers.files.structures import leaves
from keras_rectifiers.files.structures import mapped
from keras_rectifiers.files.urls import is_url
from keras_rectifiers.files.urls import shown

#: `package.module:function`.
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclasses.dataclass(frozen=True)
class Data:
    """A dataset: arrays, or a dataset object of a framework.

    Arrays have the samples along their first axis, and the same number of labels as
    inputs. Several inputs or outputs are a list, a tuple or a dict of arrays.
    """

    #: Inputs: an array, a structure of arrays, or a data set object
    #: (`tf.data.Dataset`, `PyDataset`, `DataLoader`, a generator).
    x: Any
    #: Labels in the same forms, or None. A data set object brings its own.
    y: Any = None
    #: Inputs kept apart for evaluation, in the same forms, or None.
    x_test: Any = None
    #: Labels kept apart for evaluation, or None.
    y_test: Any = None
    #: Where the data came from, for messages.
    source: str = ""
    #: Weights of samples in the loss: one array, or one for each output, or None.
    sample_weight: Any = None
    #: The same for what is kept apart for evaluation.
    sample_weight_test: Any = None
    #: Samples of a data set object, where somebody counted them.
    counted: int | None = None

    @property
    def is_stream(self) -> bool:
        """Whether `x` is a data set object and not arrays."""
        return not are_arrays(self.x)

    @property
    def samples(self) -> int | None:
        """Number of samples, None for a dataset object of unknown length."""
        if self.is_stream:
            return self.counted
        found = leaves(self.x)
        return int(found[0].shape[0]) if found and found[0].ndim else 0

    def part(self, start: int, stop: int) -> Any:
        """The inputs of the samples from `start` to before `stop`."""
        return self.taken(slice(start, stop)).x

    def taken(self, index: np.ndarray | slice) -> Data:
        """Some samples, with their labels and weights.

        Args:
            index: Numbers of the samples, or a slice.
        """
        return self._with_each(lambda array: array[index])

    def subset(self, index: np.ndarray) -> Data:
        """The same as `taken`, but what is on the disk is not read.

        Args:
            index: Numbers of the samples.
        """
        return self._with_each(
            lambda array: (
                array.subset(index) if isinstance(array, Rows) else array[index]
            )
        )

    def _with_each(self, rows: Callable[[Any], Any]) -> Data:
        """The same data with a function of each array of what is not kept apart."""
        return dataclasses.replace(
            self,
            x=mapped(rows, self.x),
            y=mapped(rows, self.y),
            sample_weight=mapped(rows, self.sample_weight),
        )

    @property
    def is_on_disk(self) -> bool:
        """Whether some of the arrays are on the disk, and read in parts."""
        parts = (self.x, self.y, self.sample_weight)
        return any(isinstance(leaf, Rows) for part in parts for leaf in leaves(part))

    def limited(self, limit: int | None) -> Data:
        """At most `limit` samples, evenly spaced (files are often sorted by class).

        Args:
            limit: Number of samples; None for all. A data set object stays whole.
        """
        if limit is None or self.is_stream or limit >= (self.samples or 0):
            return self
        return self.taken(np.linspace(0, (self.samples or 0) - 1, limit).astype(int))


def load(
    spec: str,
    model: Any = None,
    *,
    scale: float = 1.0,
    limit: int | None = None,
    labels: bool = False,
) -> Data:
    """Read a dataset, and check it against a model's inputs.

    Args:
        spec: A `.npz` (`x`, `y` or `x_train`, `y_train`, `x_test`, `y_test`, or the
            names of the model's inputs and outputs; with `sample_weight`), a `.npy`,
            a folder of images (one folder for each class, or flat), the URL of one of
            these, or `package.module:function`.
        model: The `keras.Model` that the data are for, or None for no check.
        scale: Factor for the inputs; 1 leaves them, and their dtype, as they are.
        limit: At most this many samples, evenly spaced; None for all.
        labels: Whether labels are needed.

    Raises:
        DataError: The data cannot be read, lack labels, or do not fit the model.
    """
    if is_url(spec):
        with remote.places() as here:
            local = str(here.source(spec))
            data = load(local, model, scale=scale, limit=limit, labels=labels)
        return dataclasses.replace(data, source=shown(spec))
    inputs = _inputs(model)
    path = Path(spec)
    if path.is_dir():
        from keras_rectifiers.files.images import load_folder

        x, y = load_folder(path, inputs, limit)
        data = Data(x, y, source=spec)
    elif path.exists():
        data = _load_file(path, model)
    elif _FUNCTION.fullmatch(spec):
        data = _call(spec)
    else:
        raise DataError(
            f"The data {spec!r} do not exist. Pass an .npz, an .npy, a folder of "
            "images, or package.module:function."
        )
    if labels and data.y is None and not data.is_stream:
        raise DataError(
            f"Training needs labels, but {spec!r} has none. Add an array 'y' to an "
            ".npz, sort images into one folder for each class, or return (x, y)."
        )
    data = _fitted(data.limited(limit), inputs)
    return _scaled(data, scale)


def _load_file(path: Path, model: Any) -> Data:
    if path.suffix == ".npy":
        return Data(arrays.read_npy(path), source=str(path))
    if path.suffix != ".npz":
        raise DataError(
            "Data must be an .npz, an .npy, a folder of images or "
            f"package.module:function. Received: {str(path)!r}."
        )
    names = arrays.names(path)
    inputs = _inputs(model)
    outputs = _labels_in(names, model)
    for fields in (_PLAIN, _DIVIDED):
        if fields["x"] in names:
            return _read(path, names, fields, outputs)
    if inputs and all(name in names for name in inputs):
        named: dict[str, Any] = {"x": list(inputs)}
        named |= {key: key for key in ("y", "sample_weight") if key not in inputs}
        return _read(path, names, named, outputs)
    wanted = "'x' (and 'y'), or 'x_train' (and 'y_train', 'x_test', 'y_test')"
    if len(inputs) > 1:
        wanted += ", or the model's inputs " + ", ".join(map(repr, inputs))
    raise DataError(
        f"An .npz must contain {wanted}. Received: "
        f"{', '.join(map(repr, names)) or 'none'} in {str(path)!r}. Rename them with "
        "numpy.savez(path, x=..., y=...)."
    )


#: Field of `Data` -> name of its array in a `.npz`.
_PLAIN: dict[str, Any] = {key: key for key in ("x", "y", "sample_weight")}
_DIVIDED: dict[str, Any] = {
    "x": "x_train",
    "y": "y_train",
    "sample_weight": "sample_weight_train",
    **{key: key for key in ("x_test", "y_test", "sample_weight_test")},
}


def _labels_in(names: list[str], model: Any) -> list[str]:
    """The outputs of a model with several, where a file has labels for each."""
    outputs = list(getattr(model, "output_names", None) or [])
    found = len(outputs) > 1 and all(name in names for name in outputs)
    return outputs if found else []


def _read(
    path: Path, names: list[str], fields: Mapping[str, Any], outputs: list[str]
) -> Data:
    """The arrays of some fields; what else is in the file stays unread."""
    wanted = dict(fields)
    if outputs and wanted.get("y") not in names:
        wanted["y"] = outputs
    if wanted.get("sample_weight") not in names and "sample_weight" in names:
        wanted["sample_weight"] = "sample_weight"
    wanted = {
        field: keys
        for field, keys in wanted.items()
        if isinstance(keys, list) or keys in names
    }
    found = arrays.read_npz(path, leaves(wanted))
    parts: dict[str, Any] = {
        field: {key: found[key] for key in keys}
        if isinstance(keys, list)
        else found[keys]
        for field, keys in wanted.items()
    }
    return Data(**parts, source=str(path))


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
                f"The data function must return a dataset. Received: {spec!r}, which "
                f"raises {type(error).__name__}: {error}."
            ) from error
    return _returned(value, spec)


def _returned(value: Any, spec: str) -> Data:
    if isinstance(value, Data):
        return dataclasses.replace(given(value), source=spec)
    iterable = hasattr(value, "__iter__") or hasattr(value, "__getitem__")
    if isinstance(value, (str, bytes, list)) or not iterable:
        raise DataError(
            "The data function must return (x, y), an array, or a dataset object "
            "(tf.data.Dataset, PyDataset, DataLoader). Received: "
            f"{type(value).__name__} from {spec!r}."
        )
    return given(value, source=spec)


def given(value: Any, source: str = "data", sample_weight: Any = None) -> Data:
    """What `keras.Model.fit` takes, as `Data` with arrays of NumPy.

    Args:
        value: `Data`; `(x, y)` or `(x, y, sample_weight)`, where each is an array or
            a structure of arrays; inputs alone; or a data set object of batches.
        source: Where it came from, for messages.
        sample_weight: Weights of samples, where they are given apart.

    Raises:
        DataError: A tuple of another length, or labels for a data set object.
    """
    if not isinstance(value, Data):
        parts = value if isinstance(value, tuple) else (value,)
        if not 1 <= len(parts) <= 3:  # noqa: PLR2004
            raise DataError(
                "Data must be (x, y) or (x, y, sample_weight). Received: a tuple with "
                f"{len(parts)} elements in {source!r}. Pass several inputs as a list, "
                "or as a dict by name."
            )
        x, y, weight = (*parts, None, None)[:3]
        value = Data(x, y, source=source, sample_weight=weight)
    if sample_weight is not None:
        if value.sample_weight is not None:
            raise DataError(
                "Sample weights must be given once. Received: sample_weight= and the "
                f"weights in {source!r}. Remove one of them."
            )
        value = dataclasses.replace(value, sample_weight=sample_weight)
    return dataclasses.replace(
        value,
        **_converted(value, "x", "y", "sample_weight"),
        **_converted(value, "x_test", "y_test", "sample_weight_test"),
    )


def _converted(data: Data, x: str, y: str, weight: str) -> dict[str, Any]:
    """Three fields with arrays of NumPy; a data set object stays what it is."""
    inputs, labels, weights = (getattr(data, name) for name in (x, y, weight))
    if _is_plain(inputs):
        inputs = as_arrays(inputs)
        # A tuple is taken for (x, y) elsewhere; Keras takes either for inputs.
        inputs = list(inputs) if isinstance(inputs, tuple) else inputs
        return {x: inputs, y: as_arrays(labels), weight: as_arrays(weights)}
    for name, part in ((y, labels), (weight, weights)):
        if part is not None:
            raise DataError(
                "A dataset object must contain its own labels and weights, in batches "
                f"(x, y) or (x, y, sample_weight). Received: a {kind_of(inputs)} with "
                f"{name} in {data.source!r}. Put them into its batches; pass "
                "validation data as validation_data=."
            )
    return {}


def _is_plain(value: Any) -> bool:
    """Whether a value is arrays, numbers in lists, or nothing at all."""
    return all(
        hasattr(leaf, "shape") or isinstance(leaf, (int, float, str))
        for leaf in leaves(value)
    )


def _inputs(model: Any) -> dict[str, Shape]:
    """Name and shape of each input of a model, empty where it does not say."""
    tensors = getattr(model, "inputs", None) or []
    return {str(tensor.name): tuple(tensor.shape) for tensor in tensors}


def _fitted(data: Data, inputs: Mapping[str, Shape]) -> Data:
    """Check lengths and shapes; add the channel axis that gray images often lack."""
    if data.is_stream:
        return data
    measured = data.x_test if are_arrays(data.x_test) else None
    if measured is not None and data.y_test is None:
        raise DataError(f"The data {data.source!r} have x_test but no y_test.")
    for x, ends in ((data.x, ""), (measured, "_test")):
        labels = (f"{name}{ends}" for name in ("y", "sample_weight"))
        check_lengths(
            (f"x{ends}", x),
            [(name, getattr(data, name)) for name in labels],
            data.source,
        )
    x = fitted(data.x, inputs, data.source)
    if measured is None:
        return dataclasses.replace(data, x=x)
    x_test = fitted(measured, inputs, data.source, " (x_test)")
    return dataclasses.replace(data, x=x, x_test=x_test)


def _scaled(data: Data, scale: float) -> Data:
    if scale == 1.0:
        return data
    if data.is_stream:
        raise DataError(
            "A scale can only be applied to arrays and images. Received: a "
            f"{type(data.x).__name__} from {data.source!r}. Scale the data in its "
            "function."
        )

    def times(x: Any) -> Any:
        if isinstance(x, Rows):
            return x.scaled(scale)
        return np.asarray(x, "float32") * np.float32(scale)

    return dataclasses.replace(
        data, x=mapped(times, data.x), x_test=mapped(times, data.x_test)
    )
