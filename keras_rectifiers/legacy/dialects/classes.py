"""Classes of layers and models, under the names that Keras 3 gives them."""

from __future__ import annotations

from typing import Any

from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.registry import WAS
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import entry_rule
from keras_rectifiers.legacy.dialects.tensorflow.known import OPERATIONS

#: Module of a custom class where the file states none: it must not pass for
#: Keras' own. Keras finds such a class by its registered name alone.
CUSTOM = "custom"
_NEWEST = (3,)
_FUNCTIONAL = "keras.src.models.functional"
#: Layers that ended with Keras 2 -> what to do instead.
_REMOVED = {
    "LocallyConnected1D": "Write it as a custom layer, and save the model again",
    "LocallyConnected2D": "Write it as a custom layer, and save the model again",
    "DenseFeatures": "Feed its columns as inputs, and save the model again",
    "SequenceFeatures": "Feed its columns as inputs, and save the model again",
}
#: Classes under another name -> their name in Keras 3, and what that needs.
_RENAMED: dict[str, tuple[str, dict[str, Any]]] = {
    "BatchNormalizationV1": ("BatchNormalization", {}),
    "BatchNormalizationV2": ("BatchNormalization", {}),
    "SyncBatchNormalization": ("BatchNormalization", {"synchronized": True}),
    "UnifiedLSTM": ("LSTM", {}),
    "UnifiedGRU": ("GRU", {}),
}
#: Classes that an `.h5` of Keras 3 calls by other names than Keras exports them by.
_UNEXPORTED = {"GroupedQueryAttention": "GroupQueryAttention"}
#: Layers that do nothing outside of training, and that Keras 3 lacks.
_ONLY_TRAINING = frozenset(("RandomHeight", "RandomWidth"))


@entry_rule("class", "Classes, models and modules under their Keras 2 names")
def name_class(entry: Entry, context: Context) -> None:
    """State class, module and registered name as Keras 3 does."""
    for key in ("keras_version", "backend"):
        if isinstance(entry.get(key), str) and not entry[WAS]["path"]:
            del entry[key]
    class_name, module = entry.get("class_name"), entry.get("module")
    if not isinstance(class_name, str) or forms.is_operation(module):
        return
    if class_name in known.CALLS:
        return
    if _is_operation_without_module(entry):
        entry["module"] = OPERATIONS[class_name]
        entry["registered_name"] = class_name
        context.repaired(
            entry, f"operation {class_name} → the one in {entry['module']}"
        )
        return
    if is_model(entry) and known.is_keras(module) and _name_model(entry, context):
        return
    entry["class_name"] = class_name = _current_name(entry, context)
    if known.is_own_layer(entry):
        if module not in (None, known.LAYERS):
            context.repaired(entry, f"module {module} → {known.LAYERS}")
        become(entry, class_name)
    elif "registered_name" not in entry:
        _name_custom(entry, context)


def _current_name(entry: Entry, context: Context) -> str:
    """The name of a class, where it is Keras' own under another one."""
    class_name = str(entry["class_name"])
    if not known.is_keras(entry.get("module")) or entry.get("registered_name"):
        return class_name
    if context.origin.version[:1] == _NEWEST:
        class_name = _UNEXPORTED.get(class_name, class_name)
    return known.ALIASES.get(class_name, class_name)


def become(entry: Entry, class_name: str) -> None:
    """Make an entry one of a layer of Keras' own."""
    entry["class_name"] = class_name
    entry["module"] = known.LAYERS
    entry["registered_name"] = None


def was_keras(entry: Entry, context: Context) -> bool:
    """Whether an entry may be of a class that Keras had before version 3."""
    class_name, module = entry.get("class_name"), entry.get("module")
    own = module == CUSTOM or known.is_keras(module)
    registered = entry.get("registered_name") not in (None, class_name)
    return own and not registered and context.is_old(entry)


def _name_model(entry: Entry, context: Context) -> bool:
    class_name, module = entry["class_name"], entry.get("module")
    graph = class_name in ("Model", "Functional") and is_functional(entry)
    if not graph and class_name != "Sequential":
        return False
    new = ("Functional", _FUNCTIONAL) if graph else ("Sequential", "keras")
    if class_name != new[0]:
        context.repaired(entry, f"class {class_name} → {new[0]}")
    if module not in (None, new[1]):
        context.repaired(entry, f"module {module} → {new[1]}")
    old = module != new[1]
    entry["class_name"], entry["module"] = new
    if old or "registered_name" not in entry:
        entry["registered_name"] = "Functional" if graph else None
    config = entry["config"]
    config.setdefault("name", name_of(entry))
    config.setdefault("trainable", True)
    return True


def _name_custom(entry: Entry, context: Context) -> None:
    class_name = entry["class_name"]
    entry["registered_name"] = class_name
    if entry.get("module") is None:
        entry["module"] = CUSTOM
    if ">" in class_name:
        entry["class_name"] = class_name.rpartition(">")[2]
        context.repaired(entry, f"class {class_name} → its registered name")


def _is_operation_without_module(entry: Entry) -> bool:
    """Whether it is an operation in an `.h5` of Keras 3, which states no module."""
    nodes = entry.get("inbound_nodes")
    called = isinstance(nodes, list) and any(isinstance(node, dict) for node in nodes)
    bare = "module" not in entry and "trainable" not in config_of(entry)
    return called and bare and entry["class_name"] in OPERATIONS


@entry_rule(
    "layer_class", "Layers that have another name in Keras 3, or that Keras 3 lacks"
)
def rename_layer(entry: Entry, context: Context) -> None:
    """Give a layer the class that does the same in Keras 3, or refuse it."""
    class_name = entry.get("class_name")
    if not isinstance(class_name, str) or not was_keras(entry, context):
        return
    config = config_of(entry)
    if class_name in _REMOVED:
        what = f"a {class_name} layer, which Keras 3 lacks"
        raise context.refuse(entry, what, _REMOVED[class_name])
    if class_name in _RENAMED:
        new, arguments = _RENAMED[class_name]
        config.update(arguments)
    elif class_name == "ThresholdedReLU":
        new = "ReLU"
        config["threshold"] = config.pop("theta", 1.0)
    elif class_name in _ONLY_TRAINING:
        new = "Identity"
        for key in set(config) - {"name", "trainable", "dtype"}:
            del config[key]
    else:
        return
    become(entry, new)
    gone = class_name in _ONLY_TRAINING
    note = ", which does nothing in training either" if gone else ""
    context.repaired(entry, f"class {class_name} → {new}{note}", caution=gone)
