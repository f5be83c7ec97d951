"""Whether labels fit a model's loss: asked once, before any training."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.errors import DataError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.files.data import Data
from keras_rectifiers.files.structures import leaves
from keras_rectifiers.files.structures import named_leaves
from keras_rectifiers.finetuning import outputs
from keras_rectifiers.finetuning.optimizers import has_own_loss
from keras_rectifiers.graph.roles import OUTPUT
from keras_rectifiers.shares import percent

_REMEDY = (
    "Numbers of classes need sparse_categorical_crossentropy, one column for each "
    "class categorical_crossentropy, quantities mse (on the command line --loss)."
)
_SEVERAL = "Give labels in the structure of the model's outputs, or as a dict by name."


def check_labels(model: Any, data: Sequence[Data], evaluate: Callable[[], Any]) -> Any:
    """Evaluate a model once; explain labels that its loss cannot take.

    Args:
        model: The compiled model.
        data: The data whose labels are used, what is evaluated first: arrays, or a
            sample of a data set object.
        evaluate: Evaluates the model on them.

    Returns:
        What `evaluate` returns.

    Raises:
        DataError: The labels do not fit the loss or the model's output.
    """
    for part in data:
        if part.y is None and not has_own_loss(model):
            raise DataError(
                f"Training needs labels, and {part.source!r} has none. Give (x, y)."
            )
        for output in outputs.of_labels(model, part.y):
            _check_classes(output, part.source)
    try:
        return evaluate()
    except RectifierError:
        raise
    except Exception as error:
        own = _own(error)
        if own is not None:
            raise own from error
        if model.loss is None:  # one that trains by code of its own
            raise DataError(
                "A model must be measured, before and after. Received: "
                f"{model.name!r}, which has no loss and cannot be evaluated "
                f"({_cause(error)}). Give its class a test_step, or compile it with a "
                "loss."
            ) from error
        several = outputs.count(model) > 1
        raise DataError(
            f"The labels must fit the model's loss. Received: {_described(data[0])} "
            f"for outputs of shape {_output(model)} under the loss "
            f"{outputs.name_of(model.loss)!r} ({_cause(error)}). "
            f"{_SEVERAL if several else _REMEDY}"
        ) from error


def _check_classes(output: outputs.Output, source: str) -> None:
    """Some backends give NaN, and not an error, for a class that is not there."""
    if not output.is_sparse or not output.shape or output.shape[-1] is None:
        return
    classes = output.shape[-1]
    labels = np.asarray(output.labels)
    ignored = getattr(output.loss, "ignore_class", None)
    if ignored is not None:
        labels = labels[labels != ignored]
    if not labels.size:
        return
    low, high = np.min(labels), np.max(labels)
    if low < 0 or high >= classes:
        where = "" if output.name == "y" else f" for {output.name!r}"
        raise DataError(
            f"Labels must be classes from 0 to {classes - 1}, as many as the model "
            f"has outputs. Received: {low} to {high} in {source!r}{where}."
        )


def _described(data: Data) -> str:
    if data.y is None:
        return f"no labels in {data.source!r}"
    several = [
        f"{'labels' if name == 'y' else name} of shape {array.shape} and dtype "
        f"{array.dtype}"
        for part, title in ((data.y, "y"), (data.sample_weight, "sample_weight"))
        for name, array in named_leaves(part, title)
    ]
    return ", ".join(several)


def _output(model: Any) -> Any:
    try:
        return model.output_shape
    except (AttributeError, ValueError):
        return "unknown"


def _own(error: BaseException) -> DataError | None:
    """An error of this package that a backend put into a separate one."""
    mark = f"{DataError.__name__}: "
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DataError):
            return cause
        cause = cause.__cause__ or cause.__context__
    for line in str(error).splitlines():
        if mark in line:
            return DataError(line[line.index(mark) + len(mark) :].strip())
    return None


def _cause(error: Exception) -> str:
    """The line of an error that says what is wrong: TensorFlow's stand below."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for line in lines:
        if not line.startswith(("File ", "Graph execution", "Detected at", "<")):
            return line
    return type(error).__name__


def below_a_rectifier(labels: Any, diagnosis: Diagnosis) -> str:
    """Labels below 0 of an output that puts out 0 or more, in one sentence.

    Args:
        labels: Those of a sample.
        diagnosis: Of the model's units.

    Returns:
        The sentence; empty where there are none, or several outputs.
    """
    ends = [
        each
        for each in diagnosis.layers
        if each.role == OUTPUT and not np.any(each.slopes)
    ]
    arrays = leaves(labels)
    if len(ends) != 1 or len(arrays) != 1:
        return ""
    below = float(np.mean(np.asarray(arrays[0]) < 0))
    if not below:
        return ""
    return (
        f"{percent(below)} of the labels are below 0, and the output "
        f"{ends[0].layer!r} is a rectifier: it puts out 0 or more, and no training "
        "reaches them."
    )
