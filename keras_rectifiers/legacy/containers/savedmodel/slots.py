"""The optimizer's state in a SavedModel."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from keras_rectifiers.legacy.containers.saved import Array
from keras_rectifiers.legacy.containers.saved import ListedSlots
from keras_rectifiers.legacy.containers.saved import Slots
from keras_rectifiers.legacy.containers.savedmodel.objects import ObjectGraph

_OPTIMIZER = "optimizer"
#: Where an optimizer that scales the loss holds the one that trains.
_INSIDE = ("inner_optimizer", "_optimizer", "base_optimizer")
#: Where an optimizer of Keras 2.11 or later lists its variables.
_LIST = "_variables"


@dataclasses.dataclass(frozen=True)
class Slot:
    """One array that an optimizer keeps for a weight.

    Attributes:
        slot: What it is: `"m"`, `"v"`, `"momentum"`, `"rms"`, ...
        variable: Name of the weight's array, as the container's weights have it.
        array: Its values.
    """

    slot: str
    variable: str
    array: Array


@dataclasses.dataclass(frozen=True)
class VariableSlots:
    """State of an optimizer of Keras before 2.11: by weight.

    Attributes:
        arrays: Every array: the numbers first, then the slots.
        slots: The slots, as the file has them.
        numbers: Single numbers by their names: `"iter"`, `"learning_rate"`, ...
    """

    arrays: tuple[Array, ...]
    slots: tuple[Slot, ...]
    numbers: dict[str, Array]
    kind: str = "slots"


def read(graph: ObjectGraph, array: Callable[[int], Array]) -> Slots | None:
    """The optimizer's state; None where there is none.

    Args:
        graph: The objects of the checkpoint.
        array: Number of a variable -> its array.
    """
    optimizers = _optimizers(graph)
    for at in optimizers:
        listed = graph[at].children.get(_LIST)
        if listed is not None:
            members = graph.listed(listed)
            variables = [each for each in members if graph[each].key is not None]
            return ListedSlots("listed", tuple(map(array, variables)))
    numbers = {
        name: array(child)
        for at in optimizers
        for name, child in graph[at].children.items()
        if graph[child].key is not None
    }
    slots = tuple(
        Slot(name, graph[variable].name, array(slot))
        for at in optimizers
        for variable, name, slot in graph[at].slots
        if graph[slot].key is not None
    )
    if not numbers and not slots:
        return None
    arrays = (*numbers.values(), *(slot.array for slot in slots))
    return VariableSlots(arrays, slots, numbers)


def _optimizers(graph: ObjectGraph) -> list[int]:
    """The model's optimizer, and those inside it."""
    found = [graph[0].children[_OPTIMIZER]] if _OPTIMIZER in graph[0].children else []
    for at in found:
        inside = [graph[at].children.get(name) for name in _INSIDE]
        found += [each for each in inside if each is not None and each not in found]
    return found
