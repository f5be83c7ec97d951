"""A stock rectifier with an upper bound, which Keras has no single layer for.

It is an `Activation` that holds a Functional model of two steps: the rectifier, then
`ops.minimum`. The `Activation` keeps masks and dtypes as the rectifier would.

The other stock form of the bound, `ReLU(max_value, negative_slope=1)`, is not an
option: it has gradient 0 at 0, which is where a PReLU of slope 0 puts all negative
inputs, so that its slopes would never learn. It is also four operations, not one, in an
exported model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_rectifiers import precision
from keras_rectifiers.specs import Shape

_Entry = dict[str, Any]

#: The rectifiers that may be under a bound, and their groups in a weights file.
_GROUPS = {"PReLU": "p_re_lu", "LeakyReLU": "leaky_re_lu"}
_SLOT = "activation"


def entry(layer: _Entry, cap: float, shape: Shape, policy: str) -> _Entry:
    """A layer with an upper bound, as Keras writes it.

    Args:
        layer: A `PReLU` or `LeakyReLU` of Keras, as Keras writes it.
        cap: The bound.
        shape: Shape of its inputs, None for each axis that is free.
        policy: Name of its dtype policy.

    Returns:
        An `Activation` with the name, the flag and the policy of the layer.
    """
    config = layer["config"]
    name, dtype = config["name"], precision.computes(policy)
    start, bound = f"{name}_input", f"{name}_cap"
    inside = [
        {
            "module": "keras.layers",
            "class_name": "InputLayer",
            "config": {"batch_shape": list(shape), "dtype": dtype, "name": start},
            "registered_name": None,
            "name": start,
            "inbound_nodes": [],
        },
        {**layer, "name": name, "inbound_nodes": [_call(start, shape, dtype)]},
        {
            "module": "keras.src.ops.numpy",
            "class_name": "Minimum",
            "config": {"name": bound},
            "registered_name": "Minimum",
            "name": bound,
            "inbound_nodes": [_call(name, shape, dtype, cap)],
        },
    ]
    held = {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {
            "name": f"{name}_capped",
            "trainable": config["trainable"],
            "layers": inside,
            "input_layers": [start, 0, 0],
            "output_layers": [bound, 0, 0],
        },
        "registered_name": "Functional",
        "build_config": {"input_shape": None},
    }
    return {
        "module": "keras.layers",
        "class_name": "Activation",
        "config": {
            "name": name,
            "trainable": config["trainable"],
            "dtype": config["dtype"],
            _SLOT: held,
        },
        "registered_name": None,
    }


def keeps_dtype(policy: str) -> bool:
    """Whether the bound is computed in the dtype of the rectifier on each backend.

    Args:
        policy: Name of its dtype policy.

    Returns:
        False for float64: on JAX and torch Keras takes the minimum of such a tensor
        and a number in float32.
    """
    return precision.computes(policy) != "float64"


def parts(value: Any) -> tuple[Mapping[str, Any], float] | None:
    """The rectifier and the bound of what `entry` puts into an `Activation`.

    Args:
        value: The value of an `activation` argument.

    Returns:
        The rectifier as Keras writes it and its bound; None for anything else.
    """
    if not _is(value, "Functional"):
        return None
    config = value["config"]
    layers = config.get("layers")
    if not isinstance(layers, list | tuple) or len(layers) != 3:  # noqa: PLR2004
        return None
    start, layer, bound = layers
    classes = (("InputLayer",), tuple(_GROUPS), ("Minimum",))
    if not all(_is(each, *names) for each, names in zip(layers, classes, strict=True)):
        return None
    given, capped = _operands(layer), _operands(bound)
    cap = capped[1] if len(capped) == 2 else None  # noqa: PLR2004
    wired = (
        len(given) == 1
        and _comes_from(given[0], start)
        and _comes_from(capped[0] if capped else None, layer)
        and _is_output(config.get("output_layers"), bound)
    )
    if not wired or isinstance(cap, bool) or not isinstance(cap, int | float):
        return None
    return layer, float(cap)


def rectifier(value: Any) -> Any:
    """What is inside an `Activation` and under a bound; else the value itself.

    Args:
        value: A layer as Keras writes it, or the value of an `activation` argument.
    """
    held = value["config"].get(_SLOT) if _is(value, "Activation") else value
    found = parts(held)
    return value if found is None else found[0]


def below(value: Any) -> tuple[str, ...]:
    """The groups of a weights file between a layer and the rectifier inside it.

    Args:
        value: As for `rectifier`.

    Returns:
        Names of groups; none where the value itself is the rectifier.
    """
    layer = rectifier(value)
    if layer is value:
        return ()
    outer = (_SLOT,) if value["class_name"] == "Activation" else ()
    return (*outer, "layers", _GROUPS[layer["class_name"]])


def _call(name: str, shape: Shape, dtype: str, *more: float) -> _Entry:
    """A call on the output of a layer, and on numbers."""
    tensor = {
        "class_name": "__keras_tensor__",
        "config": {
            "shape": list(shape),
            "dtype": dtype,
            "keras_history": [name, 0, 0],
        },
    }
    return {"args": [tensor, *more], "kwargs": {}}


def _is(value: Any, *class_names: str) -> bool:
    """Whether a value is an object of one of some classes of Keras."""
    return (
        isinstance(value, Mapping)
        and value.get("class_name") in class_names
        and str(value.get("module")).startswith("keras.")
        and value.get("registered_name") in (None, value.get("class_name"))
        and isinstance(value.get("config"), Mapping)
    )


def _operands(value: Mapping[str, Any]) -> list[Any]:
    """The operands of the only call of a layer; none where there are several."""
    nodes = value.get("inbound_nodes")
    if not isinstance(nodes, list) or len(nodes) != 1 or not isinstance(nodes[0], dict):
        return []
    args, kwargs = nodes[0].get("args"), nodes[0].get("kwargs")
    return list(args) if isinstance(args, list | tuple) and not kwargs else []


def _comes_from(operand: Any, layer: Mapping[str, Any]) -> bool:
    """Whether an operand is the output of a layer."""
    config = operand.get("config") if isinstance(operand, Mapping) else None
    history = config.get("keras_history") if isinstance(config, Mapping) else None
    return list(history or ()) == [layer["config"].get("name"), 0, 0]


def _is_output(outputs: Any, layer: Mapping[str, Any]) -> bool:
    """Whether a model gives the output of one layer, and nothing else."""
    nested = isinstance(outputs, list | tuple) and len(outputs) == 1
    only = outputs[0] if nested else outputs
    return isinstance(only, list | tuple) and list(only) == [
        layer["config"].get("name"),
        0,
        0,
    ]
