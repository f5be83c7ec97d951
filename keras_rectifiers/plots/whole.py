"""Pictures of all layers of a network, and of the network over time."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_rectifiers.plots.canvas import BINS
from keras_rectifiers.plots.canvas import NAMED
from keras_rectifiers.plots.canvas import PERCENT
from keras_rectifiers.plots.canvas import WIDE
from keras_rectifiers.plots.canvas import Values
from keras_rectifiers.plots.canvas import blank
from keras_rectifiers.plots.canvas import name_rows
from keras_rectifiers.plots.canvas import name_width
from keras_rectifiers.plots.canvas import percent
from keras_rectifiers.plots.canvas import plain
from keras_rectifiers.plots.canvas import verdict_legend
from keras_rectifiers.plots.colors import ACCENT
from keras_rectifiers.plots.colors import LINE
from keras_rectifiers.plots.colors import VERDICTS

_BAR = 0.72


def dead_share(
    layers: Sequence[str], counts: Mapping[str, Sequence[int] | Values]
) -> Figure:
    """Share of the units of each layer with each verdict, the first layer on top.

    Args:
        layers: Names.
        counts: For each verdict the number of units in each layer.
    """
    rows = len(layers)
    height = _row_height(rows)
    figure, axes = blank(
        520, rows * height + 66, left=name_width(layers), bottom=34, right=14, top=26
    )
    _share_bars(axes, counts)
    name_rows(axes, layers)
    verdict_legend(figure, counts)
    return figure


def network(
    layers: Sequence[str],
    counts: Mapping[str, Sequence[int] | Values],
    rates: Sequence[Values],
) -> Figure:
    """A whole network: verdicts of each layer, with its firing rates next to them.

    Args:
        layers: Names, in the order of depth.
        counts: For each verdict the number of units in each layer.
        rates: For each layer the firing rates of its units, 0..1.
    """
    rows = len(layers)
    figure, axes = blank(
        880,
        rows * _row_height(rows) + 84,
        left=name_width(layers),
        bottom=50,
        right=400,
        top=34,
    )
    _share_bars(axes, counts)
    name_rows(axes, layers)
    axes.set_xlabel("share of the units")
    verdict_legend(figure, counts)
    box = axes.get_position()
    left = box.x1 + 0.04
    beside = figure.add_axes((left, box.y0, 0.985 - left, box.height))
    plain(beside)
    _ridges(beside, rates)
    beside.set_xlabel("firing rates of the units that fired")
    return figure


def verdicts_over_time(
    times: Sequence[int], shares: Mapping[str, Values], time_label: str = "epochs"
) -> Figure:
    """Share of all units with each verdict over time, stacked, the worst below.

    Args:
        times: When it was measured, growing.
        shares: For each verdict its share at each time, 0..1.
        time_label: What the times are.
    """
    figure, axes = blank(WIDE, 230, left=46, bottom=38, top=26)
    present = {word: values for word, values in shares.items() if np.any(values > 0)}
    axes.stackplot(
        times,
        *present.values(),
        colors=[VERDICTS[word] for word in present],
        linewidth=0,
    )
    axes.set_xlim(times[0], times[-1])
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PERCENT)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.set_xlabel(time_label)
    verdict_legend(figure, present)
    return figure


def _row_height(rows: int) -> int:
    return 24 if rows <= NAMED else 13


def _share_bars(axes: Axes, counts: Mapping[str, Sequence[int] | Values]) -> None:
    table = {word: np.asarray(values, np.float64) for word, values in counts.items()}
    total = np.maximum(np.sum(list(table.values()), axis=0), 1)
    rows = len(total)
    middles = 1 - (np.arange(rows) + 0.5) / rows
    start = np.zeros(rows)
    for word, values in table.items():
        share = values / total
        if share.any():
            axes.barh(middles, share, _BAR / rows, left=start, color=VERDICTS[word])
        start += share
    axes.set_ylim(0, 1)
    percent(axes)


def _ridges(axes: Axes, rates: Sequence[Values]) -> None:
    """A histogram in each row, all of the same height; what never fired is left out."""
    edges = np.linspace(0, 1, BINS + 1)
    rows = len(rates)
    for row, each in enumerate(rates):
        counts, _ = np.histogram(each[np.isfinite(each) & (each > 0)], edges)
        foot = 1 - (row + 1) / rows
        top = foot + 0.9 / rows * counts / max(counts.max(), 1)
        axes.stairs(top, edges, baseline=foot, fill=True, color=ACCENT)
        axes.axhline(foot, color=LINE, linewidth=0.6)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    percent(axes)
