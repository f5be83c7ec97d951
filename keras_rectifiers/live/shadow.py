"""Replace attributes of a live layer or model for a while.

The replacement is put into the instance's `__dict__`, past Keras' tracking of
attributes, so that nothing is added to the model, its weights or its file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

_ABSENT = object()


class Shadow:
    """Attributes of one object that are replaced until it is lifted.

    Args:
        instance: A layer, a model or any object with a `__dict__`.
        values: The replacement of each attribute, by name.
    """

    def __init__(self, instance: Any, /, **values: Any) -> None:
        self._attributes = vars(instance)
        self._values = values
        self._before = {name: self._attributes.get(name, _ABSENT) for name in values}
        self._attributes.update(values)

    def lift(self) -> bool:
        """Put back what was there before; what others put there since is left.

        Returns:
            Whether anything was put back; a second time nothing is.
        """
        lifted = False
        for name, value in self._values.items():
            if self._attributes.get(name) is not value:
                continue
            lifted = True
            if self._before[name] is _ABSENT:
                del self._attributes[name]
            else:
                self._attributes[name] = self._before[name]
        return lifted


@contextlib.contextmanager
def shadowed(instance: Any, /, **values: Any) -> Iterator[None]:
    """Replace attributes of an object inside the context.

    Args:
        instance: See `Shadow`.
        values: See `Shadow`.
    """
    shadow = Shadow(instance, **values)
    try:
        yield
    finally:
        shadow.lift()
