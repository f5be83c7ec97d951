"""The operations of a program of `torch.export`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_rectifiers.exporting.inspectors.found import Inspection
from keras_rectifiers.exporting.inspectors.found import Rectifying
from keras_rectifiers.exporting.inspectors.found import slopes

_SLOPED = ("aten.prelu.default", "aten._prelu_kernel.default")
_LEAKY = "aten.leaky_relu.default"
#: The slope of `leaky_relu` where it is not stated.
_DEFAULT = 0.01
#: Operations after a rectifier that are its upper bound.
_CAPS = ("aten.clamp.default", "aten.clamp_max.default", "aten.minimum.default")
#: Namespaces of operations that torch has without more.
_KNOWN = ("aten", "prims", "_operator")


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
        if isinstance(each.target, torch._ops.OpOverload)
        and each.target.namespace not in _KNOWN
    ]
    return Inspection(dict(counts), tuple(_rectifying(program, calls)), tuple(foreign))


def _rectifying(program: Any, calls: Any) -> Iterator[Rectifying]:
    """The rectifiers with slopes, in running order."""
    for call in calls:
        name = str(call.target)
        if name == _LEAKY:
            slope = call.args[1] if len(call.args) > 1 else _DEFAULT
            yield Rectifying((name, *_caps(call)), slopes(slope), native=True)
        elif name in _SLOPED:
            value = _value(program, call.args[1])
            if value is not None:
                yield Rectifying((name, *_caps(call)), value, native=True)


def _value(program: Any, node: Any) -> Any:
    """The numbers of a parameter, a buffer or a constant behind views of it."""
    while node.op == "call_function":
        node = node.args[0]
    signature = program.graph_signature
    for names in (
        signature.inputs_to_parameters,
        signature.inputs_to_buffers,
        signature.inputs_to_lifted_tensor_constants,
    ):
        if node.name in names:
            name = names[node.name]
            held = program.state_dict.get(name, program.constants.get(name))
            return None if held is None else slopes(held.detach().cpu().numpy())
    return None


def _caps(call: Any) -> tuple[str, ...]:
    names = [str(each.target) for each in call.users]
    return tuple(names) if len(names) == 1 and names[0] in _CAPS else ()
