"""Where an optimizer keeps each variable's slots in a weights file.

Keras stores `optimizer/vars/<i>` by number alone: counters first, then one
block after another, each with the slots of every trainable variable in turn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

#: Stands for the value of the variable itself, in place of a start value.
OWN_VALUE = "own"


@dataclasses.dataclass(frozen=True)
class SlotLayout:
    """How the variables of an optimizer follow each other."""

    #: Counters before the blocks: iteration and, without a schedule, rate.
    header: int
    #: For each block, the start values of the slots of one variable.
    blocks: tuple[tuple[float | str, ...], ...]
    #: Counters after the blocks.
    trailer: int = 0

    def total(self, variables: int) -> int:
        """Number of optimizer variables for so many trainable variables."""
        slots = variables * sum(len(block) for block in self.blocks)
        return self.header + slots + self.trailer

    def wrapped(self) -> SlotLayout:
        """The layout of the LossScaleOptimizer around this one.

        It stores its own counters (iteration, rate, step counter, scale) and
        then the variables of the optimizer inside it once more.
        """
        return dataclasses.replace(self, header=self.header + 4)


Blocks = Callable[[Mapping[str, Any]], list[tuple[float | str, ...]]]

#: Class of optimizer -> its blocks after averages and accumulated gradients.
_BLOCKS: dict[str, Blocks] = {
    "SGD": lambda c: [(0.0,)] if c.get("momentum") else [],
    "Adam": lambda c: [(0.0, 0.0)] + ([(0.0,)] if c.get("amsgrad") else []),
    "RMSprop": lambda c: (
        [(0.0,)]
        + ([(0.0,)] if c.get("momentum") else [])
        + ([(0.0,)] if c.get("centered") else [])
    ),
    "Adagrad": lambda c: [(float(c["initial_accumulator_value"]),)],
    "Adadelta": lambda c: [(0.0, 0.0)],
    "Adamax": lambda c: [(0.0, 0.0)],
    "Nadam": lambda c: [(0.0, 0.0)],
    "Ftrl": lambda c: [(float(c["initial_accumulator_value"]), 0.0)],
    "Lion": lambda c: [(0.0,)],
    "Lamb": lambda c: [(0.0, 0.0)],
}
_BLOCKS["AdamW"] = _BLOCKS["Adam"]


def slot_layout(optimizer: Mapping[str, Any]) -> SlotLayout | None:
    """The layout of a serialized optimizer, None where it is not known.

    Args:
        optimizer: The `optimizer` of a `compile_config`; one that scales the
            loss stands for the optimizer inside it.
    """
    config = optimizer.get("config")
    if not isinstance(config, Mapping):
        return None
    if optimizer.get("class_name") == "LossScaleOptimizer":
        inner = config.get("inner_optimizer")
        return slot_layout(inner) if isinstance(inner, Mapping) else None
    blocks = _BLOCKS.get(str(optimizer.get("class_name")))
    if blocks is None:
        return None
    first: list[tuple[float | str, ...]] = []
    if config.get("use_ema"):
        first.append((OWN_VALUE,))
    if config.get("gradient_accumulation_steps"):
        first.append((0.0,))
    scheduled = isinstance(config.get("learning_rate"), Mapping)
    trailer = 1 if optimizer.get("class_name") == "Nadam" else 0  # its product
    return SlotLayout(1 if scheduled else 2, (*first, *blocks(config)), trailer)
