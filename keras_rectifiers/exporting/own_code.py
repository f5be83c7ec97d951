"""The user's own classes, by the modules in which another process finds them."""

from __future__ import annotations

import importlib
import operator
import sys
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.errors import UnsupportedModelError

#: Packages that the other process imports anyway.
_KNOWN = ("keras", "keras_rectifiers", "tensorflow", "tf_keras", "torch", "jax")
_MAIN = "__main__"


def modules(model: Any = None) -> tuple[str, ...]:
    """The modules of all that is registered with Keras, and of a model's own classes.

    Args:
        model: A live model, or None.

    Raises:
        UnsupportedModelError: A class of the model is defined in the program itself.
    """
    keras = sys.modules.get("keras")
    if keras is None:
        return ()
    registered = keras.saving.get_custom_objects().values()
    found = {str(each.__module__) for each in registered if _is_own(each)}
    for cls in () if model is None else classes(model).values():
        if cls.__module__ == _MAIN:
            raise UnsupportedModelError(
                "The export process must be able to import the classes of the model. "
                f"Received: {cls.__name__}, which is defined in the main program. "
                "Move it to a separate module, and import it from there."
            )
        found.add(cls.__module__)
    return tuple(sorted(found - {_MAIN}))


def classes(model: Any) -> dict[str, type]:
    """The user's classes of a live model and its layers, by their names.

    Args:
        model: The model.
    """
    found = (type(each) for each in _layers(model))
    return {cls.__name__: cls for cls in found if _is_own(cls)}


def places(objects: Mapping[str, Any]) -> dict[str, str]:
    """Where another process finds custom objects; one that it cannot is left out.

    Args:
        objects: Name -> class or function.

    Returns:
        Name -> `module:qualified.name`.
    """
    made = {}
    for name, value in objects.items():
        module = getattr(value, "__module__", None)
        qualified = getattr(value, "__qualname__", None)
        if module in (None, _MAIN) or qualified is None:
            continue
        try:
            found = operator.attrgetter(qualified)(importlib.import_module(module))
        except (ImportError, AttributeError):
            continue
        if found is value:
            made[name] = f"{module}:{qualified}"
    return made


def _is_own(value: Any) -> bool:
    module = str(getattr(value, "__module__", "") or "")
    return module.split(".", maxsplit=1)[0] not in _KNOWN


def _layers(model: Any) -> Any:
    from keras_rectifiers.live.layers import flat  # noqa: PLC0415 (loads Keras)

    return flat(model)
