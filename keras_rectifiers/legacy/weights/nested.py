"""Arrays of layers inside a layer of a custom class: only its class knows their places.

A legacy file lists them in order, and says nothing of where Keras 3 would store
them. The built layer shows them, but building it takes Keras and the user's own code,
so it is done elsewhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from keras_rectifiers.errors import UnknownClassError
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.legacy.array_views import Around
from keras_rectifiers.legacy.array_views import InMemory
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.weights.owners import Owner
from keras_rectifiers.legacy.weights.shapes import listed
from keras_rectifiers.surgery import handed

if TYPE_CHECKING:
    from keras_rectifiers.legacy.containers.saved import Array


@dataclasses.dataclass(frozen=True)
class NestedArray(Around):
    """An array of a layer inside a custom one, as a checkpoint's objects show."""


@dataclasses.dataclass(frozen=True)
class Built(InMemory):
    """An array of a layer that was built, and its group below the layer's."""

    group: tuple[str, ...]


Share = tuple[Owner, Sequence["Array"]]


def placed(document: Entry, shares: Sequence[Share]) -> list[list[Any]]:
    """Arrays of custom layers, with the places of those that hold layers.

    Args:
        document: The modern document.
        shares: Custom layers and their arrays, in the order of the file.

    Raises:
        UnknownClassError: A layer would have to be built, and nothing may.
    """
    deep = [number for number, share in enumerate(shares) if _is_deep(*share)]
    found: list[list[Any]] = [list(arrays) for _, arrays in shares]
    if not deep:
        return found
    builder = handed.builder()
    made = builder and builder(document, [shares[number] for number in deep])
    if made is None:
        owner, arrays = shares[deep[0]]
        raise UnknownClassError(
            "The weights of a custom layer must be its own variables, or its class "
            f"must be registered. Received: {listed(arrays)} for "
            f"{owner.place.path!r}, a {class_of(owner)} that contains other layers; "
            "only that class knows where Keras 3 stores their weights. Port it to "
            "Keras 3 first.",
            class_of(owner),
        )
    for number, arrays in zip(deep, made, strict=True):
        found[number] = arrays
    return found


def class_of(owner: Owner) -> str:
    """The name by which Keras finds a custom layer's class.

    Args:
        owner: The layer.
    """
    entry = owner.place.entry
    return str(entry.get("registered_name") or entry.get("class_name"))


def _is_deep(owner: Owner, arrays: Sequence[Array]) -> bool:
    """Whether some of a custom layer's arrays are those of layers inside it."""
    if not arrays or any(hasattr(each, "group") for each in arrays):
        return False  # nothing to place, or the file says where
    return _holds_layers(owner.place.config) or any(
        isinstance(each, NestedArray) or _parts_below(each.name, owner.was) > 1
        for each in arrays
    )


def _parts_below(name: str, was: Sequence[str]) -> int:
    """How many parts of an array's name are below its layer's."""
    parts = name.split("/")
    for layer in (was[0], was[-1]):
        while layer in parts[:-1]:
            parts = parts[parts.index(layer) + 1 :]
    return len(parts)


def _holds_layers(value: Any) -> bool:
    """Whether a config has a layer, or a model, in it."""
    if isinstance(value, list):
        return any(map(_holds_layers, value))
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("config"), dict) and (
        is_model(value) or known.is_layer_class(value.get("class_name"))
    ):
        return True
    return any(_holds_layers(each) for each in value.values())
