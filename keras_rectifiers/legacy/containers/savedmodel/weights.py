"""The weights of a SavedModel, found by the layers that they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.variables.variable import Variable
from keras_rectifiers.graph.wellformed import reading
from keras_rectifiers.legacy.containers.saved import Array
from keras_rectifiers.legacy.containers.savedmodel.bundle import Bundle
from keras_rectifiers.legacy.containers.savedmodel.layers import LayerObjects
from keras_rectifiers.legacy.containers.savedmodel.objects import ObjectGraph
from keras_rectifiers.legacy.containers.savedmodel.objects import Steps
from keras_rectifiers.legacy.weights.names import may_be
from keras_rectifiers.legacy.weights.nested import NestedArray
from keras_rectifiers.legacy.weights.owners import Owner

#: A layer's list of its weights, in Keras' order; and its other lists.
_VARIABLES = "variables"
_LISTS = frozenset({_VARIABLES, "trainable_variables", "non_trainable_variables"})
#: Attributes that lead to nothing of a layer's own: what Keras keeps for itself,
#: the optimizer, and functions.
_BESIDE = frozenset({"keras_api", "optimizer", "save_counter", "signatures"})
#: Attributes that lead to state that every model creates again: of random numbers, of a
#: stateful recurrent layer, and of a lookup layer while it counts words.
_PASSING = frozenset({"_random_generator", "states", "_states", "num_documents"})


class CheckpointWeights:
    """The weights of a SavedModel.

    Args:
        folder: The SavedModel, for messages.
        layers: The objects of layers.
        graph: All objects.
        bundle: Their values.
    """

    def __init__(
        self, folder: Path, layers: LayerObjects, graph: ObjectGraph, bundle: Bundle
    ) -> None:
        self._folder = folder
        self._layers = layers
        self._graph = graph
        self._bundle = bundle

    def find(self, owners: Sequence[Owner]) -> list[list[Array]]:
        """The stored arrays of each layer, in the order of its old variables.

        Raises:
            ArchiveError: A layer's arrays are missing, or an array belongs to no layer.
            UnsupportedModelError: A custom layer has weights of layers inside it.
        """
        with reading(self._folder, "checkpoint"):
            #: Number of a variable -> the layer's object, and its path.
            used: dict[int, tuple[int, str]] = {}
            found = []
            for owner in owners:
                layer = self._layers.find(owner.was, _keys(owner))
                numbers = self._of_layer(layer, owner)
                self._check_once(numbers, layer, owner, used)
                arrays: list[Array] = [self.array(number) for number in numbers]
                if owner.custom and layer is not None and self._holds_layers(layer):
                    arrays = [NestedArray(each) for each in arrays]
                found.append(arrays)
            self._check_left(used)
            return found

    def array(self, number: int) -> Array:
        """The array of a variable, by its number in the graph of objects."""
        variable = self._graph[number]
        return self._bundle.array(variable.key or "", variable.name)

    def _of_layer(self, layer: int | None, owner: Owner) -> list[int]:
        """The variables of an owner."""
        custom = owner.custom and not owner.conversion
        if layer is None:
            if custom or not owner.stored:
                return []
            raise ArchiveError(
                "Every layer must have its weights in the checkpoint. Received: "
                f"{str(self._folder)!r}, which has no object for the layer "
                f"{'/'.join(owner.was)!r}. The folder is damaged; copy or save it "
                "again."
            )
        listed = self._own(layer)
        if custom:
            return listed
        found = [self._variable(layer, each) for each in owner.stored]
        if None in found and self._may_be(listed, owner.stored):
            return listed
        for number, variable in zip(found, owner.stored, strict=True):
            if number is None:
                has = ", ".join(repr(self._graph[each].full_name) for each in listed)
                raise ArchiveError(
                    "Every layer must have its weights in the checkpoint. Received: "
                    f"{str(self._folder)!r}, which lacks {variable.name!r} of the "
                    f"layer {owner.place.path!r}; it has {has or 'nothing'}. The "
                    "folder is damaged, or the layer belongs to a custom class."
                )
        return [number for number in found if number is not None]

    def _may_be(self, numbers: list[int], variables: Sequence[Variable]) -> bool:
        """Whether a layer's list is the expected one, under other attributes."""
        return len(numbers) == len(variables) and all(
            may_be(self._graph[number].full_name, variable.name)
            for number, variable in zip(numbers, variables, strict=True)
        )

    def _variable(self, layer: int, variable: Variable) -> int | None:
        """A variable by its attributes, with or without a `_` before them."""
        at = layer
        for name in variable.attribute:
            children = self._graph[at].children
            names = (name, f"_{name}", name.removeprefix("_"))
            there = next((each for each in names if each in children), None)
            if there is None:
                return None
            at = children[there]
        return None if self._graph[at].key is None else at

    def _own(self, layer: int) -> list[int]:
        """Variables of a layer and of all in it, in Keras' order."""
        listed = self._graph[layer].children.get(_VARIABLES)
        if listed is None:
            return list(self._paths(layer))
        numbers = self._graph.listed(listed)
        return [each for each in numbers if self._graph[each].key is not None]

    def _paths(self, layer: int) -> dict[int, Steps]:
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
        beside = name in _BESIDE or name in _PASSING
        return not beside and number not in self._layers.metrics

    # Checks

    def _check_once(
        self,
        numbers: list[int],
        layer: int | None,
        owner: Owner,
        used: dict[int, tuple[int, str]],
    ) -> None:
        """A layer may be in several places without the config saying so."""
        for number in numbers:
            other, path = used.setdefault(number, (layer or 0, owner.place.path))
            if other != layer or numbers.count(number) > 1:
                raise ArchiveError(
                    "Every stored array must belong to one layer, once. Received: "
                    f"{self._graph[number].name!r} in {str(self._folder)!r}, which "
                    f"belongs to {path!r} and to {owner.place.path!r}. Give each "
                    "layer its own weights, and save the model again."
                )

    def _holds_layers(self, layer: int) -> bool:
        """Whether variables of a layer are those of layers inside it."""
        return any(
            self._graph.follow(layer, path[:count]) in self._layers.names
            for path in self._paths(layer).values()
            for count in range(1, len(path))
        )

    def _check_left(self, used: dict[int, tuple[int, str]]) -> None:
        """Every variable of the model must be of a layer."""
        # By attributes where there are any, else by the lists.
        reached = self._graph.reached([0], self._passes) | self._paths(0)
        passing = self._graph.reached(
            child
            for number in reached
            for name, child in self._graph[number].children.items()
            if name in _PASSING or child in self._layers.metrics
        )
        for number, path in reached.items():
            if self._graph[number].key is None or number in used or number in passing:
                continue
            owner = ""
            for count in range(1, len(path)):
                at = self._graph.follow(0, path[:count])
                owner = self._layers.names.get(0 if at is None else at, owner)
            holder = f"of the layer {owner!r}" if owner else "of the model itself"
            raise ArchiveError(
                "Every stored array must belong to a layer in its Keras 3 form. "
                f"Received: {'/'.join(path)!r} in {str(self._folder)!r}, {holder}, "
                "which Keras 3 does not have. Remove it from the model, and save the "
                "model again."
            )


def _keys(owner: Owner) -> tuple[str, ...]:
    """Where each step to an owner is in a wrapper's config, or `""`."""
    keys: list[str] = []
    place = owner.place
    while place.parent is not None:
        keys.append("" if is_model(place.parent.entry) else str(place.address[-1]))
        place = place.parent
    return tuple(reversed(keys)) if len(keys) == len(owner.was) else ()
