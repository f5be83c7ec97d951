"""Functions and classes that a user hands over: a file has only their names."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from keras_rectifiers.specs import PACKAGE
from keras_rectifiers.surgery.handed import Functions
from keras_rectifiers.surgery.handed import Handed


def handed_over(custom_objects: Mapping[str, Any] | None) -> Functions:
    """The functions among custom objects, by their names there.

    One that was registered is known to Keras by that name, and a file that refers to
    it opens once its module is imported; any other opens with the same custom objects.

    Args:
        custom_objects: Names, and functions or classes, as `keras.saving.load_model`
            takes them; a name may be that of a layer, or `layer.argument`.
    """
    found = {}
    for name, value in (custom_objects or {}).items():
        if callable(value) and not isinstance(value, type):
            full = _registered(value)
            found[name] = Handed(full or name, registered=full is not None)
    return found


def objects_of(modules: Sequence[ModuleType]) -> dict[str, Any]:
    """What modules define, and all that is registered with Keras.

    Args:
        modules: The modules, imported.

    Returns:
        Custom objects: functions and classes, which need not be registered, by the
        names they have there and by their `__name__`. A public name of a module comes
        before its other classes, and these before those of the modules inside it.
        Where two different objects have one name, none of them is there. What is
        registered as `package>name` is there as `name`, too. A name that means
        something to Keras is not among them: it stays Keras'.
    """
    if not modules:
        return {}
    built_in = _of_keras()
    found = _clear([_own(module) for module in modules])
    for full, value in _registry().items():
        short = full.rpartition(">")[2]
        if not isinstance(value, type):
            found[full] = found[short] = value
        elif not _is_known(value):
            found[full] = value
            found.setdefault(short, value)
    return {name: found[name] for name in found if name not in built_in}


def _of_keras() -> frozenset[str]:
    """Strings that name a built-in of Keras."""
    from keras_rectifiers.legacy.compile import known as compiling  # noqa: PLC0415 (tables)
    from keras_rectifiers.legacy.dialects import known  # noqa: PLC0415

    strings = compiling.LOSS_STRINGS | compiling.METRIC_STRINGS
    return known.ACTIVATIONS | known.FUNCTIONS | strings


def _own(module: ModuleType) -> dict[str, Any]:
    """Functions and classes of one module, by their names."""
    public = getattr(module, "__all__", None)
    classes = _classes(module)
    named = {
        name: value
        for name, value in classes.items()
        if (name in public if public is not None else not name.startswith("_"))
    }
    functions = {
        name: value
        for name, value in vars(module).items()
        if callable(value) and not isinstance(value, type)
    }
    inside = [
        {name: each for name, each in _classes(part).items() if _is_of(each, part)}
        for full, part in list(sys.modules.items())
        if full.startswith(f"{module.__name__}.") and part is not None
    ]
    return {**_clear(inside), **_by_name(classes), **_by_name(named), **functions}


def _classes(module: ModuleType) -> dict[str, type]:
    """The classes in a module that are neither Keras' nor of this package."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and not _is_known(value)
    }


def _by_name(named: Mapping[str, type]) -> dict[str, type]:
    """Classes by the names given, and by their own."""
    return {**{each.__name__: each for each in named.values()}, **named}


def _clear(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All the objects, except those whose name means another object elsewhere."""
    found: dict[str, Any] = {}
    for part in parts:
        found = {**part, **found}
    twice = {n for part in parts for n, value in part.items() if value is not found[n]}
    return {name: value for name, value in found.items() if name not in twice}


def _is_of(cls: type, module: ModuleType) -> bool:
    """Whether a module defines a class, and does not only import it."""
    return cls.__module__ == module.__name__


def _is_known(cls: type) -> bool:
    """Whether a class is one of Keras, or of this package."""
    return cls.__module__.split(".", maxsplit=1)[0] in ("keras", PACKAGE)


def _registry() -> Mapping[str, Any]:
    """What is registered with Keras; nothing is, where it was never imported."""
    keras = sys.modules.get("keras")
    return {} if keras is None else keras.saving.get_custom_objects()


def _registered(function: Any) -> str | None:
    for name, value in _registry().items():
        if value is function:
            return name
    return None
