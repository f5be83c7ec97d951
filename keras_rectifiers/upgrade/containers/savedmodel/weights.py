"""The weights of a SavedModel, found by the layers that they belong to."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.surgery.document import Entry
from keras_rectifiers.surgery.document import config_of
from keras_rectifiers.surgery.document import is_model
from keras_rectifiers.surgery.document import layers_of
from keras_rectifiers.surgery.document import name_of
from keras_rectifiers.surgery.wellformed import reading
from keras_rectifiers.upgrade.containers.saved import Array
from keras_rectifiers.upgrade.containers.savedmodel.bundle import Bundle
from keras_rectifiers.upgrade.containers.savedmodel.metadata import METRIC
from keras_rectifiers.upgrade.containers.savedmodel.metadata import Metadata
from keras_rectifiers.upgrade.containers.savedmodel.objects import ObjectGraph
from keras_rectifiers.upgrade.weights.names import may_be
from keras_rectifiers.upgrade.weights.wanted import Owner
from keras_rectifiers.upgrade.weights.wanted import Variable

#: A layer's list of its weights, in Keras' order; and its other lists.
_VARIABLES = "variables"
_LISTS = frozenset({_VARIABLES, "trainable_variables", "non_trainable_variables"})
#: Attributes that lead to nothing of a layer's own: what Keras keeps for itself,
#: the optimizer, and functions.
_BESIDE = frozenset({"keras_api", "optimizer", "save_counter", "signatures"})
#: Attributes that lead to state that every model makes anew: of random numbers,
#: and of a stateful recurrent layer.
_PASSING = frozenset({"_random_generator", "states", "_states"})
#: Attributes under which a layer holds the layers that its config holds.
_WRAPPED = ("layer", "forward_layer", "backward_layer", "cell")


class CheckpointWeights:
    """The weights of a SavedModel.

    Args:
        folder: The SavedModel, for messages.
        document: The model's config, as it was written.
        metadata: What Keras says of the objects.
        graph: The objects.
        bundle: Their values.
    """

    def __init__(
        self,
        folder: Path,
        document: Entry,
        metadata: Metadata,
        graph: ObjectGraph,
        bundle: Bundle,
    ) -> None:
        self._folder = folder
        self._document = document
        self._graph = graph
        self._bundle = bundle
        self._names: dict[int, str] = {}
        self._metrics: set[int] = set()
        for each in metadata.others:
            number = graph.follow(0, each.path)
            if number is None:
                continue
            if each.identifier == METRIC:
                self._metrics.add(number)
            elif isinstance(each.data.get("name"), str):
                self._names[number] = each.data["name"]

    def find(self, owners: Sequence[Owner]) -> list[list[Array]]:
        """The stored arrays of each layer, in the order of its old variables.

        Raises:
            ArchiveError: A layer's arrays are missing, or an array is nobody's.
            UnsupportedModelError: A custom layer has weights of layers inside it.
        """
        with reading(self._folder, "checkpoint"):
            used: dict[int, str] = {}
            found = []
            for owner in owners:
                numbers = self._of_owner(owner)
                for number in numbers:
                    self._check_once(number, owner, used)
                    used[number] = owner.place.path
                found.append([self.array(number) for number in numbers])
            self._check_left(used)
            return found

    def names_of(self, was: tuple[str, ...]) -> tuple[Variable, ...]:
        """What the checkpoint has for a layer, in the order of the layer's weights.

        Args:
            was: The layer's path in the old document.
        """
        number = self._layer(was, ("",) * len(was))
        if number is None:
            return ()
        paths = self._paths(number)
        found = []
        for index, each in enumerate(self._own(number)):
            path = paths.get(each, (str(index),))
            shape = self.array(each).shape
            group = (*path[:-1], "vars", str(index))
            found.append(Variable("/".join(path), group, path, shape))
        return tuple(found)

    def array(self, number: int) -> Array:
        """The array of a variable, by its number in the graph of objects."""
        variable = self._graph[number]
        return self._bundle.array(variable.key or "", variable.name)

    def _of_owner(self, owner: Owner) -> list[int]:
        keys = _keys(owner)
        number = self._layer(owner.was, keys)
        if number is None:
            if owner.custom or not owner.stored:
                return []
            raise self._no_layer(owner.was)
        if owner.custom and not owner.conversion:
            self._check_direct(number, owner)
            return self._own(number)
        found = [self._variable(number, each) for each in owner.stored]
        listed = self._own(number)
        if None in found and self._may_be(listed, owner.stored):
            return listed
        for each, variable in zip(found, owner.stored, strict=True):
            if each is None:
                raise ArchiveError(
                    "Every layer must have its weights in the checkpoint. Received: "
                    f"{str(self._folder)!r}, which lacks {variable.name!r} of the "
                    f"layer {owner.place.path!r}; it has "
                    f"{', '.join(map(repr, self._short(listed))) or 'nothing'}. The "
                    "folder is damaged, or the layer is of a class of your own."
                )
        return [each for each in found if each is not None]

    def _may_be(self, numbers: list[int], variables: Sequence[Variable]) -> bool:
        """Whether a layer's list is what is wanted, under attributes of other names."""
        return len(numbers) == len(variables) and all(
            may_be(self._graph[number].full_name, variable.name)
            for number, variable in zip(numbers, variables, strict=True)
        )

    def _variable(self, layer: int, variable: Variable) -> int | None:
        """A variable by its attributes, with or without a `_` before them."""
        at: int | None = layer
        for name in variable.attribute:
            children = self._graph[at].children if at is not None else {}
            at = next(
                (
                    children[each]
                    for each in (name, f"_{name}", name.removeprefix("_"))
                    if each in children
                ),
                None,
            )
        return at if at is not None and self._graph[at].key is not None else None

    def _own(self, layer: int) -> list[int]:
        """Variables of a layer and of all in it, in Keras' order."""
        listed = self._graph[layer].children.get(_VARIABLES)
        if listed is not None:
            numbers = self._graph.listed(listed)
        else:
            numbers = list(self._paths(layer))
        return [each for each in numbers if self._graph[each].key is not None]

    def _paths(self, layer: int) -> dict[int, tuple[str, ...]]:
        """Attributes that lead to each variable of a layer."""
        reached = self._graph.reached(
            [layer],
            lambda name, number: name not in _LISTS and self._passes(name, number),
        )
        return {
            number: path
            for number, path in reached.items()
            if self._graph[number].key is not None
        }

    def _passes(self, name: str, number: int) -> bool:
        return name not in _BESIDE | _PASSING and number not in self._metrics

    def _short(self, numbers: Sequence[int]) -> list[str]:
        return [self._graph[number].full_name for number in numbers]

    # Layers

    def _layer(self, was: tuple[str, ...], keys: tuple[str, ...]) -> int | None:
        """The object of a layer, by the names that lead to it.

        Args:
            was: Its name, after those of the models and wrappers around it.
            keys: For each, the key of a wrapper's config where it stands, or `""`.
        """
        at, entry = 0, self._document
        for name, key in zip(was, keys, strict=True):
            number = None
            if is_model(entry):
                number = self._members(at, entry).get(name)
                entry = next((e for e in layers_of(entry) if name_of(e) == name), {})
            else:
                number = self._inner(at, entry, name, key)
                entry = _inner_entry(entry, name, key)
            if number is None:
                return None
            at = number
        return at

    def _members(self, model: int, entry: Entry) -> dict[str, int]:
        """Name of each layer of a model -> its object."""
        found = self._by_model.get(model)
        if found is not None:
            return found
        children = self._graph[model].children
        numbered = {}
        for name, number in children.items():
            start, _, index = name.rpartition("-")
            if start == "layer" and index.isdecimal():
                numbered[int(index)] = number
        objects = [number for _, number in sorted(numbered.items())]
        entries = layers_of(entry)
        if len(objects) < len(entries) and "output_layers" not in config_of(entry):
            # A Sequential does not count its input layer.
            entries = [e for e in entries if e.get("class_name") != "InputLayer"]
        found = {}
        if len(objects) == len(entries):
            found = dict(zip(map(name_of, entries), objects, strict=True))
        # What Keras says of an object is surer than where it stands.
        named = {self._names[each]: each for each in objects if each in self._names}
        found = {**{k: v for k, v in found.items() if v not in self._names}, **named}
        self._by_model[model] = found
        return found

    @functools.cached_property
    def _by_model(self) -> dict[int, dict[str, int]]:
        return {}

    def _inner(self, at: int, entry: Entry, name: str, key: str) -> int | None:
        """A layer inside a wrapper, or a cell inside a recurrent layer."""
        children = self._graph[at].children
        if key.isdecimal():
            return self._graph.follow(at, ("cells", key))
        if entry.get("class_name") == "Bidirectional" and key == "layer":
            key = "forward_layer"
        if key in children:
            return children[key]
        inner = [children[each] for each in _WRAPPED if each in children]
        if "cells" in children:
            inner += self._graph.listed(children["cells"])
        same = [each for each in inner if self._names.get(each) == name]
        return same[0] if len(same) == 1 else None

    # Checks

    def _check_once(self, number: int, owner: Owner, used: dict[int, str]) -> None:
        if number in used:
            raise ArchiveError(
                "Every stored array must belong to one layer. Received: "
                f"{self._graph[number].name!r} in {str(self._folder)!r}, which is of "
                f"{used[number]!r} and of {owner.place.path!r}. Give each layer its "
                "own weights, and save the model again."
            )

    def _check_direct(self, layer: int, owner: Owner) -> None:
        """Where a custom layer keeps layers inside it, only its class knows."""
        for path in self._paths(layer).values():
            steps = (self._graph.follow(layer, path[:n]) for n in range(1, len(path)))
            if any(step in self._names for step in steps):
                raise UnsupportedModelError(
                    "The weights of a custom layer must be its own variables. "
                    f"Received: {'/'.join(path)!r} of a layer inside "
                    f"{owner.place.path!r}. Build the model in Keras 3 with its "
                    "custom classes, set its weights there, and save it as .keras."
                )

    def _check_left(self, used: dict[int, str]) -> None:
        """Every variable of the model must be of a layer."""
        # By attributes where there are any, else by the lists.
        reached = self._graph.reached([0], self._passes) | self._paths(0)
        passing = self._graph.reached(
            child
            for number in reached
            for name, child in self._graph[number].children.items()
            if name in _PASSING or child in self._metrics
        )
        for number, path in reached.items():
            if self._graph[number].key is None or number in used or number in passing:
                continue
            owner = ""
            for count in range(1, len(path)):
                at = self._graph.follow(0, path[:count])
                owner = self._names.get(0 if at is None else at, owner)
            told = f"of the layer {owner!r}" if owner else "of the model itself"
            raise ArchiveError(
                "Every stored array must belong to a layer as Keras 3 has it. "
                f"Received: {'/'.join(path)!r} in {str(self._folder)!r}, {told}, "
                "which has no place there. Take it out of the model and save that."
            )

    def _no_layer(self, was: tuple[str, ...]) -> ArchiveError:
        return ArchiveError(
            "Every layer must have its weights in the checkpoint. Received: "
            f"{str(self._folder)!r}, which has no object for the layer "
            f"{'/'.join(was)!r}. The folder is damaged; fetch or save it again."
        )


def _keys(owner: Owner) -> tuple[str, ...]:
    """Where each step to an owner stands in a wrapper's config, or `""`."""
    keys: list[str] = []
    place = owner.place
    while place.parent is not None:
        keys.append("" if is_model(place.parent.entry) else str(place.address[-1]))
        place = place.parent
    if len(keys) != len(owner.was):
        return ("",) * len(owner.was)
    return tuple(reversed(keys))


def _inner_entry(entry: Entry, name: str, key: str) -> Entry:
    """Config of what stands inside a wrapper; empty where the config has none."""
    config = config_of(entry)
    inner = config.get(key)
    if isinstance(inner, dict):
        return inner
    cells = config.get("cells")
    candidates = [config.get(each) for each in _WRAPPED]
    candidates += cells if isinstance(cells, list) else []
    for each in candidates:
        if isinstance(each, dict) and name_of(each) == name:
            return each
    return {}
