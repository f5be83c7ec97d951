"""Whether labels fit a model's loss: asked once, before any training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_rectifiers.errors import DataError
from keras_rectifiers.files.data import Data

_REMEDY = (
    "Numbers of classes need sparse_categorical_crossentropy, one column for each "
    "class categorical_crossentropy, quantities mse (on the command line --loss)."
)


def check_labels(model: Any, data: Data, evaluate: Callable[[], Any]) -> Any:
    """Evaluate a model once; explain labels that its loss cannot take.

    Args:
        model: The compiled model.
        data: The data whose labels are used, for the message.
        evaluate: Evaluates the model on them.

    Returns:
        What `evaluate` returns.

    Raises:
        DataError: The labels do not fit the loss or the model's output.
    """
    _check_classes(model, data)
    try:
        return evaluate()
    except Exception as error:
        raise DataError(
            f"The labels must fit the model's loss. Received: {_described(data)} for "
            f"outputs of shape {_output(model)} under the loss {_name(model.loss)!r} "
            f"({_cause(error)}). {_REMEDY}"
        ) from error


def _check_classes(model: Any, data: Data) -> None:
    """Some backends give NaN, and not an error, for a class that is not there."""
    if data.y is None or "sparse_categorical" not in _name(model.loss):
        return
    shape = _output(model)
    classes = shape[-1] if isinstance(shape, tuple) and shape else None
    if classes is None:
        return
    low, high = np.min(data.y), np.max(data.y)
    if low < 0 or high >= classes:
        raise DataError(
            f"Labels must be classes from 0 to {classes - 1}, as many as the model "
            f"has outputs. Received: {low} to {high} in {data.source!r}."
        )


def _described(data: Data) -> str:
    if data.y is None:
        return f"those of {data.source!r}"
    return f"labels of shape {data.y.shape} and dtype {data.y.dtype}"


def _output(model: Any) -> Any:
    return getattr(model, "output_shape", None)


def _name(loss: Any) -> str:
    """A loss as Keras names it: its string, function or class."""
    if isinstance(loss, str):
        return loss
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", loss))


def _cause(error: Exception) -> str:
    """The line of an error that says what is wrong: TensorFlow's stand below."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for line in lines:
        if not line.startswith(("File ", "Graph execution", "Detected at", "<")):
            return line
    return type(error).__name__
