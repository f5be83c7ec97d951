"""Undo the conversion of a live model.

Where a config lists the layers, the way back of the plan gives the old config. Layers
that Python code makes keep what each conversion put where; the last round is dropped.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import keras  # noqa: TID253 - it is for live models

from keras_rectifiers import specs
from keras_rectifiers.conversion import unchanged
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph import capped
from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import at
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.wellformed import not_of_an_entry
from keras_rectifiers.live import placement
from keras_rectifiers.live.layers import at_position
from keras_rectifiers.live.layers import by_path
from keras_rectifiers.live.layers import class_of
from keras_rectifiers.live.layers import listed
from keras_rectifiers.live.layers import own_variables
from keras_rectifiers.live.layers import walk as walk_layers
from keras_rectifiers.live.layers import without_cap
from keras_rectifiers.live.state import to_numpy
from keras_rectifiers.specs import CONVERTED_INNER
from keras_rectifiers.specs import CONVERTED_ROUNDS
from keras_rectifiers.surgery import compile_state
from keras_rectifiers.surgery import converted
from keras_rectifiers.surgery import live_document
from keras_rectifiers.surgery import made_later
from keras_rectifiers.surgery import remembered
from keras_rectifiers.surgery.borrowed import Borrowed
from keras_rectifiers.surgery.live import LiveModel
from keras_rectifiers.surgery.marks import dicts
from keras_rectifiers.surgery.pairs import Pairs
from keras_rectifiers.surgery.pairs import pair
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.rebuild import move
from keras_rectifiers.surgery.rebuild import rebuild
from keras_rectifiers.surgery.way_back import fitting
from keras_rectifiers.surgery.way_back import patched


def revert(model: Any, plan: Plan | None) -> Any:
    """Undo the last conversion of a live model; see `conversion.revert`.

    Args:
        model: The model; it is not changed.
        plan: The plan that made it, or None.
    """
    with placement.as_of(model):
        return _reverted(model, plan)


def _reverted(model: Any, plan: Plan | None) -> Any:
    borrowed = Borrowed()
    document = live_document.serialized(model, borrowed)
    known = remembered.plans(model)
    plan = plan or (known[-1] if known else None)
    if plan is None and not _only_rounds(document):
        unchanged.undo_of(None, f"the model {model.name!r}", model.name)
    if plan is not None:
        undo = unchanged.undo_of(plan, f"the model {model.name!r}", model.name)
        unchanged.check(LiveModel(model), _of_config(plan, document))
        document = patched(document, undo.difference)
        with fitting():
            _check(document)
    with fitting():
        document, holders = _without_last_round(copy.deepcopy(document), plan)
    new = _rebuilt(model, document, borrowed)
    for path in holders:
        _name_as(by_path(model)[path], by_path(new)[path])
    pairs = _from(model, new)
    annealed = (each for path in holders for each in _annealed(by_path(model)[path]))
    unchanged.refuse([*_trained(model, pairs), *annealed])
    move(pairs, {(path, "") for path, *both in pairs.layers if _replaced(*both)})
    compile_state.carry(model, new, pairs.moved)
    remembered.keep(new, known[:-1])
    return new


def _check(document: Entry) -> None:
    """Refuse what a way back from a file made of a config, before it is used.

    Raises:
        TypeError: Something in it is not as Keras has it.
    """
    for place in walk(document):
        amiss = not_of_an_entry(place.entry)
        if amiss is not None:
            raise TypeError(f"{amiss} of {place.path!r}")


def _only_rounds(document: Entry) -> bool:
    """Whether the only layers of ours are in what Python code makes."""
    if forms.is_converted(document):
        return True
    inside = 0
    for each in dicts(_outside(document)):
        if forms.is_ours(each):
            return False
        inside += forms.is_converted(each)
    return inside > 0


def _outside(value: Any) -> Any:
    """A config without what is inside converted objects."""
    if isinstance(value, dict):
        if forms.is_converted(value):
            return {"registered_name": specs.CONVERTED_REGISTERED}
        return {key: _outside(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_outside(each) for each in value]
    return value


def _without_last_round(document: Entry, plan: Plan | None) -> tuple[Entry, list[str]]:
    """Drop the last conversion of what Python code makes; changes the document.

    Returns:
        The document, and the paths of the objects that are made by Python code.
    """
    paths = None if plan is None else [step.site.path for step in plan.steps]
    holders = [
        place
        for place in walk(document)
        if forms.is_converted(place.entry)
        and (paths is None or any(_is_inside(path, place.path) for path in paths))
    ]
    most = max((_conversions(each.entry) for each in holders), default=0)
    for place in holders:
        if _conversions(place.entry) < most:
            continue  # the last conversion was not of this one
        entry = _dropped(place.entry)
        if not place.address:
            return entry, [""]
        at(document, place.address[:-1])[place.address[-1]] = entry
    return document, [each.path for each in holders]


def _of_config(plan: Plan, document: Entry) -> Plan:
    """A plan without the steps in what Python code makes.

    Their paths contain names that are renumbered for each model.
    """
    holders = [
        place.path for place in walk(document) if forms.is_converted(place.entry)
    ]
    steps = tuple(
        step
        for step in plan.steps
        if not any(_is_inside(step.site.path, each) for each in holders)
    )
    return dataclasses.replace(plan, steps=steps)


def _is_inside(path: str, holder: str) -> bool:
    return not holder or path == holder or path.startswith(f"{holder}/")


def _dropped(entry: Entry) -> Entry:
    """A converted object's entry before its last conversion."""
    rounds = entry["config"][CONVERTED_ROUNDS][: _before_last(entry)]
    inner = _inside_dropped(entry["config"][CONVERTED_INNER])
    if rounds:
        return {
            **entry,
            "config": {
                **entry["config"],
                CONVERTED_INNER: inner,
                CONVERTED_ROUNDS: rounds,
            },
        }
    of_class = ("module", "class_name", "config", "registered_name")
    return {**inner, **{k: v for k, v in entry.items() if k not in of_class}}


def _inside_dropped(value: Any) -> Any:
    """The same for converted objects that a class keeps in its own config."""
    if isinstance(value, dict):
        value = {key: _inside_dropped(each) for key, each in value.items()}
        return _dropped(value) if forms.is_converted(value) else value
    if isinstance(value, list | tuple):
        return type(value)(_inside_dropped(each) for each in value)
    return value


def _conversions(entry: Entry) -> int:
    """How many conversions an object went through, folds not counted."""
    rounds = entry["config"][CONVERTED_ROUNDS]
    return sum(not _is_fold(rounds, index) for index in range(len(rounds)))


def _before_last(entry: Entry) -> int:
    """The number of rounds that came before the last conversion."""
    rounds = entry["config"][CONVERTED_ROUNDS]
    index = len(rounds) - 1
    while index > 0 and _is_fold(rounds, index):
        index -= 1
    return index


def _is_fold(rounds: list[list[converted.Put]], index: int) -> bool:
    """Whether a round only gave plain ReLUs back where an earlier one put slopes."""
    earlier = [_target(put) for each in rounds[:index] for put in each]
    return bool(rounds[index]) and all(
        put["layer"]["class_name"] == "ReLU" and _target(put) in earlier
        for put in rounds[index]
    )


def _target(put: converted.Put) -> tuple[Any, ...]:
    return (*put["position"], put["attribute"])


def _rebuilt(model: Any, document: Entry, borrowed: Borrowed) -> Any:
    """The model of a document, which is changed."""
    # The entry of a converted object would create a converted one again.
    layers = {path: each for path, each in listed(model) if not converted.rounds(each)}
    again = forms.is_converted(document)
    kind = type(model) if again else class_of(model)
    return rebuild(model, document, borrowed, layers, kind)


def _from(model: Any, new: Any) -> Pairs:
    """The variables of a converted model and of the one that it came from.

    They are paired as for the conversion, and turned around.
    """
    found = pair(new, model, prepare=lambda made, old: made_later.repeat(old, made))
    if found.split:
        raise UnsupportedModelError(
            f"A shared layer must stay one layer. Received: {found.split[0]!r}, which "
            "does not. Start from the original model."
        )
    return dataclasses.replace(
        found,
        weights=_turned(found.weights),
        seeds=_turned(found.seeds),
        added=found.dropped,
        dropped=found.added,
        layers=tuple((path, old, made) for path, made, old in found.layers),
        rectifiers=_turned(found.rectifiers),
    )


def _turned(pairs: Iterable[tuple[Any, Any]]) -> tuple[tuple[Any, Any], ...]:
    return tuple((old, made) for made, old in pairs)


def _name_as(holder: Any, new: Any) -> None:
    """Name the layers inside an object as those of another of its class.

    Python code renames the layers that it creates for each object.

    Args:
        holder: The converted object.
        new: Its original, created again; changed.
    """
    for _, member, _, position in walk_layers(holder):
        twin = at_position(new, position)
        if twin is not None and twin.name != member.name:
            twin.name = member.name


def _replaced(old: Any, new: Any) -> bool:
    """Whether a layer is of another class than before."""
    return class_of(old) is not class_of(new)


def _annealed(holder: Any) -> Iterator[unchanged.Moved]:
    """Changed slopes that are not weights, in layers that Python code creates."""
    for put in converted.rounds(holder)[-1]:
        layer = at_position(holder, put["position"])
        held = getattr(layer, put["attribute"]) if put["attribute"] else layer
        start = capped.rectifier(put["layer"])["config"].get("negative_slope")
        now = getattr(without_cap(held), "negative_slope", None)
        if isinstance(start, int | float) and isinstance(now, int | float):
            found = unchanged.moved(layer.name, start, [now])
            if found is not None:
                yield found


def _trained(model: Any, pairs: Pairs) -> Iterator[unchanged.Moved]:
    """Slopes that would go, and are not what they were at first."""
    gone = {id(each) for each in pairs.dropped}
    for path, layer in listed(model):
        if not any(id(each) in gone for each in own_variables(layer)):
            continue
        start = unchanged.start_of(layer.get_config())
        if start is None or not hasattr(layer, "alpha"):
            continue  # only its plan says where it started
        scale = getattr(layer, "learning_rate_multiplier", 1.0)
        now = to_numpy(keras.ops.convert_to_tensor(layer.alpha), "float64")
        wanted = keras.ops.convert_to_numpy(keras.ops.cast(start, layer.alpha.dtype))
        found = unchanged.moved(
            path, wanted.astype("float64"), now, scaled=scale != 1.0
        )
        if found is not None:
            yield found
