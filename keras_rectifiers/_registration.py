"""Let Keras find the classes of this package in a file, whichever is imported first.

Keras looks a class up under its registered name. Where Keras is imported after this
package, names alone are registered then; a class is imported when a file has it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

_KERAS = "keras"
_PACKAGE = "keras_rectifiers"
#: Every registered class and its module.
CLASSES = {
    "LeakyReLU": "keras_rectifiers.layers",
    "NReLU": "keras_rectifiers.layers",
    "PReLU": "keras_rectifiers.layers",
    "RReLU": "keras_rectifiers.layers",
    "SlopeRange": "keras_rectifiers.constraints",
    "HeNormal": "keras_rectifiers.initializers",
    "HeUniform": "keras_rectifiers.initializers",
    "RandomizedAsymmetric": "keras_rectifiers.initializers",
    "RandomizedAsymmetricBias": "keras_rectifiers.initializers",
    "Converted": "keras_rectifiers.surgery.converted",
}


def register() -> None:
    """Register the classes with Keras, now or once it is imported."""
    if _KERAS in sys.modules:
        for module in dict.fromkeys(CLASSES.values()):
            importlib.import_module(module)
    else:
        sys.meta_path.insert(0, _WithKeras())


class _Named:
    """Placeholder for a class of this package until Keras creates an object of it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def from_config(self, config: dict[str, Any]) -> Any:
        """The object that a config describes."""
        module = importlib.import_module(CLASSES[self._name])
        return getattr(module, self._name).from_config(config)


class _WithKeras:
    """Finds Keras like the standard finders, and registers names once it has run."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """As Python asks; None for all modules but Keras."""
        del path, target
        if fullname != _KERAS:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:  # who looks does not always import
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            self._register_after(spec.loader)
        return spec

    def _register_after(self, loader: Any) -> None:
        """Have a loader register names once it has executed its module."""
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module
            sys.meta_path.remove(self)
            execute(module)
            _register_names(module)

        loader.exec_module = exec_module


def _register_names(keras: ModuleType) -> None:
    registry = keras.saving.get_custom_objects()
    for name in CLASSES:
        registry.setdefault(f"{_PACKAGE}>{name}", _Named(name))
