"""Which layers Keras builds when it opens a file, and for inputs of which shapes.

A layer has variables only once it is built. Keras builds one that states its
`build_config`, and everything that a model calls while it is made; a Sequential
that knows no input shape calls nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from keras_rectifiers.errors import RectifierError
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
from keras_rectifiers.graph.inference.outputs import outputs_of
from keras_rectifiers.graph.inference.shapes import taken_inside
from keras_rectifiers.graph.inference.sizes import TensorSpec
from keras_rectifiers.legacy.inferred import model_outputs
from keras_rectifiers.specs import Shape

#: The layer before another in a Sequential, and the layer's inputs; at the
#: beginning None, and what the Sequential takes.
_Before = tuple[Entry | None, tuple[Shape | None, ...]]

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


def builds(places: Iterable[Place]) -> dict[Address, Build]:
    """How Keras builds each place of a document, by its address.

    Args:
        places: All places of a model as Keras 3 writes it, as `walk` gives them.
    """
    found: dict[Address, Build] = {}
    #: Address of a Sequential -> what stands before its next layer.
    chains: dict[Address, _Before] = {}
    for place in places:
        made = _build(place, found, chains)
        if is_model(place.entry) and not is_functional(place.entry):
            made = _sequential(place.entry, made)
            chains[place.address] = None, made.inputs
        found[place.address] = made
    return found


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


def _build(
    place: Place, found: dict[Address, Build], chains: dict[Address, _Before]
) -> Build:
    entry, parent = place.entry, place.parent
    stated = stated_inputs(entry)
    alone = bool(entry.get("build_config"))
    if parent is None:
        return Build(alone or is_functional(entry), stated)
    around = found[parent.address]
    if is_functional(parent.entry):
        return Build(built=True, inputs=stated or _called(entry))
    if not is_model(parent.entry):
        inputs = stated or _inside(place, around.inputs)
        return Build(alone or around.built, inputs)
    inputs = stated or _following(*chains[parent.address])
    chains[parent.address] = entry, inputs
    return Build(alone or around.built, inputs)


def _sequential(entry: Entry, made: Build) -> Build:
    """A Sequential, which may also know its input by itself."""
    if not forms.is_keras_module(entry.get("module")):
        return Build(built=True)  # its class may do as it likes
    given = config_of(entry).get("build_input_shape")
    if isinstance(given, list):
        return Build(built=True, inputs=(_shape(given),))
    first, *rest = layers_of(entry) or [{}]
    if rest and is_functional(first):
        return Build(built=True, inputs=_input_of(first))
    if rest and is_model(first):
        inner = _sequential(first, Build(bool(first.get("build_config"))))
        return inner if inner.built else made
    config = config_of(first)
    if any(config.get(key) is not None for key in _INPUT_KEYS):
        return Build(built=True, inputs=(_shape(config.get("batch_shape")),))
    return made


def _input_of(model: Entry) -> tuple[Shape | None, ...]:
    """What a Functional model takes."""
    shapes = [
        _shape(config_of(entry).get("batch_shape"))
        for entry in layers_of(model)
        if entry.get("class_name") == "InputLayer"
    ]
    return tuple(shapes) if len(shapes) == 1 else ()


def _called(entry: Entry) -> tuple[Shape | None, ...]:
    """Shapes of the tensors of a layer's first call, if their order is certain."""
    for node in nodes_of(entry)[:1]:
        if not any(True for _ in refs(node.get("kwargs", {}))):
            return tuple(ref.shape for ref in refs(node.get("args", [])))
    return ()


def _inside(place: Place, inputs: tuple[Shape | None, ...]) -> tuple[Shape | None, ...]:
    """The input of a layer inside a wrapper, by the wrapper's."""
    if place.parent is None or not inputs:
        return ()
    shape = taken_inside(place.parent.entry, inputs[0])
    return () if shape is None else (shape,)


def _following(
    entry: Entry | None, inputs: tuple[Shape | None, ...]
) -> tuple[Shape | None, ...]:
    """What a layer of a Sequential passes on, as far as it is known."""
    if entry is None:
        return inputs
    tensors = [TensorSpec(each) for each in inputs]
    try:
        if is_model(entry):
            made = model_outputs(entry, tensors)
        else:
            made = outputs_of(entry, tensors, {})
    except RectifierError:
        return ()  # a graph of some other kind: nothing is known
    return tuple(each.shape for each in made)


def _shape(value: Any) -> Shape | None:
    if not isinstance(value, list | tuple):
        return None
    whole = all(each is None or isinstance(each, int) for each in value)
    return tuple(value) if whole else None
