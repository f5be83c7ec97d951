"""What a live optimizer keeps for each weight."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

import keras

#: The slot that holds the moving average of the weight itself (`use_ema=True`).
AVERAGE = "_model_variables_moving_average"


class LiveSlot(NamedTuple):
    """One variable that an optimizer keeps for one weight."""

    #: The attribute of the optimizer that holds it, such as `"_momentums"`.
    name: str
    #: The weight.
    weight: Any
    #: The variable.
    variable: Any
    #: The optimizer whose attribute it is.
    optimizer: Any


def inner_of(optimizer: Any) -> Any:
    """The optimizer inside one that scales the loss, or itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def has_schedule(optimizer: Any) -> bool:
    """Whether an optimizer's learning rate follows a schedule."""
    own = getattr(inner_of(optimizer), "_learning_rate", None)
    return isinstance(own, keras.optimizers.schedules.LearningRateSchedule)


def held(optimizer: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of an optimizer that hold state, each once."""
    for name, value in vars(optimizer).items():
        # The first two list what the other attributes hold.
        listed = name in ("_variables", "_trainable_variables")
        if not listed and not name.startswith("_self_"):
            yield name, value


def is_slots(value: Any, optimizer: Any) -> bool:
    """Whether an attribute of an optimizer has one entry for each weight."""
    weights = getattr(optimizer, "_trainable_variables", None) or ()
    return (
        isinstance(value, list)
        and len(value) == len(weights)
        and any(isinstance(slot, keras.Variable) for slot in value)
    )


def slots(optimizer: Any) -> Iterator[LiveSlot]:
    """The slots of an optimizer, and of those inside it.

    Args:
        optimizer: A Keras optimizer; one that is not built has none.
    """
    for name, value in held(optimizer):
        if isinstance(value, keras.optimizers.Optimizer):
            yield from slots(value)
        elif name == "_inner_optimizers":
            for each in value:
                yield from slots(each)
        elif is_slots(value, optimizer):
            for weight, slot in zip(optimizer._trainable_variables, value, strict=True):  # noqa: SLF001 - Keras has no public way
                if isinstance(slot, keras.Variable):
                    yield LiveSlot(name, weight, slot, optimizer)
