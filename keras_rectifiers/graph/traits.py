"""What Keras' classes do to the axis of the channels: one table for everyone.

It serves documents and live models alike: a class is known by its name, and its
arguments by a function that looks one up. Keras is never imported here.

An axis is counted from the front, with the batch at 0, and the last one is -1.
None means that nothing is known of it: then it is taken to be the last one, unless
another tensor that comes to the same layer knows better.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

Axis = int | None
#: The axis of the channels in a tensor, and its number of axes; None: unknown.
Tensor = tuple[Axis, int | None]
#: Looks up an argument of a layer or operation; None where it has no such.
Argument = Callable[[str], Any]

LAST = -1

#: Normalizations that have a factor, and most a shift, for each unit.
NORMALIZATIONS = frozenset(
    {
        *("BatchNormalization", "GroupNormalization", "LayerNormalization"),
        "RMSNormalization",
    }
)
#: Layers that let each value through, apart from noise while training.
PASSING = frozenset(
    {
        *("ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout"),
        *("GaussianNoise", "Identity"),
        *("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
    }
)
#: Beginnings of the names of layers that change positions, and no channels.
POOLING = ("MaxPool", "AveragePool", "AvgPool", "Adaptive")
RESIZING = ("ZeroPadding", "Cropping", "UpSampling")
GLOBAL_POOLING = "Global"

#: Classes whose units lie on the last axis, whatever comes in.
_ON_LAST = frozenset(
    {
        *("Dense", "Embedding", "ReversibleEmbedding", "Matmul", "OneHot"),
        *("RNN", "LSTM", "GRU", "SimpleRNN", "Bidirectional"),
        *("Attention", "AdditiveAttention", "MultiHeadAttention"),
        *("GroupQueryAttention", "GroupedQueryAttention"),
        *("CategoryEncoding", "Discretization", "HashedCrossing", "Hashing"),
        *("IntegerLookup", "StringLookup", "TextVectorization"),
        # They make a vector, or repeat one.
        *("Flatten", "Ravel", "RepeatVector"),
    }
)
#: Classes after which no axis is what one was before.
_MIXING = frozenset(
    {
        *("Reshape", "Dot", "Einsum", "Tensordot", "Outer", "Kron"),
        *("MelSpectrogram", "STFTSpectrogram"),
    }
)
_REDUCING = frozenset(
    {
        *("Mean", "Sum", "Max", "Min", "Amax", "Amin", "Prod", "Std", "Var", "Any"),
        *("All", "Median", "Quantile", "Logsumexp", "CountNonzero"),
        *("Argmax", "Argmin", "Norm", "Nanmean", "Nansum", "Nanmax", "Nanmin"),
    }
)


def format_axis(data_format: Any) -> int:
    """The axis of the channels that a `data_format` states."""
    return 1 if data_format == "channels_first" else LAST


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


def agreed(calls: Iterable[Tensor]) -> tuple[int, bool]:
    """One axis for several calls, and whether it holds at each of them.

    Args:
        calls: Axis and number of axes of the output, for each call.
    """
    known = [(LAST if axis is None else axis, rank) for axis, rank in calls]
    for axis, _ in known:
        if all(_same(axis, other, rank) for other, rank in known):
            return axis, True
    return (known[0][0], False) if known else (LAST, True)


def inside(class_name: str, argument: Argument, given: Axis) -> Axis:
    """The axis in what a layer's own activation takes.

    Args:
        class_name: The layer's class.
        argument: Looks up its arguments.
        given: The axis in the layer's output.
    """
    if class_name.startswith("ConvLSTM"):  # it runs on one step at a time
        return format_axis(argument("data_format"))
    return given


def into_step(axis: Axis) -> Axis:
    """The axis of a sequence in each of its steps; None if it is that of the time."""
    return axis if axis in (None, LAST) else (axis or 0) - 1 or None


def out_of_step(axis: Axis) -> Axis:
    """The axis of a step in the sequence of all steps."""
    return axis if axis in (None, LAST) else (axis or 0) + 1


def after(
    class_name: str,
    argument: Argument,
    given: Sequence[Tensor],
    rank: int | None,
    *,
    own: bool,
) -> Axis:
    """The axis of the channels in what a layer or operation puts out.

    Args:
        class_name: Its class.
        argument: Looks up its arguments.
        given: The tensors that it takes.
        rank: Number of axes of the output.
        own: Whether the class is Keras' or this package's.
    """
    unknown: Tensor = next(iter(given), (None, None))
    axis, before = next((each for each in given if each[0] is not None), unknown)
    if own and class_name in _ON_LAST:
        found: Axis = LAST
    elif own and class_name in _MIXING:
        found = None
    elif own and class_name.startswith(GLOBAL_POOLING):
        flat = not argument("keepdims")
        found = LAST if flat else format_axis(argument("data_format"))
    elif own and class_name.startswith("ConvLSTM"):
        found = format_axis(argument("data_format"))
        found = out_of_step(found) if argument("return_sequences") else found
    elif own and class_name == "EinsumDense":
        found = _einsum(str(argument("equation") or ""))
    elif own and class_name in _MOVES:
        found = _moved(class_name, argument, axis, before)
    elif own and class_name in _REDUCING:
        found = _reduced(argument, axis, before)
    elif argument("data_format") is not None and not _has_axes(class_name, argument):
        found = format_axis(argument("data_format"))
    else:
        known = before is not None and rank is not None
        found = None if known and axis != LAST and before != rank else axis
    return LAST if found is not None and rank == found + 1 else found


def _same(axis: int, other: int, rank: int | None) -> bool:
    if axis == other or not rank:
        return axis == other
    return axis % rank == other % rank


def _has_axes(class_name: str, argument: Argument) -> bool:
    """Whether a PReLU names the axes that it shares: its format then says nothing."""
    return class_name == "PReLU" and not isinstance(argument("shared_axes"), str)


def _einsum(equation: str) -> Axis:
    """The axis that an EinsumDense makes; the last one where it makes several."""
    left, _, output = equation.replace(" ", "").partition("->")
    given, _, kernel = left.partition(",")
    made = [each for each in output if each in kernel and each not in given]
    if not made or "..." in output or output[-1] in made:
        return LAST
    return output.index(made[-1])


def _moved(class_name: str, argument: Argument, axis: Axis, rank: int | None) -> Axis:
    """The axis after a class that moves, adds or drops axes."""
    if class_name == "Permute":
        dims = whole(argument("dims")) or []
        rank = len(dims) + 1
        order: list[int] | None = [0, *dims]
    elif not rank:
        return axis if axis == LAST and class_name in _SIZES else None
    else:
        order = _order(class_name, argument, rank)
    if order is None or not rank:
        return None
    place = (LAST if axis is None else axis) % rank
    return order.index(place) if place in order else None


def _order(class_name: str, argument: Argument, rank: int) -> list[int] | None:
    """For each axis of the output its axis in the input, -1 for a new one."""
    order = list(range(rank))
    if class_name == "Transpose":
        axes = argument("axes")
        return order[::-1] if axes is None else _from_front(axes, rank)
    if class_name == "Swapaxes":
        pair = _from_front([argument("axis1"), argument("axis2")], rank)
        if pair is None:
            return None
        order[pair[0]], order[pair[1]] = pair[1], pair[0]
        return order
    if class_name == "Moveaxis":
        sources = _from_front(argument("source"), rank)
        targets = _from_front(argument("destination"), rank)
        if sources is None or targets is None:
            return None
        order = [each for each in order if each not in sources]
        for target, source in sorted(zip(targets, sources, strict=False)):
            order.insert(target, source)
        return order
    axes = argument("axis")
    if class_name == "Squeeze":
        gone = _from_front(axes, rank)
        return None if gone is None else [each for each in order if each not in gone]
    count = len(whole(axes) or [])
    for place in sorted(_from_front(axes, rank + count) or []):  # ExpandDims, Stack
        order.insert(place, -1)
    return order if count else None


_SIZES = frozenset({"Squeeze", "ExpandDims", "Stack"})
_MOVES = _SIZES | {"Permute", "Transpose", "Swapaxes", "Moveaxis"}


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
