"""Pictures of a quantity over the depth of a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_rectifiers.plots.canvas import Values
from keras_rectifiers.plots.canvas import by_depth
from keras_rectifiers.plots.colors import ACCENT
from keras_rectifiers.plots.colors import INK
from keras_rectifiers.plots.colors import LINE
from keras_rectifiers.plots.pixels import sampled

#: Most lines of earlier measurements.
_LINES = 24


def slopes_by_depth(
    layers: Sequence[str],
    slopes: Sequence[Values],
    history: npt.ArrayLike | None = None,
) -> Figure:
    """Slopes of each layer below the threshold: mean, middle 80 %, and extremes.

    Args:
        layers: Names, in the order of depth.
        slopes: For each layer the slopes of its units.
        history: Mean slope of each layer at each earlier measurement, shape
            `(measurements, layers)`: one thin line each, the first the palest.
    """
    figure, axes = by_depth(layers)
    axes.axhline(0, color=LINE, linewidth=1)
    if history is not None:
        lines = np.asarray(history, np.float64)
        lines = lines[sampled(len(lines), _LINES)]
        for age, line in enumerate(lines, start=1):
            axes.plot(line, color=ACCENT, linewidth=0.8, alpha=0.6 * age / len(lines))
    for at, each in enumerate(slopes):
        finite = each[np.isfinite(each)]
        if finite.size:
            low, high = np.quantile(finite, [0.1, 0.9])
            _spread(axes, at, (low, high), (finite.min(), finite.max()))
            axes.plot(at, finite.mean(), "o", color=INK, markersize=4.5)
    axes.set_ylabel("slope below 0")
    return figure


def peaks_by_depth(layers: Sequence[str], quantiles: npt.ArrayLike) -> Figure:
    """How large the outputs of each layer get: median, middle 80 %, and extremes.

    Args:
        layers: Names, in the order of depth.
        quantiles: For each layer least, 10 %, median, 90 % and greatest of the peaks,
            all above 0, shape `(layers, 5)`; NaN where nothing fired.
    """
    figure, axes = by_depth(layers)
    axes.set_yscale("log")
    axes.minorticks_off()
    for at, (least, low, middle, high, most) in enumerate(np.asarray(quantiles)):
        if np.isfinite(middle):
            _spread(axes, at, (low, high), (least, most))
            axes.plot(at, middle, "o", color=INK, markersize=4.5)
    axes.set_ylabel("greatest output in a sample")
    return figure


def _spread(
    axes: Axes, at: float, middle: tuple[float, float], extremes: tuple[float, float]
) -> None:
    axes.plot([at, at], extremes, color=ACCENT, linewidth=1)
    axes.plot(
        [at, at], middle, color=ACCENT, linewidth=7, alpha=0.5, solid_capstyle="round"
    )
