"""Edit a `model.weights.h5` in place: move, add and drop, but never copy data.

Only links move; the bytes of every array that stays are not touched.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.specs import Weight
from keras_rectifiers.surgery.document import Entry
from keras_rectifiers.surgery.document import Place
from keras_rectifiers.surgery.document import config_of
from keras_rectifiers.surgery.layout import moves
from keras_rectifiers.surgery.layout import stored
from keras_rectifiers.surgery.rewrite import Holder
from keras_rectifiers.surgery.rewrite import Rewritten
from keras_rectifiers.surgery.shapes import policy_name
from keras_rectifiers.surgery.sites import SLOT
from keras_rectifiers.surgery.slots import OWN_VALUE
from keras_rectifiers.surgery.slots import SlotLayout
from keras_rectifiers.surgery.slots import slot_layout

#: Rectifiers without weights: their empty groups may keep their old names.
_WEIGHTLESS = frozenset({"ReLU", "LeakyReLU", "Activation"})
#: Trailing entries of `vars` that are never trained, by class.
_UNTRAINED = {"BatchNormalization": 2, "Normalization": 3}
_LOSS_SCALED = "optimizer/inner_optimizer/vars"
_PLAIN = "optimizer/vars"


def needs_edit(old: Entry, rewritten: Rewritten) -> bool:
    """Whether a rewrite changes anything in the weights file."""
    if rewritten.removed or any(rewritten.replaced.values()):
        return True
    return any(
        place.entry["class_name"] not in _WEIGHTLESS
        for _, _, place in moves(old, rewritten.document)
    )


def edit(file: h5py.File, old: Entry, rewritten: Rewritten) -> None:
    """Bring a weights file from the old document to the rewritten one.

    Args:
        file: The open weights file, writable.
        old: The document that it was written with.
        rewritten: What became of the document.

    Raises:
        ArchiveError: A layer's group is not where its class puts it.
        UnsupportedModelError: The optimizer's state cannot be carried.
    """
    new = rewritten.document
    before = sum(1 for _ in _datasets(file))
    slots = _plan_slots(file, old, rewritten)
    for holder in rewritten.removed:
        _drop(file, old, holder)
    _move_groups(file, old, new)
    _add(file, rewritten)
    _insert_slots(file, slots)
    added = sum(len(weights) for weights in rewritten.replaced.values())
    expected = before + added - slots.dropped + slots.made
    after = sum(1 for _ in _datasets(file))
    if after != expected:
        raise ArchiveError(
            "Every stored array must be kept and every new one added. Received: "
            f"{after} arrays where {expected} were expected. Please report this file."
        )


def read_alpha(file: h5py.File, group: tuple[str, ...]) -> np.ndarray:
    """The slopes of a PReLU stored in a group."""
    name = "/".join((*group, "vars", "0"))
    dataset = _plain_get(file, name)
    if not isinstance(dataset, h5py.Dataset):
        raise ArchiveError(
            f"A PReLU must have its slopes in the weights. Received: none at {name!r}."
        )
    return np.asarray(dataset)


def check_links(file: h5py.File) -> None:
    """Refuse links that lead out of the file, as Keras does.

    Raises:
        ArchiveError: An external or soft link, or a virtual or external dataset.
    """
    pending = [file["/"]]
    while pending:
        group = pending.pop()
        for name in group:
            link = group.get(name, getlink=True)
            where = f"{group.name.rstrip('/')}/{name}"
            if not isinstance(link, h5py.HardLink):
                raise ArchiveError(_foreign(type(link).__name__, where))
            item = group[name]
            if isinstance(item, h5py.Group):
                pending.append(item)
            elif isinstance(item, h5py.Dataset) and (item.is_virtual or item.external):
                raise ArchiveError(_foreign("virtual or external dataset", where))


def _foreign(what: str, where: str) -> str:
    return (
        "A weights file must hold its own data. Received: "
        f"a {what} at {where!r}. The file is not one that Keras wrote."
    )


def _plain_get(file: h5py.File, name: str) -> Any:
    return file[name] if name in file else None


def _datasets(group: h5py.Group) -> Iterator[h5py.Dataset]:
    for name in group:
        item = group[name]
        if isinstance(item, h5py.Dataset):
            yield item
        elif isinstance(item, h5py.Group):
            yield from _datasets(item)


def _drop(file: h5py.File, old: Entry, holder: Holder) -> None:
    path, slot = holder
    for place in stored(old):
        if place.path == path:
            name = "/".join((*place.group, slot) if slot else place.group)
            if slot and name in file:
                del file[name]
            elif f"{name}/vars/0" in file:
                del file[f"{name}/vars/0"]


def _move_groups(file: h5py.File, old: Entry, new: Entry) -> None:
    """Rename groups, outer ones first, through free names."""
    by_depth: dict[int, list[tuple[str, str, Place]]] = {}
    for source, target, place in moves(old, new):
        names = ("/".join(source), "/".join(target), place)
        by_depth.setdefault(len(target), []).append(names)
    for _, batch in sorted(by_depth.items()):
        waiting = []
        for number, (source, target, place) in enumerate(batch):
            if source in file:
                aside = f"{target.rsplit('/', 1)[0]}/__moving_{number}"
                file.move(source, aside)
                waiting.append((aside, target))
            elif place.entry["class_name"] not in _WEIGHTLESS:
                raise ArchiveError(_missing(source, place))
        for aside, target in waiting:
            if target in file:
                if any(True for _ in _datasets(file[target])):
                    raise ArchiveError(
                        f"A group of the weights file must belong to one layer. "
                        f"Received: {target!r}, which two layers claim."
                    )
                del file[target]  # left behind by a layer without weights
            file.move(aside, target)


def _missing(group: str, place: Place) -> str:
    return (
        f"Every layer must have its group in the weights file. Received: no "
        f"{group!r} for the layer {place.path!r}. The file is damaged, or was not "
        "written by Keras 3."
    )


def _add(file: h5py.File, rewritten: Rewritten) -> None:
    groups = {place.path: place for place in stored(rewritten.document)}
    for (path, slot), weights in rewritten.replaced.items():
        if not weights:
            continue
        place = groups[path]
        entry = place.config[SLOT] if slot else place.entry
        around = (*place.group, slot) if slot else place.group
        variables = file.require_group("/".join((*around, "vars")))
        variables.attrs["name"] = config_of(entry).get("name", path)
        dtype = _variable_dtype(policy_name(config_of(entry).get("dtype", "float32")))
        for number, weight in enumerate(weights):
            _create(variables, str(number), weight, weight.value, dtype)


def _create(
    group: h5py.Group, name: str, weight: Weight, value: Any, dtype: np.dtype
) -> None:
    data = np.broadcast_to(np.asarray(value), weight.shape).astype(dtype)
    dataset = group.create_dataset(name, data=data)
    if dtype.name == "bfloat16":
        dataset.attrs["dtype"] = "bfloat16"  # so does Keras


def _variable_dtype(policy: str) -> np.dtype:
    name = "float32" if policy.startswith("mixed_") else policy
    if name == "bfloat16":
        import ml_dtypes  # noqa: PLC0415 (comes with Keras, rarely needed)

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


@dataclasses.dataclass(frozen=True)
class _Slots:
    """New order of the optimizer's variables: old numbers, or what to make."""

    group: str = ""
    order: tuple[int | tuple[Weight, Any], ...] = ()
    dropped_slots: int = 0
    dropped_weights: int = 0

    @property
    def dropped(self) -> int:
        """Number of arrays that go."""
        return self.dropped_slots + self.dropped_weights

    @property
    def made(self) -> int:
        """Number of slots to make."""
        return sum(1 for each in self.order if not isinstance(each, int))


def _plan_slots(file: h5py.File, old: Entry, rewritten: Rewritten) -> _Slots:
    """Where each slot of the optimizer goes when variables come and go."""
    lost = len(rewritten.removed)
    name = _LOSS_SCALED if _LOSS_SCALED in file else _PLAIN
    group = _plain_get(file, name)
    compiled = old.get("compile_config")
    if not isinstance(group, h5py.Group) or not isinstance(compiled, dict):
        return _Slots(dropped_weights=lost)
    before = list(_trained(file, old))
    after = list(_trained_after(rewritten, before))
    layout = slot_layout(compiled.get("optimizer") or {})
    if layout is not None and len(group) == layout.header:
        return _Slots(dropped_weights=lost)  # never built
    if layout is None or len(group) != layout.total(len(before)):
        raise UnsupportedModelError(_uncarried(compiled, len(group), len(before)))
    _check_shapes(group, layout, before, compiled)
    order: list[int | tuple[Weight, Any]] = list(range(layout.header))
    start = layout.header
    number = {key: index for index, (key, _) in enumerate(before)}
    for block in layout.blocks:
        for key, weight in after:
            if key in number:
                first = start + number[key] * len(block)
                order += range(first, first + len(block))
            elif weight is not None:
                order += [
                    (weight, weight.value if value == OWN_VALUE else value)
                    for value in block
                ]
        start += len(before) * len(block)
    gone = len(group) - sum(1 for each in order if isinstance(each, int))
    return _Slots(name, tuple(order), gone, lost)


#: A trainable variable: path, slot and number within them.
_Key = tuple[str, str, int]


def _trained(file: h5py.File, document: Entry) -> Iterator[tuple[_Key, tuple[int, ...]]]:
    """Every trainable variable of a file with its shape, in Keras' order."""
    places = list(stored(document))
    groups = {"/".join(place.group) for place in places if place.group}
    for place in places:
        if not place.group or _frozen(place):
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
        if slot in file:
            for index, dataset in enumerate(_datasets(file[slot])):
                yield (place.path, SLOT, index), dataset.shape


def _own_datasets(group: h5py.Group, aside: set[str]) -> Iterator[h5py.Dataset]:
    names = sorted(group, key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name))
    for name in names:
        item = group[name]
        if item.name.lstrip("/") in aside:
            continue
        if isinstance(item, h5py.Dataset):
            yield item
        else:
            yield from _own_datasets(item, aside)


def _frozen(place: Place) -> bool:
    current: Place | None = place
    while current is not None:
        if current.config.get("trainable") is False:
            return True
        current = current.parent
    return False


def _trained_after(
    rewritten: Rewritten, before: list[tuple[_Key, tuple[int, ...]]]
) -> Iterator[tuple[_Key, Weight | None]]:
    """The trainable variables of the rewritten model; new ones with a weight."""
    kept: dict[tuple[str, str], list[_Key]] = {}
    for key, _ in before:
        kept.setdefault(key[:2], []).append(key)
    for place in stored(rewritten.document):
        if _frozen(place):
            continue
        for slot in ("", SLOT):
            holder = (place.path, slot)
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
    before: list[tuple[_Key, tuple[int, ...]]],
    compiled: dict[str, Any],
) -> None:
    """Each place's slots have the shapes of its variables, in some order."""
    start = layout.header
    for block in layout.blocks:
        found: dict[str, list[tuple[int, ...]]] = {}
        wanted: dict[str, list[tuple[int, ...]]] = {}
        for (path, _, _), shape in before:
            for _ in block:
                found.setdefault(path, []).append(group[str(start)].shape)
                wanted.setdefault(path, []).append(shape)
                start += 1
        for path, shapes in wanted.items():
            if sorted(shapes) != sorted(found[path]):
                raise UnsupportedModelError(
                    _uncarried(compiled, len(group), len(before), path)
                )


def _uncarried(
    compiled: dict[str, Any], slots: int, variables: int, path: str = ""
) -> str:
    optimizer = compiled.get("optimizer") or {}
    where = f" They disagree at {path!r}." if path else ""
    return (
        "The optimizer's slots must be known to be carried to a model with other "
        f"weights. Received: {optimizer.get('class_name')!r} with {slots} variables "
        f"for {variables} trainable ones.{where} Convert the loaded model with "
        "keras_rectifiers.convert, which carries every optimizer."
    )


def _insert_slots(file: h5py.File, slots: _Slots) -> None:
    if not slots.group:
        return
    group = file[slots.group]
    keep = {each for each in slots.order if isinstance(each, int)}
    for number in set(range(len(group))) - keep:
        del group[str(number)]
    moved = [
        (old, new)
        for new, old in enumerate(slots.order)
        if isinstance(old, int) and old != new
    ]
    # Upwards moves go from the top down, so that no name is taken twice.
    for old, new in sorted(moved, reverse=True):
        group.move(str(old), f"moved {new}")
    for _, new in moved:
        group.move(f"moved {new}", str(new))
    dtype = np.dtype("float32")
    for new, each in enumerate(slots.order):
        if not isinstance(each, int):
            weight, value = each
            _create(group, str(new), weight, value, dtype)
