"""Recurrent layers and their wrappers: CuDNN, defaults of old, both directions."""

from __future__ import annotations

import copy
from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.classes import become
from keras_rectifiers.legacy.dialects.classes import was_keras
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import entry_rule
from keras_rectifiers.legacy.dialects.registry import layer_rule
from keras_rectifiers.legacy.dialects.registry import serialized

#: CuDNN's layers -> the layer that does the same, what it fixes, and how its
#: weights become that layer's.
_CUDNN: dict[str, tuple[str, dict[str, Any], str]] = {
    "CuDNNLSTM": ("LSTM", {}, "cudnn_lstm"),
    "CuDNNGRU": ("GRU", {"reset_after": True}, "cudnn_gru"),
}
#: Layers with gates, whose function was a hard sigmoid unless it was stated.
_GATED = frozenset(("LSTM", "LSTMCell", "GRU", "GRUCell"))
_HARD_SIGMOID = "hard_sigmoid"


@entry_rule("cudnn", "CuDNNLSTM and CuDNNGRU → LSTM and GRU")
def replace_cudnn(entry: Entry, context: Context) -> None:
    """Make a CuDNN layer the one that computes the same everywhere."""
    class_name = entry.get("class_name")
    config = entry.get("config")
    if not isinstance(class_name, str) or class_name not in _CUDNN:
        return
    if not isinstance(config, dict) or not was_keras(entry, context):
        return
    new, fixed, conversion = _CUDNN[class_name]
    become(entry, new)
    config.update(activation="tanh", recurrent_activation="sigmoid", use_bias=True)
    config.update(fixed)
    context.convert_weights(entry, conversion)
    context.repaired(entry, f"class {class_name} → {new}, its weights transposed")


@layer_rule(
    "recurrent_defaults", "LSTM, GRU: defaults that old versions did not write", *_GATED
)
def state_defaults(entry: Entry, context: Context) -> None:
    """State what a config of early Keras 2 left to defaults that have changed."""
    config, class_name = config_of(entry), entry.get("class_name")
    defaults: dict[str, Any] = {"recurrent_activation": _HARD_SIGMOID}
    if class_name in ("GRU", "GRUCell"):
        defaults["reset_after"] = False
    for key, value in defaults.items():
        if key not in config:
            config[key] = value
            context.repaired(entry, f"{key}={value}, the old default")


@layer_rule(
    "bidirectional",
    "Bidirectional: both directions are stated, with their names",
    "Bidirectional",
)
def state_directions(entry: Entry, context: Context) -> None:
    """State the backward layer as well, and name both as Keras 3 does."""
    config = config_of(entry)
    forward, backward = config.get("layer"), config.get("backward_layer")
    if not isinstance(forward, dict) or "class_name" not in forward:
        return
    if not isinstance(backward, dict):
        backward = _of_its_own(copy.deepcopy(forward))
        reverse = not config_of(forward).get("go_backwards", False)
        backward["config"] = {**config_of(backward), "go_backwards": reverse}
        config["backward_layer"] = backward
        context.repaired(entry, "its backward layer is stated")
    for layer, prefix in ((forward, "forward_"), (backward, "backward_")):
        name = name_of(layer)
        if not name.startswith(prefix) and context.is_old(entry):
            layer["config"] = {**config_of(layer), "name": f"{prefix}{name}"}


def _of_its_own(value: Any) -> Any:
    """Without the numbers by which it, or a cell in it, would be another object."""
    if isinstance(value, list):
        return [_of_its_own(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _of_its_own(item)
        for key, item in value.items()
        if key != "shared_object_id"
    }


@layer_rule(
    "hard_sigmoid",
    "hard_sigmoid as Keras 2 computes it: 0.2 x + 0.5, clipped",
    old=True,
)
def keep_hard_sigmoid(entry: Entry, context: Context) -> None:
    """Carry over the hard sigmoid of Keras 1 and 2.

    Keras 3 has another function of this name, with slope 1/6. What the old one
    computes is stated with layers that Keras 3 has.
    """
    config = config_of(entry)
    for key in ("activation", "recurrent_activation"):
        value = config.get(key)
        if isinstance(value, dict) and value.get("class_name") == "function":
            value = value.get("config")
        if value == _HARD_SIGMOID:
            config[key] = _old_hard_sigmoid(config.get("dtype"))
            context.repaired(
                entry, f"{key} hard_sigmoid → the steeper one of Keras 2, as layers"
            )


def _old_hard_sigmoid(dtype: Any) -> Entry:
    same = {"dtype": dtype} if isinstance(dtype, str) else {}
    layers = [
        serialized(
            "Rescaling",
            known.LAYERS,
            {"name": "slope", **same, "scale": 0.2, "offset": 0.5},
        ),
        serialized("ReLU", known.LAYERS, {"name": "cut", **same, "max_value": 1.0}),
    ]
    return serialized(
        "Pipeline", known.LAYERS, {"name": _HARD_SIGMOID, "layers": layers}
    )
