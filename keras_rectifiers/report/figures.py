"""The pictures of a report: each one inline SVG with its numbers in words."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_rectifiers import plots
from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.layer_diagnosis import LayerDiagnosis
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.diagnosis.statistics import PEAK_EDGES
from keras_rectifiers.plots import pixels
from keras_rectifiers.report import svg
from keras_rectifiers.report import view
from keras_rectifiers.shares import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from keras_rectifiers.diagnosis.timeline import LayerTimeline
    from keras_rectifiers.diagnosis.timeline import Timeline

#: With this many layers or more, each heat map is half as fine.
_MANY = 16


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A picture and what it says."""

    #: An `<svg>` element.
    svg: str
    #: The same in words.
    caption: str


def firing_rates(layer: LayerDiagnosis) -> Drawn:
    """Histogram of one layer's firing rates, over positions where there are many.

    After a convolution nearly every unit fires somewhere in nearly every sample.
    """
    seen = layer.statistics
    of = "positions" if seen.positions > seen.samples else "samples"
    rates = seen.fired_positions / max(seen.positions, 1)
    fired = int((rates > 0).sum())
    silent = layer.units - fired
    middle = np.median(rates[rates > 0]) if fired else 0.0
    return _drawn(
        plots.firing_rates(rates, layer.dead, layer.leaking, of),
        f"Firing rates of {layer.layer}: {fired:,} of {layer.units:,} units fired"
        + (
            f", half of them in more than {percent(middle)} of the {of}"
            if fired
            else ""
        )
        + (f"; {silent:,} never did." if silent else "."),
    )


def units_over_time(layer: LayerTimeline, timeline: Timeline) -> Drawn:
    """Heat map of the units of one layer at each measurement."""
    times, label = timeline.time_axis()
    silent = view.silent(layer.codes)
    most = pixels.ROWS if len(timeline.layers) < _MANY else pixels.ROWS // 2
    joined = (
        ""
        if layer.units <= most
        else f" Each row represents about {layer.units / most:.0f} units."
    )
    return _drawn(
        plots.heat_map(
            layer.fired_fraction,
            times,
            never=silent,
            time_label=label,
            legend=False,
            most_rows=most,
        ),
        f"Each row is a unit, sorted by its mean firing rate.{joined} "
        f"{int(silent[0].sum()):,} of {layer.units:,} never fired at the start, "
        f"{int(silent[-1].sum()):,} at the end.",
    )


def verdicts_over_time(timeline: Timeline) -> Drawn:
    """Share of all units with each verdict at each measurement."""
    times, label = timeline.time_axis()
    shares = timeline.shares()
    silent = shares[verdicts.DEAD] + shares[verdicts.LEAKING]
    return _drawn(
        plots.verdicts_over_time(times, shares, label),
        f"All units of the network. Silent (dead or leaking): {percent(silent[0])} at "
        f"the start, {percent(silent[-1])} at the end.",
    )


def layers_over_time(timeline: Timeline) -> Drawn:
    """Share of silent units of each layer at each measurement."""
    times, label = timeline.time_axis()
    names = [layer.layer for layer in timeline.layers]
    silent = np.stack(
        [view.silent(layer.codes).mean(axis=1) for layer in timeline.layers], axis=1
    )
    worst = int(silent[-1].argmax())
    return _drawn(
        plots.heat_map(silent, times, rows=names, time_label=label),
        "Share of silent units in each layer. At the end most are in "
        f"{names[worst]}: {percent(silent[-1, worst])}.",
    )


def slopes(diagnosis: Diagnosis, timeline: Timeline | None) -> Drawn | None:
    """Slopes by depth; None where no rectifier has any."""
    layers = [layer for layer in diagnosis.layers if view.has_slopes(layer)]
    if not layers:
        return None
    names = [layer.layer for layer in layers]
    means = [float(np.nanmean(layer.slopes)) for layer in layers]
    steepest = int(np.argmax(np.abs(means)))
    history = None if timeline is None else _mean_slopes(timeline, names)
    return _drawn(
        plots.slopes_by_depth(names, [layer.slopes for layer in layers], history),
        "Slopes below 0, from the input to the output: mean (dot), the middle 80 % "
        f"(bar) and extremes (line) of the units of each layer. First {means[0]:.3g}, "
        f"last {means[-1]:.3g}, steepest {means[steepest]:.3g} ({names[steepest]})."
        + (" Thin lines: the means at earlier measurements." if history else ""),
    )


def peaks(diagnosis: Diagnosis) -> Drawn | None:
    """Greatest outputs by depth; None where they were not counted."""
    counted = [each for each in diagnosis.layers if each.statistics.peaks is not None]
    if not counted:
        return None
    quantiles = np.array([_peak_quantiles(each.statistics.peaks) for each in counted])
    if np.isnan(quantiles).all():
        return None
    names = [each.layer for each in counted]
    highest = int(np.nanargmax(quantiles[:, -1]))
    return _drawn(
        plots.peaks_by_depth(names, quantiles),
        "How large the outputs get where a unit fires, from the input to the output: "
        "median (dot), the middle 80 % (bar) and extremes (line) of units and "
        f"samples, within a factor of 4. The largest are in {names[highest]}: up to "
        f"{quantiles[highest, -1]:,.6g}.",
    )


def _peak_quantiles(counts: Any) -> npt.NDArray[np.float64]:
    """Least, 10 %, median, 90 % and greatest peak of the units that fired.

    A bin counts as its geometric middle; the outermost have the width of the others.
    """
    fired = counts[:, 1:].sum(axis=0)
    if not fired.any():
        return np.full(5, np.nan)
    factor = PEAK_EDGES[2] / PEAK_EDGES[1]
    lower = np.array([PEAK_EDGES[1] / factor, *PEAK_EDGES[1:]])
    reached = np.cumsum(fired) / fired.sum()
    bins = [int(np.searchsorted(reached, share)) for share in (0.1, 0.5, 0.9)]
    used = np.flatnonzero(fired)
    middles = lower[bins] * np.sqrt(factor)
    return np.array([lower[used[0]], *middles, lower[used[-1]] * factor])


def _mean_slopes(timeline: Timeline, names: list[str]) -> list[list[float]] | None:
    known = {layer.layer: layer for layer in timeline.layers}
    if not all(name in known for name in names) or len(timeline) == 1:
        return None
    means = [np.nanmean(known[name].slopes, axis=1) for name in names]
    return np.stack(means, axis=1).tolist()


def _drawn(figure: Figure, caption: str) -> Drawn:
    return Drawn(svg.inline(figure, caption), caption)
