"""The way back from a conversion: what turns the new config into the old one again.

A difference holds only what a conversion changed, and finds layers by their names. So
it still applies after the converted model was trained, compiled again or saved by
Keras.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from keras_rectifiers import specs
from keras_rectifiers.errors import PlanMismatchError
from keras_rectifiers.graph import capped
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.layout import stored
from keras_rectifiers.graph.sites import ATTRIBUTE
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.rewrite import Holder
from keras_rectifiers.surgery.rewrite import Rewritten

#: What turns one value into another, as plain data. It has one of these keys:
#: `be`, the new value itself; `keys`, the differences of a dict's values, with `drop`,
#: the keys that go; `items`, those of a list of the same length; `layers`, those of a
#: list of layers by their names, with `order`, all names in the end.
Difference = dict[str, Any]

#: The keys of an entry that describe its place in a graph, for any layer.
_OF_PLACE = ("inbound_nodes", "name")
#: What Keras may add to an entry that did not say it.
_BUILT = "build_config"


@dataclasses.dataclass(frozen=True)
class Undo(Plan):
    """A plan that is applied by a difference, and not by steps."""

    #: What turns the config of the converted model into that of the original.
    difference: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def difference(before: Any, after: Any) -> Difference:
    """What turns one config into another.

    Args:
        before: The config.
        after: What it is to be; JSON types, and tuples where `before` has them.

    Returns:
        JSON types; empty where the two are equal.
    """
    if before == after and type(before) is type(after):
        return {}
    if isinstance(before, dict) and isinstance(after, dict):
        return _of_dicts(before, after)
    lists = isinstance(before, list | tuple) and isinstance(after, list | tuple)
    if lists and _are_layers(before) and _are_layers(after):
        old = {name_of(each): each for each in before}
        layers = {}
        for each in after:
            name = name_of(each)
            found = difference(old[name], each) if name in old else {"be": each}
            if found:
                layers[name] = found
        return {"layers": layers, "order": [name_of(each) for each in after]}
    if lists and len(before) == len(after):
        found = {
            str(index): difference(*pair)
            for index, pair in enumerate(zip(before, after, strict=True))
        }
        items = {index: each for index, each in found.items() if each}
        return {"items": items} if items else {}
    return {"be": after}


def with_back(plan: Plan, document: Entry, rewritten: Rewritten) -> Plan:
    """A plan that says how its work is undone.

    Args:
        plan: The plan.
        document: The config that it is for.
        rewritten: What it makes of that. Where slopes are removed, nothing has them.
    """
    if rewritten.removed:
        return dataclasses.replace(plan, back=None)
    back = json.loads(json.dumps(difference(rewritten.document, document)))
    return dataclasses.replace(plan, back=back)


def _of_dicts(before: dict[str, Any], after: dict[str, Any]) -> Difference:
    drop = [key for key in before if key not in after]
    if "class_name" in after and before.get("class_name") != after["class_name"]:
        keys = {
            key: {"be": value} for key, value in after.items() if key not in _OF_PLACE
        }
        if _BUILT not in after and _BUILT not in drop:
            drop.append(_BUILT)
        shared = [key for key in _OF_PLACE if key in after]
    else:
        keys, shared = {}, list(after)
    for key in shared:
        found = difference(before[key], after[key]) if key in before else {}
        if key not in before or found:
            keys[key] = found if key in before else {"be": after[key]}
    return {"keys": keys, **({"drop": drop} if drop else {})}


def _are_layers(values: Any) -> bool:
    """Whether a list contains layers, each with a unique name."""
    named = [
        name_of(each)
        for each in values
        if isinstance(each, dict) and "class_name" in each and "config" in each
    ]
    return bool(named) and len(set(named)) == len(values)


def patched(value: Any, change: Mapping[str, Any]) -> Any:
    """A config with a difference applied; the given one is not changed.

    Args:
        value: The config.
        change: The difference; it may come from a file.

    Raises:
        PlanMismatchError: It is not for this config.
    """
    with fitting():
        return _patched(value, change)


@contextlib.contextmanager
def fitting() -> Iterator[None]:
    """Turn what a difference for another model makes the block raise into a sentence.

    Raises:
        PlanMismatchError: The block raised an error of plain Python.
    """
    try:
        yield
    except (
        AttributeError,
        IndexError,
        KeyError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise PlanMismatchError(
            "The plan must belong to the conversion that made this model. Received: a "
            f"plan that does not match ({type(error).__name__}: {error}). Pass the "
            "plan of that conversion."
        ) from error


def _patched(value: Any, change: Mapping[str, Any]) -> Any:
    if "be" in change:
        return json.loads(json.dumps(change["be"]))  # a separate copy
    if "keys" in change:
        new = dict(value)
        for key in change.get("drop", ()):
            new.pop(key, None)
        for key, each in change["keys"].items():
            new[key] = _patched(None if "be" in each else value[key], each)
        return new
    if "items" in change:
        items = list(value)
        for index, each in change["items"].items():
            items[int(index)] = _patched(items[int(index)], each)
        return type(value)(items)
    if "layers" in change:
        return _with_layers(value, change)
    return value


def _with_layers(value: Any, change: Mapping[str, Any]) -> list[Any]:
    """The layers of a model in the order that a difference says."""
    there = {name_of(each): each for each in value}
    layers = []
    if len(set(change["order"])) != len(change["order"]):
        raise ValueError("a layer is named twice")
    for name in change["order"]:
        each = change["layers"].get(name, {})
        layers.append(_patched(None if "be" in each else there[name], each))
    return layers


def undone(document: Entry, undo: Undo) -> Rewritten:
    """The config that a conversion began with, from the one that it made.

    Args:
        document: The config of the converted model; not changed.
        undo: The way back.

    Raises:
        PlanMismatchError: It is for another model.
    """
    return without_slopes(document, patched(document, undo.difference))


def without_slopes(document: Entry, new: Entry) -> Rewritten:
    """A new config, with the PReLUs of the old one that it lacks."""
    then = {place.path: place.entry for place in walk(new)}
    removed: set[Holder] = set()
    for place in stored(document):
        other = then.get(place.path, {})
        for attribute, get in _PLACES.items():
            if _is_prelu(get(place.entry)) and not _is_prelu(get(other)):
                removed.add((place.path, attribute))
    return Rewritten(new, {}, frozenset(removed))


def _held(entry: Entry) -> Any:
    config = entry.get("config")
    value = config.get(ATTRIBUTE) if isinstance(config, dict) else None
    return capped.rectifier(value)


#: The two places in which a layer may be a rectifier.
_PLACES: dict[str, Callable[[Entry], Any]] = {"": lambda entry: entry, ATTRIBUTE: _held}


def _is_prelu(entry: Any) -> bool:
    named = entry.get("class_name") if isinstance(entry, dict) else None
    return named in ("PReLU", specs.PRELU_REGISTERED)
