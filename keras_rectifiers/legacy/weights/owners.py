"""The layers of a modern document that have weights, as an old file knows them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_layer
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.layout import stored
from keras_rectifiers.graph.variables.table import variables_of
from keras_rectifiers.graph.variables.variable import Variable
from keras_rectifiers.graph.wellformed import MALFORMED
from keras_rectifiers.graph.wellformed import reason
from keras_rectifiers.legacy.dialects.registry import Was
from keras_rectifiers.legacy.weights.old_layouts import CONVERSIONS

if TYPE_CHECKING:
    from keras_rectifiers.legacy.dialects.modernize import Modern


@dataclasses.dataclass(frozen=True)
class Spot:
    """One of the places of a shared layer.

    Attributes:
        place: The place in the modern document.
        was: Its path in the old one.
    """

    place: Place
    was: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Owner:
    """A layer that has weights, in the modern document and in the old file.

    Attributes:
        place: The layer in the modern document.
        variables: What it wants, in Keras 3's order.
        stored: What the old file has for it, in the old order: the same, unless a
            conversion is needed.
        was: Its path in the old document.
        class_name: Its class in the old document.
        conversion: Name of the conversion from `stored` to `variables`, or `""`.
        custom: Whether it is of a class that is not Keras' own: whatever the file
            has for it is its own, in the order of the file.
        also: The other places of the same layer, if it is shared.
        twins: Old paths of the one layer that it is a copy of.
    """

    place: Place
    variables: tuple[Variable, ...]
    stored: tuple[Variable, ...]
    was: tuple[str, ...]
    class_name: str
    conversion: str = ""
    custom: bool = False
    also: tuple[Spot, ...] = ()
    twins: tuple[tuple[str, ...], ...] = ()


def owners(modern: Modern) -> list[Owner]:
    """The layers that have weights, or may have, in the order of the document.

    A layer of a class that is not Keras' own may have any; its owner is `custom`.

    Args:
        modern: A document, and what its layers were.
    """
    spots: dict[tuple[object, ...], list[Spot]] = {}
    for place in walk(modern.document):
        was = modern.was.get(place.names)
        path = was.path if was is not None else place.names
        spots.setdefault(place.identity, []).append(Spot(place, path))
    found = []
    for place in stored(modern.document):
        owner = _owner(place, modern, spots[place.identity])
        if owner is not None:
            found.append(owner)
    return found


def _owner(place: Place, modern: Modern, spots: list[Spot]) -> Owner | None:
    entry = place.entry
    if place.parent is None or is_model(entry) or not is_layer(entry):
        return None
    class_name = str(entry.get("class_name"))
    was = modern.was.get(place.names) or Was(place.names, class_name)
    variables, kept = _variables(place, was)
    first = next(spot for spot in spots if spot.place.address == place.address)
    custom = variables is None
    if not (custom or variables or kept):
        return None
    return Owner(
        place=place,
        variables=variables or (),
        stored=kept,
        was=first.was,
        class_name=was.class_name,
        conversion=was.conversion,
        custom=custom,
        also=tuple(spot for spot in spots if spot is not first),
        twins=was.twins,
    )


def _variables(
    place: Place, was: Was
) -> tuple[tuple[Variable, ...] | None, tuple[Variable, ...]]:
    """What a layer wants, and what the old file has for it."""
    try:
        variables = variables_of(place.entry)
        if was.conversion:
            return variables, CONVERSIONS[was.conversion].stored(place.config)
    except MALFORMED as error:
        raise ArchiveError(
            f"A layer's config must determine its weights. Received: {place.path!r} "
            f"({was.class_name}), whose config does not ({reason(error)}). The file "
            "is damaged, or was not written by Keras."
        ) from error
    return variables, tuple(each for each in variables or () if not each.twin)
