"""Give every stored array its place in a Keras 3 weights file, and check it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph.variables.variable import Variable
from keras_rectifiers.graph.wellformed import MALFORMED
from keras_rectifiers.graph.wellformed import reason
from keras_rectifiers.legacy.array_views import Around
from keras_rectifiers.legacy.array_views import InMemory
from keras_rectifiers.legacy.weights import nested
from keras_rectifiers.legacy.weights.config_from_weights import complete
from keras_rectifiers.legacy.weights.old_layouts import CONVERSIONS
from keras_rectifiers.legacy.weights.order import by_order
from keras_rectifiers.legacy.weights.owners import Owner
from keras_rectifiers.legacy.weights.owners import owners
from keras_rectifiers.legacy.weights.shapes import check_shapes
from keras_rectifiers.legacy.weights.shapes import listed

if TYPE_CHECKING:
    from keras_rectifiers.legacy.containers.saved import Array
    from keras_rectifiers.legacy.containers.saved import Weights
    from keras_rectifiers.legacy.dialects.modernize import Modern

__all__ = ["Placed", "arrange", "by_order"]


@dataclasses.dataclass(frozen=True)
class Placed(Around):
    """An array as stored, or as a conversion made it, and where it goes.

    Attributes:
        group: Its place in a Keras 3 weights file, from the root:
            `("layers", "dense", "vars", "0")`.
        owner: The layer that it belongs to.
        variable: The layer's variable; None for a layer of a custom class.
    """

    group: tuple[str, ...]
    owner: Owner
    variable: Variable | None

    @property
    def layer(self) -> str:
        """Path of the layer in the modern document."""
        return self.owner.place.path

    @property
    def size(self) -> int:
        """How many numbers are in it."""
        return math.prod(self.shape)


def arrange(modern: Modern, weights: Weights) -> list[Placed]:
    """Every stored array, and its place in a Keras 3 weights file.

    Arguments that follow only from the weights are added to the document.

    Args:
        modern: The modern document, and what its layers were.
        weights: The weights of the old file.

    Raises:
        ArchiveError: An array is missing, belongs to no layer, is used twice, or does
            not have the shape that its layer expects; names the layer.
        UnsupportedModelError: A custom layer has weights of layers inside it.
    """
    expected = owners(modern)
    found = weights.find(expected)
    placed: list[Placed] = []
    used: dict[int, Owner] = {}
    for owner, arrays in zip(expected, found, strict=True):
        for array in arrays:
            other = used.get(id(array))
            if other is not None and not (owner.twins or other.twins):
                raise ArchiveError(
                    "Every stored array must belong to one variable. Received: "
                    f"{array.name!r}, which belongs to {other.place.path!r} and to "
                    f"{owner.place.path!r}. The file was not written by Keras."
                )
            used[id(array)] = owner
    custom = [pair for pair in zip(expected, found, strict=True) if _is_open(pair[0])]
    places = iter(nested.placed(modern.document, custom))
    for owner, arrays in zip(expected, found, strict=True):
        placed += _placed(owner, next(places) if _is_open(owner) else arrays)
    return [*placed, *_twins(expected, placed)]


def _is_open(owner: Owner) -> bool:
    """Whether a layer has whatever the file has for it."""
    return owner.custom and not owner.conversion


def _placed(owner: Owner, arrays: list[Array]) -> Iterator[Placed]:
    root = owner.place.group
    if _is_open(owner):
        for number, array in enumerate(arrays):
            below = getattr(array, "group", ("vars", str(number)))  # if it is known
            yield Placed(array, (*root, *below), owner, None)
        return
    check_shapes(owner, owner.stored, arrays)
    expected = tuple(each for each in owner.variables if not each.twin)
    if owner.conversion:
        arrays = _converted(owner, arrays)
        check_shapes(owner, expected, arrays)
    for variable, array in zip(expected, arrays, strict=True):
        complete(owner, variable, array)
        if not variable.in_config:
            yield Placed(array, (*root, *variable.group), owner, variable)


def _converted(owner: Owner, arrays: list[Array]) -> list[Array]:
    values = [array.read() for array in arrays]
    try:
        made = CONVERSIONS[owner.conversion].apply(values, owner.place.config)
    except MALFORMED as error:
        raise ArchiveError(
            "Weights must have the form of their layer's class. Received: "
            f"{listed(arrays)} for {owner.place.path!r} ({owner.class_name}), which "
            f"do not ({reason(error)}). The file is damaged, or was not written by "
            "Keras."
        ) from error
    name = f"{owner.place.path} ({owner.conversion})"
    return [InMemory(name, each) for each in made]


def _twins(expected: list[Owner], placed: list[Placed]) -> Iterator[Placed]:
    """The variables that Keras 3 writes twice, again."""
    by_group = {each.group: each for each in placed}
    for owner in expected:
        root = owner.place.group
        for variable in owner.variables:
            if not variable.twin:
                continue
            first = by_group.get((*root, *variable.twin))
            if first is None:
                raise ArchiveError(
                    "A layer must have the weights that its class has. Received: no "
                    f"{variable.name} for {owner.place.path!r} ({owner.class_name}). "
                    "The file is damaged."
                )
            group = (*root, *variable.group)
            yield Placed(first.array, group, owner, variable)
