"""Know a document of Keras 3 that no rule for old formats would change.

The rules are many, and take longer to load than a modern file to convert. What is
stated here is stricter than they are: they are asked about everything else. A test
holds both to the same models.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import wrapped
from keras_rectifiers.graph.traits import keras_classes
from keras_rectifiers.graph.wellformed import MALFORMED
from keras_rectifiers.graph.wellformed import not_of_an_entry
from keras_rectifiers.surgery.marks import MARK
from keras_rectifiers.surgery.optimizer_layout import SCALER
from keras_rectifiers.surgery.optimizer_layout import class_and_config
from keras_rectifiers.surgery.optimizer_layout import inner_of
from keras_rectifiers.surgery.optimizer_layout import of_every_backend

#: Where a document has what the model was compiled with.
COMPILED = "compile_config"

KERAS_3 = (3,)
#: Release that did not write which call of a layer is meant.
_LOST_CALLS = (3, 2)
#: Release from which Nadam stores its product last.
_PRODUCT_LAST = (3, 10)
#: Models are nested less deeply than this, or the rules are asked.
_DEEPEST = 32

_MODELS = (("Functional", "keras.src.models.functional"), ("Sequential", "keras"))
_LAYERS = "keras.layers"
#: Keras' own layers; those without traits hold other layers, data or code.
_KNOWN = {
    *keras_classes.LAYERS,
    "InputLayer",
    "Lambda",
    "Pipeline",
    "TimeDistributed",
} - {
    # Of this package, or under the names of older releases.
    *("NReLU", "RReLU", "GroupedQueryAttention", "SyncBatchNormalization"),
    "ThresholdedReLU",
}
#: Packages that are Keras, or had it inside.
_KERAS = ("keras", "tf_keras", "tensorflow", "tensorflow_core")
#: Values of an earlier form, by their class.
_OLD_VALUES = frozenset(
    {"__tuple__", "TensorShape", "__ellipsis__", "__bytes__", "Policy", "PolicyV1"}
)
#: Classes of entries that some rule looks for in any file.
_OLD_CLASSES = frozenset(
    {
        *("Graph", "Merge", "MaxoutDense", "RandomCrop", "AddLoss", "AddMetric"),
        *("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"),
        *("ClassMethod", "InstanceProperty", "InstanceMethod"),
    }
)
_OLD_BEGINNINGS = ("Convolution", "AtrousConvolution", "Deconvolution")
#: Arguments of Keras 1, which some rule looks for in any file.
_OLD_ARGUMENTS = frozenset({"border_mode", "dim_ordering"})
#: Arguments that have another form now, or did nothing: class -> argument.
_LEFT_OUT = {"InputLayer": "input_dtype", "RandomRotation": "value_range"}
#: Arguments whose defaults were others: class -> arguments.
_STATED = {
    "LSTM": ("recurrent_activation",),
    "LSTMCell": ("recurrent_activation",),
    "GRU": ("recurrent_activation", "reset_after"),
    "GRUCell": ("recurrent_activation", "reset_after"),
    "LayerNormalization": ("rms_scaling",),
}
_SIDES = ("ZeroPadding1D", "ZeroPadding2D")
_BOTH_SIDES = 2

#: What Keras calls a function without a name, and its code.
_NAMELESS, _CODE = "<lambda>", "__lambda__"
#: Ends of the names of arguments whose code Keras never runs.
_NEVER_RUN = ("activation", "_initializer", "_regularizer", "_constraint")
#: Arguments of which Keras knows some functions by name.
_NAMED = {
    "standardize": ("lower_and_strip_punctuation", "lower", "strip_punctuation"),
    "split": ("whitespace", "character"),
}


def is_untouched(document: Entry, version: tuple[int, ...]) -> bool:
    """Whether a document surely needs no repair; if not, the rules have to be asked.

    Args:
        document: The config in a `.keras` file, with its compile config.
        version: Of the Keras that wrote it.
    """
    if version < KERAS_3 or version[:2] == _LOST_CALLS:
        return False
    model = {key: value for key, value in document.items() if key != COMPILED}
    try:
        return (
            is_model(model)
            and _has_new_values(model)
            and _has_own_state(document.get(COMPILED), model, version)
            and all(_is_new(entry) for entry in _entries(model))
        )
    except MALFORMED:
        return False


def _entries(entry: Entry, depth: int = 0) -> Iterator[Entry]:
    """Every model, layer and operation in a document."""
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    yield entry
    for child in _children(entry):
        yield from _entries(child, depth + 1)


def _children(entry: Entry) -> list[Entry]:
    if is_model(entry):
        return layers_of(entry)
    if not forms.is_keras(entry):
        return []  # a custom class: what its config means is its own affair
    cells = config_of(entry).get("cells")
    found = [each for _, each in wrapped(entry)]
    if isinstance(cells, list) and any(each not in found for each in cells):
        raise TypeError("a cell that is not a layer")
    return found


def _has_new_values(model: Entry) -> bool:
    """Whether nothing at all in a document is written in an earlier form."""
    left: list[Any] = [model]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left.extend(value)
        elif isinstance(value, dict):
            if not _is_new_value(value):
                return False
            left.extend(value.values())
    return True


def _is_new_value(value: Mapping[str, Any]) -> bool:
    class_name = value.get("class_name")
    if class_name in _OLD_VALUES:
        return False
    if class_name == "__keras_tensor__" and not config_of(value).get("shape"):
        return False
    if class_name == "Sequential" and isinstance(value.get("config"), list):
        return False
    if class_name == "function" and not isinstance(value.get("config"), str):
        return False
    if not _OLD_ARGUMENTS.isdisjoint(value):
        return False
    if "registered_name" in value and not isinstance(class_name, str):
        return False
    if MARK in value and ("build_config" in value or "inbound_nodes" in value):
        return False
    return all(_is_new_argument(key, value[key]) for key in value)


def _is_new_argument(key: str, value: Any) -> bool:
    """Whether Keras can read an argument back, where it is a function."""
    if isinstance(value, str):
        return value != _NAMELESS and value in _NAMED.get(key, (value,))
    if not isinstance(value, dict) or not key.endswith(_NEVER_RUN):
        return True
    return value.get("class_name") not in (None, _CODE)


def _has_own_state(compiled: Any, model: Entry, version: tuple[int, ...]) -> bool:
    """Whether the optimizer's state is the one of the optimizer that is stated."""
    optimizer = compiled.get("optimizer") if isinstance(compiled, Mapping) else None
    if not optimizer:
        return True
    class_name = class_and_config(optimizer)[0]
    names = (class_name, class_and_config(inner_of(optimizer))[0])
    if "Nadam" in names and version < _PRODUCT_LAST:
        return False
    if of_every_backend(optimizer) is not optimizer:
        return False
    return class_name == SCALER or not any(
        "mixed_float16" in str(config_of(entry).get("dtype"))
        for entry in _entries(model)
    )


def _is_new(entry: Entry) -> bool:
    """Whether a model, a layer or an operation is written as Keras 3 writes it."""
    if not_of_an_entry(entry) is not None or MARK in entry or "/" in _name(entry):
        return False
    if not _has_new_class(entry) or not _has_new_arguments(entry):
        return False
    inner = config_of(entry).get("layer")
    if isinstance(inner, dict) and _lists_its_output(inner):
        return False
    return _has_new_members(entry) if is_model(entry) else True


def _has_new_class(entry: Entry) -> bool:
    class_name, module = str(entry["class_name"]), entry.get("module")
    if class_name in _OLD_CLASSES or class_name.startswith(_OLD_BEGINNINGS):
        return False
    if not isinstance(module, str) or "registered_name" not in entry:
        return False
    if (class_name, module) in _MODELS or forms.is_operation(module):
        return True
    if module == _LAYERS:
        return not entry["registered_name"] and class_name in _KNOWN
    return module.partition(".")[0] not in _KERAS


def _has_new_arguments(entry: Entry) -> bool:
    class_name, config = entry["class_name"], config_of(entry)
    if _LEFT_OUT.get(class_name) in config:
        return False
    if any(key not in config for key in _STATED.get(class_name, ())):
        return False
    if class_name == "BatchNormalization":
        return not isinstance(config.get("axis"), list)
    if class_name == "Bidirectional":
        return isinstance(config.get("backward_layer"), dict)
    padding = config.get("padding")
    if class_name in _SIDES:
        return isinstance(padding, list) and len(padding) <= _BOTH_SIDES
    return padding != "full"


def _has_new_members(model: Entry) -> bool:
    layers = layers_of(model)
    names = [_name(each) for each in layers]
    if len(set(names)) != len(names):
        return False
    if is_functional(model):
        return all(
            isinstance(node, dict) and set(node) == {"args", "kwargs"}
            for each in layers
            for node in each.get("inbound_nodes", ())
        )
    if model["class_name"] == "Sequential" and not _begins_with_input(layers):
        return False
    return not any(_lists_its_output(each) for each in layers)


def _begins_with_input(layers: list[Entry]) -> bool:
    return bool(layers) and layers[0].get("class_name") == "InputLayer"


def _lists_its_output(entry: Entry) -> bool:
    """Whether an entry is a Functional model whose one output is in a list."""
    if not is_functional(entry):
        return False
    ends = config_of(entry)["output_layers"]
    return isinstance(ends, list) and len(ends) == 1 and isinstance(ends[0], list)


def _name(entry: Mapping[str, Any]) -> str:
    """The name of an entry, which every one of Keras 3 has."""
    name = entry.get("name", config_of(entry).get("name"))
    if not isinstance(name, str):
        raise TypeError("an entry without a name")
    return name
