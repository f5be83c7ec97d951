"""Intervals that hold whatever a tensor can be, rounded outwards.

An interval is stated for each channel, or for each position where positions differ:
`lo` and `hi` are arrays that broadcast, aligned at the last axis, to the shape of one
sample. A network computes in its own precision, so each operation widens its result by
what that precision can be off (`Precision`). Zero stays zero: rounding never changes a
sign.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_rectifiers.estimation.moments import Moments

Values = npt.NDArray[np.float64]
#: Shape of one sample, without the batch axis.
Shape = tuple[int | None, ...]

#: Most values of a tensor that get a separate interval.
MAX_SIZE = 1 << 20


@dataclasses.dataclass(frozen=True)
class Precision:
    """How far off a network's own arithmetic can be."""

    #: Distance from 1 to the next number, such as `2**-23`.
    epsilon: float = 2.0**-23
    #: What is smaller than this may be flushed to 0.
    tiny: float = 2.0**-126
    #: What is greater than this overflows.
    largest: float = float(np.finfo(np.float32).max)
    #: Relative error of one product in a matrix product or a convolution.
    #: Accelerators multiply in TensorFloat-32 or bfloat16, whatever the dtype: two
    #: factors of 8 significant bits each.
    product: float = 2.0**-7

    def coarser(self, name: str) -> Precision:
        """The worse of this precision and that of a dtype policy."""
        if "bfloat16" in name:
            return dataclasses.replace(self, epsilon=max(self.epsilon, 2.0**-7))
        if "float16" in name:
            half = np.finfo(np.float16)
            return dataclasses.replace(
                self,
                epsilon=max(self.epsilon, float(half.eps)),
                tiny=max(self.tiny, float(half.tiny)),
                largest=min(self.largest, float(half.max)),
            )
        return self


@dataclasses.dataclass(frozen=True, eq=False)
class Bounds:
    """What one tensor can be: `lo <= x <= hi` everywhere."""

    lo: Values
    hi: Values
    #: None where it is not known.
    shape: Shape | None = None
    #: The first layer that made a bound infinite.
    blocked: str = ""
    #: Where batch statistics reach.
    moments: Moments | None = None

    @property
    def reason(self) -> str:
        """Why a bound is infinite; empty where none is."""
        finite = np.isfinite(self.lo).all() and np.isfinite(self.hi).all()
        return "" if finite else self.blocked

    def along(self, axis: int) -> tuple[Values, Values]:
        """Bounds of each index of one axis (negative), hull over all others."""
        return _along(self.lo, axis, np.min), _along(self.hi, axis, np.max)

    def hulled(self, axis: int | None = None) -> Bounds:
        """The same interval for all positions, but for one axis (negative)."""
        if axis is None:
            lo, hi = self.lo.min(keepdims=True), self.hi.max(keepdims=True)
            return self.replaced(lo.reshape(1), hi.reshape(1))
        trailing = (-1,) + (1,) * (-axis - 1)
        lo, hi = self.along(axis)
        return self.replaced(lo.reshape(trailing), hi.reshape(trailing))

    def replaced(self, lo: Values, hi: Values, shape: Any = ...) -> Bounds:
        """Other bounds, and another shape where one is given; no moments."""
        return Bounds(
            np.where(np.isnan(lo), -np.inf, lo),
            np.where(np.isnan(hi), np.inf, hi),
            self.shape if shape is ... else shape,
            self.reason,
        )

    def with_zero(self) -> Bounds:
        """The hull with 0, as where zeros are padded."""
        return self.replaced(np.minimum(self.lo, 0.0), np.maximum(self.hi, 0.0))

    def full(self) -> tuple[Values, Values] | None:
        """Both bounds in the sample's full shape; None where that is not known."""
        shape = self.shape
        if shape is None or None in shape:
            return None
        whole = tuple(int(axis or 0) for axis in shape)
        if math.prod(whole) > MAX_SIZE:
            return None
        return np.broadcast_to(self.lo, whole), np.broadcast_to(self.hi, whole)


def anything(shape: Shape | None, blocked: str) -> Bounds:
    """No bounds at all.

    Args:
        shape: Shape of a sample, None where unknown.
        blocked: What is to blame.
    """
    return Bounds(np.array([-np.inf]), np.array([np.inf]), shape, blocked)


def interval(lo: Any, hi: Any, shape: Shape | None = None) -> Bounds:
    """Bounds from numbers or arrays."""
    return Bounds(
        np.atleast_1d(np.asarray(lo, np.float64)),
        np.atleast_1d(np.asarray(hi, np.float64)),
        shape,
    )


def outward(
    bounds: Bounds, precision: Precision, steps: float = 1.0, absolute: Any = 0.0
) -> Bounds:
    """Bounds widened by the rounding of what was just computed.

    Args:
        bounds: The exact result.
        precision: Of the network.
        steps: Relative error, in units of `precision.epsilon`.
        absolute: Error that is there whatever the result; it can change a sign.
    """
    share = steps * precision.epsilon
    with np.errstate(invalid="ignore", over="ignore"):
        lo = bounds.lo - np.abs(bounds.lo) * share - absolute
        hi = bounds.hi + np.abs(bounds.hi) * share + absolute
    lo = np.where(np.abs(lo) < precision.tiny, np.minimum(lo, 0.0), lo)
    hi = np.where(np.abs(hi) < precision.tiny, np.maximum(hi, 0.0), hi)
    lo = np.where(lo < -precision.largest, -np.inf, np.minimum(lo, precision.largest))
    hi = np.where(hi > precision.largest, np.inf, np.maximum(hi, -precision.largest))
    return dataclasses.replace(bounds.replaced(lo, hi), moments=bounds.moments)


def hull(many: Sequence[Bounds]) -> Bounds:
    """The least interval around several, position by position."""
    many = alike(many)
    lo, hi = many[0].lo, many[0].hi
    for each in many[1:]:
        lo, hi = np.minimum(lo, each.lo), np.maximum(hi, each.hi)
    return Bounds(lo, hi, None, first_blocked(many))


def alike(many: Sequence[Bounds]) -> list[Bounds]:
    """The same bounds, made coarser where they would not broadcast together."""
    shapes = [each.lo.shape for each in many] + [each.hi.shape for each in many]
    try:
        size = math.prod(np.broadcast_shapes(*shapes))
    except ValueError:
        size = MAX_SIZE + 1
    if size > MAX_SIZE:
        return [each.hulled() for each in many]
    return list(many)


def first_blocked(many: Iterable[Bounds]) -> str:
    """The first reason for an infinite bound."""
    return next(filter(None, (each.reason for each in many)), "")


def _along(values: Values, axis: int, reduce: Any) -> Values:
    if values.ndim < -axis:
        return np.asarray(reduce(values)).reshape(1)
    moved = np.moveaxis(values, axis, -1)
    return np.asarray(reduce(moved.reshape(-1, moved.shape[-1]), axis=0))
