"""The layers of a modern document that have weights, as an old file knows them."""

from __future__ import annotations

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
from keras_rectifiers.legacy.dialects.registry import Was
from keras_rectifiers.legacy.weights import recurrent  # noqa: F401 (registers its own)
from keras_rectifiers.legacy.weights.conversions import CONVERSIONS
from keras_rectifiers.legacy.weights.expected import Owner
from keras_rectifiers.legacy.weights.expected import Spot

if TYPE_CHECKING:
    from keras_rectifiers.legacy.dialects.modernise import Modern


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
        told = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise ArchiveError(
            "A layer's config must say which weights it has. Received: "
            f"{place.path!r} ({was.class_name}), whose config does not ({told}). The "
            "file is damaged, or not one that Keras wrote."
        ) from error
    return variables, tuple(each for each in variables or () if not each.twin)
