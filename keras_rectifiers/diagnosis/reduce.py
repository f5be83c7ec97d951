"""Reduce what one rectifier sees to a few numbers per unit, inside the graph.

Each quantity is one reduction over positions; only arrays of shape (samples,
units) are touched more than once. Axes are reduced as they stand, because a
reshape copies where the backend keeps another layout. Counts are float32 for each
sample, exact up to 2**24 positions, and int32 over the batch.
"""

from __future__ import annotations

import math
from typing import Any

import keras

from keras_rectifiers.diagnosis import reducers
from keras_rectifiers.diagnosis.array_ops import ops_for
from keras_rectifiers.diagnosis.statistics import PEAK_EDGES
from keras_rectifiers.diagnosis.units import UnitShape
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.specs import RELU

#: Rows of `floats` and `counts`, in this order.
FLOATS = ("sum_abs", "maximum")
COUNTS = ("fired", "fired_positions", "not_finite")

#: Sum of the pre-activation, where the output does not tell that it is NaN.
_SUM = "sum"

Partial = dict[str, Any]


def per_sample(
    rectifier: LiveRectifier,
    x: Any,
    h: Any,
    batch: Any,
    units: UnitShape,
    *,
    squares: bool = True,
) -> Partial:
    """Reduce one call of a rectifier over its positions.

    Args:
        rectifier: Whose call it is.
        x: Pre-activation, any rank >= 1, floating point.
        h: Post-activation, same shape.
        batch: Number of samples. Where the leading axis is a multiple of it,
            positions were folded behind the samples and are unfolded here;
            otherwise each of its rows is taken for a sample.
        units: The units in `h`.
        squares: Whether to sum the squares, too.

    Returns:
        Arrays of shape `(samples, units)` and the number of `positions` of each
        sample.
    """
    function = rectifier.function
    ops = ops_for(h)
    x, h = _single(x), _single(h)
    if function.threshold:
        x = x - function.threshold
    # For a plain ReLU the output is all it takes, and one array is read, not two.
    plain = function.kind == RELU and not function.threshold
    axes = units.positions
    shape = ops.shape(h)
    wanted: dict[str, tuple[reducers.Reduction, Any]] = {
        "maximum": (reducers.greatest, h),
        "sum_abs": (reducers.total, h if plain else ops.abs(h)),
        "fired_positions": (reducers.positives, h if plain else ops.relu(x)),
    }
    if squares:
        wanted["sum_squares"] = (reducers.squares, h)
    if plain and keras.backend.backend() == "tensorflow":
        # A ReLU that TensorFlow fuses with what is before it makes 0 of NaN.
        wanted[_SUM] = (reducers.total, x)
    partial = reducers.one_by_one(wanted, axes)
    rows = {name: _as_rows(array, shape[0]) for name, array in partial.items()}
    return _folded(rows, shape[0], batch, math.prod([shape[axis] for axis in axes]))


def reached(gradient: Any, batch: Any, units: UnitShape) -> Any:
    """The greatest size of a gradient over the positions of one call.

    Args:
        gradient: Of the loss for the call's pre-activation; NaN counts as one.
        batch: As for `per_sample`.
        units: The units in the gradient.

    Returns:
        Array of shape `(samples, units)`.
    """
    ops = ops_for(gradient)
    # A flag, because the least float loses against nothing; NaN is not 0 either.
    flags = ops.cast(ops.not_equal(gradient, 0), "float32")
    rows = reducers.greatest(flags, units.positions)
    leading = ops.shape(flags)[0]
    folded = _folded({"maximum": _as_rows(rows, leading)}, leading, batch, 1)
    return folded["maximum"]


def join(first: Partial, second: Partial) -> Partial:
    """Two calls of one width on the same samples: the second adds positions."""
    joined = {name: first[name] + second[name] for name in first}
    ops = ops_for(first["maximum"])
    joined["maximum"] = ops.maximum(first["maximum"], second["maximum"])
    return joined


def over_batch(partial: Partial) -> dict[str, Any]:
    """Reduce partials over the samples.

    Samples with a value that is not finite count in `not_finite` only. Masked time
    steps are positions like any other.

    Returns:
        `floats` (2, units), `counts` (3, units) int32, `sum_squares` (units,) and
        `with_gradient` (units,) int32 where they were collected, `reached` (units,
        edges)
        int32, `samples` and `positions` (positions of one sample). In `reached` are
        the samples whose maximum lies at or above each of `PEAK_EDGES`.
    """
    ops = ops_for(partial["sum_abs"])
    # A NaN or an infinity makes the sum so, whatever stands beside it.
    finite = ops.isfinite(partial["sum_abs"])
    if _SUM in partial:
        # Of an infinity alone the output tells what it is worth.
        finite = ops.logical_and(finite, ops.logical_not(ops.isnan(partial[_SUM])))
    zero = ops.zeros_like(partial["sum_abs"])
    positions = ops.where(finite, partial["fired_positions"], zero)
    maximum = ops.where(finite, partial["maximum"], zero - float("inf"))
    floats = [
        ops.sum(ops.where(finite, partial["sum_abs"], zero), axis=0),
        ops.max(maximum, axis=0),
    ]
    counts = [
        _count(positions > 0),
        ops.cast(ops.sum(ops.cast(positions, "int32"), axis=0), "int32"),
        _count(ops.logical_not(finite)),
    ]
    extra = {}
    if "sum_squares" in partial:
        squares = ops.where(finite, partial["sum_squares"], zero)
        extra["sum_squares"] = ops.sum(squares, axis=0)
    if "gradient" in partial:
        extra["with_gradient"] = _count(partial["gradient"] > 0)
    edges = ops.convert_to_tensor(PEAK_EDGES.astype("float32"))
    peak = ops.where(positions > 0, maximum, zero - 1.0)
    return {
        "floats": ops.stack(floats),
        "counts": ops.stack(counts),
        "reached": _count(peak[..., None] >= edges),
        "samples": ops.shape(positions)[0],
        "positions": partial["positions"],
        **extra,
    }


def _count(flags: Any) -> Any:
    """Samples with a flag, int32; a sum of floats is the fastest, and exact here."""
    ops = ops_for(flags)
    return ops.cast(ops.sum(ops.cast(flags, "float32"), axis=0), "int32")


def _single(tensor: Any) -> Any:
    """A tensor as float32: half precision overflows in sums, bfloat16 in counts."""
    ops = ops_for(tensor)
    tensor = ops.convert_to_tensor(tensor)
    if keras.backend.standardize_dtype(tensor.dtype) != "float32":
        tensor = ops.cast(tensor, "float32")
    return tensor


def _as_rows(array: Any, rows: Any) -> Any:
    """An array (rows, ...) with all its units in one axis."""
    if len(array.shape) == 2:  # noqa: PLR2004
        return array
    return ops_for(array).reshape(array, (rows, math.prod(array.shape[1:])))


def _folded(rows: Partial, leading: Any, batch: Any, positions: Any) -> Partial:
    """Rows as samples: where there are more, several rows are of one sample."""
    ops = ops_for(rows["maximum"])
    samples = _samples(leading, batch)
    if isinstance(leading, int) and samples == leading:
        return {**rows, "positions": positions}
    folded = {
        name: ops.reshape(array, (samples, -1, array.shape[-1]))
        for name, array in rows.items()
    }
    reduced = {
        name: ops.sum(array, axis=1)
        for name, array in folded.items()
        if name != "maximum"
    }
    reduced["maximum"] = ops.max(folded["maximum"], axis=1)
    return {**reduced, "positions": positions * (leading // samples)}


def _samples(leading: Any, batch: Any) -> Any:
    if isinstance(leading, int) and isinstance(batch, int):
        return batch if leading % batch == 0 else leading
    if isinstance(leading, int):
        return leading  # a constant of the model: it does not follow the batch
    return keras.ops.where(keras.ops.equal(leading % batch, 0), batch, leading)
