"""Load and save models with Keras, with errors that say what to do."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

import keras_rectifiers.layers  # noqa: F401 (registers the layers)
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnknownClassError
from keras_rectifiers.surgery.files import check_model_target
from keras_rectifiers.surgery.files import replacing

_UNKNOWN_CLASS = re.compile(
    r"(?:Could not locate (?:class|function)|Unknown \w+:) '?([\w.>]+)"
)


def load(path: str | os.PathLike[str]) -> keras.Model:
    """Load a model with Keras; nothing in the file runs (safe mode).

    Args:
        path: A `.keras` or a whole-model `.h5` file, whatever it is called.

    Raises:
        ArchiveError: The file is missing, damaged, or holds only weights.
        UnknownClassError: It names a class that is not known here.
    """
    path = Path(path)
    if path.is_dir() or not path.exists():
        kind = "a folder" if path.is_dir() else "missing"
        raise ArchiveError(
            f"A model must be an existing file. Received: {str(path)!r}, which is "
            f"{kind}. Check the path."
        )
    try:
        return _load(path)
    except (ValueError, TypeError, KeyError, OSError, NotImplementedError) as error:
        raise _explained(path, error) from error


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


def _load(path: Path) -> Any:
    if path.suffix in (".keras", ".h5", ".hdf5"):
        try:
            return keras.saving.load_model(path)
        except (ValueError, TypeError) as error:
            # Old files name losses and metrics that Keras 3 cannot find; the
            # model itself may be fine.
            model = keras.saving.load_model(path, compile=False)
            cause = str(error).strip().splitlines() or [type(error).__name__]
            warnings.warn(
                f"{str(path)!r} was loaded without its compile state, which Keras "
                f"cannot restore ({cause[0]}). Compile the model again to train it.",
                UserWarning,
                stacklevel=3,
            )
            return model
    raise ArchiveError(
        "A model file must end in .keras, .h5 or .hdf5, or Keras does not open it. "
        f"Received: {str(path)!r}. Rename it."
    )


def _explained(path: Path, error: Exception) -> Exception:
    texts = [str(each).strip() for each in _chain(error)]
    if any("No model config found" in text for text in texts):
        return ArchiveError(
            f"A model file must hold the model's config. Received: {str(path)!r}, "
            "which holds weights only. Load them into their model, and save that."
        )
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
