"""The modules of each format, imported when they are needed."""

from __future__ import annotations

import importlib
from types import ModuleType

_PACKAGE = "keras_rectifiers.exporting"
#: Format -> name of its modules, where that is not the format's.
_MODULES = {"savedmodel": "saved_model", "torch": "torch_program"}


def writer(name: str) -> ModuleType:
    """The module that writes a format: `write(task)`.

    Args:
        name: The format.
    """
    return _imported("writers", name)


def inspector(name: str) -> ModuleType:
    """The module that looks into a file: `inspect(path)`.

    Args:
        name: The format.
    """
    return _imported("inspectors", name)


def runner(name: str) -> ModuleType:
    """The module that runs a file: `Runner(path, signature)`.

    Args:
        name: The format.
    """
    return _imported("runners", name)


def _imported(part: str, name: str) -> ModuleType:
    return importlib.import_module(f"{_PACKAGE}.{part}.{_MODULES.get(name, name)}")
