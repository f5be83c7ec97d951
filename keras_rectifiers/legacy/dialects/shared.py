"""Layers that are in more than one model, which Keras 3 saves but cannot open.

The calls of such a layer are counted in each model for itself, where Keras 3 counts
all calls of one layer; it then finds outputs that lead to no input. Where the first
of its places lost its mark, Keras 3 makes two layers, and finds the weights of one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from keras_rectifiers.graph.document import Address
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.graph import end_refs
from keras_rectifiers.graph.graph import node_refs
from keras_rectifiers.graph.graph import nodes_of
from keras_rectifiers.graph.variables.table import variables_of
from keras_rectifiers.legacy.dialects.registry import TWINS
from keras_rectifiers.legacy.dialects.registry import WAS
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import entry_rule
from keras_rectifiers.surgery.marks import MARK
from keras_rectifiers.surgery.marks import dicts
from keras_rectifiers.surgery.marks import unmarked_before
from keras_rectifiers.surgery.unshare import redirect

_KERAS_3 = (3,)
_Shared = dict[object, list[Place]]


@entry_rule(
    "shared", "One layer in several models → one layer for each, with equal weights"
)
def give_each_its_own(entry: Entry, context: Context) -> None:
    """Give each model its own layer, where several shared one."""
    if entry[WAS]["path"]:
        return
    if context.origin.version >= _KERAS_3:
        _divide(entry, context)
        return
    if not context.is_old(entry):
        return
    for places in _members(walk(entry)).values():
        if len(_models(places)) > 1:
            for place in places:
                del place.entry[MARK]
            _say(places, len(places), context)


def _divide(document: Entry, context: Context) -> None:
    """Divide what Keras 3 wrote and could not connect, or lost the first place of."""
    firsts = _lost_firsts(document)
    while apart := _unconnected(document):  # what depends on them may be apart then
        for mark, found in apart.items():
            _part(found, firsts.pop(mark, []), document, context)
    for mark, found in _members(_met(document)).items():
        first = firsts.get(mark, [])
        if first and _has_weights(found[0], document):
            _part(found, first, document, context)


def _unconnected(document: Entry) -> _Shared:
    """The layers of several models whose calls Keras 3 would mistake."""
    return {
        mark: found
        for mark, found in _members(_met(document)).items()
        if len(_models(found)) > 1 and not _connects(found)
    }


def _part(
    places: list[Place], first: list[Place], document: Entry, context: Context
) -> None:
    """Make one layer several, which find their weights where any of them has them."""
    if len(first) > 1 and _has_weights(places[0], document):
        raise context.refuse(
            places[0].entry,
            "a layer in several models, where the file does not say which one has its "
            "weights",
            "Convert the live model with keras_rectifiers.convert",
        )
    together = [*first, *places]
    for place in together:
        _count_own(place)
    for place in places:
        del place.entry[MARK]
        if is_model(place.entry):
            continue  # its layers have their own marks
        for each in dicts(place.entry):
            if "build_config" in each:
                each.pop(MARK, None)
        for inside in _within(place, document):
            below = inside.names[len(place.names) :]
            paths = tuple((*each.names, *below) for each in together)
            inside.entry[TWINS] = paths
    _say(places, len(together), context)


def _count_own(place: Place) -> None:
    """Number the calls of a layer in one model, where Keras 3.0 counts those of all.

    Every call in a model leads to its outputs, so that each is named.
    """
    model = None if place.parent is None else place.parent.entry
    if model is None or not is_functional(model) or is_model(place.entry):
        return
    name = name_of(place.entry)
    nodes = [node for each in layers_of(model) for node in nodes_of(each)]
    taken = [ref for node in nodes for ref in node_refs(node)]
    taken += end_refs(model, "output_layers")
    named = {ref.node for ref in taken if ref.name == name}
    if len(named) == len(nodes_of(place.entry)):
        calls = {call: (name, number) for number, call in enumerate(sorted(named))}
        redirect(model, name, calls)


def _lost_firsts(document: Entry) -> _Shared:
    """For each mark, the places that may be the layer's first one, without it."""
    by_entry = {id(place.entry): place for place in walk(document)}
    found: _Shared = {}
    for mark, places in _members(walk(document)).items():
        equals = unmarked_before(document, places[0].entry)
        found[mark] = [by_entry[id(each)] for each in equals if id(each) in by_entry]
    return found


def _met(document: Entry) -> Iterator[Place]:
    """The places that Keras reads: it reads a shared model where it meets it first."""
    seen: set[object] = set()
    passed: set[Address] = set()
    for place in walk(document):
        parent = place.parent
        if parent is not None and parent.address in passed:
            passed.add(place.address)
            continue
        mark = place.entry.get(MARK)
        if mark in seen:
            passed.add(place.address)
        elif mark is not None:
            seen.add(mark)
        yield place


def _members(places: Iterator[Place]) -> _Shared:
    """The layers of models that have a mark, by their marks."""
    found: defaultdict[object, list[Place]] = defaultdict(list)
    for place in places:
        parent, mark = place.parent, place.entry.get(MARK)
        if parent is None or not isinstance(mark, int | str):
            continue
        if place.entry.get("class_name") == "InputLayer":
            continue  # it is not called, so there is nothing to count
        if is_model(parent.entry):
            found[mark].append(place)
    return found


def _models(places: list[Place]) -> set[Address]:
    return {place.parent.address for place in places if place.parent is not None}


def _connects(places: list[Place]) -> bool:
    """Whether Keras 3 finds the right calls of a layer of several models.

    It does where no graph names a call, and where all graphs name the same ones.
    """
    models = [place.parent.entry for place in places if place.parent is not None]
    if not any(is_functional(model) for model in models):
        return True
    if not all(is_functional(model) for model in models):
        return False
    calls = [_calls(p.entry, m) for p, m in zip(places, models, strict=True)]
    return calls[0] is not None and all(each == calls[0] for each in calls)


def _calls(entry: Entry, model: Entry) -> Any:
    """The calls of a layer by shared layers alone; None where others are in them."""
    marks = {name_of(each): each.get(MARK) for each in layers_of(model)}
    nodes = nodes_of(entry)
    sources = [marks.get(ref.name) for node in nodes for ref in node_refs(node)]
    return None if None in sources else (nodes, sources)


def _within(place: Place, document: Entry) -> Iterator[Place]:
    """A layer, and those that it wraps."""
    depth = len(place.address)
    return (each for each in walk(document) if each.address[:depth] == place.address)


def _has_weights(place: Place, document: Entry) -> bool:
    """Whether a layer has weights, or may have; those of a model are its layers'."""
    if is_model(place.entry):
        return False
    return any(variables_of(each.entry) != () for each in _within(place, document))


def _say(places: list[Place], count: int, context: Context) -> None:
    text = f"one layer in {count} models → one layer for each, with equal weights"
    context.repaired(places[0].entry, text, caution=True)
