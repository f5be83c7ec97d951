"""What was repaired in an old model, for people to read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

#: Rule of what became of an optimizer's state.
OPTIMIZER_STATE = "optimizer state"


@dataclasses.dataclass(frozen=True)
class Repair:
    """One difference between an old file and the modern one.

    Attributes:
        rule: Name of the rule, such as `"batch_input_shape"`.
        layer: Path of the layer, or `""` for the model itself.
        text: What was found and what it is now, in a few words.
        caution: Whether the user should look at it: something was kept that cannot be
            checked, or left out.
    """

    rule: str
    layer: str
    text: str
    caution: bool = False


def grouped(repairs: Iterable[Repair]) -> list[tuple[Repair, int]]:
    """Repairs of one kind together: the first of each kind, and how many there are.

    Args:
        repairs: In the order in which they were made, which is kept.
    """
    kinds: dict[tuple[str, str], list[Repair]] = {}
    for each in repairs:
        kinds.setdefault((each.rule, each.text), []).append(each)
    return [(members[0], len(members)) for members in kinds.values()]


def where_text(first: Repair, count: int) -> str:
    """Where repairs of one kind were made: `"conv1 and 12 more"`."""
    where = first.layer or "the model"
    return where if count == 1 else f"{where} and {count - 1} more"
