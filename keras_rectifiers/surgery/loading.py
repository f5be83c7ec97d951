"""Load and save models with Keras, with errors that say what to do."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

import keras_rectifiers.initializers
import keras_rectifiers.layers  # noqa: F401 (both register classes)
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnknownClassError
from keras_rectifiers.files.writing import check_model_target
from keras_rectifiers.files.writing import replacing

_UNKNOWN_CLASS = re.compile(
    r"(?:Could not locate (?:class|function)|Unknown \w+:) '?([\w.>]+)"
)


def load(
    path: Path,
    told: Path | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> keras.Model:
    """Load a model with Keras; nothing in the file runs (safe mode).

    Args:
        path: A `.keras` file.
        told: What errors and warnings call it, where it stands for another file.
        custom_objects: As Keras takes them.

    Raises:
        ArchiveError: The file is missing or damaged.
        UnknownClassError: It names a class that is not known here.
    """
    told = told or path
    try:
        return _load(path, told, dict(custom_objects or {}))
    except (ValueError, TypeError, KeyError, OSError, NotImplementedError) as error:
        raise explained(told, error) from error


def save(
    model: keras.Model, target: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Save a model as `.keras`, whole or not at all.

    Raises:
        ArchiveError: The target exists, or cannot be written.
    """
    check_model_target(None, target, overwrite=overwrite)
    with replacing(target, overwrite=overwrite, suffix=".keras") as temporary:
        model.save(temporary)


def _load(path: Path, told: Path, custom_objects: dict[str, Any]) -> Any:
    try:
        return keras.saving.load_model(path, custom_objects)
    except (ValueError, TypeError) as error:
        # A loss or a metric may be unknown here; the model itself may be fine.
        model = keras.saving.load_model(path, custom_objects, compile=False)
        cause = str(error).strip().splitlines() or [type(error).__name__]
        warnings.warn(
            f"{str(told)!r} was loaded without its compile state, which Keras "
            f"cannot restore ({cause[0]}). Compile the model again to train it.",
            UserWarning,
            stacklevel=3,
        )
        return model


def explained(path: Path, error: Exception) -> Exception:
    """The error of this package for an error of Keras while it opens a file."""
    texts = [str(each).strip() for each in _chain(error)]
    unknown = next(filter(None, map(_UNKNOWN_CLASS.search, texts)), None)
    if unknown is not None:
        return UnknownClassError(
            f"Every class of a model must be known to build it. Received: "
            f"{unknown[1]!r} in {str(path)!r}. Import the module that registers it "
            "(convert and inspect pass unknown classes through without building them)."
        )
    first = texts[0].splitlines()[0] if texts[0] else type(error).__name__
    return ArchiveError(
        f"Keras must be able to open the file. Received: {str(path)!r}, for which it "
        f"says: {first}"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came from: Keras wraps what it could not find."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
