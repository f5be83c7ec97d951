"""Clear what an optimizer remembers of some entries of some variables."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from keras_rectifiers.live.optimizers import AVERAGE
from keras_rectifiers.live.optimizers import LiveSlot
from keras_rectifiers.live.optimizers import slots
from keras_rectifiers.live.state import copy_of
from keras_rectifiers.revival.live_units import Values


def clear(
    optimizer: Any, variable: Any, mask: npt.NDArray[np.bool_], value: Values
) -> int:
    """Give the slots of some entries the value that a new optimizer starts with.

    Slots without an entry for each one of the variable (Adafactor's factors) stay.

    Args:
        optimizer: A Keras optimizer; one around others counts with them.
        variable: The variable.
        mask: Which entries, of the variable's shape.
        value: The variable's value of now.

    Returns:
        How many slots were changed.
    """
    changed = 0
    for slot in slots(optimizer):
        kept = slot.variable
        if slot.weight is variable and kept.shape == variable.shape:
            kept.assign(np.where(mask, _start(slot, value), copy_of(kept)))
            changed += 1
    return changed


def forget(model: Any) -> None:
    """Clear what a model's optimizer remembers of its weights; its rate stays.

    Args:
        model: A compiled model; its optimizer is changed in place.
    """
    for variable in model.trainable_variables:
        value = copy_of(variable)
        clear(model.optimizer, variable, np.ones(value.shape, bool), value)


def _start(slot: LiveSlot, value: Values) -> Any:
    if slot.name == AVERAGE:
        return value
    kind = type(slot.optimizer).__name__
    if slot.name == "_momentums" and kind == "ScheduleFreeAdamW":
        return value  # its momentum is a second copy of the weights
    if slot.name == "_accumulators":
        return float(slot.optimizer.initial_accumulator_value)
    return 0.0
