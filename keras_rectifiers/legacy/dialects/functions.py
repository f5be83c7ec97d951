"""Python functions as arguments of layers: passed by the user, or lost.

The code of a Lambda layer is kept and never inspected.

Keras names a function where it has a name; of a lambda it writes the code, or nothing
but `<lambda>`. Keras 3 opens a name that somebody registered, and runs no code but
that of a Lambda layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import entry_rule
from keras_rectifiers.legacy.dialects.registry import function
from keras_rectifiers.legacy.dialects.registry import layer_rule
from keras_rectifiers.surgery.handed import Handed

#: What Keras calls a function without a name, and its code.
NAMELESS = "<lambda>"
CODE = "__lambda__"
#: Arguments that hold layers, which are looked at on their own.
_LAYERS = frozenset({"layer", "forward_layer", "backward_layer", "cell", "cells"})
#: Arguments whose strings Keras 3 never looks up among the custom objects.
_BY_NAME = frozenset({"standardize", "split"})
#: Ends of the names of arguments whose code Keras 3 never runs.
_NEVER_RUN = ("activation", "_initializer", "_regularizer", "_constraint")
_FORGOTTEN = (
    *("module", "function_type", "output_shape_type", "output_shape_module"),
    *("mask_type", "mask_module"),
)
_PARTS = ("code", "defaults", "closure")


@entry_rule("functions", "Python functions, passed by the user or lost")
def name_functions(entry: Entry, context: Context) -> None:
    """Refer to a function that the user passes; refuse one that Keras cannot find."""
    own = known.is_own_layer(entry) or entry.get("module") == known.LAYERS
    if not own or entry.get("registered_name") or is_model(entry):
        return
    if entry["class_name"] == "Lambda":
        return  # whose code Keras runs, where its user says so
    found = [
        (config, key)
        for config, key in _arguments(config_of(entry))
        if _is_function(key, config[key])
    ]
    nameless = sum(_name(config[key]) is None for config, key in found)
    for config, key in found:
        value = config[key]
        name = _name(value)
        alone = name is None and nameless == 1
        handed = find(entry, key, name, context, alone=alone)
        if handed is not None:
            config[key] = function(handed.name)
            context.repaired(entry, outcome(key, handed), caution=not handed.registered)
        elif _is_lost(key, value):
            raise lost(entry, key, context, alone=alone)
        elif name is None and context.is_old(entry):
            text = f"{key} is Python code; Keras opens it with safe_mode=False only"
            context.repaired(entry, text, caution=True)


@layer_rule(
    "lambda", "Lambda: its code or function name, in the form of Keras 3", "Lambda"
)
def state_function(entry: Entry, context: Context) -> None:
    """Bring a Lambda to the form of Keras 3; its contents stay as they are."""
    config = entry.get("config")
    if not isinstance(config, dict):
        return
    old = context.is_old(entry)
    if old:
        _modernize(entry, config, context)
    handed = _take_over(entry, config, context)
    if handed is not None:
        text = outcome("function", handed)
        context.repaired(entry, text, caution=not handed.registered)
    elif old:
        if _is_code(config.get("function")) or _is_code(config.get("output_shape")):
            text = "holds Python code; Keras opens it with safe_mode=False only"
        else:
            text = "calls a function, which must be passed to Keras as a custom object"
        context.repaired(entry, text, caution=True)


def _modernize(entry: Entry, config: dict[str, Any], context: Context) -> None:
    module = config.get("module")
    config["function"] = _stated(
        config.get("function"), config.get("function_type"), module
    )
    kind = config.get("output_shape_type")
    if kind in ("lambda", "function"):
        config["output_shape"] = _stated(
            config.get("output_shape"), kind, config.get("output_shape_module")
        )
    if config.get("mask") is not None and config.get("mask_type"):
        raise context.refuse(
            entry,
            "a Lambda with a mask function, which Keras 3 cannot read back",
            "Rewrite the Lambda as a custom layer, and save the model again",
        )
    for key in _FORGOTTEN:
        config.pop(key, None)


def _take_over(entry: Entry, config: dict[str, Any], context: Context) -> Handed | None:
    """Refer to the function that is handed over in place of what the file holds."""
    handed = find(
        entry, "function", _written_name(config.get("function")), context, alone=True
    )
    if handed is None:
        return None
    config["function"] = function(handed.name)
    shape = config.get("output_shape")
    if isinstance(shape, dict):
        other = find(entry, "output_shape", _written_name(shape), context, alone=False)
        if other is not None:
            config["output_shape"] = function(other.name)
        elif _is_code(shape):
            del config["output_shape"]  # Keras works it out by calling the function
    return handed


def find(
    entry: Entry, key: str, name: str | None, context: Context, *, alone: bool
) -> Handed | None:
    """The function that the user passes for an argument, or None.

    Args:
        entry: The layer.
        key: The argument.
        name: The function's name; None for a lambda.
        context: Has what was handed over.
        alone: Whether the name of the layer says enough.
    """
    layers = (context.path(entry), name_of(entry))
    names = [*([name] if name else []), *(f"{each}.{key}" for each in layers)]
    for each in (*names, *(layers if alone else ())):
        if each in context.functions:
            return context.functions[each]
    return None


def outcome(key: str, handed: Handed) -> str:
    """What became of a function, for people."""
    text = f"{key} → the function {handed.name!r}, as passed by the user"
    if handed.registered:
        return text
    return f"{text}; it is not registered: pass it to Keras in custom_objects"


def lost(entry: Entry, key: str, context: Context, *, alone: bool) -> Exception:
    """The error for a function that Keras 3 cannot have from the file."""
    name = name_of(entry) if alone else f"{name_of(entry)}.{key}"
    return context.refuse(
        entry,
        f"a Python function as {key}, which Keras 3 cannot read back from the file",
        f"Pass it under the name {name!r}, with --import MODULE or in Python with "
        f"custom_objects={{{name!r}: function}}, or build the layer with a named "
        "function and save the model again",
    )


def _arguments(config: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """All arguments of a layer, and of the objects that are arguments."""
    for key, value in config.items():
        if key in _LAYERS:
            continue
        yield config, key
        inner = value.get("config") if isinstance(value, dict) else None
        if isinstance(inner, dict) and value.get("class_name") not in (CODE, None):
            yield from _arguments(inner)


def _is_function(key: str, value: Any) -> bool:
    """Whether an argument is a function that is not Keras' own."""
    if isinstance(value, str):
        named = key.endswith(_NEVER_RUN) or key in _BY_NAME
        return value == NAMELESS or (named and not _is_keras(value))
    if not isinstance(value, dict):
        return False
    class_name = value.get("class_name")
    if class_name is None:  # all that Keras writes of a lambda as an activation
        return key.endswith("activation")
    named = class_name == "function" and not _is_keras(value.get("config"))
    return named or class_name == CODE


def _is_keras(name: Any) -> bool:
    return name in known.ACTIVATIONS or name in known.FUNCTIONS


def _name(value: Any) -> str | None:
    name = value if isinstance(value, str) else value.get("config")
    return name if isinstance(name, str) and name != NAMELESS else None


def _is_lost(key: str, value: Any) -> bool:
    """Whether neither a name that Keras looks up nor code that it runs is there."""
    if _name(value) is not None:
        return key in _BY_NAME and isinstance(value, str)
    runs = isinstance(value, dict) and value.get("class_name") == CODE
    return not runs or key.endswith(_NEVER_RUN)


def _written_name(value: Any) -> str | None:
    name = value.get("config") if isinstance(value, dict) else None
    return name if isinstance(name, str) else None


def _stated(value: Any, kind: Any, module: Any) -> Any:
    code = kind == "lambda" or (kind is None and isinstance(value, list))
    if code and isinstance(value, list):
        parts = [*value, None, None, None][: len(_PARTS)]
        if parts[1]:
            # Keras 3 wants a tuple, which JSON lacks; it makes one only of a triple.
            parts = [parts, None, None]
        return {
            "class_name": CODE,
            "config": dict(zip(_PARTS, parts, strict=True)),
        }
    if not isinstance(value, str):
        return value
    foreign = isinstance(module, str) and not known.is_keras(module)
    return function(value, module if foreign else "builtins")


def _is_code(value: Any) -> bool:
    return isinstance(value, dict) and value.get("class_name") == CODE
