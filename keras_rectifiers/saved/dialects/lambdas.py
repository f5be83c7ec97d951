"""Lambda layers: Python code in a file, carried over and never looked into."""

from __future__ import annotations

from typing import Any

from keras_rectifiers.saved.dialects import known
from keras_rectifiers.saved.dialects.registry import Context
from keras_rectifiers.saved.dialects.registry import entry_rule
from keras_rectifiers.surgery.document import Entry

_FORGOTTEN = ("module", "function_type", "output_shape_type", "output_shape_module")
_PARTS = ("code", "defaults", "closure")


@entry_rule("lambda", "Lambda: its code or its function's name, as Keras 3 states it")
def state_function(entry: Entry, context: Context) -> None:
    """Bring a Lambda to the form of Keras 3; what it holds stays as it is."""
    config = entry.get("config")
    own = entry.get("class_name") == "Lambda" and entry.get("module") == known.LAYERS
    if not own or not isinstance(config, dict):
        return
    if not known.is_old(entry, context.origin.version):
        return
    module = config.get("module")
    config["function"] = _stated(
        config.get("function"), config.get("function_type"), module
    )
    kind = config.get("output_shape_type")
    if kind in ("lambda", "function"):
        config["output_shape"] = _stated(
            config.get("output_shape"), kind, config.get("output_shape_module")
        )
    for key in _FORGOTTEN:
        config.pop(key, None)
    if _is_code(config.get("function")) or _is_code(config.get("output_shape")):
        text = "holds Python code; Keras opens it with safe_mode=False only"
    else:
        text = "calls a function, which Keras must be given as a custom object"
    context.repaired(entry, text, caution=True)


def _stated(value: Any, kind: Any, module: Any) -> Any:
    code = kind == "lambda" or (kind is None and isinstance(value, list))
    if code and isinstance(value, list):
        parts = [*value, None, None, None][: len(_PARTS)]
        if parts[1]:
            # Keras 3 wants a tuple, which JSON lacks; it makes one only of a triple.
            parts = [parts, None, None]
        return {
            "class_name": "__lambda__",
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
    return isinstance(value, dict) and value.get("class_name") == "__lambda__"
