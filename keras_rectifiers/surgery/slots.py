"""Where an optimizer keeps each variable's slots in a weights file.

Keras stores `optimizer/vars/<i>` by number alone: counters first, then one
block after another, each with the slots of every trainable variable in turn.
"""

from __future__ import annotations

import dataclasses
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


#: The slots that one variable has in one block, by their start values.
Block = tuple[float | str, ...]

_ONE: Block = (0.0,)
_TWO: Block = (0.0, 0.0)


def _blocks(class_name: str, config: Mapping[str, Any]) -> list[Block] | None:
    """The blocks of an optimizer after averages and accumulated gradients."""
    match class_name:
        case "SGD":
            return [_ONE] if config.get("momentum") else []
        case "Adam" | "AdamW":
            return [_TWO, _ONE] if config.get("amsgrad") else [_TWO]
        case "RMSprop":
            further = ("momentum", "centered")
            return [_ONE, *(_ONE for key in further if config.get(key))]
        case "Adagrad":
            return [(float(config["initial_accumulator_value"]),)]
        case "Ftrl":
            return [(float(config["initial_accumulator_value"]), 0.0)]
        case "Adadelta" | "Adamax" | "Nadam" | "Lamb":
            return [_TWO]
        case "Lion":
            return [_ONE]
    return None


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
    blocks = _blocks(str(optimizer.get("class_name")), config)
    if blocks is None:
        return None
    first: list[Block] = []
    if config.get("use_ema"):
        first.append((OWN_VALUE,))
    if config.get("gradient_accumulation_steps"):
        first.append((0.0,))
    scheduled = isinstance(config.get("learning_rate"), Mapping)
    trailer = 1 if optimizer.get("class_name") == "Nadam" else 0  # its product
    return SlotLayout(1 if scheduled else 2, (*first, *blocks), trailer)
