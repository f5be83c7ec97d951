"""Carry an optimizer's state to a model with more (or fewer) variables.

Slots belong to variables by identity, never by position: one new weight in the
middle shifts every later slot.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras

#: The moving averages of the weights themselves (`use_ema=True`).
_AVERAGES = "_model_variables_moving_average"


def carry(old: Any, new: Any, pairs: Iterable[tuple[Any, Any]]) -> None:
    """Copy the state of one optimizer into another of the same class.

    Args:
        old: A built `keras.optimizers.Optimizer`.
        new: One made from its config and built on the new model.
        pairs: (old, new) variables of the two models.
    """
    sources = {id(twin): variable for variable, twin in pairs}
    for name, value in vars(new).items():
        before = getattr(old, name, None)
        if name in ("_variables", "_trainable_variables") or name.startswith("_self_"):
            continue  # lists of what the other attributes hold
        if isinstance(value, keras.Variable):
            if isinstance(before, keras.Variable):
                value.assign(keras.ops.copy(before.value))
        elif isinstance(value, keras.optimizers.Optimizer):
            carry(before, value, list(pairs))
        elif _is_slots(value, new) and _is_slots(before, old):
            _carry_slots(name, (before, old), (value, new), sources)


def _is_slots(value: Any, optimizer: Any) -> bool:
    variables = optimizer._trainable_variables
    return (
        isinstance(value, list)
        and len(value) == len(variables)
        and any(isinstance(slot, keras.Variable) for slot in value)
    )


def _carry_slots(
    name: str,
    before: tuple[Any, Any],
    after: tuple[Any, Any],
    sources: dict[int, Any],
) -> None:
    (old_slots, old), (new_slots, new) = before, after
    for variable, slot in zip(new._trainable_variables, new_slots, strict=True):
        if not isinstance(slot, keras.Variable):
            continue
        source = sources.get(id(variable))
        if source is not None:
            slot.assign(
                keras.ops.copy(old_slots[old._get_variable_index(source)].value)
            )
        elif name == _AVERAGES:
            slot.assign(keras.ops.copy(variable.value))
