"""Reduce what one rectifier sees to a few numbers per unit, inside the graph.

Each quantity is one reduction over positions in one pass that a compiler can
fuse with the rectifier; only arrays of shape (samples, units) are touched more
than once. Counts are kept in float32 per sample, where they are exact up to
2**24 positions, and in int32 over the batch.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

#: Rows of `floats` and `counts`, in this order.
FLOATS = ("sum_abs", "sum_squares", "minimum", "maximum")
COUNTS = ("fired", "fired_positions", "not_finite")

Partial = dict[str, Any]


def per_sample(
    x: Any, h: Any, *, channel_axis: int, threshold: float, batch: Any
) -> Partial:
    """Reduce one call of a rectifier over its positions.

    Args:
        x: Pre-activation, any rank >= 1, floating point.
        h: Post-activation, same shape.
        channel_axis: Axis of the units.
        threshold: Input above which the rectifier fires.
        batch: Number of samples. Where the leading axis is a multiple of it,
            positions were folded behind the samples and are unfolded here;
            otherwise each of its rows is taken for a sample.

    Returns:
        Arrays of shape `(samples, units)` and the number of `positions` of each
        sample.
    """
    x, h = _as_rows(x, channel_axis, batch), _as_rows(h, channel_axis, batch)
    if threshold:
        x = x - threshold
    magnitude = ops.abs(h)
    return {
        "fired_positions": ops.sum(ops.cast(x > 0, "float32"), axis=1),
        "sum_abs": ops.sum(magnitude, axis=1),
        "sum_squares": ops.sum(ops.square(h), axis=1),
        "minimum": ops.min(x, axis=1),
        "maximum": ops.max(x, axis=1),
        "positions": ops.shape(x)[1],
    }


def join(first: Partial, second: Partial) -> Partial:
    """Two calls on the same samples: the second adds positions to the first."""
    joined = {name: first[name] + second[name] for name in first}
    joined["minimum"] = ops.minimum(first["minimum"], second["minimum"])
    joined["maximum"] = ops.maximum(first["maximum"], second["maximum"])
    return joined


def over_batch(partial: Partial) -> dict[str, Any]:
    """Reduce partials over the samples.

    Returns:
        `floats` (4, units), `counts` (3, units) int32, `samples` and `positions`
        (positions of one sample).
    """
    # A NaN or an infinity makes the sum of |h| so, whatever is beside it.
    finite = ops.isfinite(partial["sum_abs"])
    zero = ops.zeros_like(partial["sum_abs"])
    least, greatest = partial["minimum"], partial["maximum"]
    infinity = float("inf")
    floats = [
        ops.sum(ops.where(finite, partial["sum_abs"], zero), axis=0),
        ops.sum(ops.where(finite, partial["sum_squares"], zero), axis=0),
        ops.min(ops.where(finite, least, zero + infinity), axis=0),
        ops.max(ops.where(finite, greatest, zero - infinity), axis=0),
    ]
    count = partial["fired_positions"]
    counts = [
        ops.sum(ops.cast(count > 0, "int32"), axis=0),
        ops.sum(ops.cast(count, "int32"), axis=0),
        ops.sum(ops.cast(ops.logical_not(finite), "int32"), axis=0),
    ]
    return {
        "floats": ops.stack(floats),
        "counts": ops.stack([ops.cast(each, "int32") for each in counts]),
        "samples": ops.shape(count)[0],
        "positions": partial["positions"],
    }


def _as_rows(tensor: Any, channel_axis: int, batch: Any) -> Any:
    """A tensor as float32 of shape (samples, positions, units)."""
    tensor = ops.convert_to_tensor(tensor)
    # Half precision overflows in sums, and bfloat16 counts to 256 only.
    if keras.backend.standardize_dtype(tensor.dtype) != "float32":
        tensor = ops.cast(tensor, "float32")
    rank = len(tensor.shape)
    if rank == 1:
        tensor = ops.expand_dims(tensor, -1)
    elif rank > 2 and channel_axis % rank != rank - 1:  # noqa: PLR2004
        tensor = ops.moveaxis(tensor, channel_axis, -1)
    shape = ops.shape(tensor)
    samples = _samples(shape[0], batch)
    return ops.reshape(tensor, (samples, -1, shape[-1]))


def _samples(leading: Any, batch: Any) -> Any:
    if isinstance(leading, int) and isinstance(batch, int):
        return batch if leading % batch == 0 else leading
    if isinstance(leading, int):
        return leading  # a constant of the model: it does not follow the batch
    return ops.where(ops.equal(leading % batch, 0), batch, leading)
