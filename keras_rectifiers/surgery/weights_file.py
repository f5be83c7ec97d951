"""Edit a `model.weights.h5` in place: move, add and drop, but never copy data.

Only links move; the bytes of every array that stays are not touched.
"""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np

from keras_rectifiers import precision
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.files import hdf5
from keras_rectifiers.graph import capped
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.layout import Move
from keras_rectifiers.graph.layout import moves
from keras_rectifiers.graph.layout import stored
from keras_rectifiers.graph.policies import policy_name
from keras_rectifiers.graph.sites import ATTRIBUTE
from keras_rectifiers.graph.sites import holds_layer
from keras_rectifiers.graph.variables.table import variables_of
from keras_rectifiers.repairs import Repair
from keras_rectifiers.surgery import marks
from keras_rectifiers.surgery import optimizer_file
from keras_rectifiers.surgery.rewrite import Holder
from keras_rectifiers.surgery.rewrite import Rewritten
from keras_rectifiers.surgery.trained import ArrayHeader
from keras_rectifiers.surgery.trained import Arrays

#: Group of a layer's own weights, and that of a seed generator, which is not a layer.
_VARS, _SEED = "vars", "seed_generator"
#: Rectifiers without weights: their empty groups may keep their old names.
_WEIGHTLESS = frozenset({"ReLU", "LeakyReLU", "Activation"})


def needs_edit(old: Entry, rewritten: Rewritten) -> bool:
    """Whether a rewrite changes anything in the weights file."""
    if rewritten.removed or any(rewritten.replaced.values()):
        return True
    return any(
        not _weightless(move.place.entry) for move in moves(old, rewritten.document)
    )


def arrays_of(file: h5py.File) -> Arrays:
    """Every array of a weights file by its name, without its values.

    Args:
        file: The open weights file.
    """
    return {
        str(each.name).lstrip("/"): ArrayHeader(
            each.shape or (), each.dtype.kind, each.id.get_storage_size() >= each.nbytes
        )
        for each in hdf5.datasets(file)
    }


def state_left(arrays: Arrays, old: Entry, rewritten: Rewritten) -> tuple[Repair, ...]:
    """Which optimizer state a rewrite drops, because it cannot be kept exactly.

    Args:
        arrays: The arrays of the weights file.
        old: The document that it was written with.
        rewritten: What became of the document.
    """
    left = optimizer_file.plan_state(arrays, old, rewritten).left
    return () if left is None else (left,)


def edit(file: h5py.File, old: Entry, rewritten: Rewritten) -> None:
    """Bring a weights file from the old document to the rewritten one.

    Args:
        file: The open weights file, writable.
        old: The document that it was written with.
        rewritten: What became of the document.

    Raises:
        ArchiveError: A layer's group is not where its class puts it.
        UnsupportedModelError: Slopes that go belong to several places.
    """
    new = rewritten.document
    _check_removed(old, rewritten)
    arrays = arrays_of(file)
    state = optimizer_file.plan_state(arrays, old, rewritten)
    optimizer_file.write_state(file, state)
    for holder in rewritten.removed:
        _drop(file, old, holder)
    _move_groups(file, old, new)
    _add(file, rewritten)
    expected = len(arrays) + optimizer_file.count_change(arrays, state)
    expected += sum(len(weights) for weights in rewritten.replaced.values())
    expected -= len(rewritten.removed)
    after = sum(1 for _ in hdf5.datasets(file))
    if after != expected:
        raise ArchiveError(
            "Every stored array must be kept, and every new one added. Received: "
            f"{after} arrays instead of {expected}. Please report this file."
        )


def layer_groups(file: h5py.File) -> Iterator[tuple[str, ...]]:
    """The group of each layer, from the root: Keras gives each one a `vars`.

    Args:
        file: The open weights file.
    """
    pending: list[tuple[tuple[str, ...], h5py.Group]] = [((), file["/"])]
    while pending:
        names, group = pending.pop()
        for name in group:
            item = group[name]
            if not isinstance(item, h5py.Group):
                continue
            if name != _VARS:
                pending.append(((*names, name), item))
            elif names and not names[-1].startswith(_SEED):
                yield names


def read_alpha(file: h5py.File, group: tuple[str, ...], size: int) -> np.ndarray:
    """The slopes of a PReLU stored in a group.

    Args:
        file: The open weights file.
        group: The PReLU's group.
        size: Length of the weights file in bytes.

    Raises:
        ArchiveError: There are none, or more than the file has room for.
    """
    name = "/".join((*group, "vars", "0"))
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise ArchiveError(
            f"A PReLU must have its slopes in the weights. Received: {name!r}, which "
            "has none."
        )
    numbers = dataset.dtype.kind == "f" or hdf5.dtype_of(dataset).name == "bfloat16"
    if not numbers or not 0 < dataset.nbytes <= size:
        raise ArchiveError(
            "The slopes of a PReLU must be stored as a plain array. Received: "
            f"{dataset.nbytes} bytes of {dataset.dtype} at {name!r}, in a file of "
            f"{size} bytes. The file was not written by Keras."
        )
    return hdf5.read(dataset)


def _check_removed(old: Entry, rewritten: Rewritten) -> None:
    """Slopes that go must not be those of a place that stays."""
    count = marks.places_of(old)
    for place in walk(old) if rewritten.removed else ():
        for attribute in ("", ATTRIBUTE):
            entry = place.config.get(attribute) if attribute else place.entry
            mark = entry.get(marks.MARK) if isinstance(entry, dict) else None
            if (place.path, attribute) in rewritten.removed and count[mark] > 1:
                raise UnsupportedModelError(
                    "The slopes of a PReLU must belong to one place to be replaced in "
                    f"a file. Received: the slopes at {place.path!r}, which "
                    f"{count[mark]} places share. Convert the live model with "
                    "keras_rectifiers.convert."
                )


def _drop(file: h5py.File, old: Entry, holder: Holder) -> None:
    path, attribute = holder
    for place in stored(old):
        if place.path == path:
            name = "/".join((*place.group, attribute) if attribute else place.group)
            if attribute and name in file:
                del file[name]
            elif f"{name}/vars/0" in file:
                del file[f"{name}/vars/0"]


def _move_groups(file: h5py.File, old: Entry, new: Entry) -> None:
    """Rename groups, outer ones first, through free names."""
    by_depth: dict[int, list[Move]] = {}
    for move in moves(old, new):
        by_depth.setdefault(move.depth, []).append(move)
    for _, batch in sorted(by_depth.items()):
        waiting: list[tuple[str, str]] = []
        for number, move in enumerate(batch):
            if move.source in file:
                aside = f"{move.target.rpartition('/')[0]}/__moving_{number}"
                file.move(move.source, aside)
                waiting.append((aside, move.target))
            elif not _stores_nothing(move.place.entry):
                raise ArchiveError(_missing(move.source, move.place))
        for aside, target in waiting:
            _free(file, target)
            file.move(aside, target)


def _free(file: h5py.File, name: str) -> None:
    """Drop an empty group of a layer without weights."""
    if name not in file:
        return
    if any(True for _ in hdf5.datasets(file[name])):
        raise ArchiveError(
            "A group of the weights file must belong to one layer. Received: "
            f"{name!r}, which two layers claim. The file is damaged."
        )
    del file[name]


def _weightless(entry: Entry) -> bool:
    """Whether a layer has no weights, whatever its config says."""
    return entry["class_name"] in _WEIGHTLESS and not holds_layer(entry)


def _stores_nothing(entry: Entry) -> bool:
    """Whether a layer may lack a group: one that replaced another has none."""
    return _weightless(entry) or variables_of(entry) == ()


def _missing(group: str, place: Place) -> str:
    return (
        "Every layer must have its group in the weights file. Received: a file "
        f"without {group!r} for the layer {place.path!r}. The file is damaged, or was "
        "not written by Keras 3."
    )


def _add(file: h5py.File, rewritten: Rewritten) -> None:
    groups = {place.path: place for place in stored(rewritten.document)}
    for (path, attribute), weights in rewritten.replaced.items():
        if not weights:
            continue
        place = groups[path]
        entry = place.config[ATTRIBUTE] if attribute else place.entry
        around = (*place.group, attribute) if attribute else place.group
        around = (*around, *capped.below(entry))
        variables = file.require_group("/".join((*around, "vars")))
        variables.attrs["name"] = config_of(entry).get("name", path)
        policy = policy_name(config_of(entry).get("dtype", "float32"))
        dtype = precision.numpy_dtype(precision.stores(policy))
        for number, weight in enumerate(weights):
            hdf5.create(variables, str(number), weight.shape, weight.value, dtype)
