"""Arithmetic on shapes, as far as they are known."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from keras_rectifiers.graph import traits
from keras_rectifiers.specs import Shape

Config = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """What is known of a tensor before the model runs."""

    #: Its shape, the batch axis included; None where not even its rank is known.
    shape: Shape | None = None
    dtype: str = "float32"


def broadcast(shapes: Sequence[Shape | None]) -> Shape | None:
    """The shape of operands that are broadcast; None where unknown."""
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes):
        return None
    rank = max(map(len, known))
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in known]
    return tuple(
        next((size for size in sizes if size is not None and size != 1), None)
        if any(size is not None and size != 1 for size in sizes)
        else (None if None in sizes else 1)
        for sizes in zip(*padded, strict=True)
    )


def joined(
    shapes: Sequence[Shape | None], axis: int, *, new: bool = False
) -> Shape | None:
    """The shape of tensors that are joined along an axis, or stacked on a new one."""
    if any(shape is None for shape in shapes) or not shapes:
        return None
    known = [shape for shape in shapes if shape is not None]
    first = list(known[0])
    if new:
        first.insert(axis if axis >= 0 else len(first) + 1 + axis, len(known))
        return tuple(first)
    lengths = [shape[axis] for shape in known]
    first[axis] = None if None in lengths else sum(each or 0 for each in lengths)
    return tuple(first)


def with_free(target: tuple[int, ...], before: Shape) -> Shape:
    """A target shape with its -1 worked out, if that can be known."""
    known = math.prod(each for each in target if each != -1)
    total = None if None in before else math.prod(each or 0 for each in before)
    free = None if total is None or not known else total // known
    return tuple(free if each == -1 else each for each in target)


def resampled(
    config: Config, before: Shape, change: Callable[[int, int], int]
) -> tuple[list[int | None], int]:
    """A shape after each of its inner axes changed, and the axis of the channels.

    Args:
        config: Of the layer or operation.
        before: The shape that it takes.
        change: The length of an inner axis and its number -> the length after it.
    """
    after, axis = list(before), traits.channel_axis(config, len(before))
    for place, index in enumerate(i for i in range(1, len(before)) if i != axis):
        length = before[index]
        after[index] = None if length is None else change(length, place)
    return after, axis


def pooling(config: Config, before: Shape) -> Shape:
    """The output shape of pooling."""
    sizes, padding = config["pool_size"], config.get("padding", "valid")
    strides = config["strides"] if config.get("strides") is not None else sizes
    after, _ = resampled(
        config,
        before,
        lambda n, place: window(n, item(sizes, place), item(strides, place), padding),
    )
    return tuple(after)


def window(length: int, size: int, stride: int, padding: str) -> int:
    """The length of an axis after a window ran over it."""
    if padding == "valid":
        length = length - size + 1
    return -(-length // stride)


def item(value: Any, place: int) -> int:
    """The setting for one inner axis."""
    return int(value[place] if isinstance(value, list | tuple) else value)
