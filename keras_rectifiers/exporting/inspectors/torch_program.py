"""The operations of a program of `torch.export`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_rectifiers.exporting.inspectors.found import Inspection
from keras_rectifiers.exporting.inspectors.found import Rectifying
from keras_rectifiers.exporting.inspectors.found import slopes

_RELU, _NEG, _MUL = "aten.relu.default", "aten.neg.default", "aten.mul.Tensor"
#: The last operation of `relu(x) + factor * relu(-x)`, and the sign of the slopes.
_SIGNS = {"aten.add.Tensor": -1, "aten.sub.Tensor": 1}
_LEAKY = "aten.leaky_relu.default"
#: The slope of `leaky_relu` where it is not stated.
_DEFAULT = 0.01
#: Operations after a rectifier that are its upper bound.
_CAPS = ("aten.clamp.default", "aten.clamp_max.default", "aten.minimum.default")
#: Namespaces of operations that torch has without more.
_KNOWN = ("aten", "prims")


def inspect(path: Path) -> Inspection:
    """What a program consists of.

    Args:
        path: The `.pt2`.
    """
    import torch

    program = torch.export.load(path)
    calls = [each for each in program.graph.nodes if each.op == "call_function"]
    counts = Counter(str(each.target) for each in calls)
    foreign = [
        (str(each.target), each.name)
        for each in calls
        if getattr(each.target, "namespace", _KNOWN[0]) not in _KNOWN
    ]
    return Inspection(dict(counts), tuple(_rectifying(program, calls)), tuple(foreign))


def _rectifying(program: Any, calls: Any) -> Iterator[Rectifying]:
    """The rectifiers with slopes, in running order."""
    for call in calls:
        name = str(call.target)
        if name == _LEAKY:
            slope = call.args[1] if len(call.args) > 1 else _DEFAULT
            yield Rectifying((name, *_caps(call)), slopes(slope), native=True)
        elif name in _SIGNS:
            factor = _factor(call)
            value = None if factor is None else _value(program, factor)
            if value is not None:
                names = (_RELU, _NEG, _RELU, _MUL, name, *_caps(call))
                value = _SIGNS[name] * slopes(value.detach().cpu().numpy())
                yield Rectifying(names, value, native=True)


def _factor(last: Any) -> Any:
    """What multiplies the negative part; None for other operations."""
    operands = [_behind(each) for each in last.args[:2]]
    names = [_name(each) for each in operands]
    if sorted(names) != sorted((_RELU, _MUL)):
        return None
    plain, product = operands if names[0] == _RELU else reversed(operands)
    for one, other in (product.args, reversed(product.args)):
        part = _behind(one)
        if _name(part) != _RELU or _name(_behind(part.args[0])) != _NEG:
            continue
        if _behind(_behind(part.args[0]).args[0]) is _behind(plain.args[0]):
            return other
    return None


def _behind(node: Any) -> Any:
    """What a node hands on, where it only converts."""
    while _name(node).startswith("aten.to."):
        node = node.args[0]
    return node


def _name(node: Any) -> str:
    return str(getattr(node, "target", ""))


def _value(program: Any, node: Any) -> Any:
    """The value of a node that follows from parameters and constants; else None."""
    import torch

    if not isinstance(node, torch.fx.Node):
        return node
    if node.op == "call_function":
        parts = [_value(program, each) for each in node.args]
        known = all(part is not None for part in parts)
        return node.target(*parts, **node.kwargs) if known else None
    signature = program.graph_signature
    for names in (
        signature.inputs_to_parameters,
        signature.inputs_to_buffers,
        signature.inputs_to_lifted_tensor_constants,
    ):
        if node.name in names:
            name = names[node.name]
            return program.state_dict.get(name, program.constants.get(name))
    return None


def _caps(call: Any) -> tuple[str, ...]:
    names = [str(each.target) for each in call.users]
    return tuple(names) if len(names) == 1 and names[0] in _CAPS else ()
