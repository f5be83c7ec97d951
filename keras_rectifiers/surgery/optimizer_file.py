"""Keep an optimizer's state inside a weights file, or drop it.

The weights of a model matter most: a state that cannot be kept exactly never blocks a
conversion. It is dropped, and one line reports it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

from keras_rectifiers.files import hdf5
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.repairs import Repair
from keras_rectifiers.surgery.optimizer_layout import DEFAULT
from keras_rectifiers.surgery.optimizer_layout import OWN_VALUE
from keras_rectifiers.surgery.optimizer_layout import SCALER
from keras_rectifiers.surgery.optimizer_layout import SCALER_COUNTERS
from keras_rectifiers.surgery.optimizer_layout import Layout
from keras_rectifiers.surgery.optimizer_layout import Slot
from keras_rectifiers.surgery.optimizer_layout import class_and_config
from keras_rectifiers.surgery.optimizer_layout import layout_of
from keras_rectifiers.surgery.optimizer_layout import scaler_counters
from keras_rectifiers.surgery.rewrite import Rewritten
from keras_rectifiers.surgery.slot_match import Unfit
from keras_rectifiers.surgery.slot_match import matched
from keras_rectifiers.surgery.trained import Arrays
from keras_rectifiers.surgery.trained import TrainedLayer
from keras_rectifiers.surgery.trained import TrainedVariable
from keras_rectifiers.surgery.trained import holders
from keras_rectifiers.surgery.trained import trained
from keras_rectifiers.surgery.trained import trains
from keras_rectifiers.surgery.training_state import dropped

_OPTIMIZER = "optimizer"
_VARIABLES = f"{_OPTIMIZER}/vars"
_INNER = f"{_OPTIMIZER}/inner_optimizer/vars"
#: So many counters may be all that an optimizer ever had.
_FEW = 2


@dataclasses.dataclass(frozen=True)
class New:
    """An array that is made.

    Attributes:
        shape: Its shape.
        value: What it holds, unless it is a copy.
        dtype: Its type.
        copy: The array that it is a copy of, or `""`.
    """

    shape: tuple[int, ...]
    value: Any = 0.0
    dtype: str = "float32"
    copy: str = ""


@dataclasses.dataclass(frozen=True)
class StateChange:
    """What becomes of the state in a weights file.

    Attributes:
        groups: Group -> its variables: the number of an old one, or a new one.
            Groups that are not named stay as they are.
        left: Which state is dropped and why; None where it is kept.
    """

    groups: dict[str, tuple[int | New, ...]] = dataclasses.field(default_factory=dict)
    left: Repair | None = None


def plan_state(arrays: Arrays, old: Entry, rewritten: Rewritten) -> StateChange:
    """What becomes of the optimizer's state when trained variables come and go.

    Args:
        arrays: The arrays of the weights file, as the old document describes it.
        old: The old document.
        rewritten: What became of it.
    """
    compiled = old.get("compile_config")
    stored = [name for name in arrays if name.startswith(f"{_OPTIMIZER}/")]
    if not isinstance(compiled, dict) or not compiled or not stored:
        return StateChange()  # Keras takes nothing from such a file
    before = trained(old, arrays)
    after = list(_after(rewritten, before))
    if not any(group.new for group in after) and after == before:
        return StateChange()
    if len(stored) <= _FEW and not any(arrays[name].shape for name in stored):
        return StateChange()  # counters alone: the optimizer was never built
    layout = layout_of(compiled.get("optimizer", DEFAULT))
    if layout is None:
        why = "the layout of its variables is unknown"
        return StateChange(left=_left(compiled, why))
    try:
        return StateChange(dict(_renumbered(arrays, layout, before, after)))
    except Unfit as error:
        fresh = _fresh(arrays, compiled, layout, after)
        return StateChange(fresh, _left(compiled, str(error)))


def write_state(file: h5py.File, state: StateChange) -> None:
    """Bring the optimizer's variables in a weights file to what was planned.

    Args:
        file: The open weights file, writable, before its layers were changed.
        state: From `plan_state`.
    """
    if state.left is None:
        for name, order in state.groups.items():
            _reorder(file[name], order)
        return
    attributes = {each: dict(file[each].attrs) for each in state.groups if each in file}
    del file[_OPTIMIZER]
    for name, order in state.groups.items():
        group = file.require_group(name)
        group.attrs.update(attributes.get(name, {}))
        _make(group, order)


def count_change(arrays: Arrays, state: StateChange) -> int:
    """By how many arrays the file grows.

    Args:
        arrays: The arrays of the file before.
        state: From `plan_state`.
    """
    made = sum(len(order) for order in state.groups.values())
    if state.left is not None:
        return made - sum(name.startswith(f"{_OPTIMIZER}/") for name in arrays)
    return made - sum(name.rpartition("/")[0] in state.groups for name in arrays)


def _listed(arrays: Arrays, group: str) -> list[tuple[int, ...]]:
    """The shapes of the arrays of a group, which are numbered from 0.

    Raises:
        Unfit: They are not.
    """
    count = sum(name.startswith(f"{group}/") for name in arrays)
    names = [f"{group}/{index}" for index in range(count)]
    if not all(name in arrays for name in names):
        raise Unfit("its variables are not numbered as Keras does it")
    return [arrays[name].shape for name in names]


def _after(
    rewritten: Rewritten, before: Sequence[TrainedLayer]
) -> Iterator[TrainedLayer]:
    """What is trained of the rewritten model."""
    kept = {group.holder: group for group in before}
    for holder, place in holders(rewritten.document):
        weights = rewritten.replaced.get(holder)
        if weights is None:
            # An Activation that held a PReLU may have become another layer.
            if holder in kept and holder not in rewritten.removed:
                yield kept[holder]
        elif weights and trains(place, holder[1]):
            name = holder[1] or place.names[-1]
            yield TrainedLayer(
                holder,
                tuple(
                    TrainedVariable(f"{name}/{each.name}", each.shape, value=each.value)
                    for each in weights
                ),
            )


def _renumbered(
    arrays: Arrays,
    layout: Layout,
    before: Sequence[TrainedLayer],
    after: Sequence[TrainedLayer],
) -> Iterator[tuple[str, tuple[int | New, ...]]]:
    counters = {_VARIABLES: len(layout.counters)}
    if _is_scaled(arrays):
        counters[_VARIABLES] += SCALER_COUNTERS
        counters[_INNER] = len(layout.counters)
    for name, count in counters.items():
        shapes = _listed(arrays, name)
        if len(shapes) in (count, len(layout.counters)) and not any(shapes):
            continue  # the optimizer was never built
        found = matched(layout, count, shapes, before)
        yield name, tuple(_order(layout, count, len(shapes), found, after))


def _order(
    layout: Layout,
    counters: int,
    count: int,
    before: Sequence[TrainedLayer],
    after: Sequence[TrainedLayer],
) -> Iterator[int | New]:
    """The old numbers in the new order, and new variables between them."""
    yield from range(counters)
    start = counters
    for block in layout.blocks:
        old: dict[tuple[str, str], range] = {}
        for group in before:
            length = sum(len(_of(layout, block, each)) for each in group.variables)
            old[group.holder] = range(start, start + length)
            start += length
        for group in after:
            if group.new:
                yield from _made(layout, block, group.variables)
            else:
                yield from old[group.holder]
    yield from range(start, count)


def _of(
    layout: Layout, block: tuple[str, ...], variable: TrainedVariable
) -> list[Slot]:
    return list(layout.slots_of(block, variable.path, variable.shape))


def _made(
    layout: Layout, block: tuple[str, ...], variables: Iterable[TrainedVariable]
) -> Iterator[New]:
    """Slots as they are before the first step."""
    for each in variables:
        for slot in _of(layout, block, each):
            shape: Any = slot.shape
            if slot.start != OWN_VALUE:
                yield New(shape, slot.start, slot.dtype)
            elif each.value is not None:
                yield New(shape, each.value, slot.dtype)
            else:
                yield New(shape, copy=each.array)


def _is_scaled(arrays: Arrays) -> bool:
    """Whether there is an optimizer inside one that scales the loss."""
    return any(name.startswith(f"{_INNER}/") for name in arrays)


def _fresh(
    arrays: Arrays, compiled: Entry, layout: Layout, after: Sequence[TrainedLayer]
) -> dict[str, tuple[int | New, ...]]:
    """An optimizer that has taken no step; nothing where its size is not known.

    Keras warns of a file without the variables that it expects.
    """
    variables = [each for group in after for each in group.variables]
    lying = any(each.array and not arrays[each.array].plain for each in variables)
    if lying or not all(group.sure for group in after):
        return {}
    own = list(_first(layout.counters))
    for block in layout.blocks:
        for group in after:
            own += _made(layout, block, group.variables)
    if layout.product:
        own.append(New((), 1.0))
    class_name, config = class_and_config(compiled.get("optimizer"))
    if class_name != SCALER and not _is_scaled(arrays):
        return {_VARIABLES: tuple(own)}
    scaler = _first(scaler_counters(config))
    return {_VARIABLES: (*scaler, *own), _INNER: tuple(own)}


def _first(counters: Iterable[Slot]) -> Iterator[New]:
    """Counters as they are before the first step."""
    return (New((), each.start, each.dtype) for each in counters)


def _left(compiled: Entry, why: str) -> Repair:
    if "optimizer" not in compiled:
        why = f"the file does not name it, and Keras opens it with {DEFAULT}: {why}"
        return dropped("an optimizer", why)
    return dropped(class_and_config(compiled["optimizer"])[0], why)


def _reorder(group: h5py.Group, order: Sequence[int | New]) -> None:
    """Renumber the arrays of a group, and make the new ones."""
    kept = {str(each) for each in order if isinstance(each, int)}
    for name in [name for name in group if name not in kept]:
        del group[name]
    moved = [
        (old, new)
        for new, old in enumerate(order)
        if isinstance(old, int) and old != new
    ]
    for old, new in moved:  # by way of free names: no number is taken twice
        group.move(str(old), f"moved {new}")
    for _, new in moved:
        group.move(f"moved {new}", str(new))
    _make(group, order)


def _make(group: h5py.Group, order: Sequence[int | New]) -> None:
    for index, each in enumerate(order):
        if isinstance(each, New):
            value = hdf5.read(group.file[each.copy]) if each.copy else each.value
            dtype = np.dtype(each.dtype)
            hdf5.create(group, str(index), each.shape, value, dtype)
