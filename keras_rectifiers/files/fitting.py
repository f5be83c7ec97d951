"""Whether arrays fit each other and the inputs of a model; Keras is not imported."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_rectifiers.errors import DataError
from keras_rectifiers.files.structures import leaves
from keras_rectifiers.files.structures import named_leaves

Shape = tuple[int | None, ...]


def check_lengths(
    inputs: tuple[str, Any], others: Iterable[tuple[str, Any]], source: str
) -> None:
    """Refuse arrays of different numbers of samples.

    Args:
        inputs: Name and arrays of the inputs.
        others: The same of what belongs to them: labels and weights.
        source: Where the arrays came from, for the message.

    Raises:
        DataError: There are no samples, or their numbers differ.
    """
    found = list(named_leaves(inputs[1], inputs[0]))
    if not found:
        return
    (first, array), *more = found
    samples = len(array) if array.ndim else 0
    if not samples:
        raise DataError(f"The data {source!r} have no samples in {first!r}.")
    for name, value in others:
        more += named_leaves(value, name)
    for name, other in more:
        if not other.ndim or len(other) != samples:
            received = len(other) if other.ndim else "a scalar"
            raise DataError(
                f"{first} and {name} must have the same number of samples. Received: "
                f"{samples} and {received} in {source!r}."
            )


def fitted(x: Any, inputs: Mapping[str, Shape], source: str, where: str = "") -> Any:
    """Arrays with the channel axis that gray images often lack.

    Args:
        x: An array, or a structure of arrays.
        inputs: Name and shape of each input of the model; none where it does not say.
        source: Where the arrays came from, for messages.
        where: What part of the data they are, for messages.

    Raises:
        DataError: Their number or their shapes do not fit.
    """
    if not inputs:
        return x
    if isinstance(x, Mapping):
        return {
            key: _with_channel(array, f"input {key!r}{where}", inputs[key], source)
            if key in inputs and hasattr(array, "shape")
            else array
            for key, array in x.items()
        }
    found = leaves(x)
    if len(found) != len(inputs):
        said = "one array" if len(found) == 1 else f"{len(found)} arrays"
        few = "1 input" if len(inputs) == 1 else f"{len(inputs)} inputs"
        raise DataError(
            f"The model has {few}, {', '.join(map(repr, inputs))}. Received: {said} "
            f"in {source!r}. Pass an array for each name."
        )
    only = len(inputs) == 1
    made = [
        _with_channel(
            array,
            ("the model's input" if only else f"input {name!r}") + where,
            shape,
            source,
        )
        for array, (name, shape) in zip(found, inputs.items(), strict=True)
    ]
    if not isinstance(x, (list, tuple)):
        return made[0]
    return made if len(x) == len(made) else x  # lists in lists stay as they are


def _with_channel(x: np.ndarray, what: str, shape: Shape, source: str) -> np.ndarray:
    made = x[..., None] if x.ndim == len(shape) - 1 and shape[-1] == 1 else x
    if not _fits(made.shape, shape):
        raise _misfit(what, x.shape, shape, source)
    return made


def _fits(actual: tuple[int, ...], shape: Shape) -> bool:
    return len(actual) == len(shape) and all(
        wanted is None or axis == 0 or length == wanted
        for axis, (length, wanted) in enumerate(zip(actual, shape, strict=True))
    )


def _misfit(what: str, actual: Shape, wanted: Shape, source: str) -> DataError:
    def text(shape: tuple[Any, ...]) -> str:
        return " x ".join("any" if axis is None else str(axis) for axis in shape[1:])

    return DataError(
        f"The data must match {what}. Received: samples of shape "
        f"{text(actual) or 'no axis'} in {source!r}, but the model takes "
        f"{text(wanted)}. Reshape or resize the data."
    )
