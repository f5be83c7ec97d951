"""Modules whose names are imported when they are first used.

Such a module lists its names once more under `TYPE_CHECKING`, where editors and type
checkers read them; a test compares the two lists.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any


def attach(
    module: str, homes: Mapping[str, Sequence[str]], modules: Sequence[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """What a module needs to import its names lazily.

    Args:
        module: Its `__name__`.
        homes: Module below `keras_rectifiers` -> the names that it defines.
        modules: Public modules below this one.

    Returns:
        Its `__getattr__`, `__dir__` and `__all__`.
    """
    origin = {name: home for home, names in homes.items() for name in names}
    public = sorted([*origin, *modules])

    def get(name: str) -> Any:
        if name in modules:
            return importlib.import_module(f"{module}.{name}")
        if name in origin:
            home = importlib.import_module(f"keras_rectifiers.{origin[name]}")
            return getattr(home, name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return get, lambda: list(public), public
