"""Functions that a user hands over in place of those that a file cannot hold."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from keras_rectifiers.legacy.compile.known import LOSS_STRINGS
from keras_rectifiers.legacy.compile.known import METRIC_STRINGS
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.registry import Functions
from keras_rectifiers.legacy.dialects.registry import Handed

#: Strings that Keras takes for something of its own.
_KERAS = known.ACTIVATIONS | known.FUNCTIONS | LOSS_STRINGS | METRIC_STRINGS


def handed_over(custom_objects: Mapping[str, Any] | None) -> Functions:
    """The functions among custom objects, by the names under which they stand there.

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
    """The functions that modules define, and all that are registered with Keras.

    Args:
        modules: The modules, imported.

    Returns:
        Custom objects: what is registered as `package>name` is there as `name`, too.
        A name that means something to Keras is not among them: it stays Keras'.
    """
    if not modules:
        return {}
    found = {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if callable(value) and not isinstance(value, type)
    }
    for full, value in _registry().items():
        if not isinstance(value, type):
            found[full] = found[full.rpartition(">")[2]] = value
    return {name: found[name] for name in found if name not in _KERAS}


def _registry() -> Mapping[str, Any]:
    """What is registered with Keras; nothing is, where it was never imported."""
    keras = sys.modules.get("keras")
    return {} if keras is None else keras.saving.get_custom_objects()


def _registered(function: Any) -> str | None:
    for name, value in _registry().items():
        if value is function:
            return name
    return None
