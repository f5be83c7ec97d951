"""Load a saved model for the commands that have to run it, or only plan it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import RectifierError


def check_model_file(
    path: Path,
    input_shape: tuple[int | None, ...] | None = None,
    custom_objects: dict[str, Any] | None = None,
) -> None:
    """Refuse, before a backend is imported, a path that holds no whole model.

    Args:
        path: A saved model.
        input_shape: As for `load_model`.
        custom_objects: What the modules of `--import` have.

    Raises:
        ArchiveError: Nothing is there, or no model, or one without its weights.
        UnsupportedModelError: Something in it has no form in Keras 3.
    """
    from keras_rectifiers.conversion.given_functions import handed_over
    from keras_rectifiers.conversion.modern import is_modern
    from keras_rectifiers.conversion.opened import open_model

    functions = handed_over(custom_objects)
    if input_shape is None and is_modern(path, functions):
        return
    with open_model(path, input_shape=input_shape, functions=functions) as opened:
        if not opened.has_weights:
            raise ArchiveError(
                f"The file {str(path)!r} holds an architecture without its weights. "
                "Put them together first: keras-rectifiers upgrade "
                f"{path.name} NEW.keras --weights FILE."
            )


def import_modules(names: Sequence[str]) -> dict[str, Any]:
    """Import the modules of `--import`, so that they register their classes.

    Args:
        names: The modules: names, or paths of `.py` files.

    Returns:
        What they define and register, as custom objects.

    Raises:
        UnsupportedModelError: A module cannot be imported.
    """
    from keras_rectifiers.cli.backend import prepare_backend
    from keras_rectifiers.cli.modules import imported
    from keras_rectifiers.conversion.given_functions import objects_of

    if names:
        prepare_backend()  # a module that registers something imports Keras
    return objects_of([imported(name) for name in names])


@contextlib.contextmanager
def custom_classes(custom_objects: Mapping[str, Any]) -> Iterator[None]:
    """Inside the block, custom layers that hold layers are built, if a file has any.

    Args:
        custom_objects: What the modules of `--import` have; where there are none, no
            class is known.
    """
    from keras_rectifiers.legacy.weights import nested

    if not custom_objects:
        with nested.building(lambda *_: None):
            yield
        return
    from keras_rectifiers.conversion import custom_layers

    with custom_layers.known(custom_objects):
        yield


def load_model(
    path: Path,
    imports: Sequence[str] = (),
    weights: Path | None = None,
    input_shape: tuple[int | None, ...] | None = None,
) -> Any:
    """Load a model of any age; the backend must be prepared.

    Args:
        path: A saved model, as `upgrade` takes it.
        imports: Modules that register the model's own classes.
        weights: File of the weights, for an architecture.
        input_shape: The shape that a Sequential takes which does not state it.

    Raises:
        ArchiveError: The path holds no whole Keras model.
        UnsupportedModelError: The model needs a class or code that is not known.
    """
    from keras_rectifiers.conversion import verbs

    objects = import_modules(imports)
    try:
        return verbs.load_model(
            path, weights=weights, input_shape=input_shape, custom_objects=objects
        )
    except RectifierError:
        raise
    except Exception as error:
        text = str(error).strip() or type(error).__name__
        raise ArchiveError(
            f"The model {str(path)!r} is damaged or is no Keras model "
            f"({text.splitlines()[0]}). Fetch or save it again."
        ) from error
