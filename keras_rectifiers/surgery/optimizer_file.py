"""Carry an optimizer's slots inside a weights file: renumber, insert, drop."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.specs import Weight
from keras_rectifiers.surgery import hdf5
from keras_rectifiers.surgery.document import Entry
from keras_rectifiers.surgery.document import Place
from keras_rectifiers.surgery.document import is_frozen
from keras_rectifiers.surgery.layout import stored
from keras_rectifiers.surgery.rewrite import Rewritten
from keras_rectifiers.surgery.sites import SLOT
from keras_rectifiers.surgery.slots import OWN_VALUE
from keras_rectifiers.surgery.slots import SlotLayout
from keras_rectifiers.surgery.slots import slot_layout

#: Trailing entries of `vars` that are never trained, by class.
_UNTRAINED = {"BatchNormalization": 2, "Normalization": 3}
_VARIABLES = "optimizer/vars"
_INNER = "optimizer/inner_optimizer/vars"

#: A trainable variable: path, slot and number within them.
_Key = tuple[str, str, int]
_Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Slots:
    """The new order of an optimizer's variables."""

    #: Group that holds them.
    group: str
    #: Old numbers, or the weight that a slot is made for and its start value.
    order: tuple[int | tuple[Weight, Any], ...]
    #: Old numbers that are not in the order any more.
    dropped: tuple[int, ...]

    @property
    def change(self) -> int:
        """By how many arrays the group grows."""
        made = sum(1 for each in self.order if not isinstance(each, int))
        return made - len(self.dropped)


def plan_slots(file: h5py.File, old: Entry, rewritten: Rewritten) -> tuple[Slots, ...]:
    """Where each slot goes when trainable variables come and go.

    Args:
        file: The weights file as the old document describes it.
        old: The old document.
        rewritten: What became of it.

    Raises:
        UnsupportedModelError: The optimizer's layout is not known, or disagrees
            with the model's variables.
    """
    compiled = old.get("compile_config")
    if _VARIABLES not in file or not isinstance(compiled, dict):
        return ()
    before = list(_trained(file, old))
    after = list(_trained_after(rewritten, before))
    layout = slot_layout(compiled.get("optimizer") or {})
    if layout is None:
        raise UnsupportedModelError(_uncarried(compiled, "an unknown layout"))
    layouts = {_VARIABLES: layout}
    if _INNER in file:
        layouts = {_VARIABLES: layout.wrapped(), _INNER: layout}
    planned = []
    for name, each in layouts.items():
        count = len(file[name])
        if count in (each.header, layout.header):
            continue  # the optimizer was never built
        if count != each.total(len(before)):
            got = f"{count} variables for {len(before)} trainable ones"
            raise UnsupportedModelError(_uncarried(compiled, got))
        _check_shapes(file[name], each, before, compiled)
        planned.append(_order(name, count, each, before, after))
    return tuple(planned)


def reorder(file: h5py.File, planned: tuple[Slots, ...]) -> None:
    """Renumber an optimizer's variables, and make the new ones."""
    for slots in planned:
        group = file[slots.group]
        for number in slots.dropped:
            del group[str(number)]
        moved = [
            (old, new)
            for new, old in enumerate(slots.order)
            if isinstance(old, int) and old != new
        ]
        for old, new in moved:  # by way of free names: no number is taken twice
            group.move(str(old), f"moved {new}")
        for _, new in moved:
            group.move(f"moved {new}", str(new))
        for new, each in enumerate(slots.order):
            if not isinstance(each, int):
                weight, value = each
                hdf5.create(group, str(new), weight.shape, value, np.dtype("float32"))


def _order(
    name: str,
    count: int,
    layout: SlotLayout,
    before: list[tuple[_Key, _Shape]],
    after: list[tuple[_Key, Weight | None]],
) -> Slots:
    order: list[int | tuple[Weight, Any]] = list(range(layout.header))
    start = layout.header
    number = {key: index for index, (key, _) in enumerate(before)}
    for block in layout.blocks:
        for key, weight in after:
            if weight is None:
                first = start + number[key] * len(block)
                order += range(first, first + len(block))
            else:
                order += [
                    (weight, weight.value if value == OWN_VALUE else value)
                    for value in block
                ]
        start += len(before) * len(block)
    order += range(start, count)
    kept = {each for each in order if isinstance(each, int)}
    return Slots(name, tuple(order), tuple(sorted(set(range(count)) - kept)))


def _trained(file: h5py.File, document: Entry) -> Iterator[tuple[_Key, _Shape]]:
    """Every trainable variable of a file with its shape, in Keras' order."""
    places = list(stored(document))
    groups = {"/".join(place.group) for place in places if place.group}
    for place in places:
        if not place.group or is_frozen(place):
            continue
        name = "/".join(place.group)
        if name not in file:
            continue
        slot = f"{name}/{SLOT}"
        aside = groups | {slot}
        own = [
            dataset.shape
            for dataset in _own_datasets(file[name], aside - {name})
            if dataset.dtype.kind in "fV"
        ]
        untrained = _UNTRAINED.get(str(place.entry["class_name"]), 0)
        for index, shape in enumerate(own[: len(own) - untrained]):
            yield (place.path, "", index), shape
        if slot in file and not _frozen_slot(place):
            for index, dataset in enumerate(hdf5.datasets(file[slot])):
                yield (place.path, SLOT, index), dataset.shape


def _own_datasets(group: h5py.Group, aside: set[str]) -> Iterator[h5py.Dataset]:
    """The arrays of one layer, numbers in numeric order, other layers left out."""
    for name in sorted(group, key=lambda name: (len(name), name)):
        item = group[name]
        if item.name.lstrip("/") in aside:
            continue
        if isinstance(item, h5py.Dataset):
            yield item
        else:
            yield from _own_datasets(item, aside)


def _frozen_slot(place: Place) -> bool:
    """Whether the rectifier in a layer's slot does not train."""
    return _config_in_slot(place).get("trainable") is False


def _config_in_slot(place: Place) -> dict[str, Any]:
    entry = place.config.get(SLOT)
    config = entry.get("config") if isinstance(entry, dict) else None
    return config if isinstance(config, dict) else {}


def _trained_after(
    rewritten: Rewritten, before: list[tuple[_Key, _Shape]]
) -> Iterator[tuple[_Key, Weight | None]]:
    """The trainable variables of the rewritten model; new ones with a weight."""
    kept: dict[tuple[str, str], list[_Key]] = {}
    for key, _ in before:
        kept.setdefault(key[:2], []).append(key)
    for place in stored(rewritten.document):
        if is_frozen(place):
            continue
        for slot in ("", SLOT):
            holder = (place.path, slot)
            if slot and _frozen_slot(place):
                continue
            if holder in rewritten.replaced:
                for index, weight in enumerate(rewritten.replaced[holder]):
                    # A number no old variable has: this one is new.
                    yield (place.path, slot, -1 - index), weight
            else:
                for key in kept.get(holder, []):
                    yield key, None


def _check_shapes(
    group: h5py.Group,
    layout: SlotLayout,
    before: list[tuple[_Key, _Shape]],
    compiled: dict[str, Any],
) -> None:
    """Each layer's slots have the shapes of its variables, in some order."""
    start = layout.header
    for block in layout.blocks:
        found: dict[str, list[_Shape]] = {}
        wanted: dict[str, list[_Shape]] = {}
        for (path, _, _), shape in before:
            for _ in block:
                found.setdefault(path, []).append(group[str(start)].shape)
                wanted.setdefault(path, []).append(shape)
                start += 1
        for path, shapes in wanted.items():
            if sorted(shapes) != sorted(found[path]):
                got = f"slots of other shapes than the weights of {path!r}"
                raise UnsupportedModelError(_uncarried(compiled, got))


def _uncarried(compiled: dict[str, Any], got: str) -> str:
    optimizer = compiled.get("optimizer") or {}
    return (
        "The optimizer's slots must be known to be carried to a model with other "
        f"weights. Received: {optimizer.get('class_name')!r} with {got}. Convert the "
        "loaded model with keras_rectifiers.convert, which carries every optimizer."
    )
