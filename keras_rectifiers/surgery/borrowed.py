"""The functions and classes of a live model, to which its document only has names.

Keras looks a name up when it builds a layer from its config, and many names lead
nowhere, or elsewhere: lambdas and partials have none, two functions or classes may
have the same one, a class that was defined again has that of the one before. So each
object is kept while a model is serialized, and its name in the document leads to that
very object again.
"""

from __future__ import annotations

import contextlib
import json
import threading
import types
from collections.abc import Iterator
from typing import Any

import keras
from keras.src import saving as _saving
from keras.src.activations import ALL_OBJECTS_DICT as _ACTIVATIONS
from keras.src.saving import serialization_lib

from keras_rectifiers.graph import callables
from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import walk
from keras_rectifiers.live.layers import flat
from keras_rectifiers.live.shadow import shadowed
from keras_rectifiers.surgery import shared
from keras_rectifiers.surgery.twin import FromClass
from keras_rectifiers.surgery.twin import TwinBuilder

#: What a function's name in a document begins with.
PREFIX = "python>"
#: Where Keras' function that serializes can be found.
_HOLDERS = (serialization_lib, _saving, keras.saving, keras.utils)
_SERIALIZE = "serialize_keras_object"
#: Modules whose functions Keras finds by name.
_NAMED = (keras.initializers, keras.regularizers, keras.constraints, keras.losses)
_LOCK = threading.RLock()


class Borrowed:
    """What a model's document has only names for.

    Args:
        lenient: Whether a layer that has no config is written by its name alone, in a
            document that no model can be made from. Default False.

    Attributes:
        stack: The objects that were being serialized when the first of them failed,
            the model first; empty where none did.
    """

    def __init__(self, *, lenient: bool = False) -> None:
        self._lenient = lenient
        self.stack: tuple[Any, ...] = ()
        self._open: list[Any] = []
        #: Name in the document -> function or class.
        self._objects: dict[str, Any] = {}
        #: Name in the document -> what it says of a function.
        self._said: dict[str, dict[str, Any]] = {}
        #: Functions by their own names, for classes that serialize them past the hook.
        self._loose: dict[str, Any] = {}

    def serialize(self, model: keras.Model) -> Any:
        """A model's config, as Keras writes it, with names that lead back.

        Raises:
            TypeError: Something cannot be serialized; see `stack`.
            ValueError: As above.
            NotImplementedError: As above.
        """
        with self._hooked():
            serialized = shared.serialized(model)
        for layer in flat(model):
            self._keep_class(type(layer))
            self._loose.update(_loose(layer))
        return serialized

    def readable(self, document: Any) -> Any:
        """Put the functions' own names back, which Keras left out of some places."""
        for entry in _entries(document):
            said = self._said.get(str(entry.get("registered_name")))
            if said is not None:
                entry.update(said)
        return document

    def revive(self, document: Entry, layers: dict[str, Any]) -> Any:
        """Build a model from its document, or from what became of it.

        Args:
            document: It is changed.
            layers: The layers of the original, by path.
        """
        with self.scope(document, layers), self._hooked():
            return shared.deserialized(document)

    @contextlib.contextmanager
    def scope(self, document: Entry, layers: dict[str, Any]) -> Iterator[None]:
        """Let the names in a document lead to the objects of the original.

        Args:
            document: It is changed.
            layers: The layers of the original, by path.
        """
        known = self._known()
        for number, place in enumerate(walk(document)):
            entry, original = place.entry, layers.get(place.path)
            known_class = forms.is_ours(entry) or forms.is_keras(entry)
            if original is None or known_class:
                continue
            entry["registered_name"] = f"{PREFIX}layer {number}"
            known[entry["registered_name"]] = TwinBuilder(
                original, place.path, self._functions
            )
        self._point(document)
        with keras.saving.custom_object_scope(known):
            yield

    @classmethod
    def copied(cls, thing: Any) -> Any:
        """A new metric or optimizer, around the same functions.

        Args:
            thing: What has a `get_config`.
        """
        borrowed = cls()
        borrowed._keep_class(type(thing))
        with borrowed._hooked():
            config = thing.get_config()
            borrowed._point(config)
            with keras.saving.custom_object_scope(borrowed._known()):
                return type(thing).from_config(config)

    def _known(self) -> dict[str, Any]:
        """What each name leads to."""
        known = dict(self._loose)
        functions = self._functions
        for name, thing in self._objects.items():
            known[name] = thing
            if isinstance(thing, keras.layers.Lambda):
                known[name] = TwinBuilder(thing, thing.name, functions)
            elif isinstance(thing, type):
                known.setdefault(thing.__name__, thing)
                if issubclass(thing, keras.layers.Layer):
                    known[name] = FromClass(thing, functions)
        return known

    @property
    def _functions(self) -> dict[str, Any]:
        return {name: self._objects[name] for name in self._said}

    def _point(self, document: Any) -> None:
        """Let each function's entry say the name that leads to it."""
        for entry in _entries(document):
            if entry.get("class_name") == "function" and _name(entry) in self._said:
                entry["config"] = entry["registered_name"]

    @contextlib.contextmanager
    def _hooked(self) -> Iterator[None]:
        """Have Keras ask here first what it writes of an object."""
        with _LOCK:
            original = serialization_lib.serialize_keras_object
            thread = threading.get_ident()

            def serialize(thing: Any) -> Any:
                if threading.get_ident() != thread:
                    return original(thing)
                return self._serialize(thing, original)

            with contextlib.ExitStack() as stack:
                for each in _HOLDERS:
                    if hasattr(each, _SERIALIZE):
                        stack.enter_context(shadowed(each, **{_SERIALIZE: serialize}))
                yield

    def _serialize(self, thing: Any, original: Any) -> Any:
        if type(thing) is keras.layers.Lambda:
            return self._lambda(thing)
        said = callables.describe(thing)
        if said is None and _is_lost(thing):
            said = callables.named(thing)
        if said is not None:
            return self._function(thing, said)
        self._open.append(thing)
        try:
            entry = original(thing)
        except Exception:
            if self._lenient and isinstance(thing, keras.layers.Layer):
                return _by_name(thing)
            self.stack = self.stack or tuple(self._open)
            raise
        finally:
            self._open.pop()
        written = isinstance(entry, dict) and not isinstance(thing, dict)
        if written and entry.get("registered_name"):
            entry["registered_name"] = self._keep_class(type(thing))
            if isinstance(thing, keras.layers.Layer):
                entry["name"] = thing.name  # its config may leave it out
        return entry

    def _lambda(self, layer: keras.layers.Lambda) -> Entry:
        """A Lambda without its code: the layer itself is kept."""
        name = self._new_name(layer)
        config = keras.layers.Layer.get_config(layer)
        function = callables.named(layer.function)
        entry = {
            "module": "keras.layers",
            "class_name": "Lambda",
            "config": {
                **serialization_lib.serialize_dict(config),
                "function": {**function, "registered_name": None},
            },
            "registered_name": name,
        }
        serialization_lib.record_object_after_serialization(layer, entry)
        return entry

    def _function(self, thing: Any, said: dict[str, Any]) -> Entry:
        kept = (name for name, known in self._objects.items() if known is thing)
        name = next(kept, None) or self._new_name(thing)
        self._said[name] = said
        # Keras takes the config of a function for its name.
        return {**said, "config": name, "registered_name": name}

    def _new_name(self, thing: Any) -> str:
        name = f"{PREFIX}{len(self._objects)}"
        self._objects[name] = thing
        return name

    def _keep_class(self, cls: type) -> str:
        """The name of a class in the document, which leads to no other class."""
        registered = str(keras.saving.get_registered_name(cls))
        if _is_known(cls):
            return registered
        elsewhere = keras.saving.get_registered_object(registered)
        name, number = registered, 1
        taken = elsewhere is not None and elsewhere is not cls
        while taken or self._objects.setdefault(name, cls) is not cls:
            number, taken = number + 1, False
            name = f"{registered}#{number}"
        return name


def _by_name(layer: keras.layers.Layer) -> Entry:
    """An entry for a layer that has no config."""
    cls = type(layer)
    return {
        "module": cls.__module__,
        "class_name": cls.__name__,
        "config": {"name": layer.name},
        "registered_name": cls.__name__,
        "name": layer.name,
    }


def as_json(serialized: Any) -> Entry:
    """The config of a model, as it is in a file."""
    document: Entry = json.loads(json.dumps(serialized))
    return document


def _loose(layer: Any) -> Iterator[tuple[str, Any]]:
    """Functions that a layer holds, but for those that Keras has names for."""
    for value in vars(layer).values():
        if not isinstance(value, types.FunctionType) or not callables.describe(value):
            continue
        name = value.__name__
        if name != "<lambda>" and name not in _ACTIVATIONS:
            yield str(keras.saving.get_registered_name(value)), value
            yield name, value


def _name(entry: Any) -> str:
    return str(entry.get("registered_name"))


def _is_known(cls: type) -> bool:
    """Whether Keras finds a class by itself: its own, and those of this package."""
    return cls.__module__.split(".")[0] in ("keras", "keras_rectifiers", "builtins")


def _is_lost(thing: Any) -> bool:
    """Whether a function of Keras is not among those that it finds by their names."""
    name, module = getattr(thing, "__name__", None), getattr(thing, "__module__", None)
    if isinstance(thing, type) or not callable(thing) or hasattr(thing, "get_config"):
        return False
    if not isinstance(name, str) or not str(module).startswith("keras."):
        return False
    return name not in _ACTIVATIONS and not any(hasattr(m, name) for m in _NAMED)


def _entries(value: Any) -> Iterator[dict[str, Any]]:
    """Every dict inside a document."""
    pending = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, dict):
            yield current
            pending += current.values()
        elif isinstance(current, list | tuple):
            pending += current
