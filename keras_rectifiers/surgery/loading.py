"""Load and save models with Keras, with errors that say what to do."""

from __future__ import annotations

import collections
import contextlib
import os
import re
import warnings
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.trainers.trainer import Trainer

import keras_rectifiers.constraints
import keras_rectifiers.initializers
import keras_rectifiers.layers
import keras_rectifiers.surgery.converted  # noqa: F401 (all of them register classes)
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.errors import UnknownClassError
from keras_rectifiers.files.writing import check_model_target
from keras_rectifiers.files.writing import replacing
from keras_rectifiers.live.compiling import suit_backend
from keras_rectifiers.surgery.optimizer_layout import of_every_backend

#: Where Keras counts the names that it makes up.
_COUNTS = "object_name_uids"
_UNKNOWN_CLASS = re.compile(
    r"(?:Could not locate (?:class|function)|Unknown \w+:) '?([\w.>]+)"
)


def load(
    path: Path,
    shown_as: Path | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    *,
    compiled: bool = False,
) -> keras.Model:
    """Load a model with Keras; nothing in the file runs (safe mode).

    It runs compiled if this is the backend's default, whatever backend saved it.

    Args:
        path: A `.keras` file.
        shown_as: Its name in errors and warnings, where it represents another file.
        custom_objects: As Keras takes them.
        compiled: Whether it is an error that the compile state cannot be restored;
            by default there is a warning.

    Raises:
        ArchiveError: The file is missing or damaged.
        UnknownClassError: It names a class that is not registered.
    """
    shown_as = shown_as or path
    try:
        with _names_from_the_start(), _compiled_as_saved():
            objects = dict(custom_objects or {})
            model = (
                _opened(path, objects) if compiled else _load(path, shown_as, objects)
            )
    except RectifierError:
        raise
    except Exception as error:
        raise explained(shown_as, error) from error
    suit_backend(model)
    return model


@contextlib.contextmanager
def _names_from_the_start() -> Iterator[None]:
    """Give layers that Python code makes the same names each time a file is opened.

    Keras counts such names on in a process; paths of a plan must fit the next load.
    """
    before = dict(global_state.get_global_attribute(_COUNTS, {}))
    global_state.set_global_attribute(_COUNTS, collections.defaultdict(int))
    try:
        yield
    finally:
        counts = global_state.get_global_attribute(_COUNTS)
        for name, count in before.items():
            counts[name] = max(count, counts[name])


@contextlib.contextmanager
def _compiled_as_saved() -> Iterator[None]:
    """Give a model that its constructor compiles the compile state of its file.

    Keras omits that, and the optimizer's state, where the class has its own `compile`,
    as KerasHub tasks have. A file that was written on torch names an optimizer that the
    other backends cannot use.
    """
    original = Trainer.compile_from_config

    def compile_from_config(self: Any, config: dict[str, Any]) -> None:
        if "optimizer" in config:
            optimizer = of_every_backend(config["optimizer"])
            config = {**config, "optimizer": optimizer}
        if not self.compiled or type(self).compile is Trainer.compile:
            original(self, config)
            return
        Trainer.compile(self, **keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    Trainer.compile_from_config = compile_from_config
    try:
        yield
    finally:
        Trainer.compile_from_config = original


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


def _load(path: Path, shown_as: Path, custom_objects: dict[str, Any]) -> Any:
    try:
        return _opened(path, custom_objects)
    except (ValueError, TypeError) as error:
        # A loss or a metric may be unknown here; the model itself may be fine.
        model = keras.saving.load_model(path, custom_objects, compile=False)
        cause = str(error).strip().splitlines() or [type(error).__name__]
        warnings.warn(
            f"{str(shown_as)!r} was loaded without its compile state, which Keras "
            f"cannot restore ({cause[0]}). Compile the model again to train it.",
            UserWarning,
            stacklevel=3,
        )
        return model


def _opened(path: Path, custom_objects: dict[str, Any]) -> Any:
    """Open a file whose classes may be there without the package of their names.

    Args:
        path: The file.
        custom_objects: As Keras takes them; `Name` is added as `package>Name`, where
            the file calls it so.
    """
    while True:
        try:
            return keras.saving.load_model(path, custom_objects)
        except (ValueError, TypeError) as error:
            full = _registered(error)
            short = full.rpartition(">")[2]
            if full in custom_objects or short not in custom_objects:
                raise
            custom_objects[full] = custom_objects[short]


def explained(path: Path, error: Exception) -> Exception:
    """The error of this package for an error of Keras while it opens a file."""
    texts = _texts(error)
    unknown = _unknown(error)
    if unknown:
        return UnknownClassError(
            "Every class and function of a model must be registered to build it. "
            f"Received: {unknown!r} in {str(path)!r}, which is not.",
            unknown,
        )
    first = texts[0].splitlines()[0] if texts[0] else type(error).__name__
    return ArchiveError(
        f"Keras must be able to open the file. Received: {str(path)!r}, for which "
        f"Keras reports: {first}"
    )


def _unknown(error: Exception) -> str:
    """The name of the class or function that Keras does not know, or nothing."""
    found = next(filter(None, map(_UNKNOWN_CLASS.search, _texts(error))), None)
    return "" if found is None else found[1]


def _registered(error: Exception) -> str:
    """The same, with the package under which it was registered, if it was."""
    name = _unknown(error)
    full = re.compile(rf"'registered_name': '([^']+>{re.escape(name)})'")
    shown = (text.rpartition("Full object config:")[2] for text in _texts(error))
    found = next(filter(None, map(full.search, shown)), None)
    return name if found is None else found[1]


def _texts(error: Exception) -> list[str]:
    return [str(each).strip() for each in _chain(error)]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came from: Keras wraps what it could not find."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
