"""Lambda layers: Python code in a file, carried over and never looked into."""

from __future__ import annotations

from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.legacy.dialects import functions
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import Handed
from keras_rectifiers.legacy.dialects.registry import entry_rule

_FORGOTTEN = (
    *("module", "function_type", "output_shape_type", "output_shape_module"),
    *("mask_type", "mask_module"),
)
_PARTS = ("code", "defaults", "closure")


@entry_rule("lambda", "Lambda: its code or its function's name, as Keras 3 states it")
def state_function(entry: Entry, context: Context) -> None:
    """Bring a Lambda to the form of Keras 3; what it holds stays as it is."""
    config = entry.get("config")
    own = entry.get("class_name") == "Lambda" and entry.get("module") == known.LAYERS
    if not own or not isinstance(config, dict):
        return
    old = known.is_old(entry, context.origin.version)
    if old:
        _modernise(entry, config, context)
    handed = _take(entry, config, context)
    if handed is not None:
        text = functions.told("function", handed)
        context.repaired(entry, text, caution=not handed.registered)
    elif old:
        if _is_code(config.get("function")) or _is_code(config.get("output_shape")):
            text = "holds Python code; Keras opens it with safe_mode=False only"
        else:
            text = "calls a function, which Keras must be given as a custom object"
        context.repaired(entry, text, caution=True)


def _modernise(entry: Entry, config: dict[str, Any], context: Context) -> None:
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
            "a Lambda with a function for its mask, which Keras 3 does not read back",
            "Write the Lambda as a layer of your own, and save the model again",
        )
    for key in _FORGOTTEN:
        config.pop(key, None)


def _take(entry: Entry, config: dict[str, Any], context: Context) -> Handed | None:
    """Refer to the function that is handed over in place of what the file holds."""
    handed = functions.find(
        entry, "function", _name(config.get("function")), context, alone=True
    )
    if handed is None:
        return None
    config["function"] = functions.reference(handed)
    shape = config.get("output_shape")
    if isinstance(shape, dict):
        other = functions.find(
            entry, "output_shape", _name(shape), context, alone=False
        )
        if other is not None:
            config["output_shape"] = functions.reference(other)
        elif _is_code(shape):
            del config["output_shape"]  # Keras works it out by calling the function
    return handed


def _name(value: Any) -> str | None:
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
            "class_name": functions.CODE,
            "config": dict(zip(_PARTS, parts, strict=True)),
        }
    if not isinstance(value, str):
        return value
    foreign = isinstance(module, str) and not known.is_keras(module)
    return {
        "module": module if foreign else "builtins",
        "class_name": "function",
        "config": value,
        "registered_name": value,
    }


def _is_code(value: Any) -> bool:
    return isinstance(value, dict) and value.get("class_name") == functions.CODE
