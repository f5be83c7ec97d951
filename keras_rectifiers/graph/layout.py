"""Where Keras stores each layer's weights, computed from a document alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import walk


def stored(document: Entry) -> Iterator[Place]:
    """The places that have a group in the weights file, in Keras' order.

    A shared layer is stored once, where Keras meets it first.
    """
    seen = set()
    for place in walk(document):
        if place.identity in seen or (place.parent is not None and not place.group):
            continue
        seen.add(place.identity)
        yield place


@dataclasses.dataclass(frozen=True)
class Move:
    """A group that has another name in the new document."""

    #: The old name, inside the groups as they are once the outer ones moved.
    source: str
    target: str
    #: The place of the layer in the old document.
    place: Place

    @property
    def depth(self) -> int:
        """How many groups are around it."""
        return self.target.count("/")


def moves(old: Entry, new: Entry) -> list[Move]:
    """The groups to rename, since a new class shifts others of its name.

    Classes are counted within each model.
    """
    before = {place.path: place for place in stored(old)}
    found = []
    for place in stored(new):
        twin = before.get(place.path)
        if twin is None or not place.group or not twin.group:
            continue
        *around, name = place.group
        if name != twin.group[-1]:
            source = "/".join((*around, twin.group[-1]))
            found.append(Move(source, "/".join(place.group), twin))
    return found
