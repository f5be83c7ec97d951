"""Rules for layers that choose, move or average values: they make no new extremes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from keras_rectifiers.estimation.bounds import MAX_SIZE
from keras_rectifiers.estimation.bounds import Bounds
from keras_rectifiers.estimation.bounds import Values
from keras_rectifiers.estimation.bounds import first_blocked
from keras_rectifiers.estimation.bounds import hull
from keras_rectifiers.estimation.bounds import outward
from keras_rectifiers.estimation.call import BoundedCall
from keras_rectifiers.estimation.call import Rule
from keras_rectifiers.estimation.call import per_axis
from keras_rectifiers.graph import traits

#: Positions that a mean over an unknown number of them is taken to have.
_MANY = 1 << 16


def unchanged(call: BoundedCall) -> Bounds:
    """A layer that does nothing when the model is used."""
    return call.x


def masked(call: BoundedCall) -> Bounds:
    """`Masking`: what is masked becomes 0."""
    return call.x.with_zero()


def pooled(call: BoundedCall) -> Bounds:
    """Maximum or average over a window; padded cells do not count."""
    moved = call.x.hulled(call.channel_axis)
    if "Average" not in call.class_name:
        return moved
    window = per_axis(call.config["pool_size"], call.spatial)
    return outward(moved, call.precision, math.prod(window) + 8)


def globally_pooled(call: BoundedCall) -> Bounds:
    """Maximum or average over all positions."""
    axis = call.channel_axis
    lo, hi = call.x.along(axis)
    if call.config.get("keepdims"):
        column = (-1,) + (1,) * (-axis - 1)
        lo, hi = lo.reshape(column), hi.reshape(column)
    result = call.x.replaced(lo, hi)
    if "Average" not in call.class_name:
        return result
    lengths = list(call.x.shape or (None,) * (call.spatial + 1))
    del lengths[axis]
    count = math.prod(n or 0 for n in lengths) or _MANY
    return outward(result, call.precision, count + 8)


def zero_padded(call: BoundedCall) -> Bounds:
    """`ZeroPadding1D` and so on."""
    return call.x.with_zero().hulled(call.channel_axis)


def resized(call: BoundedCall) -> Bounds:
    """`Cropping*`, and `UpSampling*` between neighbors."""
    method = call.config.get("interpolation", "nearest")
    if method not in ("nearest", "bilinear"):
        return call.unknown()  # it may overshoot
    result = call.x.hulled(call.channel_axis)
    return result if method == "nearest" else outward(result, call.precision, 64)


def reshaped(call: BoundedCall) -> Bounds:
    """`Reshape` and `Flatten`, position by position if possible."""
    full = call.x.full()
    one = call.x.lo.size == call.x.hi.size == 1
    if full is None or call.shape is None or None in call.shape or one:
        return call.x.hulled()
    lo, hi = full
    flat = call.class_name == "Flatten"
    if flat and call.config.get("data_format") == "channels_first":
        lo, hi = np.moveaxis(lo, 0, -1), np.moveaxis(hi, 0, -1)
    lengths = tuple(int(n or 0) for n in call.shape)
    return call.x.replaced(lo.reshape(lengths), hi.reshape(lengths))


def permuted(call: BoundedCall) -> Bounds:
    """`Permute`."""
    dims, shape = [int(each) - 1 for each in call.config["dims"]], call.x.shape
    if shape is None:
        return call.x.hulled()
    lo, hi = (
        end.reshape((1,) * (len(shape) - end.ndim) + end.shape).transpose(dims)
        for end in (call.x.lo, call.x.hi)
    )
    return call.x.replaced(lo, hi)


def repeated(call: BoundedCall) -> Bounds:
    """`RepeatVector`."""
    return call.x.replaced(call.x.lo, call.x.hi)


def concatenated(call: BoundedCall) -> Bounds:
    """`Concatenate`, along one axis."""
    many = call.inputs
    shapes = [each.shape for each in many if each.shape is not None]
    ranks = {len(shape) for shape in shapes}
    axis = int(call.config.get("axis", -1))
    if len(shapes) != len(many) or len(ranks) != 1 or axis == 0:
        return _any_of(many)
    (rank,) = ranks
    axis = axis if axis < 0 else axis - rank - 1
    lengths = [shape[axis] for shape in shapes]
    total = None if None in lengths else sum(n or 0 for n in lengths)
    if total is None or total > MAX_SIZE:
        return _any_of(many)
    lo, hi = (
        np.concatenate([_stretched(x, end, axis, rank) for x in many], axis=axis)
        for end in ("lo", "hi")
    )
    return Bounds(lo, hi, None, first_blocked(many))


def anywhere(call: BoundedCall) -> Bounds:
    """An operation whose outputs are values of its input, in any position."""
    return call.x.hulled()


def averaged(call: BoundedCall) -> Bounds:
    """An operation that puts out means of its input."""
    return outward(anywhere(call), call.precision, _MANY)


LAYERS: dict[str, Rule] = {
    "InputLayer": unchanged,
    **{name: unchanged for name, row in traits.LAYERS.items() if row.passes},
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
    **dict.fromkeys(("Flatten", "Reshape"), reshaped),
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


def _any_of(many: Sequence[Bounds]) -> Bounds:
    return hull([each.hulled() for each in many])


def _stretched(x: Bounds, end: str, axis: int, rank: int) -> Values:
    """One end with its axis at full length, and the other axes hulled."""
    values = x.hulled(axis)
    column = getattr(values, end)
    column = column.reshape((1,) * (rank - column.ndim) + column.shape)
    lengths = [1] * rank
    lengths[axis] = int((x.shape or ())[axis] or 0)
    return np.broadcast_to(column, lengths)
