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

#: How Keras names a class or function that it does not find.


def check_model_file(path: Path) -> None:
    """Refuse, before a backend is imported, a path that cannot be a model.

    Raises:
        ArchiveError: Nothing is there, a folder, or a weights-only file.
    """
    if not path.exists():
        raise ArchiveError(f"The model {str(path)!r} does not exist. Check the path.")
    if path.is_dir():
        raise ArchiveError(
            f"The model must be a .keras file. Received: the folder {str(path)!r}. "
            "Load it where it was made, and save it with model.save('model.keras')."
        )
    if path.name.endswith(".weights.h5"):
        raise ArchiveError(
            f"The file {str(path)!r} holds weights only, without the model. Build the "
            "model, load the weights, and save it with model.save('model.keras')."
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


def load_model(path: Path, imports: Iterable[str] = ()) -> Any:
    """Load a model; the backend must be prepared.

    Args:
        path: A `.keras` or legacy `.h5` file.
        imports: Modules that register the model's own classes.

    Raises:
        ArchiveError: The path holds no whole Keras model.
        UnsupportedModelError: The model needs a class or code that is not known.
    """
    from keras_rectifiers.surgery import loading

    check_model_file(path)
    import_modules(imports)
    try:
        return loading.load(path)
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


def plan_file(path: Path, to: str, **choice: Any) -> Any:
    """The plan for a file: without Keras, but for a legacy `.h5`.

    Args:
        path: A `.keras` or whole-model `.h5` file.
        to: What takes the rectifiers' place.
        **choice: As `keras_rectifiers.plan` takes it.
    """
    from keras_rectifiers.surgery.convert import plan

    prepare_for(path)
    return plan(load_model(path) if _is_hdf5(path) else path, to, **choice)


def prepare_for(path: Path) -> None:
    """Prepare a backend where a file can be read by Keras only."""
    from keras_rectifiers.cli.backend import prepare_backend

    check_model_file(path)
    if _is_hdf5(path):
        prepare_backend()


def _is_hdf5(path: Path) -> bool:
    from keras_rectifiers.surgery.members import is_hdf5

    return is_hdf5(path)
