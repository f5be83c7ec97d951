"""What an old file keeps of an optimizer: counters, and slots by weight."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_rectifiers.graph.variables.shapes import fits
from keras_rectifiers.surgery.optimizer_layout import ACCUMULATED
from keras_rectifiers.surgery.optimizer_layout import AVERAGE
from keras_rectifiers.surgery.optimizer_layout import Layout
from keras_rectifiers.surgery.optimizer_layout import Pattern

if TYPE_CHECKING:
    from keras_rectifiers.legacy.compile.weights import Trained
    from keras_rectifiers.legacy.containers.saved import Array
    from keras_rectifiers.legacy.containers.saved import Slots

_MOST_STEPS = 2**62
#: Most counters that any optimizer had: iterations, rate, product.
_MAX_COUNTERS = 3
#: What TensorFlow, and Keras on Theano, call a variable without a name.
_NAMELESS = ("variable", "param")
_COPY = re.compile(r"_\d+$")

#: A slot that Keras 2.1 to 2.3 kept for `amsgrad` where it was off.
_DUMMY = "dummy"

#: Slot in Keras 3 -> what older optimizers call it.
_ALIASES: dict[str, frozenset[str]] = {
    AVERAGE: frozenset({"average"}),
    ACCUMULATED: frozenset({"gradient_accumulator"}),
    "momentum": frozenset({"m", "momentum", "moment", "moments"}),
    "velocity": frozenset({"v", "velocity", "rms", "accumulator"}),
    "velocity_hat": frozenset({"vhat", "velocity_hat"}),
    "norm": frozenset({"u", "v", "norm"}),
    "average_gradient": frozenset({"mg", "average_gradient"}),
    "accumulator": frozenset({"accumulator"}),
    "accumulated_grad": frozenset({"accum_grad", "accumulated_grad", "accumulator"}),
    "accumulated_delta_var": frozenset(
        {"accum_var", "accumulated_delta_var", "delta_accumulator"}
    ),
    "linear": frozenset({"linear"}),
    _DUMMY: frozenset({"vhat"}),
    "r": frozenset({"r"}),
    "c": frozenset({"c"}),
}
#: Every name of a slot.
_NAMES = frozenset(name for names in _ALIASES.values() for name in names)
#: What a counter is called -> the attribute of `OptimizerState` that it is.
_NUMBERS = {
    "iter": "iterations",
    "_iterations": "iterations",
    "learning_rate": "rate",
    "momentum_cache": "product",
    "_m_cache": "product",
}

#: One array that is expected: its slot, and the number of the weight.
_Expected = tuple[str, int]


@dataclasses.dataclass
class OptimizerState:
    """An optimizer's state, understood.

    Attributes:
        slots: Slot and number of the weight -> array.
        iterations: Steps taken; None where the file does not say.
        rate: The learning rate; None where the file does not say.
        product: Nadam's product of momenta; None where the file does not say.
    """

    slots: dict[tuple[str, int], Array]
    iterations: int | None = None
    rate: float | None = None
    product: float | None = None


def listed_state(
    stored: Slots, layout: Layout, weights: Sequence[Trained], *, named: bool
) -> OptimizerState | None:
    """The state in a list of arrays, None where it is not this optimizer's.

    Args:
        stored: The list.
        layout: What the optimizer keeps in Keras 3.
        weights: The weights that were trained, in Keras' order.
        named: Whether the arrays have names that say what they are.
    """
    if any(each.shape is None for each in weights):
        return None
    for expected in _orders(layout, len(weights), named=named):
        shaped = [
            (slot, number, shape)
            for slot, number in expected
            if (shape := _shape(layout, slot, weights[number])) is not None
        ]
        parts = _parted(stored.arrays, len(shaped), layout)
        if parts is None:
            continue
        counters, arrays = parts
        agree = all(
            fits(shape, array.shape) and (not named or _may_be(array.name, slot))
            for array, (slot, _, shape) in zip(arrays, shaped, strict=True)
        )
        if agree:
            found = {
                (slot, number): array
                for array, (slot, number, _) in zip(arrays, shaped, strict=True)
            }
            return _counted(OptimizerState(found), counters)
    return None


def nameless(stored: Slots) -> bool:
    """Whether a file's slots have no distinct names, as up to Keras 2.2.

    Then the weights may be in the order of the layers, or sorted by name.
    """
    return stored.kind == "named" and all(
        _name(array).lower().startswith(_NAMELESS) for array in stored.arrays[1:]
    )


def variable_state(stored: Slots, weights: Mapping[str, int]) -> OptimizerState | None:
    """The state in slots that say which weight they are for.

    Args:
        stored: The slots.
        weights: Name of each weight's array -> its number.
    """
    found: dict[tuple[str, int], Array] = {}
    for each in stored.slots:
        number = weights.get(each.variable)
        if number is None:
            return None  # the slot of a weight that is stored differently
        for slot, names in _ALIASES.items():
            if each.slot in names:
                found[slot, number] = each.array
    return _counted(OptimizerState(found), stored.numbers)


def _parted(
    arrays: Sequence[Array], count: int, layout: Layout
) -> tuple[dict[str, Array], Sequence[Array]] | None:
    """Counters and slots; None where there are too few slots."""
    first = len(arrays) - count
    last: Sequence[Array] = ()
    if layout.product and first > 1 and not arrays[0].shape and not arrays[-1].shape:
        # Keras 3 lists Nadam's product behind the slots; others before them.
        behind = arrays[1].shape or _name(arrays[1]) == "learning_rate"
        last = arrays[-1:] if behind else ()
    first -= len(last)
    if not 0 <= first <= _MAX_COUNTERS:
        return None
    counters = arrays[:first]
    if any(array.shape not in ((), (1,)) for array in counters):
        return None
    found = _counters(counters, layout)
    if last:
        found["momentum_cache"] = last[0]
    return found, arrays[first : first + count]


def _orders(layout: Layout, count: int, *, named: bool) -> Iterator[list[_Expected]]:
    """The orders in which Keras has listed slots."""
    together = [
        (slot, number)
        for block in layout.blocks
        for number in range(count)
        for slot in block
    ]
    apart = _by_slot(layout.slots, count)
    # Optimizers since 2.11 list a weight's slots together; those before, and Keras
    # 1, list them slot by slot. Where names say nothing, it is Keras 1.
    yield from (apart, together) if named else (together, apart)
    if not layout.slots or layout.slots == (AVERAGE,):
        # SGD keeps its moments where its momentum is 0.
        yield _by_slot((*layout.slots, "momentum"), count)
    if layout.slots == ("momentum", "velocity"):
        yield _by_slot((*layout.slots, _DUMMY), count)


def _by_slot(slots: Sequence[str], count: int) -> list[_Expected]:
    return [(slot, number) for slot in slots for number in range(count)]


def _shape(layout: Layout, slot: str, weight: Trained) -> Pattern | None:
    if slot == _DUMMY or weight.shape is None:
        return (1,)
    return layout.slot_shape(slot, weight.path, weight.shape)


def _may_be(name: str, slot: str) -> bool:
    """Whether a name does not say that an array is another slot.

    New: `Adam/m/dense/kernel:0`, inside one that scales the loss
    `m/dense/kernel:0`; legacy: `Adam/dense/kernel/m:0`, below `training/` in
    TensorFlow 1; Keras 2.3: `training/Adam/m_3:0`; Keras 1 and 2.0:
    `Variable_12:0`; Keras 3: `adam/dense_kernel_momentum`.
    """
    parts = name.partition(":")[0].split("/")
    last = _COPY.sub("", parts[-1])
    if last in _NAMES:
        return last in _ALIASES.get(slot, ())
    for part in parts[: max(0, min(len(parts) - 2, 2))]:
        if part in _NAMES:
            return part in _ALIASES.get(slot, ())
    said = [each for each in _ALIASES if last.endswith(f"_{each}")]
    return not said or slot in said


def _name(array: Array) -> str:
    """The last part of an array's name."""
    return array.name.partition(":")[0].rpartition("/")[2]


def _counters(arrays: Sequence[Array], layout: Layout) -> dict[str, Array]:
    """The counters by what they are."""
    found: dict[str, Array] = {}
    for array in arrays:
        name = _name(array)
        if name == "learning_rate" or (array.dtype.kind == "f" and "iter" in found):
            key = "momentum_cache" if layout.product else "learning_rate"
            found["learning_rate" if name == "learning_rate" else key] = array
        else:
            found.setdefault("iter", array)
    return found


def _counted(state: OptimizerState, numbers: Mapping[str, Array]) -> OptimizerState:
    for key, attribute in _NUMBERS.items():
        if key not in numbers or numbers[key].shape not in ((), (1,)):
            continue
        value = float(np.ravel(numbers[key].read())[0])
        if attribute != "iterations" and np.isfinite(value):
            setattr(state, attribute, value)
        elif 0 <= value < _MOST_STEPS:
            state.iterations = int(value)
    return state
