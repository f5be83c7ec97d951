"""Where Keras stores each layer's weights, computed from a document alone."""

from __future__ import annotations

from collections.abc import Iterator

from keras_rectifiers.surgery.document import Entry
from keras_rectifiers.surgery.document import Place
from keras_rectifiers.surgery.document import walk

Group = tuple[str, ...]


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


def moves(old: Entry, new: Entry) -> list[tuple[Group, Group, Place]]:
    """Groups that have another name in the new document.

    Classes are counted within each model, so a new class shifts others.

    Returns:
        (old group, new group, new place), outer groups first; the old group is
        given as it is once the groups around it have moved.
    """
    before = {place.path: place for place in stored(old)}
    found = []
    for place in stored(new):
        twin = before.get(place.path)
        if twin is None or not place.group:
            continue
        around, name = place.group[:-1], twin.group[-1]
        if name != place.group[-1]:
            found.append(((*around, name), place.group, place))
    return found
