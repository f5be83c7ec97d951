"""Write a conversion back into a copy of the whole-model `.h5` that it came from.

Only attributes and slopes change: every other byte of an array stays where it is.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np

from keras_rectifiers.conversion.opened import Opened
from keras_rectifiers.conversion.opened import open_model
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.files.writing import replacing
from keras_rectifiers.graph import capped
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.document import tracked_layers
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.graph import layer_order
from keras_rectifiers.graph.variables.variable import Variable
from keras_rectifiers.legacy.containers import hdf5_model
from keras_rectifiers.legacy.weights import lora
from keras_rectifiers.legacy.weights.owners import Owner
from keras_rectifiers.repairs import Repair
from keras_rectifiers.surgery import structure
from keras_rectifiers.surgery.optimizer_layout import class_and_config
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.rewrite import Rewritten
from keras_rectifiers.surgery.trained import may_touch_state
from keras_rectifiers.surgery.training_state import dropped

#: A variable of a document: the path of its layer, and its place below that.
Key = tuple[str, tuple[str, ...]]

#: Longest attribute that HDF5 keeps without help; longer lists go in chunks.
_MAX_ATTRIBUTE = 64_000


def write(
    opened: Opened,
    target: Path,
    plan: Plan,
    *,
    overwrite: bool,
    beside: Mapping[str, bytes] = MappingProxyType({}),
) -> None:
    """Convert a whole-model `.h5` by a plan into another.

    Args:
        opened: The source.
        target: The file to write, completely or not at all.
        plan: The plan.
        overwrite: Whether an existing target may be replaced.
        beside: Additional attributes of the file, by their names; an empty one is
            removed. Default none.

    Raises:
        ArchiveError: The source is not an `.h5`, or the target cannot be written.
        UnsupportedModelError: Its arrays have to change, so it must become `.keras`.
    """
    source = opened.path
    _check(opened)
    opened.check_weights()
    rewritten = opened.rewritten(plan)
    names = _stored_names(opened)
    with replacing(target, overwrite=overwrite, named=False) as temporary:
        shutil.copyfile(source, temporary)
        with temporary.open("r+b") as raw, h5py.File(raw, "r+") as file:
            _edit(file, rewritten, names, opened)
            for name, content in beside.items():
                file.attrs.pop(name, None)
                if content:
                    file.attrs[name] = content.decode()
        _check_written(temporary, source)


def _check_written(written: Path, source: Path) -> None:
    """Refuse a file that Keras would not open: read it as any other, and compare."""
    try:
        with open_model(written) as opened:
            arrays = {each.group: each.shape for each in opened.placed}
            structure.check(opened.document, arrays, str(source))
    except RectifierError as error:
        raise type(error)(str(error).replace(str(written), str(source))) from error


def state_left(opened: Opened, rewritten: Rewritten) -> tuple[Repair, ...]:
    """The optimizer's state, which does not fit any more where slopes come or go.

    Its arrays are kept, but Keras 2 starts again where they do not match, and Keras 3
    does not read slots from an `.h5`.

    Args:
        opened: The source.
        rewritten: What becomes of its document.
    """
    touched = may_touch_state(opened.document, rewritten)
    if opened.saved.slots is None or not touched:
        return ()
    compiled = opened.document.get("compile_config") or {}
    optimizer = class_and_config(compiled.get("optimizer"))[0]
    why = (
        "an .h5 target keeps it as it is, without the new weights; a .keras target "
        "can add them"
    )
    return (dropped(optimizer, why),)


def _check(opened: Opened) -> None:
    source = str(opened.path)
    if opened.saved.container != hdf5_model.CONTAINER:
        raise ArchiveError(
            "An .h5 can only be written from a whole-model .h5. Received: "
            f"{source!r}, which is {opened.saved.container}. Choose a target that "
            "ends in .keras."
        )
    for owner in opened.owners:
        if owner.conversion:
            raise UnsupportedModelError(
                f"An .h5 keeps its arrays as they are. Received: {source!r}, whose "
                f"layer {owner.place.path!r} stores them in a legacy layout "
                f"({owner.conversion}). Choose a target that ends in .keras."
            )
    for placed in opened.placed:
        if placed.dtype.name == "bfloat16":
            raise UnsupportedModelError(
                "An .h5 must contain arrays that Keras can read back. Received: "
                f"{source!r}, whose layer {placed.layer!r} has bfloat16 weights, "
                "which Keras writes to an .h5 but cannot read. Choose a target that "
                "ends in .keras."
            )


def _stored_names(opened: Opened) -> dict[Key, str]:
    """Each variable's array, as `<layer of the top model>/<name in its group>`."""
    weights = opened.saved.weights
    if not isinstance(weights, hdf5_model.LayerWeights):
        return {}
    owners = [lora.apart(owner) for owner in opened.owners]
    return {
        (owner.place.path, variable.group): array.name
        for owner, arrays in zip(owners, weights.listed(owners), strict=True)
        if not owner.custom
        for variable, array in zip(owner.stored, arrays, strict=True)
    }


def _custom_lists(opened: Opened) -> dict[str, list[str]]:
    """The arrays of each layer of a custom class, whose list stays as it is."""
    weights = opened.saved.weights
    found = [] if weights is None else weights.find(opened.owners)
    lists = {}
    for owner, arrays in zip(opened.owners, found, strict=True):
        if not owner.custom or not arrays:
            continue
        top, *inside = owner.place.names
        if inside:
            raise UnsupportedModelError(
                "An .h5 lists the arrays of a nested model together. Received: "
                f"{str(opened.path)!r}, whose layer {owner.place.path!r} has a custom "
                "class, so that their order is unknown. Choose a target that ends in "
                ".keras."
            )
        lists[top] = [each.name.removeprefix(f"{top}/") for each in arrays]
    return lists


def _edit(
    file: h5py.File, rewritten: Rewritten, names: dict[Key, str], opened: Opened
) -> None:
    document = rewritten.document
    weights = file[hdf5_model.WEIGHTS]
    entries = {place.path: place.entry for place in walk(document)}
    values = {
        (path, (*_groups(entries[path], attribute), "vars", str(index))): weight
        for (path, attribute), made in rewritten.replaced.items()
        for index, weight in enumerate(made)
    }
    gone = set(names.values())
    lists: dict[str, list[str]] = {name: [] for name in _layer_names(document)}
    owners = [lora.apart(owner) for owner in opened.owners_of(document)]
    for owner, variable in _in_order(owners):
        top = owner.place.names[0]
        key = (owner.place.path, variable.group)
        if key in values:
            group = weights.require_group(top)
            lists[top].append(_add(group, owner, variable, values[key]))
        else:
            gone.discard(names[key])
            lists[top].append(names[key].removeprefix(f"{top}/"))
    lists |= _custom_lists(opened)
    for name in gone:
        del weights[name]
    for top, listed in lists.items():
        _set_names(weights.require_group(top), "weight_names", listed)
    _set_names(weights, "layer_names", list(lists))
    config = {k: v for k, v in document.items() if k != "compile_config"}
    file.attrs[hdf5_model.CONFIG] = json.dumps(config)


def _groups(entry: Entry, attribute: str) -> tuple[str, ...]:
    """The groups between a layer and the rectifier that it is or holds."""
    if not attribute:
        return capped.below(entry)
    return (attribute, *capped.below(config_of(entry).get(attribute)))


def _layer_names(document: Entry) -> list[str]:
    """Layers of the top model, in the order in which Keras counts them."""
    names = [name_of(entry) for entry in tracked_layers(document)]
    if not is_functional(document):
        return names
    order = {name: index for index, name in enumerate(layer_order(document))}
    return sorted(names, key=order.__getitem__)


def _in_order(found: list[Owner]) -> Iterator[tuple[Owner, Variable]]:
    """Variables as Keras 3 lists a layer's: what trains first, unless it is frozen."""
    by_top: dict[str, list[Owner]] = {}
    for owner in found:
        by_top.setdefault(owner.place.names[0], []).append(owner)
    for members in by_top.values():
        every = [(owner, each) for owner in members for each in owner.variables]
        if all(_is_frozen(owner.place) for owner in members):
            yield from every
            continue
        every.sort(key=lambda one: not _trains(*one))  # stable: True goes last
        yield from every


def _trains(owner: Owner, variable: Variable) -> bool:
    return variable.trainable and not _is_frozen(owner.place)


def _is_frozen(place: Place | None) -> bool:
    """Whether a layer, or one around it, does not train."""
    while place is not None and place.parent is not None:
        if place.config.get("trainable") is False:
            return True
        place = place.parent
    return False


def _add(group: h5py.Group, owner: Owner, variable: Variable, weight: Any) -> str:
    """Add slopes to a layer's group; the name they got."""
    base = "/".join((*owner.place.names[1:], variable.name)) or variable.name
    name, number = f"{base}:0", 0
    while name in group:
        number += 1
        name = f"{base}_{number}:0"
    value = np.broadcast_to(np.asarray(weight.value, np.float32), weight.shape)
    group.create_dataset(name, data=value)
    return name


def _set_names(holder: h5py.Group, key: str, names: list[str]) -> None:
    """Set an attribute that is a list of names, in chunks where it is long."""
    for old in [each for each in holder.attrs if each.rstrip("0123456789") == key]:
        del holder.attrs[old]
    data = np.array([name.encode() for name in names], dtype=np.bytes_)
    if data.nbytes <= _MAX_ATTRIBUTE:
        holder.attrs[key] = data
        return
    count = -(-data.nbytes // _MAX_ATTRIBUTE)
    for index, part in enumerate(np.array_split(data, count)):
        holder.attrs[f"{key}{index}"] = part
