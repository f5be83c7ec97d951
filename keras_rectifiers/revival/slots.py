"""Clear what an optimizer remembers of some entries of some variables."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_rectifiers.live.state import copy_of
from keras_rectifiers.revival.live_units import Values

#: Slots that start as the variable itself: averages of the weights.
_AVERAGES = "_model_variables_moving_average"


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
    for name, attribute in vars(optimizer).items():
        if name in ("_variables", "_trainable_variables") or name.startswith("_self_"):
            continue
        if isinstance(attribute, keras.optimizers.Optimizer):
            changed += clear(attribute, variable, mask, value)
        elif name == "_inner_optimizers":
            changed += sum(clear(each, variable, mask, value) for each in attribute)
        elif isinstance(attribute, list):
            slot = _slot(attribute, optimizer, variable)
            if slot is not None:
                start = _start(name, optimizer, value)
                slot.assign(np.where(mask, start, copy_of(slot)))
                changed += 1
    return changed


def _slot(slots: list[Any], optimizer: Any, variable: Any) -> Any:
    """The slot of a variable in a list, if that is a list of slots."""
    known = getattr(optimizer, "_trainable_variables", None) or []
    if len(slots) != len(known) or slots is known:
        return None
    for own, slot in zip(known, slots, strict=True):
        if own is variable:
            fits = isinstance(slot, keras.Variable) and slot.shape == variable.shape
            return slot if fits else None
    return None


def _start(name: str, optimizer: Any, value: Values) -> Any:
    if name == _AVERAGES:
        return value
    if name == "_momentums" and type(optimizer).__name__ == "ScheduleFreeAdamW":
        return value  # its momentum is a second copy of the weights
    if name == "_accumulators":
        return float(optimizer.initial_accumulator_value)
    return 0.0
