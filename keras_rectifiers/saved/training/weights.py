"""The weights that an optimizer trains: as the old one knew them, and in Keras 3."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_rectifiers.saved.training.layouts import Pattern
from keras_rectifiers.surgery.document import Place
from keras_rectifiers.surgery.document import is_frozen

if TYPE_CHECKING:
    from keras_rectifiers.saved.weights.arrange import Placed
    from keras_rectifiers.saved.weights.wanted import Owner

#: Layers whose own flag does not reach the layers inside them, when Keras 3 opens
#: a file.
_UNREACHED = frozenset({"MultiHeadAttention", "GroupQueryAttention"})


@dataclasses.dataclass(frozen=True)
class Trained:
    """A weight as the old optimizer knew it.

    Attributes:
        owner: Number of its layer among those with weights.
        index: Its number among the old weights of the layer.
        shape: Its shape, as far as it is known.
        name: Name of its array, or `""` where a conversion stands between.
    """

    owner: int
    index: int
    shape: Pattern | None
    name: str = ""


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
        """Number of the layer and of the weight in it, and the weight, in Keras 3.

        A flag of a model around a layer does not count: Keras 3 takes each layer's
        own when it opens a file.
        """
        return [
            (number, index, each)
            for number, layer in enumerate(self.layers)
            for index, each in enumerate(layer)
            if _is_trainable(each) and not _frozen_alone(each.owner.place)
        ]

    def before(self) -> Iterator[list[Trained]]:
        """What the old optimizer may have trained: each distinct list of weights.

        By the flags of a layer and all around it, by its own alone, or everything:
        a layer may have been frozen after the optimizer was made.
        """
        seen: list[list[Trained]] = []
        for frozen in (is_frozen, _frozen_alone, lambda _: False):
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
                Trained(number, index, variable.shape)
                for index, variable in enumerate(owner.stored)
                if variable.trainable
            ]
        return [
            Trained(number, index, each.shape, each.array.name)
            for index, each in enumerate(self.layers[number])
            if _is_trainable(each)
        ]


def _is_trainable(placed: Placed) -> bool:
    if placed.variable is not None:
        return placed.variable.trainable
    return placed.dtype.kind in "fV"


def _frozen_alone(place: Place) -> bool:
    reached = place.entry.get("class_name") not in _UNREACHED
    return reached and place.config.get("trainable") is False
