"""Entries of old documents, and what the rules make of them."""

import json

import keras
import pytest

from keras_rectifiers.legacy.dialects.modernize import modernize
from keras_rectifiers.legacy.dialects.registry import Origin

KERAS_2 = Origin((2, 15, 0), "tensorflow")


def reference():
    """The old implementation, where it is installed."""
    return pytest.importorskip("tf_keras")


def written(value, *, form="new"):
    """What the old implementation writes of an object: `.keras` or `.h5` form."""
    tf_keras = reference()
    if form == "new":
        serialize = default = tf_keras.saving.serialize_keras_object
    else:
        from tf_keras.src.saving.legacy import serialization
        from tf_keras.src.saving.legacy.saved_model import json_utils

        serialize = serialization.serialize_keras_object
        default = json_utils.get_json_type
    return json.loads(json.dumps(serialize(value), default=default))


def layer_entry(class_name, *, name="layer", **config):
    """An entry as an `.h5` of Keras 2 has it, without a module."""
    config = {"name": name, "trainable": True, "dtype": "float32", **config}
    return {"class_name": class_name, "config": config}


def sequential(*layers, name="old"):
    """A Sequential of entries."""
    config = {"name": name, "layers": list(layers)}
    return {"class_name": "Sequential", "config": config}


def modern_layer(entry, origin=KERAS_2):
    """One layer, modern; and what was repaired."""
    result = modernize(sequential(entry), origin)
    added = entry.get("class_name") != "InputLayer"
    layers = [
        layer
        for layer in result.document["config"]["layers"]
        if not (added and layer["class_name"] == "InputLayer")
    ]
    return layers[0], result.repairs


def opened(entry, **options):
    """What stock Keras 3 makes of an entry."""
    return keras.saving.deserialize_keras_object(entry, **options)


def texts(repairs):
    """What the repairs say."""
    return [repair.text for repair in repairs]
