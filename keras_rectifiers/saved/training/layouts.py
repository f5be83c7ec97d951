"""Which arrays each optimizer keeps for a weight, and in which order."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

#: A shape; an axis that is not known is None or a text.
Pattern = tuple[int | str | None, ...]

#: Stands for the weight's own value, as the start of its moving average.
OWN_VALUE = "own"

#: A slot that Keras 2.1 to 2.3 kept for `amsgrad` where it was off.
DUMMY = "dummy"

_AVERAGE = "average"
#: Slot in Keras 3 -> what older optimizers call it.
ALIASES: dict[str, frozenset[str]] = {
    _AVERAGE: frozenset({"average"}),
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
    DUMMY: frozenset({"vhat"}),
    "r": frozenset({"r"}),
    "c": frozenset({"c"}),
}
#: Every name of a slot.
NAMES = frozenset(name for names in ALIASES.values() for name in names)

#: The slots that every weight has in one block, in turn.
Block = tuple[str, ...]


_ADAM: tuple[tuple[Block, str], ...] = (
    (("momentum", "velocity"), ""),
    (("velocity_hat",), "amsgrad"),
)
#: Class -> its blocks, each with the argument that asks for it, or `""`.
_BLOCKS: dict[str, tuple[tuple[Block, str], ...]] = {
    "SGD": ((("momentum",), "momentum"),),
    "Adam": _ADAM,
    "AdamW": _ADAM,
    "RMSprop": (
        (("velocity",), ""),
        (("momentum",), "momentum"),
        (("average_gradient",), "centered"),
    ),
    "Adagrad": ((("accumulator",), ""),),
    "Adadelta": ((("accumulated_grad", "accumulated_delta_var"), ""),),
    "Adamax": ((("momentum", "norm"), ""),),
    "Nadam": ((("momentum", "velocity"), ""),),
    "Ftrl": ((("accumulator", "linear"), ""),),
    "Lion": ((("momentum",), ""),),
    "Adafactor": ((("r", "c", "velocity"), ""),),
}


@dataclasses.dataclass(frozen=True)
class Layout:
    """The arrays that an optimizer keeps.

    Attributes:
        blocks: The slots of each block; Keras 3 and the optimizers since 2.11 list
            one block after the other, and in it each weight's slots together.
        start: What an accumulator starts from.
        scheduled: Whether the learning rate is a schedule, and no variable.
        product: Whether a product of momenta follows the slots, as Nadam has it.
    """

    blocks: tuple[Block, ...]
    start: float
    scheduled: bool
    product: bool

    @property
    def slots(self) -> tuple[str, ...]:
        """All slots, in the order of the blocks."""
        return tuple(slot for block in self.blocks for slot in block)

    def first_value(self, slot: str) -> float | str:
        """What a slot holds before the first step."""
        if slot == _AVERAGE:
            return OWN_VALUE
        return self.start if slot == "accumulator" else 0.0


def layout_of(optimizer: Mapping[str, Any]) -> Layout | None:
    """What an optimizer of Keras 3 keeps; None where it is not known.

    Args:
        optimizer: As Keras 3 writes it.
    """
    config = optimizer["config"]
    blocks = _blocks(str(optimizer["class_name"]), config)
    if blocks is None or config.get("gradient_accumulation_steps"):
        return None
    if config.get("use_ema"):
        blocks = [(_AVERAGE,), *blocks]
    return Layout(
        tuple(blocks),
        float(config.get("initial_accumulator_value") or 0.0),
        isinstance(config.get("learning_rate"), Mapping),
        optimizer["class_name"] == "Nadam",
    )


def slot_shape(slot: str, shape: Pattern) -> Pattern | None:
    """The shape of a weight's slot; None where that weight has none.

    Args:
        slot: The slot.
        shape: The weight's shape.
    """
    if slot not in ("r", "c"):
        return shape
    if len(shape) < 2:  # noqa: PLR2004 (vectors are not factored)
        return None
    return shape[:-1] if slot == "r" else (*shape[:-2], shape[-1])


def _blocks(class_name: str, config: Mapping[str, Any]) -> list[Block] | None:
    rows = _BLOCKS.get(class_name)
    if rows is None:
        return None
    return [block for block, flag in rows if not flag or config.get(flag)]
