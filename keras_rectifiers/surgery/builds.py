"""Which layers Keras builds when it opens a file, and for inputs of which shapes.

A layer has variables only once it is built. Keras builds one that states its
`build_config`, and everything that a model calls while it is made; a Sequential
that knows no input shape calls nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import Address
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.graph import nodes_of
from keras_rectifiers.graph.graph import refs
from keras_rectifiers.graph.inference.shapes import Shapes
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.specs import Shape

#: Arguments of a first layer by which a Sequential knows its input.
_INPUT_KEYS = ("batch_shape", "batch_input_shape", "input_shape", "input_dim")


@dataclasses.dataclass(frozen=True)
class Build:
    """How Keras builds one layer.

    Attributes:
        built: Whether it does.
        inputs: The shape of each of its inputs, as far as it is known.
    """

    built: bool
    inputs: tuple[Shape | None, ...] = ()


def builds(document: Entry) -> dict[Address, Build]:
    """How Keras builds each place of a document, by its address.

    Args:
        document: A model as Keras 3 writes it.
    """
    survey = Survey(document)
    built = _built(survey.view.places)
    shapes = survey.shapes
    return {
        place.address: Build(built[place.address], _inputs(place, shapes))
        for place in survey.view.places
    }


def stated_inputs(entry: Entry) -> tuple[Shape | None, ...]:
    """The shapes of an entry's inputs by its `build_config`; none where it has none."""
    build = entry.get("build_config") or {}
    by_name = build.get("shapes_dict")
    if isinstance(by_name, dict):
        return tuple(_shape(each) for each in by_name.values())
    given = build.get("input_shape")
    if isinstance(given, dict):
        given = list(given.values())
    if not isinstance(given, list | tuple):
        return ()
    if any(isinstance(each, list | tuple) for each in given):
        return tuple(_shape(each) for each in given)
    return (_shape(given),)


def _built(places: Iterable[Place]) -> dict[Address, bool]:
    """Whether Keras builds each place."""
    found: dict[Address, bool] = {}
    for place in places:
        entry, parent = place.entry, place.parent
        made = bool(entry.get("build_config"))
        if parent is None:
            made = made or is_functional(entry)
        else:
            made = made or found[parent.address] or is_functional(parent.entry)
        if is_model(entry) and not is_functional(entry):
            made = made or _knows_input(entry)
        found[place.address] = made
    return found


def _knows_input(sequential: Entry) -> bool:
    """Whether a Sequential knows its input by itself."""
    if not forms.is_keras_module(sequential.get("module")):
        return True  # its class may do as it likes
    if isinstance(config_of(sequential).get("build_input_shape"), list):
        return True
    first, *rest = layers_of(sequential) or [{}]
    if rest and is_model(first):
        built = bool(first.get("build_config"))
        return is_functional(first) or built or _knows_input(first)
    return any(config_of(first).get(key) is not None for key in _INPUT_KEYS)


def _inputs(place: Place, shapes: Shapes) -> tuple[Shape | None, ...]:
    """The shapes of what a place takes; none where their order is not certain."""
    stated, calls = stated_inputs(place.entry), shapes.calls.of(place)
    if stated or not calls:
        return stated
    call = calls[0]
    if call.place is not place:
        inside = shapes.taken_inside(call, place)
        return () if inside is None else (inside,)
    nodes = nodes_of(place.entry)[call.node :][:1]
    if any(True for node in nodes for _ in refs(node.get("kwargs", {}))):
        return ()
    return tuple(each.shape for each in shapes.takes(call))


def _shape(value: Any) -> Shape | None:
    if not isinstance(value, list | tuple):
        return None
    whole = all(each is None or isinstance(each, int) for each in value)
    return tuple(value) if whole else None
