"""Weights files whose groups follow the model: those of `.keras`, `.weights.h5`.

Keras 2.12 and 2.13 named the groups of a model's layers differently from later
versions, and on Windows some wrote backslashes between them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

import h5py

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph.document import MAX_DEPTH
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import attribute_of
from keras_rectifiers.graph.document import group_name
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.document import snake_case
from keras_rectifiers.graph.document import tracked_layers
from keras_rectifiers.graph.document import wrapped
from keras_rectifiers.graph.variables.variable import Variable
from keras_rectifiers.graph.wellformed import MALFORMED
from keras_rectifiers.legacy.array_views import Around
from keras_rectifiers.legacy.containers.hdf5_arrays import Reader
from keras_rectifiers.legacy.containers.saved import Array
from keras_rectifiers.legacy.containers.saved import Saved
from keras_rectifiers.legacy.containers.saved import Slots
from keras_rectifiers.legacy.dialects.keras3 import RMS_SCALING
from keras_rectifiers.legacy.dialects.keras3 import leaves_open
from keras_rectifiers.legacy.weights.owners import Owner
from keras_rectifiers.repairs import Repair
from keras_rectifiers.surgery.marks import MARK
from keras_rectifiers.surgery.structure import OUTSIDE
from keras_rectifiers.surgery.structure import RANDOM

Group = tuple[str, ...]
OldPath = tuple[str, ...]

#: What Keras 2.12 and 2.13 called `layers`.
EARLY = "_layer_checkpoint_dependencies"
#: Where an optimizer that scales the loss has the one inside it.
_SCALED = ("optimizer", "inner_optimizer")
_NUMBERED = re.compile(r"(.*?)(?:_([1-9][0-9]*))?")


@dataclasses.dataclass(frozen=True)
class Tree:
    """Groups and arrays of a weights file, or of its shards together.

    Attributes:
        path: The file, for messages.
        groups: A group -> names in it.
        arrays: Group and number of an array -> the array.
    """

    path: Path
    groups: dict[Group, set[str]]
    arrays: dict[Group, Array]

    def add(self, reader: Reader) -> None:
        """Add what a file holds.

        Raises:
            ArchiveError: Two arrays have one name.
        """
        items: list[tuple[Group, h5py.Dataset | None]] = []

        def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
            group = tuple(name.replace("\\", "/").split("/"))
            items.append((group, item if isinstance(item, h5py.Dataset) else None))

        with reader.reading():
            reader.file.visititems(visit)
        for group, dataset in items:
            for depth in range(len(group)):
                self.groups.setdefault(group[:depth], set()).add(group[depth])
            if dataset is None:
                continue
            if group in self.arrays:
                raise ArchiveError(
                    f"Every array must be stored once. Received: {str(self.path)!r}, "
                    f"which has two at {'/'.join(group)!r}. The file was not written "
                    "by Keras."
                )
            self.arrays[group] = reader.array(dataset, "/".join(group))

    def slots(self) -> Slots | None:
        """The optimizer's variables by their numbers; None where there are none."""
        found = {
            int(group[-1]): array
            for group, array in self.arrays.items()
            if group[:-1] == ("optimizer", "vars") and group[-1].isdecimal()
        }
        if not found:
            return None
        arrays = tuple(found[each] for each in sorted(found))
        return Slots("listed", arrays, _SCALED in self.groups)


def tree_of(reader: Reader) -> Tree:
    """What is in a weights file."""
    tree = Tree(reader.path, {}, {})
    tree.add(reader)
    return tree


@dataclasses.dataclass(frozen=True)
class BelowLayer(Around):
    """An array of an unknown layer, and its group below the layer's."""

    group: Group


@dataclasses.dataclass(frozen=True)
class GroupedWeights:
    """Weights in groups that follow the model's layers.

    Attributes:
        tree: What is in the file.
        document: The model's config as it was written.
    """

    tree: Tree
    document: Entry

    @property
    def of_layers(self) -> dict[Group, Array]:
        """The arrays that are layers' weights, by their groups."""
        return {
            group: array
            for group, array in self.tree.arrays.items()
            if group[0] not in OUTSIDE and not set(group) & set(RANDOM)
        }

    def find(self, owners: Sequence[Owner]) -> list[list[Array]]:
        """The stored arrays of each layer, in the order of its old variables.

        Raises:
            ArchiveError: A layer's array is missing, or one belongs to no layer.
        """
        places = {path: group for _, path, group in self.layers()} | {(): ()}
        left = self.of_layers
        found: dict[int, list[Array]] = {}
        stated = [self._place(owner, places) for owner in owners]
        #: Where the weights of several layers are, which were one.
        lent = {stated[i] for i, owner in enumerate(owners) if owner.twins}
        below: dict[Group, list[Array]] = {}
        # What is a known layer's is not a custom layer's around it.
        for number in sorted(range(len(owners)), key=lambda each: owners[each].custom):
            owner = owners[number]
            place = stated[number]
            if owner.custom:
                again = below.get(place, []) if place in lent else []
                found[number] = again or _below(place, left)
                below[place] = found[number]
                continue
            names = [self._name(place, variable, owner) for variable in owner.stored]
            if place not in lent and any(name not in left for name in names):
                raise ArchiveError(self._twice(owner))
            found[number] = [self.tree.arrays[name] for name in names]
            for name in names:
                left.pop(name, None)
            for variable in owner.variables:
                if variable.twin:  # the same variable, written once more
                    left.pop((*place, *variable.group), None)
        if left:
            raise ArchiveError(
                "Every stored array must belong to a layer. Received: "
                f"{str(self.tree.path)!r}, whose array {'/'.join(min(left))!r} does "
                "not belong to any. The weights may belong to another model."
            )
        return [found[number] for number in range(len(owners))]

    def layers(self) -> Iterator[tuple[Entry, OldPath, Group]]:
        """Every layer of the document, its path, and its group."""
        return _layers(self.document, self.tree)

    def filled(self, saved: Saved) -> Saved:
        """A saved model with the arguments that can be inferred from these weights.

        Keras 3.0 to 3.3 did not write `rms_scaling` of a LayerNormalization, without
        which Keras wants a second array.

        Args:
            saved: The model; its document is changed.
        """
        repairs: list[Repair] = []
        with contextlib.suppress(*MALFORMED):  # the rules say what is wrong, and where
            for entry, path, group in self.layers():
                single = self.tree.groups.get((*group, "vars")) == {"0"}
                if single and leaves_open(entry):
                    entry["config"][RMS_SCALING] = True
                    text = "rms_scaling → True, since the layer has a single array"
                    repairs.append(Repair(RMS_SCALING, "/".join(path), text))
        return dataclasses.replace(saved, repairs=(*saved.repairs, *repairs))

    def _place(self, owner: Owner, places: dict[OldPath, Group]) -> Group:
        """A shared layer is stored once, at one of its places."""
        spots = [(owner.place, owner.was)]
        spots += [(spot.place, spot.was) for spot in owner.also]
        ways = [_group(place, was, places) for place, was in spots]
        ways += [places[twin] for twin in owner.twins if twin in places]
        return next((way for way in ways if way in self.tree.groups), ways[0])

    def _name(self, place: Group, variable: Variable, owner: Owner) -> Group:
        """Where a variable is; Keras 2 hides some layers behind `_`."""
        *inner, _, number = variable.group
        ways = [tuple(inner), variable.attribute[:-1]]
        ways += [(f"_{way[0]}", *way[1:]) for way in ways if way]
        for way in ways:
            name = (*place, *way, "vars", number)
            if name in self.tree.arrays:
                return name
        remedy = "The weights may belong to another model."
        slot = owner.place.config.get("activation")
        if MARK in owner.place.entry or (isinstance(slot, dict) and MARK in slot):
            remedy = (
                "It shares them with another layer: convert the live model with "
                "keras_rectifiers.convert."
            )
        raise ArchiveError(
            "Every layer must have its weights in the file. Received: "
            f"{str(self.tree.path)!r} without {variable.name!r} of the layer "
            f"{owner.place.path!r}, at {'/'.join((*place, *variable.group))!r}. "
            f"{remedy}"
        )

    def _twice(self, owner: Owner) -> str:
        return (
            "Every array must belong to one layer. Received: "
            f"{str(self.tree.path)!r}, where {owner.place.path!r} and another layer "
            "have the same arrays. The weights may belong to another model."
        )


def _group(place: Place, was: OldPath, places: dict[OldPath, Group]) -> Group:
    """Where a layer is stored; one that was not written down, below its parent."""
    if was in places or place.parent is None:
        return places.get(was, place.group)
    own = place.group[len(place.parent.group) :]
    return (*_group(place.parent, was[:-1], places), *own)


def _below(place: Group, left: dict[Group, Array]) -> list[Array]:
    """Takes whatever is left below a group."""
    names = [name for name in left if name[: len(place)] == place]
    names.sort(key=lambda name: [(len(part), part) for part in name])
    return [BelowLayer(left.pop(name), name[len(place) :]) for name in names]


def _layers(document: Entry, tree: Tree) -> Iterator[tuple[Entry, OldPath, Group]]:
    """Every layer, its old path, and its group."""
    pending: list[tuple[Entry, OldPath, Group]] = [(document, (), ())]
    while pending:
        entry, path, group = pending.pop()
        if len(path) > MAX_DEPTH:
            continue
        for child, inner in _children(entry, group, tree):
            place = (*path, name_of(child))
            yield child, place, inner
            pending.append((child, place, inner))


def _children(entry: Entry, group: Group, tree: Tree) -> Iterator[tuple[Entry, Group]]:
    if is_model(entry):
        yield from _members(tracked_layers(entry), (*group, "layers"), tree)
        return
    if isinstance(entry.get("config"), list):  # Sequential of Keras 1
        members = [each for each in entry["config"] if isinstance(each, dict)]
        yield from _members(members, (*group, "layers"), tree)
        return
    cells = []
    for key, child in wrapped(entry):
        if key == "cells":
            cells.append(child)
        else:
            yield child, (*group, attribute_of(entry, key))
    yield from _members(cells, (*group, "cells"), tree)


def _members(
    entries: Sequence[Entry], group: Group, tree: Tree
) -> Iterator[tuple[Entry, Group]]:
    """Entries of a list with their groups."""
    early = (*group[:-1], EARLY)
    if group not in tree.groups and early in tree.groups:
        yield from _early_members(entries, early, tree)
        return
    used: dict[str, int] = {}
    for entry in entries:
        yield entry, (*group, group_name(str(entry.get("class_name")), used))


def _early_members(
    entries: Sequence[Entry], group: Group, tree: Tree
) -> Iterator[tuple[Entry, Group]]:
    """Keras 2.12 counted a layer with weights twice; the order is right."""
    numbered: dict[str, list[tuple[int, str]]] = {}
    for name in tree.groups[group]:
        match = _NUMBERED.fullmatch(name)
        if match is not None:
            found = numbered.setdefault(match[1], [])
            found.append((int(match[2] or 0), name))
    queues = {key: sorted(found) for key, found in numbered.items()}
    for entry in entries:
        queue = queues.get(snake_case(str(entry.get("class_name"))))
        if queue:
            yield entry, (*group, queue.pop(0)[1])
