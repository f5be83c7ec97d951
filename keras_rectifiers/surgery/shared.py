"""One object in several places of a live model stays one object.

Keras marks an object that it meets a second time, but loses the mark at its first
place, and it counts the calls of a layer within each model alone. From such a config a
layer in two models, or an activation in two attributes, is rebuilt as several layers
with separate weights. Here all places are marked, and calls are counted over all
models.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.saving.serialization_lib import ObjectSharingScope
from keras.src.saving.serialization_lib import get_shared_object

from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_layer
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.graph import nodes_of
from keras_rectifiers.live.layers import flat
from keras_rectifiers.surgery.marks import MARK
from keras_rectifiers.surgery.marks import dicts

#: Where Keras looks up whether it has met an object before.
_MET = "shared_objects/id_to_config_map"


class _EachMet(dict[int, dict[str, Any]]):
    """Makes Keras treat each object as seen before, so that it marks it."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: int) -> dict[str, Any]:
        return {}


def serialized(model: keras.Model) -> Any:
    """A model's config, in which each place of a shared object has its mark.

    Args:
        model: The model.
    """
    with ObjectSharingScope():
        global_state.set_global_attribute(_MET, _EachMet())
        config = keras.saving.serialize_keras_object(model)
    # The id of an object that is gone may be another one's now.
    alive = _held(model)
    marked = [entry for entry in dicts(config) if MARK in entry]
    times = Counter(entry[MARK] for entry in marked)
    for entry in marked:
        mark = entry[MARK]
        operation = forms.is_operation(entry.get("module"))
        if times[mark] == 1 or mark not in alive or operation:
            del entry[MARK]
    return config


def deserialized(document: Entry) -> Any:
    """The model of a document, each marked object made once.

    Args:
        document: The document; its references to calls are changed.
    """
    with ObjectSharingScope():
        places = list(walk(document))
        if any(_is_shared(place) for place in places):
            below: dict[Any, list[Place]] = {}
            for place in places[1:]:
                below.setdefault(place.parent and place.parent.address, []).append(
                    place
                )
            _make(places[0], below)
        return keras.saving.deserialize_keras_object(document)


def _held(model: keras.Model) -> set[int]:
    """The ids of a model's layers, and of what is in their attributes."""
    return {
        id(each) for layer in flat(model) for each in (layer, *vars(layer).values())
    }


def _is_shared(place: Place) -> bool:
    return place.parent is not None and MARK in place.entry


def _make(place: Place, below: dict[Any, list[Place]]) -> None:
    """Make what a model holds, so that calls of shared layers can be counted.

    A layer that another model has called already has calls before those of this
    model; its own are counted on from there.
    """
    for child in below.get(place.address, []):
        _make(child, below)
    model = place.entry
    if not is_model(model) or _is_made(model):
        return
    before = {}
    for entry in layers_of(model):
        if MARK in entry and is_layer(entry):
            layer = keras.saving.deserialize_keras_object(entry)
            if nodes_of(entry):
                before[name_of(entry)] = len(layer._inbound_nodes)
    if is_functional(model):
        _count_on(model, before)
    if place.parent is not None:
        model.setdefault(MARK, f"model at {place.address}")
        keras.saving.deserialize_keras_object(model)


def _is_made(entry: Entry) -> bool:
    return MARK in entry and get_shared_object(entry[MARK]) is not None


def _count_on(model: Entry, before: dict[str, int]) -> None:
    for entry in layers_of(model):
        for each in dicts(nodes_of(entry)):
            if each.get("class_name") == "__keras_tensor__":
                history = each["config"]["keras_history"]
                name, node, tensor = history
                history = [name, node + before.get(name, 0), tensor]
                each["config"]["keras_history"] = history
    config = model["config"]
    for key in ("input_layers", "output_layers"):
        config[key] = _ends(config[key], before)


def _ends(value: Any, before: dict[str, int]) -> Any:
    """The references in `input_layers` or `output_layers`, counted on."""
    if isinstance(value, dict):
        return {key: _ends(each, before) for key, each in value.items()}
    if not isinstance(value, list | tuple):
        return value
    if len(value) == 3 and isinstance(value[0], str):  # noqa: PLR2004
        name, node, tensor = value
        return [name, node + before.get(name, 0), tensor]
    return type(value)(_ends(each, before) for each in value)
