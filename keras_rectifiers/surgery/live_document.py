"""The document of a live model, and that of its graph where its class hides it.

Where a class keeps its own arguments in its config, not its layers, and computes what
the graph between its inputs and outputs does, the graph is written for it.
"""

from __future__ import annotations

import copy
from typing import Any

import keras
from keras.src.models.functional import Functional
from keras.src.models.functional import functional_like_constructor
from keras.src.models.functional import is_input_keras_tensor
from keras.src.utils import python_utils

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import at
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import walk
from keras_rectifiers.live.layers import by_path
from keras_rectifiers.live.layers import class_of
from keras_rectifiers.surgery.borrowed import Borrowed
from keras_rectifiers.surgery.borrowed import as_json
from keras_rectifiers.surgery.twin import reason


def is_graph(model: Any) -> bool:
    """Whether a model computes what the graph between its inputs and outputs does."""
    own = type(model).call is Functional.call
    return isinstance(model, Functional) and own and bool(model.outputs)


def lists_its_layers(model: Any) -> bool:
    """Whether the config of a model lists its layers."""
    cls: Any = class_of(model)
    if issubclass(cls, keras.Sequential):
        return cls.get_config is keras.Sequential.get_config
    if not issubclass(cls, Functional) or cls.get_config is not Functional.get_config:
        return False
    return bool(functional_like_constructor(cls))


def serialized(model: keras.Model, borrowed: Borrowed) -> Entry:
    """The document of a model.

    Args:
        model: The model; not changed.
        borrowed: Keeps what the document has only names for.

    Returns:
        What Keras writes of it, without its compile state. Of some classes that is
        their own arguments alone: see `opened`.

    Raises:
        TypeError: It is not a `keras.Model`.
        UnsupportedModelError: Something in it has no config.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(
            "A model must be a keras.Model or a path. Received: "
            f"{model!r} of type {type(model).__name__}."
        )
    try:
        written = borrowed.serialize(model)
        written.pop("compile_config", None)
        document = as_json(written)
    except Exception as error:  # what a get_config raises
        raise UnsupportedModelError(_unserializable(model, borrowed, error)) from error
    _keep_tuples(written, document)
    readable: Entry = borrowed.readable(document)
    return readable


def opened(
    document: Entry, model: keras.Model, borrowed: Borrowed
) -> tuple[Entry, tuple[str, ...]] | None:
    """A document with the graphs that classes hide.

    Args:
        document: The document of a model; not changed.
        model: The model; not changed.
        borrowed: As for `serialized`.

    Returns:
        The document, itself where nothing is hidden, and the paths of the models that
        were written as plain ones. None where the model is not a graph.

    Raises:
        UnsupportedModelError: Something in a graph has no config.
    """
    paths: list[str] = []
    if not is_model(document):
        if not is_graph(model):
            return None
        graph = _graph(model, borrowed)
        if graph is None:
            return None
        document = graph
        paths.append("")
    layers = by_path(model)
    hidden = [
        place for place in walk(document) if _hides(place.entry, layers.get(place.path))
    ]
    if hidden:
        document = copy.deepcopy(document)
    for place in hidden:
        inner = opened({}, layers[place.path], borrowed)
        if inner is not None:
            entry = at(document, place.address)
            entry.update(inner[0], name=entry.get("name"))
            paths += ("/".join(filter(None, (place.path, each))) for each in inner[1])
    return document, tuple(paths)


def plain(document: Entry) -> tuple[Entry, tuple[str, ...]]:
    """A document in which each model that lists its layers is one of Keras.

    Args:
        document: The document; not changed.

    Returns:
        The document, and the paths of the models whose class went.
    """
    document = copy.deepcopy(document)
    paths = []
    for place in walk(document):
        entry = place.entry
        if is_model(entry) and not forms.is_keras(entry):
            name = "Functional" if is_functional(entry) else "Sequential"
            entry.update(module="keras", class_name=name, registered_name=None)
            paths.append(place.path)
    return document, tuple(paths)


def _hides(entry: Entry, layer: Any) -> bool:
    """Whether a layer is a graph that its entry does not list."""
    return not is_model(entry) and isinstance(layer, Functional) and is_graph(layer)


def _graph(model: Any, borrowed: Borrowed) -> Entry | None:
    """The document of the graph of a model; None where a layer has no config."""
    if not all(map(is_input_keras_tensor, model.inputs)):
        raise UnsupportedModelError(_from_inside(model))
    graph = Functional(model._inputs_struct, model._outputs_struct, name=model.name)
    try:
        document = serialized(graph, borrowed)
    except UnsupportedModelError:
        return None  # it is looked at as Python code is
    document["config"]["trainable"] = model.trainable
    return document


def _keep_tuples(written: Any, document: Entry) -> None:
    """Give the ends of each model back the tuples that JSON turned into lists."""
    if not isinstance(written, dict):
        return
    if is_functional(document):
        config = written["config"]
        for key in ("input_layers", "output_layers"):
            document["config"][key] = config[key]
        pairs = zip(config["layers"], document["config"]["layers"], strict=True)
        for before, after in pairs:
            _keep_tuples(before, after)


def _unserializable(model: keras.Model, borrowed: Borrowed, error: Exception) -> str:
    layers = [each for each in borrowed.stack if isinstance(each, keras.layers.Layer)]
    layer, failed = (layers or [model])[-1], (borrowed.stack or (model,))[-1]
    if isinstance(failed, keras.Model) and python_utils.is_default(failed.get_config):
        return (
            "A model must have a config from which it can be rebuilt. Received: "
            f"{failed.name!r} of class {type(failed).__name__}, whose constructor "
            "takes arguments, which Keras does not record for models. Give that class "
            "a get_config method, or pass in_place=True, which changes the given "
            "model."
        )
    names = [name for name, value in vars(layer).items() if value is failed]
    what = f"the argument {names[0]!r} of {layer.name!r}" if names else repr(layer.name)
    return (
        "Every layer must have a config from which it can be rebuilt. Received: "
        f"{what}, of class {type(failed if names else layer).__name__}, which has "
        f"none ({reason(error)}). Give that class a get_config method, or pass "
        "in_place=True, which changes the given model."
    )


def _from_inside(model: Any) -> str:
    return (
        "A model must begin at its inputs. Received: "
        f"{model.name!r} of class {type(model).__name__}, which begins at tensors "
        "inside another model. Convert the model around it."
    )
