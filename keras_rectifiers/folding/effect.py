"""How far a fold moves a model: proved from the weights, and measured on data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np

from keras_rectifiers import precision
from keras_rectifiers.folding.decide import Decision
from keras_rectifiers.folding.decide import Values
from keras_rectifiers.graph import traits
from keras_rectifiers.graph.sites import Site


@dataclasses.dataclass(frozen=True)
class Change:
    """What two models give for the same data."""

    #: Largest absolute difference between their outputs.
    absolute: float
    #: The same as a share of the original's largest absolute output.
    relative: float
    #: Number of samples.
    samples: int
    #: Whether all outputs are the same bytes.
    bit_equal: bool
    #: Largest absolute difference that each folded rectifier makes to its own
    #: output, for the input that it gets in the original, by path.
    sites: Mapping[str, float]


def bound(site: Site, decision: Decision, lower: Any) -> float:
    """The most that a fold can move a rectifier's own output, rounding included.

    For input `x < 0` the exact change is at most `|alpha - slope| * |x|`: a cap can
    only make it smaller. Each of the two products is rounded, and so is each slope.

    Args:
        site: The rectifier.
        decision: What it becomes.
        lower: Least pre-activation of each unit, shape `(units,)`.

    Returns:
        The bound; infinite where a unit whose slope moves has no lower bound.
    """
    lowest = np.maximum(-np.asarray(lower, "float64"), 0.0)
    moved = _by_unit(site, decision.distances, lowest.size)
    sizes = _by_unit(site, np.abs(decision.slopes), lowest.size) + abs(decision.slope)
    numbers: Any = ml_dtypes.finfo(precision.computes(site.dtype))  # type: ignore[no-untyped-call]
    rounding = 2 * float(numbers.eps) * sizes
    with np.errstate(invalid="ignore"):
        most = (moved + rounding) * lowest + 2 * float(numbers.tiny)
    return float(np.where(moved > 0, most, 0.0).max(initial=0.0))


def measure(
    original: Any,
    folded: Any,
    decisions: Mapping[str, tuple[Site, Decision]],
    batches: Iterable[Any],
) -> Change:
    """Run the same batches through both models.

    Args:
        original: The live model that was folded.
        folded: What became of it.
        decisions: Site and decision of what was folded, by path.
        batches: Inputs, one structure of tensors for each batch.
    """
    import keras

    from keras_rectifiers.live import rectifiers  # noqa: PLC0415
    from keras_rectifiers.live.state import to_numpy  # noqa: PLC0415
    from keras_rectifiers.live.tap import tap  # noqa: PLC0415

    watched = [each for each in rectifiers.find(original) if each.path in decisions]
    sites = dict.fromkeys((each.path for each in watched), 0.0)

    def receive(rectifier: Any, before: Any, after: Any) -> None:
        site, decision = decisions[rectifier.path]
        x, y = (to_numpy(each, np.float64) for each in (before, after))
        new = _rectified(x, decision.slope, site.max_value)
        sites[rectifier.path] = max(sites[rectifier.path], _furthest(new, y))

    absolute, scale, samples, same = 0.0, 0.0, 0, True
    for batch in batches:
        with tap(watched, receive):
            before = keras.tree.flatten(original(batch, training=False))
        after = keras.tree.flatten(folded(batch, training=False))
        for a, b in zip(before, after, strict=True):
            x, y = (keras.ops.convert_to_numpy(each) for each in (a, b))
            same = same and x.tobytes() == y.tobytes()
            x, y = x.astype("float64"), y.astype("float64")
            absolute = max(absolute, _furthest(x, y))
            scale = max(scale, float(np.abs(x).max(initial=0.0)))
        samples += int(keras.tree.flatten(batch)[0].shape[0])
    relative = absolute / scale if scale else absolute
    return Change(absolute, relative, samples, same, sites)


def _furthest(a: Values, b: Values) -> float:
    return float(np.abs(a - b).max(initial=0.0))


def _rectified(x: Values, slope: float, max_value: float | None) -> Values:
    y = np.where(x > 0, x, slope * x if slope else 0.0)
    return y if max_value is None else np.minimum(y, max_value)


def _by_unit(site: Site, values: Values, units: int) -> Values:
    """The largest value of each unit, of values in the shape of slopes."""
    axis = traits.slope_axis(site.channel_axis, values.ndim)
    moved = np.moveaxis(values, axis, -1)
    most = moved.reshape(-1, moved.shape[-1]).max(axis=0)
    return np.broadcast_to(most if most.size in (1, units) else most.max(), (units,))
