"""What a rectifier is there for: not every ReLU is an activation.

A ReLU that makes a gate, bounds the model's output or keeps a square root real
must not start to leak. Each role is found by following the rectifier's output
through layers that only reshape or rescale it.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

from keras_rectifiers.graph import forms
from keras_rectifiers.graph import traits
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.graph import Graph
from keras_rectifiers.graph.graph import Ref
from keras_rectifiers.graph.shapes import FAR
from keras_rectifiers.graph.view import View
from keras_rectifiers.specs import Rectifier

HIDDEN = "hidden"
GATE = "gate"
OUTPUT = "output"
GUARD = "guard"
RECURRENT = "recurrent"
CUSTOM = "custom"
ROLES = (HIDDEN, GATE, OUTPUT, GUARD, RECURRENT, CUSTOM)

_RECURRENT_MARKS = ("LSTM", "GRU", "SimpleRNN")
#: Layers and operations that leave the values as they are, or only rescale them.
_PASSES = frozenset(
    {
        *traits.PASSING,
        *("Reshape", "Flatten", "Permute", "Masking", "Rescaling"),
        *("Squeeze", "ExpandDims", "Transpose", "Cast"),
    }
)
_SCALES = frozenset({"Multiply", "Add", "Subtract", "Divide", "TrueDivide"})
_NEEDS_POSITIVE = frozenset(
    {
        *("Sqrt", "Rsqrt", "Log", "Log10", "Log1p", "Log2"),
        *("Reciprocal", "Power", "Pow", "Logaddexp"),
    }
)
_DIVIDES = frozenset({"Divide", "TrueDivide", "FloorDivide", "Mod", "Remainder"})


def role_of(
    places: Sequence[Place], known: Rectifier, view: View, *, fused: bool
) -> tuple[str, str]:
    """The role of a rectifier and the evidence for it.

    Args:
        places: Where it stands; several for a shared layer.
        known: What it computes.
        view: The document around it.
        fused: Whether it stands in a layer's `activation`.
    """
    entry = places[0].entry
    class_name = str(entry["class_name"])
    if any(mark in class_name for mark in _RECURRENT_MARKS):
        return RECURRENT, f"inside the recurrence of {class_name}"
    keras_own = forms.is_keras(entry)
    if not keras_own and not forms.is_ours(entry):
        named = entry.get("registered_name") or class_name
        return CUSTOM, f"an argument of the custom class {named}"
    for place in places:
        if known.max_value is not None and not fused:
            offset = _offset(place, view)
            if offset is not None:
                cap = f"{known.max_value:g}"
                return GATE, f"hard sigmoid: x + {offset:g} cut to [0, {cap}]"
    for place in places:
        for role, evidence in _uses(view.member(place), view):
            if role != HIDDEN:
                return role, evidence
    return HIDDEN, ""


def _offset(place: Place, view: View) -> float | None:
    """The constant that is added just before a rectifier, as hard sigmoids do."""
    graph = view.graph_around(place)
    arguments = graph.arguments(view.member(place).names[-1], 0)
    if not arguments or not isinstance(arguments[0], Ref):
        return None
    before = graph.entries.get(arguments[0].name)
    if before is None:
        return None
    if before["class_name"] == "Rescaling":
        offset = config_of(before).get("offset")
        return float(offset) if isinstance(offset, int | float) and offset else None
    if before["class_name"] == "Add" and forms.is_operation(before.get("module")):
        operands = graph.arguments(arguments[0].name, arguments[0].node)
        numbers = [each for each in operands if isinstance(each, int | float)]
        return float(numbers[0]) if numbers else None
    return None


def _uses(place: Place, view: View) -> Iterator[tuple[str, str]]:
    """What each way from a place's output leads to."""
    graph = view.graph_around(place)
    pending = [(place.names[-1], call) for call in range(graph.calls(place.names[-1]))]
    seen = set(pending)
    far = len(seen) + FAR
    while pending and len(seen) < far:
        name, call = pending.pop()
        if (name, call) in graph.outputs:
            yield from _beyond(place, view)
        for consumer in graph.consumers(name, call):
            entry = graph.entries[consumer[0]]
            use = _use(entry, consumer, (name, call), graph)
            if use is not None:
                yield use
            elif consumer not in seen:
                seen.add(consumer)
                pending.append(consumer)


def _beyond(place: Place, view: View) -> Iterator[tuple[str, str]]:
    """Where an output of the model around a place goes."""
    model = place.parent
    if model is None or model.parent is None:
        yield OUTPUT, "it is the model's output"
    else:
        yield from _uses(view.member(model), view)


def _use(
    entry: Entry, consumer: tuple[str, int], source: tuple[str, int], graph: Graph
) -> tuple[str, str] | None:
    """What a consumer does with a value; None where it passes the value on."""
    name, class_name = consumer[0], str(entry["class_name"])
    if not forms.is_keras(entry):
        return HIDDEN, ""
    operation = forms.is_operation(entry.get("module"))
    tensors = graph.inputs(*consumer)
    if class_name == "Multiply" and len({ref.source for ref in tensors}) > 1:
        others = [ref.source for ref in tensors if ref.source != source]
        if any(_comes_from(other, source, graph) for other in others):
            return HIDDEN, ""  # it is what a gate made from it lets through
        return GATE, f"it is multiplied with another branch in {name!r}"
    if operation and class_name in _NEEDS_POSITIVE:
        return GUARD, f"it feeds {class_name.lower()} in {name!r}"
    if operation and class_name in _DIVIDES:
        operands = graph.arguments(*consumer)
        divisor = operands[1] if len(operands) > 1 else None
        if isinstance(divisor, Ref) and divisor.source == source:
            return GUARD, f"it is a divisor in {name!r}"
    if class_name in _PASSES:
        return None
    if class_name == "Activation" and config_of(entry).get("activation") == "linear":
        return None
    if operation and class_name in _SCALES and len(tensors) == 1:
        return None
    return HIDDEN, ""


def _comes_from(node: tuple[str, int], source: tuple[str, int], graph: Graph) -> bool:
    """Whether a value was computed from another, as squeeze-and-excite gates are."""
    first = graph.order.get(source, 0)  # what runs before it has no part in it
    pending, seen = [node], {node}
    while pending:
        current = pending.pop()
        if current == source:
            return True
        for ref in graph.inputs(*current):
            later = graph.order.get(ref.source, first) >= first
            if later and ref.name in graph.entries and ref.source not in seen:
                seen.add(ref.source)
                pending.append(ref.source)
    return False
