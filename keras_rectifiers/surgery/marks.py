"""The marks by which a config says that two places hold one object.

Keras marks an object once it meets it a second time. Where the first place is
written into the config of another layer already, that one is left without a mark,
and Keras refuses its own file: it makes two objects, and has the weights of one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import walk

#: The key of an entry that says which object it is.
MARK = "shared_object_id"
#: What an entry says of its place, and not of the object there.
_OF_PLACE = (MARK, "inbound_nodes", "name")


def dicts(value: Any) -> Iterator[dict[str, Any]]:
    """Every dict in a value, outer ones first."""
    if isinstance(value, dict):
        yield value
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for each in value:
        yield from dicts(each)


def places_of(document: Entry) -> Counter[Any]:
    """How many places each marked object has."""
    return Counter(_mark(each) for each in dicts(document) if _mark(each) is not None)


def complete(document: Entry) -> bool:
    """Mark the first place of each shared layer, where Keras lost its mark.

    Layers that are called in several models stay as they are: Keras counts their
    calls in each model alone, so that it could not connect them.

    Args:
        document: The config of a whole model; changed.

    Returns:
        Whether a mark was lost.
    """
    changed = False
    for entry, mark in lost(document):
        entry[MARK] = mark
        changed = True
    return changed


def lost(document: Entry) -> Iterator[tuple[Entry, int | str]]:
    """The first places of shared layers that lack their mark, and that mark.

    Those that Keras could not connect with it are not among them.

    Args:
        document: The config of a whole model.
    """
    marked: dict[Any, list[Entry]] = {}
    for each in dicts(document):
        if _mark(each) is not None and "build_config" in each:
            marked.setdefault(_mark(each), []).append(each)
    if not marked:
        return
    members, called = _members(document)
    for mark, entries in marked.items():
        if id(entries[0]) in members and len(entries) > 1:
            continue  # it may be the first place, which kept its mark
        first = unmarked_before(document, entries[0])
        if len(first) != 1:
            continue
        within = [each for each in (*first, *entries) if id(each) in members]
        if len(within) > 1 and any(id(each) in called for each in within):
            continue
        yield first[0], mark


def _mark(entry: dict[str, Any]) -> int | str | None:
    mark = entry.get(MARK) if "class_name" in entry else None
    return mark if isinstance(mark, int | str) else None


def _members(document: Entry) -> tuple[set[int], set[int]]:
    """The entries of models, and those of Functional ones, whose calls are counted."""
    members: set[int] = set()
    called: set[int] = set()
    for place in walk(document):
        home = None if place.parent is None else place.parent.entry
        if home is not None and isinstance(home["config"].get("layers"), list):
            members.add(id(place.entry))
            if is_functional(home):
                called |= {id(each) for each in layers_of(home)}
    return members, called


def unmarked_before(document: Entry, entry: Entry) -> list[Entry]:
    """The equals of an entry that come before it and have no mark.

    Args:
        document: The config of a whole model.
        entry: An entry in it that has a mark.
    """
    found = []
    wanted = _bare(entry)
    for each in dicts(document):
        if each is entry:
            break
        alike = each.get("class_name") == wanted.get("class_name")
        if alike and MARK not in each and _bare(each) == wanted:
            found.append(each)
    return found


def _bare(entry: Entry) -> Entry:
    """An entry without marks, and without what it says of its place."""
    return {k: _unmarked(v) for k, v in entry.items() if k not in _OF_PLACE}


def _unmarked(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _unmarked(v) for k, v in value.items() if k != MARK}
    if isinstance(value, list):
        return [_unmarked(each) for each in value]
    return value
