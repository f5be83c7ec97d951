"""Load a saved model for the commands that have to run it."""

from __future__ import annotations

import importlib
import re
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from keras_rectifiers.cli.screen import say
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError

_UNKNOWN_CLASS = re.compile(
    r"(?:Could not locate class|Unknown layer:|Could not locate function|"
    r"Unknown \w+:) '?([\w.>]+)'?"
)


def check_model_file(path: Path) -> None:
    """Refuse, in one sentence, a path that holds no whole Keras model.

    Raises:
        ArchiveError: Nothing is there, a folder, a weights-only file, or a file
            of another kind.
    """
    name = str(path)
    if not path.exists():
        raise ArchiveError(f"The model {name!r} does not exist. Check the path.")
    if path.is_dir():
        raise ArchiveError(
            f"The model must be a .keras file. Received: the folder {name!r}. Load "
            "it where it was made and save it with model.save('model.keras')."
        )
    if name.endswith(".weights.h5"):
        raise ArchiveError(
            f"The file {name!r} holds weights only, without the model. Build the "
            "model, load the weights, and save it with model.save('model.keras')."
        )
    if path.suffix not in (".keras", ".h5", ".hdf5"):
        raise ArchiveError(
            "A model is read from a .keras file (or a legacy .h5). Received: "
            f"{name!r}. Save it with model.save('model.keras')."
        )
    if path.suffix == ".keras" and not zipfile.is_zipfile(path):
        raise ArchiveError(
            f"The file {name!r} is damaged or is not a .keras archive. Fetch or "
            "save it again."
        )


def import_modules(names: Iterable[str]) -> None:
    """Import the modules of `--import`, so that they register their classes."""
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:
            raise UnsupportedModelError(
                f"The module of --import cannot be imported. Received: {name!r}, "
                f"which raises {type(error).__name__}: {error}."
            ) from error


def load_model(path: Path, imports: Iterable[str] = (), *, compiled: bool) -> Any:
    """Load a model with our layers registered.

    Args:
        path: A `.keras` or legacy `.h5` file.
        imports: Modules that register the model's own classes.
        compiled: Whether to restore loss, metrics and optimizer. Where a file's
            cannot be restored, the model comes uncompiled, with a line on stderr.

    Raises:
        ArchiveError: The path holds no whole Keras model.
        UnsupportedModelError: The model needs a class or code that is not known.
    """
    check_model_file(path)
    importlib.import_module("keras_rectifiers.layers")
    import_modules(imports)
    import keras

    try:
        if not compiled:
            return keras.saving.load_model(path, compile=False)
        try:
            return keras.saving.load_model(path)
        except Exception as error:  # noqa: BLE001 - the second try tells the reason
            model = keras.saving.load_model(path, compile=False)
            say(
                "Warning: the model's loss and optimizer cannot be restored, it "
                f"starts without them ({_first_line(error)})"
            )
            return model
    except Exception as error:
        raise _explained(path, error) from error


def _explained(path: Path, error: Exception) -> Exception:
    """Keras' error as one sentence with a remedy."""
    text = str(error)
    unknown = _UNKNOWN_CLASS.search(text)
    if unknown:
        return UnsupportedModelError(
            f"The model {str(path)!r} uses {unknown[1]!r}, which is not known here. "
            "Name the module that registers it with --import MODULE (`convert` "
            "without --verify needs no such module)."
        )
    if "Lambda" in text or "lambda" in text:
        return UnsupportedModelError(
            f"The model {str(path)!r} holds Python code (a Lambda layer), which is "
            "not run. Replace the Lambda by a registered layer and save it again."
        )
    if isinstance(error, (OSError, zipfile.BadZipFile, KeyError)):
        return ArchiveError(
            f"The model {str(path)!r} is damaged or is no Keras model "
            f"({_first_line(error)}). Fetch or save it again."
        )
    return UnsupportedModelError(
        f"The model {str(path)!r} cannot be loaded: {_first_line(error)}"
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
