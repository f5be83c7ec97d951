"""Load a saved model for the commands that have to run it, or only plan it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.errors import UnknownClassError
from keras_rectifiers.errors import UnsupportedModelError


def check_model_file(path: Path) -> None:
    """Refuse, before a backend is imported, a path that holds no whole model.

    Raises:
        ArchiveError: Nothing is there, or no model, or one without its weights.
        UnsupportedModelError: Something in it has no form in Keras 3.
    """
    from keras_rectifiers.saved.modern import is_modern
    from keras_rectifiers.saved.opened import open_model

    if is_modern(path):
        return
    with open_model(path) as opened:
        if not opened.has_weights:
            raise ArchiveError(
                f"The file {str(path)!r} holds an architecture without its weights. "
                "Put them together first: keras-rectifiers upgrade "
                f"{path.name} NEW.keras --weights FILE."
            )


def import_modules(names: Iterable[str]) -> None:
    """Import the modules of `--import`, so that they register their classes.

    Raises:
        UnsupportedModelError: A module cannot be imported.
    """
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:
            raise UnsupportedModelError(
                f"The module of --import must be importable. Received: {name!r}, "
                f"which raises {type(error).__name__}: {error}."
            ) from error


def load_model(
    path: Path, imports: Iterable[str] = (), weights: Path | None = None
) -> Any:
    """Load a model of any age; the backend must be prepared.

    Args:
        path: A saved model, as `upgrade` takes it.
        imports: Modules that register the model's own classes.
        weights: File of the weights, for an architecture.

    Raises:
        ArchiveError: The path holds no whole Keras model.
        UnsupportedModelError: The model needs a class or code that is not known.
    """
    from keras_rectifiers.conversion import verbs

    import_modules(imports)
    try:
        return verbs.load_model(path, weights=weights)
    except UnknownClassError as error:
        raise UnknownClassError(
            f"{error} Name that module with --import MODULE."
        ) from error
    except RectifierError:
        raise
    except Exception as error:
        text = str(error).strip() or type(error).__name__
        raise ArchiveError(
            f"The model {str(path)!r} is damaged or is no Keras model "
            f"({text.splitlines()[0]}). Fetch or save it again."
        ) from error
