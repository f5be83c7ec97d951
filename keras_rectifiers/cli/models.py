"""Load a saved model for the commands that have to run it, or only plan it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_rectifiers.cli.own_code import OwnCode
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import RectifierError

_NONE = OwnCode()


def check_model_file(
    path: Path,
    input_shape: tuple[int | None, ...] | None = None,
    custom_objects: dict[str, Any] | None = None,
) -> None:
    """Refuse, before a backend is imported, a path that holds no whole model.

    Args:
        path: A saved model.
        input_shape: As for `load_model`.
        custom_objects: What the user's code has.

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


def own_objects(code: OwnCode) -> dict[str, Any]:
    """What the user's code has, as custom objects; its modules are imported for it.

    Args:
        code: What `--import` and `--custom-object` name.

    Returns:
        What the modules of `--import` define and register, by its names, and what
        `--custom-object` names, which comes first.

    Raises:
        UnsupportedModelError: A module cannot be imported, or has no such object.
    """
    from keras_rectifiers.cli.backend import prepare_backend
    from keras_rectifiers.cli.modules import imported
    from keras_rectifiers.cli.modules import object_of
    from keras_rectifiers.conversion.given_functions import objects_of

    if code:
        prepare_backend()  # a module that registers something imports Keras
    found = objects_of([imported(name) for name in code.modules])
    return {**found, **{each.name: object_of(each) for each in code.objects}}


@contextlib.contextmanager
def custom_classes(custom_objects: Mapping[str, Any]) -> Iterator[None]:
    """Inside the block, custom layers that hold layers are built, if a file has any.

    Args:
        custom_objects: What the user's code has; where there are none, no
            class is known.
    """
    from keras_rectifiers.surgery import handed

    if not custom_objects:
        with handed.building(lambda *_: None):
            yield
        return
    from keras_rectifiers.conversion import custom_layers

    with custom_layers.known(custom_objects):
        yield


def load_model(
    path: Path,
    code: OwnCode = _NONE,
    weights: Path | None = None,
    input_shape: tuple[int | None, ...] | None = None,
) -> Any:
    """Load a model of any age; the backend must be prepared.

    Args:
        path: A saved model, as `upgrade` takes it.
        code: The user's own code.
        weights: File of the weights, for an architecture.
        input_shape: The shape that a Sequential takes which does not state it.

    Raises:
        ArchiveError: The path holds no whole Keras model.
        UnsupportedModelError: The model needs a class or code that is not known.
    """
    from keras_rectifiers.conversion import verbs

    objects = own_objects(code)
    try:
        return verbs.load_model(
            path, weights=weights, input_shape=input_shape, custom_objects=objects
        )
    except RectifierError:
        raise
    except Exception as error:
        text = str(error).strip() or type(error).__name__
        raise ArchiveError(
            f"The model {str(path)!r} is damaged, or not a Keras model "
            f"({text.splitlines()[0]}). Fetch or save it again."
        ) from error
