"""The inputs on which an exported model is compared: given, or made up."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_rectifiers.diagnosis import data as feed
from keras_rectifiers.errors import DataError
from keras_rectifiers.exporting import handover
from keras_rectifiers.exporting.request import Request
from keras_rectifiers.exporting.signature import Signature
from keras_rectifiers.files import data as data_sets
from keras_rectifiers.files.fitting import fitted
from keras_rectifiers.surgery.verify import make_inputs

#: Samples that are made up.
_MADE_UP = 16


@dataclasses.dataclass(frozen=True, eq=False)
class Samples:
    """Inputs, and labels where there are some."""

    #: Flat inputs, in the order of the signature.
    x: list[npt.NDArray[Any]]
    #: Labels of a model with one output, or None.
    y: npt.NDArray[Any] | None
    #: Where they came from, in words.
    origin: str
    #: Flat inputs to calibrate int8 by; None for those of `x`.
    training: list[npt.NDArray[Any]] | None = None


def read(model: Any, signature: Signature, request: Request) -> Samples:
    """The samples that a request names.

    Args:
        model: The model.
        signature: Its inputs.
        request: The request.

    Raises:
        DataError: They cannot be read, or do not fit the model.
        ArgumentError: The model takes strings, and none are given.
    """
    if request.data is None:
        return _made_up(model, signature, request)
    if request.handed_over:
        data, origin = handover.read(Path(request.data)), "the data that were given"
        shapes = {port.name: port.shape for port in signature.inputs}
        data = dataclasses.replace(
            data,
            x=fitted(data.x, shapes, data.source),
            x_test=None
            if data.x_test is None
            else fitted(data.x_test, shapes, data.source),
        )
    else:
        origin = str(request.data)
        scale = request.scale
        data = data_sets.load(request.data, model, scale=scale, limit=request.limit)
    if data.is_stream:
        data = gathered(data.x, request.limit, data.source)
    training = None
    if data.x_test is not None:  # outputs are compared on these
        training = _flat(data.limited(request.limit).x, signature)
        data = data_sets.Data(data.x_test, data.y_test, source=data.source)
        origin += " (x_test)"
    data = data.limited(request.limit)
    feed.check_fits(model, data.x)
    y = data.y if hasattr(data.y, "shape") else None
    return Samples(_flat(data.x, signature), y, origin, training)


def gathered(stream: Any, limit: int, source: str) -> data_sets.Data:
    """The first samples of a data set object, as arrays; its labels are left out.

    Args:
        stream: The data set object.
        limit: Most samples to take.
        source: Where it came from, for messages.

    Raises:
        DataError: It gives nothing.
    """
    parts: list[Any] = []
    count = 0
    for batch in feed.batches(stream, batch_size=1, steps=None):
        parts.append(keras.tree.map_structure(keras.ops.convert_to_numpy, batch))
        count += len(keras.tree.flatten(parts[-1])[0])
        if count >= limit:
            break
    if not parts:
        raise DataError(f"The data {source!r} have no samples.")
    x = keras.tree.map_structure(lambda *leaves: np.concatenate(leaves), *parts)
    return data_sets.Data(x, source=source).limited(limit)


def _made_up(model: Any, signature: Signature, request: Request) -> Samples:
    made = make_inputs(model, _MADE_UP, request.seed)
    origin = f"{_MADE_UP} generated samples (seed {request.seed}, "
    low, high = request.input_range or (0.0, 0.0)
    rng = np.random.default_rng(request.seed)

    def ranged(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if array.dtype.kind != "f":
            return array
        return rng.uniform(low, high, array.shape).astype(array.dtype)

    if request.input_range is not None:
        made = keras.tree.map_structure(ranged, made)
        origin += f"uniform in {low:g} to {high:g})"
    else:
        origin += "normal numbers)"
    return Samples(_flat(made, signature), None, origin)


def _flat(x: Any, signature: Signature) -> list[npt.NDArray[Any]]:
    """The inputs in the order and with the dtypes of the signature."""
    names = [port.name for port in signature.inputs]
    if isinstance(x, dict) and set(names) <= set(x):
        found = [x[name] for name in names]
    else:
        found = keras.tree.flatten(x)
    made = []
    for given, port in zip(found, signature.inputs, strict=True):
        array = np.asarray(given, port.dtype)
        if array.ndim == len(port.shape) - 1 and port.shape[-1] == 1:
            array = array[..., None]
        made.append(np.ascontiguousarray(array))
    return made
