"""Reduce what one rectifier sees to a few numbers per unit, inside the graph.

Each quantity is one reduction over positions; only arrays of shape (samples,
units) are touched more than once. Axes are reduced as they stand, because a
reshape copies where the backend keeps another layout. Counts are float32 for each
sample, exact up to 2**24 positions, and int32 over the batch. What each form costs
is measured by `benchmarks/diagnose.py`.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_rectifiers.activity.rectifiers import LiveRectifier
from keras_rectifiers.specs import RELU

#: Rows of `floats` and `counts`, in this order.
FLOATS = ("sum_abs", "sum_squares", "maximum")
COUNTS = ("fired", "fired_positions", "not_finite")

Partial = dict[str, Any]


def per_sample(rectifier: LiveRectifier, x: Any, h: Any, batch: Any) -> Partial:
    """Reduce one call of a rectifier over its positions.

    Args:
        rectifier: Whose call it is.
        x: Pre-activation, any rank >= 1, floating point.
        h: Post-activation, same shape.
        batch: Number of samples. Where the leading axis is a multiple of it,
            positions were folded behind the samples and are unfolded here;
            otherwise each of its rows is taken for a sample.

    Returns:
        Arrays of shape `(samples, units)` and the number of `positions` of each
        sample.
    """
    function = rectifier.function
    x, axes = _arranged(x, rectifier.channel_axis, batch)
    h, _ = _arranged(h, rectifier.channel_axis, batch)
    if function.threshold:
        x = x - function.threshold
    plain = function.kind == RELU and not function.threshold
    # For a plain ReLU the output is all it takes, and one array is read, not two.
    sign = h if plain else x
    magnitude = h if plain else ops.abs(h)
    shape = ops.shape(x)
    positions = 1
    for axis in axes:
        positions = positions * shape[axis]
    return {
        "fired_positions": ops.sum(ops.cast(sign > 0, "float32"), axis=axes),
        "sum_abs": ops.sum(magnitude, axis=axes),
        "sum_squares": ops.sum(ops.square(h), axis=axes),
        "maximum": ops.max(h, axis=axes),
        "positions": positions,
    }


def join(first: Partial, second: Partial) -> Partial:
    """Two calls on the same samples: the second adds positions to the first."""
    joined = {name: first[name] + second[name] for name in first}
    joined["maximum"] = ops.maximum(first["maximum"], second["maximum"])
    return joined


def over_batch(partial: Partial) -> dict[str, Any]:
    """Reduce partials over the samples.

    Samples with a value that is not finite count in `not_finite` only. Masked time
    steps are positions like any other.

    Returns:
        `floats` (3, units), `counts` (3, units) int32, `samples` and `positions`
        (positions of one sample).
    """
    # A NaN or an infinity makes the sum so, whatever stands beside it.
    finite = ops.isfinite(partial["sum_abs"])
    zero = ops.zeros_like(partial["sum_abs"])
    count = ops.where(finite, partial["fired_positions"], zero)
    floats = [
        ops.sum(ops.where(finite, partial["sum_abs"], zero), axis=0),
        ops.sum(ops.where(finite, partial["sum_squares"], zero), axis=0),
        ops.max(ops.where(finite, partial["maximum"], zero - float("inf")), axis=0),
    ]
    counts = [
        ops.sum(ops.cast(count > 0, "int32"), axis=0),
        ops.sum(ops.cast(count, "int32"), axis=0),
        ops.sum(ops.cast(ops.logical_not(finite), "int32"), axis=0),
    ]
    return {
        "floats": ops.stack(floats),
        # Some backends sum int32 to int64.
        "counts": ops.stack([ops.cast(each, "int32") for each in counts]),
        "samples": ops.shape(count)[0],
        "positions": partial["positions"],
    }


def _arranged(
    tensor: Any, channel_axis: int, batch: Any
) -> tuple[Any, tuple[int, ...]]:
    """A tensor as float32 with samples in front, and the axes of its positions."""
    tensor = ops.convert_to_tensor(tensor)
    # Half precision overflows in sums, and bfloat16 counts to 256 only.
    if keras.backend.standardize_dtype(tensor.dtype) != "float32":
        tensor = ops.cast(tensor, "float32")
    rank = len(tensor.shape)
    leading = ops.shape(tensor)[0]
    unfolded = isinstance(leading, int) and (
        leading == batch or not isinstance(batch, int)
    )
    if rank > 2 and unfolded:  # noqa: PLR2004
        return tensor, tuple(
            axis for axis in range(1, rank) if axis != channel_axis % rank
        )
    if rank == 1:
        tensor = ops.expand_dims(tensor, -1)
    elif rank > 2 and channel_axis % rank != rank - 1:  # noqa: PLR2004
        tensor = ops.moveaxis(tensor, channel_axis, -1)
    units = ops.shape(tensor)[-1]
    return ops.reshape(tensor, (_samples(leading, batch), -1, units)), (1,)


def _samples(leading: Any, batch: Any) -> Any:
    if isinstance(leading, int) and isinstance(batch, int):
        return batch if leading % batch == 0 else leading
    if isinstance(leading, int):
        return leading  # a constant of the model: it does not follow the batch
    return ops.where(ops.equal(leading % batch, 0), batch, leading)
