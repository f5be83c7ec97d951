"""What becomes of the axis of the channels, call by call.

It serves documents and live models alike: a class is known by its traits, and its
arguments by a function that looks one up. Keras is never imported here.

An axis is counted from the front, with the batch at 0, and the last one is -1.
None means that nothing is known of it: then it is taken to be the last one, unless
another tensor that comes to the same layer knows better.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from keras_rectifiers.graph.traits.keras_classes import Channels
from keras_rectifiers.graph.traits.keras_classes import Traits

Axis = int | None
#: The axis of the channels in a tensor, and its number of axes; None: unknown.
AxisRank = tuple[Axis, int | None]
#: Looks up an argument of a layer or operation; None where it has no such.
Argument = Callable[[str], Any]

LAST = -1


def format_axis(data_format: Any) -> int:
    """The axis of the channels that a `data_format` states."""
    return 1 if data_format == "channels_first" else LAST


def channel_axis(config: Mapping[str, Any], rank: int) -> int:
    """The axis of the channels that a layer's config states, from the front.

    Args:
        config: The layer's config.
        rank: Number of axes, the batch included.
    """
    return format_axis(config.get("data_format")) % rank


def data_format(axis: int) -> str | None:
    """The `data_format` that states an axis; None where none does."""
    return {LAST: "channels_last", 1: "channels_first"}.get(axis)


def slope_axis(axis: int, rank: int) -> int:
    """The axis of the channels in the slopes of a PReLU, which have no batch.

    Args:
        axis: The axis of the channels in its output.
        rank: Number of axes of the slopes; 1 where they are one for each channel.
    """
    return 0 if rank == 1 else axis - (axis > 0)


def agreed(calls: Iterable[AxisRank]) -> tuple[int, bool]:
    """One axis for several calls, and whether it holds at each of them.

    Args:
        calls: Axis and number of axes of the output, for each call.
    """
    known = [(LAST if axis is None else axis, rank) for axis, rank in calls]
    for axis, _ in known:
        if all(_same(axis, other, rank) for other, rank in known):
            return axis, True
    return (known[0][0], False) if known else (LAST, True)


def inside(traits: Traits, argument: Argument, given: Axis) -> Axis:
    """The axis in what a layer's own activation takes.

    Args:
        traits: Those of the layer's class.
        argument: Looks up its arguments.
        given: The axis in the layer's output.
    """
    if traits.channels is Channels.STEPS:  # it runs on one step at a time
        return format_axis(argument("data_format"))
    return given


def into_step(axis: Axis) -> Axis:
    """The axis of a sequence in each of its steps; None if it is that of the time."""
    return axis if axis in (None, LAST) else (axis or 0) - 1 or None


def out_of_step(axis: Axis) -> Axis:
    """The axis of a step in the sequence of all steps."""
    return axis if axis in (None, LAST) else (axis or 0) + 1


def after(
    traits: Traits, argument: Argument, given: Sequence[AxisRank], rank: int | None
) -> Axis:
    """The axis of the channels in what a layer or operation puts out.

    Args:
        traits: Those of its class; `UNKNOWN` if that is somebody else's.
        argument: Looks up its arguments.
        given: The tensors that it takes.
        rank: Number of axes of the output.
    """
    unknown: AxisRank = next(iter(given), (None, None))
    axis, before = next((each for each in given if each[0] is not None), unknown)
    found: Axis
    match traits.channels:
        case Channels.LAST:
            found = LAST
        case Channels.LOST:
            found = None
        case Channels.POOLED:
            flat = not argument("keepdims")
            found = LAST if flat else format_axis(argument("data_format"))
        case Channels.STEPS:
            found = format_axis(argument("data_format"))
            found = out_of_step(found) if argument("return_sequences") else found
        case Channels.EINSUM:
            found = _einsum(str(argument("equation") or ""))
        case Channels.REDUCED:
            found = _reduced(argument, axis, before)
        case Channels.STAY | Channels.SLOPES:
            found = _stayed(traits, argument, (axis, before), rank)
        case _:
            found = _moved(traits.channels, argument, axis, before)
    return LAST if found is not None and rank == found + 1 else found


def _same(axis: int, other: int, rank: int | None) -> bool:
    if axis == other or not rank:
        return axis == other
    return axis % rank == other % rank


def _stayed(
    traits: Traits, argument: Argument, given: AxisRank, rank: int | None
) -> Axis:
    """The axis after a class that moves none; None where another one was dropped."""
    # A PReLU may name the axes that it shares: its format then says nothing.
    shares = traits.channels is Channels.SLOPES
    named = shares and not isinstance(argument("shared_axes"), str)
    if argument("data_format") is not None and not named:
        return format_axis(argument("data_format"))
    axis, before = given
    known = before is not None and rank is not None
    return None if known and axis != LAST and before != rank else axis


def _einsum(equation: str) -> Axis:
    """The axis that an EinsumDense makes; the last one where it makes several."""
    left, _, output = equation.replace(" ", "").partition("->")
    given, _, kernel = left.partition(",")
    made = [each for each in output if each in kernel and each not in given]
    if not made or "..." in output or output[-1] in made:
        return LAST
    return output.index(made[-1])


def _moved(kind: Channels, argument: Argument, axis: Axis, rank: int | None) -> Axis:
    """The axis after a class that moves, adds or drops axes."""
    if kind is Channels.PERMUTED:
        dims = whole(argument("dims")) or []
        rank = len(dims) + 1
        order: list[int] | None = [0, *dims]
    elif not rank:
        sizes = kind in (Channels.SQUEEZED, Channels.EXPANDED)
        return axis if axis == LAST and sizes else None
    else:
        order = _order(kind, argument, rank)
    if order is None or not rank:
        return None
    place = (LAST if axis is None else axis) % rank
    return order.index(place) if place in order else None


def _order(kind: Channels, argument: Argument, rank: int) -> list[int] | None:
    """For each axis of the output its axis in the input, -1 for a new one."""
    order = list(range(rank))
    if kind is Channels.TRANSPOSED:
        axes = argument("axes")
        return order[::-1] if axes is None else _from_front(axes, rank)
    if kind is Channels.SWAPPED:
        pair = _from_front([argument("axis1"), argument("axis2")], rank)
        if pair is None:
            return None
        order[pair[0]], order[pair[1]] = pair[1], pair[0]
        return order
    if kind is Channels.MOVED:
        sources = _from_front(argument("source"), rank)
        targets = _from_front(argument("destination"), rank)
        if sources is None or targets is None:
            return None
        order = [each for each in order if each not in sources]
        for target, source in sorted(zip(targets, sources, strict=False)):
            order.insert(target, source)
        return order
    axes = argument("axis")
    if kind is Channels.SQUEEZED:
        gone = _from_front(axes, rank)
        return None if gone is None else [each for each in order if each not in gone]
    count = len(whole(axes) or [])
    for place in sorted(_from_front(axes, rank + count) or []):
        order.insert(place, -1)
    return order if count else None


def _reduced(argument: Argument, axis: Axis, rank: int | None) -> Axis:
    """The axis after a reduction; None where it is gone."""
    if axis is None or not rank or argument("axis") is None:
        return None
    gone = _from_front(argument("axis"), rank)
    if gone is None or axis % rank in gone:
        return None
    if argument("keepdims"):
        return axis
    return axis % rank - sum(each < axis % rank for each in gone)


def _from_front(axes: Any, rank: int) -> list[int] | None:
    numbers = whole(axes)
    if numbers is None or any(not -rank <= each < rank for each in numbers):
        return None
    return [each % rank for each in numbers]


def whole(value: Any) -> list[int] | None:
    """Integers of an argument, live or as a config spells it; None for others."""
    if isinstance(value, dict):
        value = value.get("items")
    if isinstance(value, int) and not isinstance(value, bool):
        return [value]
    if not isinstance(value, list | tuple):
        return None
    plain = [each for each in value if isinstance(each, int)]
    return plain if len(plain) == len(value) else None
