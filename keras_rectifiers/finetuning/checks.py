"""What `finetune` is given, held against what it can take, before anything is done."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_rectifiers.diagnosis.data import check_fits
from keras_rectifiers.diagnosis.finite import broken_weights
from keras_rectifiers.errors import DataError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.files.data import Data
from keras_rectifiers.files.rows import blocks
from keras_rectifiers.files.structures import are_arrays
from keras_rectifiers.files.structures import mapped
from keras_rectifiers.files.structures import named_leaves
from keras_rectifiers.finetuning.prescriptions import AUTO
from keras_rectifiers.finetuning.prescriptions import CONVERT
from keras_rectifiers.finetuning.prescriptions import SLOPES
from keras_rectifiers.finetuning.prescriptions import TREATMENTS
from keras_rectifiers.finetuning.schedule import SCHEDULES
from keras_rectifiers.live import processes

#: What of a selection goes with slopes for dead units, which a diagnosis chooses.
_OF_SLOPES = ("of", "include", "exclude", "roles", "alpha", "trainable")
#: Kinds of numpy types that are numbers; V is bfloat16.
_NUMBERS = "biufcV"


def check_model(model: Any) -> None:
    """Refuse what is not a model, or is trained where epochs cannot be compared.

    Raises:
        TypeError: It is something else.
        UnsupportedModelError: Several processes of torch train together.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"model must be a keras.Model. Received: {type(model).__name__}. Load a "
            "file with keras_rectifiers.load_model(path) first."
        )
    if keras.backend.backend() == "torch" and processes.count() > 1:
        raise UnsupportedModelError(
            "finetune compares epochs by the metrics of all data. Received: process "
            f"groups of torch.distributed with {processes.count()} processes, where "
            "Keras gives each process the metrics of its part only. Run it in one "
            "process, or use callbacks.ReviveDeadUnits, which decides alike in all."
        )


def check_weights(model: Any) -> None:
    """Refuse a model that no training can mend.

    Raises:
        UnsupportedModelError: Weights are NaN or infinite; names the first layer.
    """
    broken = broken_weights(model)
    if broken:
        first = broken[0]
        raise UnsupportedModelError(
            "The weights of a model must be finite to train on. Received: "
            f"{model.name!r}, whose layer {first.layer or model.name!r} is the first "
            f"with NaN or infinity ({first}). Load a checkpoint from before."
        )


def check_numbers(
    *,
    epochs: int | None,
    learning_rate: float | None,
    validation_split: float,
    schedule: str,
    batch_size: int,
    seed: int,
    steps_per_epoch: int | None = None,
) -> None:
    """Refuse numbers out of their range.

    Raises:
        ValueError: It names the argument.
    """
    rules: tuple[tuple[str, Any, Callable[[Any], bool], str], ...] = (
        ("epochs", epochs, lambda v: v >= 1, "at least 1"),
        ("batch_size", batch_size, lambda v: v >= 1, "at least 1"),
        ("steps_per_epoch", steps_per_epoch, lambda v: v >= 1, "at least 1"),
        ("seed", seed, lambda v: 0 <= v < 2**32, "0 or more, below 2**32"),
        (
            "learning_rate",
            learning_rate,
            lambda v: 0 < v < math.inf,
            "a finite number > 0",
        ),
        (
            "validation_split",
            validation_split,
            lambda v: 0 <= v < 1,
            "in 0..1, 1 excluded",
        ),
    )
    for name, value, fits, rule in rules:
        if value is not None and not fits(value):
            raise ValueError(f"{name} must be {rule}. Received: {name}={value}.")
    if schedule not in SCHEDULES:
        raise ValueError(
            f"schedule must be one of {', '.join(map(repr, SCHEDULES))}. Received: "
            f"schedule={schedule!r}. For another one, compile the model with it."
        )


def treatment_of(treatment: str | None, to: Any, selection: Mapping[str, Any]) -> str:
    """The treatment that is asked for.

    Raises:
        ValueError: An unknown treatment, or a conversion that it does not do.
    """
    if treatment is None:
        return CONVERT if to is not None or selection else AUTO
    if treatment not in TREATMENTS:
        raise ValueError(
            f"treatment must be one of {', '.join(map(repr, TREATMENTS))}. Received: "
            f"treatment={treatment!r}."
        )
    given = [*(["to"] if to is not None else []), *selection]
    allowed = _OF_SLOPES if treatment == SLOPES else ()
    wrong = [name for name in given if name not in allowed and treatment != CONVERT]
    if wrong:
        raise ValueError(
            "What is converted, and to what, belongs to treatment='convert'. "
            f"Received: treatment={treatment!r} with {', '.join(wrong)}. Leave one out."
        )
    return treatment


def check_arrays(model: Any, data: Data, name: str = "") -> None:
    """Refuse arrays that the model cannot train on; a data set object passes.

    Args:
        model: The model.
        data: The data.
        name: The argument that they came by, where it is not `data`.

    Raises:
        DataError: No samples, no numbers, NaN, or another shape.
    """
    if data.x is None:
        raise DataError(
            "Training needs data. Received: None. Give (x, y), or a data set object "
            "of batches (x, y)."
        )
    for ends in ("", "_test"):
        fields = [f"{field}{ends}" for field in ("x", "y", "sample_weight")]
        x, y, weight = (getattr(data, field) for field in fields)
        if x is None or not are_arrays(x):
            continue
        found = [
            pair
            for field, value in zip(fields, (x, y, weight), strict=True)
            for pair in named_leaves(value, f"{name}_{field}" if name else field)
        ]
        text = _takes_text(model)
        for title, array in found:
            _check_array(title, array, data.source, text=text)
        _check_lengths(found, data.source)
        check_fits(model, mapped(lambda part: part[:1], x))


def _takes_text(model: Any) -> bool:
    """Whether an input of the model is text."""
    try:
        return any(str(tensor.dtype) == "string" for tensor in model.inputs or ())
    except (AttributeError, ValueError):
        return False  # subclassed, or a Sequential that has no input shape yet


def _check_array(name: str, array: Any, source: str, *, text: bool) -> None:
    if text and array.dtype.kind in "SUO":
        return
    if array.dtype.kind not in _NUMBERS:
        raise DataError(
            f"{name} of {source!r} must hold numbers. Received: type {array.dtype}. "
            "Encode text and categories as numbers first."
        )
    if array.ndim == 0 or not len(array):
        raise DataError(
            f"{name} of {source!r} must hold samples. Received: shape {array.shape}."
        )
    if array.dtype.kind in "fc" and not all(
        np.isfinite(block).all() for block in blocks(array)
    ):
        rows = np.concatenate(
            [
                ~np.isfinite(block).reshape(len(block), -1).all(axis=1)
                for block in blocks(array)
            ]
        )
        raise DataError(
            f"{name} of {source!r} must hold finite numbers. Received: NaN or infinity "
            f"in {int(rows.sum())} of {len(array)} samples, sample "
            f"{int(np.flatnonzero(rows)[0])} first. Remove or fill these samples."
        )


def _check_lengths(arrays: Iterable[tuple[str, Any]], source: str) -> None:
    lengths = {name: len(array) for name, array in arrays}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(
            f"All arrays of {source!r} must have the same number of samples. "
            f"Received: {said}."
        )
