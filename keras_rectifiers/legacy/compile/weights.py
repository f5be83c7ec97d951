"""The weights that an optimizer trains: as the old one knew them, and in Keras 3."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_frozen
from keras_rectifiers.graph.sites import ATTRIBUTE
from keras_rectifiers.surgery.optimizer_layout import Pattern
from keras_rectifiers.surgery.trained import trains

if TYPE_CHECKING:
    from keras_rectifiers.graph.variables.variable import Variable
    from keras_rectifiers.legacy.weights.arrange import Placed
    from keras_rectifiers.legacy.weights.owners import Owner


@dataclasses.dataclass(frozen=True)
class Trained:
    """A weight as the old optimizer knew it.

    Attributes:
        owner: Number of its layer among those with weights.
        index: Its number among the old weights of the layer.
        shape: Its shape, as far as it is known.
        name: Name of its array, or `""` where a conversion is needed.
        path: Its path in Keras 3, such as `"dense/kernel"`.
    """

    owner: int
    index: int
    shape: Pattern | None
    name: str = ""
    path: str = ""


class TrainedWeights:
    """The weights of a model that are trained.

    Args:
        placed: Every array of the model, layer by layer.
    """

    def __init__(self, placed: Sequence[Placed]) -> None:
        layers: dict[int, list[Placed]] = {}
        for each in placed:
            if each.variable is None or not each.variable.twin:
                layers.setdefault(id(each.owner), []).append(each)
        self.layers = list(layers.values())

    def owner(self, number: int) -> Owner:
        """A layer with weights."""
        return self.layers[number][0].owner

    def after(self) -> list[tuple[int, int, Placed]]:
        """Number of the layer and of the weight in it, and the weight, in Keras 3."""
        return [
            (number, index, each)
            for number, layer in enumerate(self.layers)
            for index, each in enumerate(layer)
            if _is_trainable(each) and trains(each.owner.place, _slot(each))
        ]

    def before(self) -> Iterator[list[Trained]]:
        """What the old optimizer may have trained: each distinct list of weights.

        By the flags of a layer and all around it, by its own alone, or everything:
        a layer may have been frozen after the optimizer was made.
        """
        seen: list[list[Trained]] = []
        for frozen in (is_frozen, _frozen_alone, _never):
            found = [
                each
                for number in range(len(self.layers))
                if not frozen(self.owner(number).place)
                for each in self._trained(number)
            ]
            if found not in seen:
                seen.append(found)
                yield found

    def by_name(self, trained: list[Trained]) -> list[Trained]:
        """Weights sorted by name, as Keras sorted them up to 2.0; else as they were.

        Args:
            trained: One of the lists of `before`.
        """
        names = {id(each): self._own_name(each) for each in trained}
        if not all(names.values()):
            return trained
        return sorted(trained, key=lambda each: names[id(each)])

    def _own_name(self, trained: Trained) -> str:
        was = self.owner(trained.owner).was
        return trained.name.removeprefix(f"{was[0]}/" if was else "")

    def _trained(self, number: int) -> list[Trained]:
        owner = self.owner(number)
        if owner.conversion:
            return [
                Trained(number, index, variable.shape, path=_path(owner, variable))
                for index, variable in enumerate(owner.stored)
                if variable.trainable
            ]
        return [
            Trained(number, index, each.shape, each.array.name, path_of(each))
            for index, each in enumerate(self.layers[number])
            if _is_trainable(each)
        ]


def path_of(placed: Placed) -> str:
    """The path of a weight in Keras 3, such as `"dense/kernel"`."""
    return _path(placed.owner, placed.variable)


def _path(owner: Owner, variable: Variable | None) -> str:
    name = "variable" if variable is None else variable.name
    return f"{owner.place.names[-1]}/{name}"


def _is_trainable(placed: Placed) -> bool:
    if placed.variable is not None:
        return placed.variable.trainable
    return placed.dtype.kind in "fV"


def _slot(placed: Placed) -> str:
    """The slot of its layer that a weight is in, or `""`."""
    variable = placed.variable
    return ATTRIBUTE if variable is not None and variable.group[0] == ATTRIBUTE else ""


def _frozen_alone(place: Place) -> bool:
    return not trains(place)


def _never(_: Place) -> bool:
    return False
