"""What a user hands over to read a file: functions, and a builder of custom layers."""

from __future__ import annotations

import contextlib
import dataclasses
import types
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any


@dataclasses.dataclass(frozen=True)
class Handed:
    """A function that the user hands over.

    Attributes:
        name: By which Keras finds it.
        registered: Whether it does so once its module is imported; else it must be
            given as a custom object.
    """

    name: str
    registered: bool = False


#: What a function is for (its name, or its layer) -> the function.
Functions = Mapping[str, Handed]
#: None at all.
NO_FUNCTIONS: Functions = types.MappingProxyType({})

#: (document, layers with their arrays in order) -> what Keras 3 stores of each; None
#: where it knows not all of their classes.
Builder = Callable[[Any, Any], Any]

_BUILDER: ContextVar[Builder | None] = ContextVar("builder", default=None)


@contextlib.contextmanager
def building(builder: Builder) -> Iterator[None]:
    """Let layers of custom classes be built inside the block, where it takes that.

    Args:
        builder: Builds them.
    """
    token = _BUILDER.set(builder)
    try:
        yield
    finally:
        _BUILDER.reset(token)


def builder() -> Builder | None:
    """What builds layers of custom classes now, if anything does."""
    return _BUILDER.get()
