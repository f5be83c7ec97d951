"""Move an optimizer's state to the variables that Keras 3 gives it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from keras_rectifiers.graph.wellformed import MALFORMED
from keras_rectifiers.legacy.array_views import Filled
from keras_rectifiers.legacy.array_views import InMemory
from keras_rectifiers.legacy.array_views import Readable
from keras_rectifiers.legacy.compile.state import OptimizerState
from keras_rectifiers.legacy.compile.state import listed_state
from keras_rectifiers.legacy.compile.state import nameless
from keras_rectifiers.legacy.compile.state import variable_state
from keras_rectifiers.legacy.compile.weights import Trained
from keras_rectifiers.legacy.compile.weights import TrainedWeights
from keras_rectifiers.legacy.compile.weights import path_of
from keras_rectifiers.legacy.weights.old_layouts import CONVERSIONS
from keras_rectifiers.repairs import OPTIMIZER_STATE
from keras_rectifiers.repairs import Repair
from keras_rectifiers.surgery.optimizer_layout import OWN_VALUE
from keras_rectifiers.surgery.optimizer_layout import SCALER
from keras_rectifiers.surgery.optimizer_layout import Layout
from keras_rectifiers.surgery.optimizer_layout import Slot
from keras_rectifiers.surgery.optimizer_layout import layout_of
from keras_rectifiers.surgery.optimizer_layout import scaler_counters
from keras_rectifiers.surgery.training_state import dropped

if TYPE_CHECKING:
    from keras_rectifiers.legacy.containers.saved import Slots
    from keras_rectifiers.legacy.weights.arrange import Placed

#: After this many steps Nadam's product is 0 in float32.
_PRODUCT_STEPS = 5000


#: Slot, number of the layer, number of the weight in it -> values.
_Shares = dict[tuple[str, int, int], Readable]
#: Number of a variable of the optimizer in Keras 3, and its values.
NumberedSlots = list[tuple[int, Readable]]


def carry(
    slots: Slots | None, compiled: Mapping[str, Any], placed: Sequence[Placed]
) -> tuple[NumberedSlots | None, tuple[Repair, ...]]:
    """The variables of a model's optimizer, as Keras 3 numbers them.

    Args:
        slots: What the old file keeps; None where it keeps nothing.
        compiled: The compile config as Keras 3 writes it.
        placed: Every array of the model, layer by layer.

    Returns:
        The variables, None where Keras 3 has to make them; and what was left
        behind. Where the old state does not fit, they are those of an optimizer
        that has taken no step.
    """
    outer = compiled["optimizer"]
    scaled = outer["class_name"] == SCALER
    optimizer = outer["config"]["inner_optimizer"] if scaled else outer
    layout = layout_of(optimizer)
    if layout is None:
        why = "the layout of its variables is unknown"
        return None, () if slots is None else (_left(why, optimizer),)
    around = [_filled(each) for each in scaler_counters(outer["config"]) if scaled]
    weights = TrainedWeights(placed)
    target = _Target(optimizer, layout, weights)
    fresh = _numbered(around, target.variables(OptimizerState({}), {}))
    if slots is None:
        return fresh, ()
    understood = _understood(slots, layout, weights)
    if understood is None:
        why = "its arrays do not match the trainable weights"
        return fresh, (_left(why, optimizer),)
    numbered = _numbered(around, target.variables(*understood))
    return numbered, target.missing(understood[1])


def _understood(
    slots: Slots, layout: Layout, weights: TrainedWeights
) -> tuple[OptimizerState, _Shares] | None:
    """The old state by the weights of Keras 3, None where that is unclear."""
    for before in weights.before():
        found = _read(slots, layout, weights, before)
        by_name = weights.by_name(before) if nameless(slots) else before
        other = None if by_name == before else _read(slots, layout, weights, by_name)
        if found is not None and other is not None and found[1] != other[1]:
            return None  # one shape occurs too often: both orders are possible
        if found is not None or other is not None:
            return found or other
    return None


def _read(
    slots: Slots, layout: Layout, weights: TrainedWeights, before: Sequence[Trained]
) -> tuple[OptimizerState, _Shares] | None:
    state = _state(slots, layout, before)
    shares = None if state is None else _shares(state, layout, weights, before)
    return None if state is None or shares is None else (state, shares)


def _numbered(*variables: Iterable[Readable]) -> NumberedSlots:
    return list(enumerate(itertools.chain(*variables)))


class _Target:
    """The variables of an optimizer in Keras 3.

    Args:
        optimizer: As Keras 3 writes it.
        layout: What it keeps.
        weights: The weights that it trains.
    """

    def __init__(
        self, optimizer: Mapping[str, Any], layout: Layout, weights: TrainedWeights
    ) -> None:
        self._optimizer = optimizer
        self._layout = layout
        self._after = weights.after()

    def variables(self, state: OptimizerState, shares: _Shares) -> Iterator[Readable]:
        """All of them in order, from the old state; others as at the start."""
        steps = state.iterations or 0
        yield Filled((), steps, "int64")
        if not self._layout.scheduled:
            yield Filled((), self._layout.rate if state.rate is None else state.rate)
        for block in self._layout.blocks:
            for layer, index, weight in self._after:
                for slot in self._layout.slots_of(block, path_of(weight), weight.shape):
                    share = shares.get((slot.name, layer, index))
                    yield share or self._first(slot, weight)
        if self._layout.product:
            product = state.product
            yield Filled((), self._product(steps) if product is None else product)

    def missing(self, shares: _Shares) -> tuple[Repair, ...]:
        """The weights that have no old slots, for people."""
        layers = {
            weight.layer: None
            for layer, index, weight in self._after
            for slot in self._layout.slots
            if self._layout.slot_shape(slot, path_of(weight), weight.shape) is not None
            and (slot, layer, index) not in shares
        }
        return tuple(
            Repair(
                OPTIMIZER_STATE,
                layer,
                "no optimizer state, because the model was not trained: the optimizer "
                "starts from zero",
                caution=True,
            )
            for layer in layers
        )

    def _first(self, slot: Slot, weight: Placed) -> Readable:
        if slot.start == OWN_VALUE:
            return weight
        return _filled(slot)

    def _product(self, steps: int) -> float:
        """Nadam's product after this many steps; not every file stores it."""
        each = np.arange(1, min(steps, _PRODUCT_STEPS) + 1)
        beta = float(self._optimizer["config"].get("beta_1", 0.9))
        return float(np.prod(beta * (1.0 - 0.5 * 0.96**each)))


def _filled(slot: Slot) -> Filled:
    """A slot as it is before the first step."""
    shape = tuple(map(int, slot.shape))  # type: ignore[arg-type]
    return Filled(shape, float(slot.start), slot.dtype)


def _state(
    slots: Slots, layout: Layout, before: Sequence[Trained]
) -> OptimizerState | None:
    if slots.kind == "slots":
        by_name = {each.name: number for number, each in enumerate(before)}
        return variable_state(slots, by_name)
    return listed_state(slots, layout, before, named=slots.kind == "named")


def _shares(
    state: OptimizerState,
    layout: Layout,
    weights: TrainedWeights,
    before: Sequence[Trained],
) -> _Shares | None:
    """The slots by the weights of Keras 3, None where one is unclear."""
    shares: _Shares = {}
    numbers: dict[int, list[int]] = {}
    for number, each in enumerate(before):
        numbers.setdefault(each.owner, []).append(number)
    for layer, mine in numbers.items():
        for slot in layout.slots:
            held: dict[int, Readable] = {
                before[number].index: state.slots[slot, number]
                for number in mine
                if (slot, number) in state.slots
            }
            if weights.owner(layer).conversion and held:
                made = _converted(weights, layer, held)
                if made is None:
                    return None
                held = made
            for index, array in held.items():
                weight = weights.layers[layer][index]
                shape = layout.slot_shape(slot, path_of(weight), weight.shape)
                if array.shape != shape:
                    return None
                shares[slot, layer, index] = array
    return shares


def _converted(
    weights: TrainedWeights, layer: int, held: Mapping[int, Any]
) -> dict[int, Readable] | None:
    """One slot of a layer whose weights Keras 3 arranges differently."""
    owner = weights.owner(layer)
    values = []
    for index, variable in enumerate(owner.stored):
        shape = variable.shape
        if index in held:
            values.append(held[index].read())
        elif (
            variable.trainable
            or shape is None
            or not all(isinstance(axis, int) for axis in shape)
        ):
            return None
        else:
            values.append(np.zeros(shape, "float32"))
    try:
        made = CONVERSIONS[owner.conversion].moved(values, owner.place.config)
    except MALFORMED:
        return None
    return None if made is None else {i: InMemory("", a) for i, a in enumerate(made)}


def _left(why: str, optimizer: Mapping[str, Any]) -> Repair:
    return dropped(str(optimizer.get("class_name")), why)
