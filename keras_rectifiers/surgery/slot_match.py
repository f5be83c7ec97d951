"""Hold an optimizer's stored arrays against the variables that it trains."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence

from keras_rectifiers.surgery.optimizer_layout import Block
from keras_rectifiers.surgery.optimizer_layout import Layout
from keras_rectifiers.surgery.trained import TrainedLayer
from keras_rectifiers.surgery.trained import TrainedVariable

Shape = tuple[int, ...]

#: Most ways that are tried to find which variables a state belongs to.
_MOST_TRIES = 100_000


class Unfit(Exception):  # noqa: N818 (control flow: never leaves this package)
    """A state that is not the one of these variables; says why."""


def matched(
    layout: Layout,
    counters: int,
    shapes: Sequence[Shape],
    groups: Sequence[TrainedLayer],
) -> list[TrainedLayer]:
    """The groups with exactly the variables that a state has slots for.

    Args:
        layout: What the optimizer keeps.
        counters: How many counters come before its blocks.
        shapes: The shapes of the stored arrays, in order.
        groups: What may be trained. Where a layer's class does not say it, the
            state does.

    Raises:
        Unfit: The state belongs to other variables, or this is unclear.
    """
    found = [
        each
        for each in _candidates(layout, counters, shapes, groups)
        if _fits(layout, counters, shapes, each)
    ]
    counts = {tuple(len(group.variables) for group in each) for each in found}
    if len(counts) == 1:
        return found[0]
    if counts:
        unsure = next(group for group in groups if not group.sure)
        raise Unfit(
            f"which of its arrays belong to {unsure.holder[0]!r} cannot be determined"
        )
    if all(group.sure for group in groups):
        every = [variable for group in groups for variable in group.variables]
        needed = size(layout, counters, groups)
        if len(shapes) == needed:
            raise Unfit("its arrays have other shapes than the trained weights")
        raise Unfit(
            f"it has {len(shapes)} variables, but {layout.class_name} has {needed} "
            f"for the {len(every)} trainable weights"
        )
    raise Unfit(f"its {len(shapes)} variables do not match the trainable weights")


def size(layout: Layout, counters: int, groups: Sequence[TrainedLayer]) -> int:
    """How many variables an optimizer has for the variables of some groups.

    Args:
        layout: What it keeps.
        counters: How many counters come before its blocks.
        groups: What it trains.
    """
    slots = sum(
        sum(1 for _ in layout.slots_of(block, each.path, each.shape))
        for block in layout.blocks
        for group in groups
        for each in group.variables
    )
    return counters + slots + layout.product


def _candidates(
    layout: Layout,
    counters: int,
    shapes: Sequence[Shape],
    groups: Sequence[TrainedLayer],
) -> Iterator[list[TrainedLayer]]:
    """The ways in which the first block may belong to the groups."""
    if not layout.blocks or all(group.sure for group in groups):
        yield list(groups)
        return
    block = layout.blocks[0]
    tries = 0
    pending: list[tuple[int, int, list[TrainedLayer]]] = [(0, counters, [])]
    while pending:
        number, start, taken = pending.pop()
        tries += 1
        if tries > _MOST_TRIES:
            raise Unfit("which weights its arrays belong to cannot be determined")
        if number == len(groups):
            yield taken
            continue
        group = groups[number]
        for chosen in _chosen(layout, block, shapes, start, group):
            length = len(_wanted(layout, block, chosen))
            with_this = [*taken, dataclasses.replace(group, variables=chosen)]
            pending.append((number + 1, start + length, with_this))


def _chosen(
    layout: Layout,
    block: Block,
    shapes: Sequence[Shape],
    start: int,
    group: TrainedLayer,
) -> Iterator[tuple[TrainedVariable, ...]]:
    """The variables of a group whose slots may begin at a place."""
    if group.sure:
        if _same(shapes, start, _wanted(layout, block, group.variables)):
            yield group.variables
        return
    pending: list[tuple[tuple[TrainedVariable, ...], int]] = [((), start)]
    while pending:
        chosen, at = pending.pop()
        yield chosen
        left = [each for each in group.variables if each not in chosen]
        for each in {each.shape: each for each in reversed(left)}.values():
            wanted = _wanted(layout, block, (each,))
            if list(shapes[at : at + len(wanted)]) == wanted:
                pending.append(((*chosen, each), at + len(wanted)))


def _fits(
    layout: Layout,
    counters: int,
    shapes: Sequence[Shape],
    groups: Sequence[TrainedLayer],
) -> bool:
    """Whether every block has the slots of the groups, and nothing is left over.

    Within a layer the order is not known for certain.
    """
    if len(shapes) != size(layout, counters, groups):
        return False
    start = counters
    for block in layout.blocks:
        for group in groups:
            wanted = _wanted(layout, block, group.variables)
            if not _same(shapes, start, wanted):
                return False
            start += len(wanted)
    ends = [*shapes[:counters], *shapes[start:]]
    return all(shape == () for shape in ends)


def _wanted(
    layout: Layout, block: Block, variables: Sequence[TrainedVariable]
) -> list[tuple[int | str | None, ...]]:
    return [
        slot.shape
        for each in variables
        for slot in layout.slots_of(block, each.path, each.shape)
    ]


def _same(
    shapes: Sequence[Shape], start: int, wanted: Sequence[tuple[int | str | None, ...]]
) -> bool:
    found = shapes[start : start + len(wanted)]
    return len(found) == len(wanted) and Counter(found) == Counter(wanted)
