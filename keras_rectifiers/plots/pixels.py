"""Shares as pixels: sampled, joined and colored."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from keras_rectifiers.plots.canvas import FONT
from keras_rectifiers.plots.canvas import Values
from keras_rectifiers.plots.canvas import plain
from keras_rectifiers.plots.colors import MUTED
from keras_rectifiers.plots.colors import NEVER
from keras_rectifiers.plots.colors import SCALE

#: Most rows of a heat map; more units share rows.
ROWS = 256
#: Most columns of a heat map; more measurements are sampled.
COLUMNS = 128
#: Few, so that pictures stay small.
_COLORS = 48


def sampled(count: int, most: int) -> Values:
    """Evenly spaced places, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def joined(shares: Values, marked: Values, most: int) -> tuple[Values, Values]:
    """Neighboring rows as one, marked where all of them are."""
    if len(shares) <= most:
        return shares, marked
    starts = np.linspace(0, len(shares), most, endpoint=False).astype(int)
    sizes = np.diff([*starts, len(shares)])[:, None]
    means = np.add.reduceat(np.nan_to_num(shares), starts, axis=0) / sizes
    return means, np.logical_and.reduceat(marked, starts, axis=0)


def colored(shares: Values, never: Values | None) -> npt.NDArray[np.uint8]:
    """Pixels, of few colors so that the picture stays small; NaN is transparent."""
    scale = LinearSegmentedColormap.from_list("rates", SCALE, _COLORS)
    pixels = scale(np.nan_to_num(shares), bytes=True)
    pixels[np.isnan(shares), 3] = 0
    if never is not None:
        pixels[never] = [*bytes.fromhex(NEVER[1:]), 255]
    return np.asarray(pixels, np.uint8)


def legend_bar(figure: Figure, never: str | None) -> None:
    """A bar of the colors at the right."""
    box = figure.axes[0].get_position()
    width, height = figure.get_size_inches() * 72
    foot = 24 / height if never else 0.0
    left, bottom = box.x1 + 8 / width, box.y0 + foot
    bar = figure.add_axes((left, bottom, 8 / width, box.y1 - bottom))
    plain(bar)
    bar.spines[:].set_visible(False)
    bar.imshow(
        colored(np.linspace(1, 0, _COLORS)[:, None], None),
        aspect="auto",
        interpolation="none",
        extent=(0, 1, 0, 1),
    )
    bar.set_xticks([])
    bar.yaxis.tick_right()
    bar.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])
    if never:
        figure.text(left, box.y0, "■", color=NEVER, fontsize=10)
        figure.text(left + 11 / width, box.y0, never, color=MUTED, fontsize=FONT)
