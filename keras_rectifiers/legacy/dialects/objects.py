"""Initializers, regularizers, constraints, activations and policies of Keras 2."""

from __future__ import annotations

from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects import layers
from keras_rectifiers.legacy.dialects.classes import CUSTOM
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import entry_rule
from keras_rectifiers.legacy.dialects.registry import function
from keras_rectifiers.legacy.dialects.registry import layer_rule
from keras_rectifiers.legacy.dialects.registry import serialized

#: End of an argument's name -> the module of its classes.
_KINDS = {
    "_initializer": known.INITIALIZERS,
    "_regularizer": known.REGULARIZERS,
    "_constraint": known.CONSTRAINTS,
}
#: Strings that named an object -> those of Keras 3.
_STRINGS = {
    "maxnorm": "max_norm",
    "nonneg": "non_neg",
    "unitnorm": "unit_norm",
    "minmaxnorm": "min_max_norm",
    "l1_l2": "l1l2",
}
#: Functions -> the activation that is the same.
_FUNCTIONS = {"softmax_v2": "softmax", "swish_v2": "swish", "hard_swish_v2": "silu"}
#: Constraints that act in training only, and that Keras 3 lacks.
_NO_CONSTRAINTS = frozenset(("RadialConstraint", "radial_constraint"))


@layer_rule(
    "objects", "Initializers, regularizers and constraints of Keras 2", old=True
)
def name_objects(entry: Entry, context: Context) -> None:
    """Bring the objects in a layer's config to the form of Keras 3."""
    config = config_of(entry)
    for key, value in config.items():
        module = next((m for end, m in _KINDS.items() if key.endswith(end)), None)
        if module is None:
            continue
        name = value.get("class_name") if isinstance(value, dict) else value
        if isinstance(name, str) and name in _NO_CONSTRAINTS:
            config[key] = None
            text = f"{key} {name} left out, which Keras 3 lacks"
            context.repaired(entry, text, caution=True)
        elif isinstance(value, str):
            name = _STRINGS.get(value, value)
            config[key] = _named(entry, key, name, module, context)
        elif isinstance(value, dict) and "class_name" in value:
            config[key] = _object(entry, key, value, module, context)


def _object(
    entry: Entry, key: str, value: Entry, module: str, context: Context
) -> Entry:
    class_name = value["class_name"]
    arguments = known.OBJECTS[module].get(class_name)
    if class_name == "function":
        _tell_function(entry, key, value.get("config"), context)
        return value
    if arguments is None or not known.is_keras(value.get("module")):
        return _custom(value)
    taken, config = set(arguments.split()), dict(config_of(value))
    left_out = sorted(set(config) - taken)
    if left_out:
        context.repaired(entry, f"{key}: {', '.join(left_out)} left out")
    new = {name: config[name] for name in config if name in taken}
    if new.get("distribution") == "normal":
        new["distribution"] = "truncated_normal"
        context.repaired(entry, f"{key}: distribution normal → truncated_normal")
    return serialized(class_name, module, new)


def _named(entry: Entry, key: str, name: str, module: str, context: Context) -> Any:
    """An object by its name, which Keras 3 has or must be given."""
    if name in known.NAMES[module]:
        return name
    _tell_function(entry, key, name, context)
    return _function(name, "builtins")


def _tell_function(entry: Entry, key: str, name: Any, context: Context) -> None:
    if _is_handed(name, context):
        return
    text = (
        f"{key}: {name} is not part of Keras and must be passed to it as a custom "
        "object"
    )
    context.repaired(entry, text, caution=True)


def _is_handed(name: Any, context: Context) -> bool:
    return any(name == each.name for each in context.functions.values())


def _custom(value: Entry) -> Entry:
    """An object of a class that is not Keras' own, which stays what it is."""
    if "registered_name" in value:
        return value
    name = str(value["class_name"])
    module, config = value.get("module") or CUSTOM, value.get("config", {})
    return serialized(name.rpartition(">")[2], module, config, name)


@layer_rule(
    "activation", "Activations: functions, layers and names of Keras 2", old=True
)
def name_activations(entry: Entry, context: Context) -> None:
    """Bring the activations of a layer to the form of Keras 3."""
    config = config_of(entry)
    for key in ("activation", "recurrent_activation"):
        value = config.get(key)
        if isinstance(value, str):
            config[key] = _function(value, "builtins")
        elif isinstance(value, dict) and value.get("class_name") == "function":
            module = str(value.get("module") or "builtins")
            config[key] = _function(value.get("config"), module)
        elif isinstance(value, dict) and "class_name" in value:
            config[key] = _layer(value, context)
        new = config.get(key)
        if isinstance(new, dict) and new.get("class_name") == "function":
            _tell_function(entry, key, new["config"], context)
        elif new != value:
            context.repaired(entry, f"{key} {_shown(value)} → the form of Keras 3")


def _function(name: Any, module: str) -> Any:
    if not isinstance(name, str):
        return None
    name = _FUNCTIONS.get(name, name)
    own = module == "builtins" or known.is_keras(module)
    if name in known.ACTIVATIONS and (own or module.startswith("tensorflow")):
        return name
    return function(name, "builtins" if own else module)


def _layer(value: Entry, context: Context) -> Entry:
    """A layer that serves as an activation, with its own arguments modern."""
    name = value["class_name"]
    if not known.is_keras(value.get("module")) or not known.is_layer_class(name):
        return _custom(value)
    new = serialized(name, known.LAYERS, dict(config_of(value)))
    layers.name_arguments(new, context)
    name_policy(new, context)
    return new


def _shown(value: Any) -> str:
    return str(value.get("class_name")) if isinstance(value, dict) else str(value)


@entry_rule("policy", "dtype policies: `Policy` → `DTypePolicy`")
def name_policy(entry: Entry, context: Context) -> None:
    """Write a policy of mixed precision as Keras 3 does."""
    config = config_of(entry)
    dtype = config.get("dtype")
    old = ("Policy", "PolicyV1")
    if not isinstance(dtype, dict) or dtype.get("class_name") not in old:
        return
    name = config_of(dtype).get("name")
    if isinstance(name, str) and name in ("_infer", "infer"):
        name = "float32"
    config["dtype"] = serialized("DTypePolicy", "keras", {"name": name})
    context.repaired(entry, f"Policy {name} → DTypePolicy")
