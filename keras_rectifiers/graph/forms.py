"""Recognize a rectifier, however it is spelled, from plain data.

One function for each place where a rectifier can be: a layer, the value of an
`activation` argument, an operation of a functional graph. All take what Keras writes
into a config, so they serve files and live objects alike. Keras is never imported here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from keras_rectifiers.graph import capped
from keras_rectifiers.graph.callables import LIBRARIES
from keras_rectifiers.specs import CONVERTED_REGISTERED
from keras_rectifiers.specs import LEAKY_RELU
from keras_rectifiers.specs import LEAKY_RELU_REGISTERED
from keras_rectifiers.specs import PACKAGE
from keras_rectifiers.specs import PRELU
from keras_rectifiers.specs import PRELU_REGISTERED
from keras_rectifiers.specs import RELU
from keras_rectifiers.specs import Rectifier

#: Slopes that Keras uses where a config does not state one.
_KERAS_LEAKY_LAYER_SLOPE = 0.3
_KERAS_LEAKY_FUNCTION_SLOPE = 0.2

_FUNCTIONS = {
    "relu": Rectifier(RELU),
    "relu6": Rectifier(RELU, max_value=6.0),
    "leaky_relu": Rectifier(LEAKY_RELU, _KERAS_LEAKY_FUNCTION_SLOPE),
}

#: What libraries call the slope, and the slope that they take where none is given.
_ALIASES = {"alpha": "negative_slope"}
_LEAKY_SLOPES = {"tensorflow": 0.2, "jax": 0.01, "torch": 0.01}


def is_keras_module(module: str | None) -> bool:
    """Whether a config's `module` is Keras' own (None: a legacy config)."""
    return module is None or module == "keras" or module.startswith("keras.")


def is_keras(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a config is an object of one of Keras' own classes.

    Keras writes no module for a class of `__main__`, as it writes none in legacy
    configs; only the former has a registered name.
    """
    module = entry.get("module")
    if module is None:
        return entry.get("registered_name") is None
    return is_keras_module(module)


def is_ours(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a config is an object of a class of this package.

    An entry for a converted object of a user's class is not one of our layers.
    """
    name = str(entry.get("registered_name") or "")
    return name.startswith(f"{PACKAGE}>") and not is_converted(entry)


def is_converted(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a config represents a converted object of a user's class."""
    return entry.get("registered_name") == CONVERTED_REGISTERED


def is_operation(module: str | None) -> bool:
    """Whether an entry is a Keras operation and not a layer."""
    return module is not None and module.startswith(
        ("keras.src.ops.", "keras.src.activations.", "keras.ops", "keras.activations")
    )


def recognize_layer(
    class_name: str,
    module: str | None,
    registered_name: str | None,
    config: Mapping[str, Any],
) -> Rectifier | None:
    """The rectifier that a layer is, or None.

    Args:
        class_name: The layer's class, such as `"ReLU"`.
        module: Its module in the config, None in legacy configs.
        registered_name: Its registered name, None for Keras' own.
        config: The layer's own config.
    """
    ours = registered_name or class_name
    if ours == LEAKY_RELU_REGISTERED:
        return Rectifier(
            LEAKY_RELU, float(config["negative_slope"]), config.get("max_value")
        )
    if ours == PRELU_REGISTERED:
        return Rectifier(PRELU, max_value=config.get("max_value"))
    if not is_keras({"module": module, "registered_name": registered_name}):
        return None
    if class_name == "ReLU":
        return _relu(config)
    if class_name == "LeakyReLU":
        slope = config.get("negative_slope", config.get("alpha"))
        slope = _KERAS_LEAKY_LAYER_SLOPE if slope is None else number(slope)
        return Rectifier(LEAKY_RELU, slope or 0.0)
    if class_name == "PReLU":
        return Rectifier(PRELU)
    if class_name == "Activation":
        return recognize_activation(config.get("activation"))
    return None


def recognize_activation(value: Any) -> Rectifier | None:
    """The rectifier that the value of an `activation` argument names, or None.

    Args:
        value: A string, a serialized function or a serialized layer.
    """
    if isinstance(value, str):
        return _FUNCTIONS.get(value)
    if not isinstance(value, Mapping):
        return None
    under = capped.parts(value)
    if under is not None:
        known = recognize_activation(under[0])
        return None if known is None else dataclasses.replace(known, max_value=under[1])
    config = value.get("config")
    if value.get("class_name") == "function" and isinstance(config, str):
        return _function(value.get("module"), config, value.get("keywords") or {})
    if isinstance(config, Mapping):
        return recognize_layer(
            str(value.get("class_name")),
            value.get("module"),
            value.get("registered_name"),
            config,
        )
    return None


def _function(
    module: str | None, name: str, keywords: Mapping[str, Any]
) -> Rectifier | None:
    """The rectifier that a function is, with keywords that a partial gives it."""
    root = str(module).split(".", maxsplit=1)[0]
    keras = module in (None, "builtins") or is_keras_module(module)
    known = _FUNCTIONS.get(name) if keras or root in LIBRARIES else None
    if known is None:
        return None
    given = {_ALIASES.get(key, key): value for key, value in keywords.items()}
    if known.kind == LEAKY_RELU and not keras:
        slope = _LEAKY_SLOPES[root]
        known = Rectifier(LEAKY_RELU, slope)
    if not given:
        return known
    if name == "relu6" or not set(given) <= {
        "negative_slope",
        "max_value",
        "threshold",
    }:
        return None
    return _relu({"negative_slope": known.negative_slope, **given})


def recognize_operation(
    class_name: str,
    module: str | None,
    config: Mapping[str, Any],
    operands: Sequence[Any],
    producer: Callable[[Any], tuple[str, Sequence[Any]] | None],
    same: Callable[[Any, Any], bool],
) -> tuple[Rectifier, int] | None:
    """The rectifier that an operation computes, and which operand it rectifies.

    Args:
        class_name: The operation's class, such as `"Maximum"`.
        module: Its module; only Keras' own operations are recognized.
        config: The operation's config (`Clip` keeps its bounds there).
        operands: Positional operands: numbers, and anything else for tensors.
        producer: For a tensor operand, the class name and the operands of the
            operation that produced it, or None.
        same: Whether two tensor operands are the same tensor.
    """
    if not is_operation(module) or not operands:
        return None
    match class_name:
        case "Relu":
            return Rectifier(RELU), 0
        case "Relu6":
            return Rectifier(RELU, max_value=6.0), 0
        case "ReLU":
            return _relu(config), 0
        case "LeakyRelu":
            slope = number(config.get("negative_slope")) or 0.0
            return Rectifier(LEAKY_RELU, slope), 0
        case "Clip":
            return _clip(config, operands)
        case "Maximum":
            return _maximum(operands)
        case "Where":
            return _where(operands, producer, same)
    return None


def _maximum(operands: Sequence[Any]) -> tuple[Rectifier, int] | None:
    numbers = [number(operand) for operand in operands]
    if numbers == [None, 0]:
        return Rectifier(RELU), 0
    if numbers == [0, None]:
        return Rectifier(RELU), 1
    return None


def _where(
    operands: Sequence[Any],
    producer: Callable[[Any], tuple[str, Sequence[Any]] | None],
    same: Callable[[Any, Any], bool],
) -> tuple[Rectifier, int] | None:
    """`where(x > 0, x, 0)` and `where(x < 0, 0, x)`."""
    if len(operands) != 3:  # noqa: PLR2004
        return None
    numbers = [number(each) for each in operands[1:]]
    if numbers not in ([None, 0], [0, None]):
        return None
    index = 1 + numbers.index(None)
    test = producer(operands[0])
    if test is None or not _is_test(*test, operands[index], same, above=index == 1):
        return None
    return Rectifier(RELU), index


def _relu(config: Mapping[str, Any]) -> Rectifier:
    """`ReLU(max_value, negative_slope, threshold)`, as layer or as function."""
    slope = number(config.get("negative_slope")) or 0.0
    return Rectifier(
        RELU if slope == 0 else LEAKY_RELU,
        slope,
        number(config.get("max_value")),
        number(config.get("threshold")) or 0.0,
    )


def _clip(
    config: Mapping[str, Any], operands: Sequence[Any]
) -> tuple[Rectifier, int] | None:
    low = number(config.get("x_min"))
    high = number(config.get("x_max"))
    if low != 0 or high is None or high <= 0 or number(operands[0]) is not None:
        return None
    return Rectifier(RELU, max_value=high), 0


def _is_test(
    class_name: str,
    operands: Sequence[Any],
    x: Any,
    same: Callable[[Any, Any], bool],
    *,
    above: bool,
) -> bool:
    """Whether an operation asks `x > 0`, or `x < 0`; with `=` it selects the same."""
    if len(operands) != 2:  # noqa: PLR2004
        return False
    left, right = operands
    if class_name in ("Less", "LessEqual"):
        left, right = right, left
    elif class_name not in ("Greater", "GreaterEqual"):
        return False
    tensor, zero = (left, right) if above else (right, left)
    return number(zero) == 0 and number(tensor) is None and same(tensor, x)


def number(value: Any) -> float | None:
    """A plain or serialized number as float; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, Mapping) and value.get("class_name") == "__numpy__":
        inner = value.get("config", {}).get("value")
        return number(inner)
    return None
