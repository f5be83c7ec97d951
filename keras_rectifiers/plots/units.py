"""Pictures of the units of one layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_rectifiers.plots.canvas import BINS
from keras_rectifiers.plots.canvas import SMALL
from keras_rectifiers.plots.canvas import WIDE
from keras_rectifiers.plots.canvas import blank
from keras_rectifiers.plots.canvas import counting
from keras_rectifiers.plots.canvas import name_rows
from keras_rectifiers.plots.canvas import name_width
from keras_rectifiers.plots.colors import VERDICTS
from keras_rectifiers.plots.pixels import COLUMNS
from keras_rectifiers.plots.pixels import ROWS
from keras_rectifiers.plots.pixels import colored
from keras_rectifiers.plots.pixels import joined
from keras_rectifiers.plots.pixels import legend_bar
from keras_rectifiers.plots.pixels import sampled


def firing_rates(
    rates: npt.ArrayLike, dead: int = 0, leaking: int = 0, of: str = "samples"
) -> Figure:
    """Histogram of the units' firing rates; those that never fired are separate.

    Args:
        rates: Share in which each unit fired, 0..1, shape `(units,)`.
        dead: How many of the units at 0 are dead.
        leaking: How many of them are leaking.
        of: What the rates are shares of.
    """
    values = np.asarray(rates, np.float64)
    values = values[np.isfinite(values) & (values > 0)]
    counts, _ = np.histogram(values, BINS, (0, 1))
    figure, axes = blank(SMALL, 150, left=40, bottom=36)
    width = 1 / BINS
    axes.bar(
        (np.arange(BINS) + 0.5) * width, counts, width * 0.86, color=VERDICTS["alive"]
    )
    bottom = 0
    for word, count in (("dead", dead), ("leaking", leaking)):
        axes.bar(-1.5 * width, count, width * 1.6, bottom=bottom, color=VERDICTS[word])
        bottom += count
    axes.set_xlim(-3 * width, 1 + width / 2)
    axes.set_xticks([-1.5 * width, 0.25, 0.5, 0.75, 1])
    axes.set_xticklabels(["never", "25%", "50%", "75%", "100%"])
    counting(axes, "units")
    axes.set_xlabel(f"{of} in which a unit fired")
    return figure


def heat_map(
    values: npt.ArrayLike,
    times: Sequence[Any],
    *,
    never: npt.ArrayLike | None = None,
    rows: Sequence[str] | None = None,
    label: str = "units",
    time_label: str = "epochs",
    legend: bool = True,
    most_rows: int = ROWS,
) -> Figure:
    """Rows over time, one color for each share in 0..1.

    Args:
        values: Shape `(times, rows)`; NaN is left empty.
        times: What the columns are called.
        never: Where "never" applies, shape of `values`: shown in a separate color.
        rows: Names of the rows, which then keep their order. Without names the rows
            are sorted by their mean, the highest on top, and neighbors share a row
            of the picture where there are more than `most_rows`.
        label: What the rows are.
        time_label: What the times are.
        legend: Whether to add a bar of the colors.
        most_rows: Most rows of the picture, default 256.
    """
    shares = np.asarray(values, np.float64).T
    marked = np.isnan(shares) if never is None else np.asarray(never, bool).T
    columns = sampled(shares.shape[1], COLUMNS)
    shares, marked = shares[:, columns], marked[:, columns]
    if rows is None:
        order = np.argsort(-np.nan_to_num(shares).mean(axis=1), kind="stable")
        shares, marked = joined(shares[order], marked[order], most_rows)
    height = 190 if rows is None else int(np.clip(16 * len(shares), 80, 640))
    figure, axes = blank(
        SMALL if rows is None else WIDE,
        height + 50,
        left=38 if rows is None else name_width(rows),
        bottom=34,
        right=52 if legend else 8,
    )
    axes.imshow(
        colored(shares, None if never is None else marked),
        aspect="auto",
        interpolation="none",
        extent=(0, shares.shape[1], 0, 1),
    )
    axes.spines[:].set_visible(False)
    _time_axis(axes, [times[column] for column in columns], time_label)
    if rows is None:
        axes.set_yticks([])
        axes.set_ylabel(label)
    else:
        name_rows(axes, rows)
    if legend:
        legend_bar(figure, "never" if never is not None else None)
    return figure


def _time_axis(axes: Axes, times: Sequence[Any], label: str) -> None:
    step = 1 + (len(times) - 1) // 8
    places = np.arange(0, len(times), step) + 0.5
    axes.set_xticks(places, [str(time) for time in times[::step]])
    axes.set_xlabel(label)
