"""The form of a document: models, Sequentials, inputs, classes and markers.

Each rule here brings an entry into the shape in which its layers can be walked,
and names its class as Keras 3 does.
"""

from __future__ import annotations

from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.registry import WAS
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import entry_rule
from keras_rectifiers.legacy.dialects.registry import serialized

#: What an input takes in Keras 3.
_INPUT_KEYS = ("batch_shape", "dtype", "sparse", "ragged", "name", "optional")


@entry_rule("markers", "Tuples and shapes in the form of a SavedModel's metadata")
def decode_markers(entry: Entry, context: Context) -> None:
    """Turn `__tuple__`, `TensorShape` and the like into plain lists."""
    if entry[WAS]["path"]:
        return  # done from the top
    for key in [key for key in entry if key != WAS]:
        new = _decoded(entry[key])
        if new != entry[key]:
            entry[key] = new
            context.repaired(entry, "tuples and shapes of a SavedModel → lists")


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("class_name")
    if kind in ("__tuple__", "TensorShape") and "items" in value:
        return _decoded(value["items"])
    if kind == "__ellipsis__":
        return {"class_name": kind, "config": {}}
    if kind == "__bytes__" and "value" in value:
        return {"class_name": kind, "config": {"value": value["value"]}}
    return {key: _decoded(item) for key, item in value.items()}


@entry_rule("sequential", "A Sequential's config as a bare list of its layers")
def list_of_layers(entry: Entry, context: Context) -> None:
    """Give a Sequential of early Keras 2 a config with a name."""
    config = entry.get("config")
    if entry.get("class_name") != "Sequential" or not isinstance(config, list):
        return
    name = entry.get("name", "sequential")
    entry["config"] = {"name": name, "trainable": True, "layers": config}
    context.repaired(entry, "list of layers → config with name and layers")


@entry_rule("input_layer", "Inputs with `batch_input_shape` and old arguments")
def name_input_shape(entry: Entry, context: Context) -> None:
    """Bring an InputLayer's arguments to those of Keras 3."""
    config = entry.get("config")
    if entry.get("class_name") != "InputLayer" or not isinstance(config, dict):
        return
    if not known.is_own_layer(entry) or not context.is_old(entry):
        return
    shape = config.pop("batch_input_shape", None)
    if shape is not None:
        config["batch_shape"] = shape
        context.repaired(entry, "batch_input_shape → batch_shape")
    if "shape" not in config and "batch_shape" not in config:
        raise context.refuse(
            entry, "an input without a shape", "Save the model with an input shape"
        )
    if "input_dtype" in config:
        config.setdefault("dtype", config.pop("input_dtype"))
    for key in [key for key in config if key not in _INPUT_KEYS and key != "shape"]:
        del config[key]
        context.repaired(entry, f"{key} left out")
    for key in ("sparse", "ragged"):
        config[key] = bool(config.get(key))


@entry_rule("hidden_input", "A Sequential whose first layer states the input's shape")
def show_input(entry: Entry, context: Context) -> None:
    """Give a Sequential the InputLayer that its first layer implies.

    Keras 3 takes the `batch_input_shape` of the first layer for a shape without
    the batch, and so opens such a file with an axis too many.
    """
    if entry.get("class_name") != "Sequential" or not is_model(entry):
        return
    layers = layers_of(entry)
    if not layers or layers[0].get("class_name") == "InputLayer":
        return
    first = config_of(layers[0])
    dtype = first["dtype"] if isinstance(first.get("dtype"), str) else None
    shape = first.get("batch_input_shape", first.get("batch_shape"))
    if isinstance(shape, list):
        put_input(entry, shape, dtype)
        context.repaired(entry, f"shape {shape} of its first layer → an InputLayer")
        return
    shape = _built_for(entry)
    if shape is not None and not entry[WAS]["path"]:
        put_input(entry, shape, dtype)
        context.repaired(entry, f"shape {shape} it was built for → an InputLayer")


def lacks_input(model: Entry) -> bool:
    """Whether a model is a Sequential that does not state its input shape.

    Args:
        model: Its entry, of any age.
    """
    if model.get("class_name") != "Sequential" or not is_model(model):
        return False
    layers = layers_of(model)
    if not layers or layers[0].get("class_name") == "InputLayer":
        return False
    first = config_of(layers[0])
    if _built_for(model) is not None or "batch_input_shape" in first:
        return False
    return not is_model(layers[0]) or lacks_input(layers[0])


def put_input(model: Entry, shape: list[int | None], dtype: str | None) -> None:
    """Let a Sequential begin with an InputLayer.

    Args:
        model: Its entry; changed.
        shape: The shape, with the batch axis.
        dtype: The dtype; None for Keras' default.
    """
    layers = config_of(model)["layers"]
    taken = {name_of(layer) for layer in layers}
    name = f"{name_of(layers[0])}_input"
    while name in taken:
        name += "_"
    new: dict[str, Any] = {"batch_shape": shape, "sparse": False, "ragged": False}
    if dtype is not None:
        new["dtype"] = dtype
    layers.insert(0, serialized("InputLayer", known.LAYERS, {**new, "name": name}))


def _built_for(model: Entry) -> list[int | None] | None:
    """The shape that a model was built for, where it says so, of one input."""
    build = model.get("build_config")
    for stated in (
        config_of(model).get("build_input_shape"),
        build.get("input_shape") if isinstance(build, dict) else None,
    ):
        if isinstance(stated, list) and all(
            each is None or type(each) is int for each in stated
        ):
            return stated
    return None
