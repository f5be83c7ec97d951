"""Rules for layers that choose, move or average values: they make no new extremes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rectifiers.estimation.bounds import MAX_SIZE
from keras_rectifiers.estimation.bounds import Bounds
from keras_rectifiers.estimation.bounds import Shape
from keras_rectifiers.estimation.bounds import Values
from keras_rectifiers.estimation.bounds import first_blocked
from keras_rectifiers.estimation.bounds import hull
from keras_rectifiers.estimation.bounds import outward
from keras_rectifiers.estimation.call import Call
from keras_rectifiers.estimation.call import Rule
from keras_rectifiers.estimation.call import per_axis
from keras_rectifiers.estimation.call import rank_of
from keras_rectifiers.estimation.call import spatial
from keras_rectifiers.estimation.call import spatial_axis
from keras_rectifiers.estimation.call import with_channels
from keras_rectifiers.estimation.rules_linear import window_lengths
from keras_rectifiers.graph import traits

#: Positions that a mean over an unknown number of them is taken to have.
_MANY = 1 << 16


def unchanged(call: Call) -> Bounds:
    """A layer that does nothing when the model is used."""
    return call.x


def masked(call: Call) -> Bounds:
    """`Masking`: what is masked becomes 0."""
    return call.x.with_zero()


def pooled(call: Call) -> Bounds:
    """Maximum or average over a window; padded cells do not count."""
    rank = rank_of(call.class_name)
    axis = spatial_axis(call.config, rank)
    window = per_axis(call.config["pool_size"], rank)
    lengths = window_lengths(spatial(call.x.shape, axis, rank), call.config, window)
    moved = call.x.hulled(axis)
    moved = moved.replaced(
        moved.lo, moved.hi, with_channels(lengths, _channels(call.x, axis), axis)
    )
    if "Average" not in call.class_name:
        return moved
    return outward(moved, call.precision, math.prod(window) + 8)


def globally_pooled(call: Call) -> Bounds:
    """Maximum or average over all positions."""
    rank = rank_of(call.class_name)
    axis = spatial_axis(call.config, rank)
    lengths = spatial(call.x.shape, axis, rank)
    shape: Shape = (_channels(call.x, axis),)
    lo, hi = call.x.along(axis)
    if call.config.get("keepdims"):
        shape = with_channels([1] * rank, shape[0], axis)
        column = (-1,) + (1,) * (-axis - 1)
        lo, hi = lo.reshape(column), hi.reshape(column)
    result = call.x.replaced(lo, hi, shape)
    if "Average" not in call.class_name:
        return result
    count = math.prod(n or 0 for n in lengths) or _MANY
    return outward(result, call.precision, count + 8)


def zero_padded(call: Call) -> Bounds:
    """`ZeroPadding1D` and so on."""
    return _resized(call, call.x.with_zero())


def resized(call: Call) -> Bounds:
    """`Cropping*`, and `UpSampling*` between neighbours."""
    method = call.config.get("interpolation", "nearest")
    if method not in ("nearest", "bilinear"):
        return call.unknown()  # it may overshoot
    result = _resized(call, call.x)
    return result if method == "nearest" else outward(result, call.precision, 64)


def flattened(call: Call) -> Bounds:
    """`Flatten`: each channel's interval once for each position."""
    return _reshaped(call, call.x, None)


def reshaped(call: Call) -> Bounds:
    """`Reshape`."""
    return _reshaped(call, call.x, tuple(call.config["target_shape"]))


def permuted(call: Call) -> Bounds:
    """`Permute`."""
    dims, shape = [int(each) - 1 for each in call.config["dims"]], call.x.shape
    if shape is None:
        return call.x.hulled()
    lo, hi = (
        end.reshape((1,) * (len(shape) - end.ndim) + end.shape).transpose(dims)
        for end in (call.x.lo, call.x.hi)
    )
    return call.x.replaced(lo, hi, tuple(shape[axis] for axis in dims))


def repeated(call: Call) -> Bounds:
    """`RepeatVector`."""
    shape = call.x.shape
    return call.x.replaced(
        call.x.lo,
        call.x.hi,
        None if shape is None else (int(call.config["n"]), *shape),
    )


def concatenated(call: Call) -> Bounds:
    """`Concatenate`, along one axis."""
    many = call.inputs
    shapes = [each.shape for each in many if each.shape is not None]
    ranks = {len(shape) for shape in shapes}
    axis = int(call.config.get("axis", -1))
    if len(shapes) != len(many) or len(ranks) != 1 or axis == 0:
        return _any_of(many, call.stated)
    (rank,) = ranks
    axis = axis if axis < 0 else axis - rank - 1
    lengths = [shape[axis] for shape in shapes]
    total = None if None in lengths else sum(n or 0 for n in lengths)
    shape = list(shapes[0])
    shape[axis] = total
    if total is None or total > MAX_SIZE:
        return _any_of(many, tuple(shape))
    lo, hi = (
        np.concatenate([_stretched(x, end, axis, rank) for x in many], axis=axis)
        for end in ("lo", "hi")
    )
    return Bounds(lo, hi, tuple(shape), first_blocked(many))


def anywhere(call: Call) -> Bounds:
    """An operation that puts out values of its input, wherever they stand."""
    result = call.x.hulled()
    return result.replaced(result.lo, result.hi, call.stated)


def averaged(call: Call) -> Bounds:
    """An operation that puts out means of its input."""
    return outward(anywhere(call), call.precision, _MANY)


LAYERS: dict[str, Rule] = {
    **dict.fromkeys(
        ("InputLayer", *traits.PASSING),
        unchanged,
    ),
    "Masking": masked,
    **dict.fromkeys(
        (f"{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)),
        pooled,
    ),
    **dict.fromkeys(
        (f"Global{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)),
        globally_pooled,
    ),
    **dict.fromkeys((f"ZeroPadding{n}D" for n in (1, 2, 3)), zero_padded),
    **dict.fromkeys((f"Cropping{n}D" for n in (1, 2, 3)), resized),
    **dict.fromkeys((f"UpSampling{n}D" for n in (1, 2, 3)), resized),
    "Flatten": flattened,
    "Reshape": reshaped,
    "Permute": permuted,
    "RepeatVector": repeated,
    "Concatenate": concatenated,
}

OPERATIONS: dict[str, Rule] = {
    **dict.fromkeys(
        (
            *("Reshape", "Transpose", "Squeeze", "ExpandDims", "GetItem", "Flip"),
            *("Repeat", "Tile", "BroadcastTo", "StopGradient", "Roll", "Ravel"),
            *("Max", "Min", "Amax", "Amin", "Moveaxis", "Swapaxes"),
        ),
        anywhere,
    ),
    "Mean": averaged,
    "Identity": unchanged,
}


def _any_of(many: Sequence[Bounds], shape: Shape | None) -> Bounds:
    around = hull([each.hulled() for each in many])
    return around.replaced(around.lo, around.hi, shape)


def _channels(x: Bounds, axis: int) -> int | None:
    if x.shape is not None and len(x.shape) >= -axis:
        return x.shape[axis]
    length = len(x.along(axis)[0])
    return length if length > 1 else None


def _resized(call: Call, x: Bounds) -> Bounds:
    rank = rank_of(call.class_name)
    axis = spatial_axis(call.config, rank)
    lengths = _new_lengths(call, spatial(x.shape, axis, rank))
    moved = x.hulled(axis)
    shape = with_channels(lengths, _channels(x, axis), axis)
    return moved.replaced(moved.lo, moved.hi, shape)


def _new_lengths(call: Call, lengths: list[int | None]) -> list[int | None]:
    rank = len(lengths)
    config = call.config
    if call.class_name.startswith("UpSampling"):
        sizes = per_axis(config["size"], rank)
        return [
            None if n is None else n * size
            for n, size in zip(lengths, sizes, strict=True)
        ]
    sign = 1 if call.class_name.startswith("ZeroPadding") else -1
    given: Any = config["padding" if sign == 1 else "cropping"]
    if rank == 1 and not isinstance(given, int) and isinstance(given[0], int):
        given = [given]
    both = (
        [(given, given)] * rank
        if isinstance(given, int)
        else [(each, each) if isinstance(each, int) else each for each in given]
    )
    return [
        None if n is None else max(0, n + sign * (int(left) + int(right)))
        for n, (left, right) in zip(lengths, both, strict=True)
    ]


def _reshaped(call: Call, x: Bounds, target: tuple[int, ...] | None) -> Bounds:
    """Values in another shape (None: one axis), position by position if possible."""
    known = x.shape is not None and None not in x.shape
    total = math.prod(n or 0 for n in x.shape or ()) if known else None
    if target is None:
        shape: Shape = (total,)
    else:
        rest = math.prod(n for n in target if n != -1)
        free = None if total is None or not rest else total // rest
        shape = tuple(free if n == -1 else n for n in target)
    full = x.full()
    if full is None or None in shape or x.lo.size == x.hi.size == 1:
        result = x.hulled()
        return result.replaced(result.lo, result.hi, shape)
    lo, hi = full
    if target is None and call.config.get("data_format") == "channels_first":
        lo, hi = np.moveaxis(lo, 0, -1), np.moveaxis(hi, 0, -1)
    lengths = tuple(int(n or 0) for n in shape)
    return x.replaced(lo.reshape(lengths), hi.reshape(lengths), shape)


def _stretched(x: Bounds, end: str, axis: int, rank: int) -> Values:
    """One end with its axis at full length, and the other axes hulled."""
    values = x.hulled(axis)
    column = getattr(values, end)
    column = column.reshape((1,) * (rank - column.ndim) + column.shape)
    lengths = [1] * rank
    lengths[axis] = int((x.shape or ())[axis] or 0)
    return np.broadcast_to(column, lengths)
