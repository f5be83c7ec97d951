"""Figures, axes and names: what every picture is drawn on.

Sizes are in CSS pixels, 1/72 inch.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from matplotlib.ticker import MaxNLocator

from keras_rectifiers.plots.colors import LINE
from keras_rectifiers.plots.colors import MUTED
from keras_rectifiers.plots.colors import VERDICTS
from keras_rectifiers.shares import stated

Values = npt.NDArray[Any]

#: Bars of a histogram of firing rates.
BINS = 20
#: Width of the small pictures, in pixels.
SMALL = 300
#: Width of those over time.
WIDE = 440
#: Size of text, in pixels.
FONT = 10
#: Most layers that are named each on a horizontal axis.
NAMED = 16
_NAME_LENGTH = 22


class Picture(Figure):
    """A figure that a notebook shows, whether pyplot was set up or not."""

    def _repr_svg_(self) -> str:
        buffer = io.StringIO()
        self.savefig(buffer, format="svg")
        return buffer.getvalue()


def short(name: str, length: int = _NAME_LENGTH) -> str:
    """A name on one line, cut in the middle, without what cannot be printed."""
    text = "".join(char if char.isprintable() else "·" for char in name)
    if len(text) <= length:
        return text
    front = length // 2
    return f"{text[:front]}…{text[front + 1 - length :]}"


PERCENT = FuncFormatter(lambda value, _: stated(value))


def blank(
    width: float,
    height: float,
    left: float,
    bottom: float,
    right: float = 8,
    top: float = 8,
) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, all sizes in pixels."""
    figure = Picture(figsize=(width / 72, height / 72), facecolor="none")
    FigureCanvasSVG(figure)
    axes = figure.add_axes(
        (
            left / width,
            bottom / height,
            (width - left - right) / width,
            (height - bottom - top) / height,
        )
    )
    plain(axes)
    return figure, axes


def plain(axes: Axes) -> None:
    """Axes without frame and ticks, in quiet colors."""
    axes.set_facecolor("none")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(colors=MUTED, labelsize=FONT, length=0, pad=4)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(color=MUTED, fontsize=FONT)
    axes.set_axisbelow(True)


def counting(axes: Axes, label: str) -> None:
    """A vertical axis that counts."""
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_ylabel(label)


def percent(axes: Axes) -> None:
    """A horizontal axis of shares in 0..1."""
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(PERCENT)


def by_depth(layers: Sequence[str]) -> tuple[Figure, Axes]:
    """Axes with one place for each layer."""
    if len(layers) > NAMED:
        figure, axes = blank(90 + 13 * len(layers), 240, left=56, bottom=38)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
        axes.set_xlabel("depth (rectifiers, from the input)")
    else:
        width = max(480, 90 + 34 * len(layers))
        bottom = 30 + 4 * _longest(layers)
        figure, axes = blank(width, 180 + bottom, left=56, bottom=bottom)
        axes.set_xticks(range(len(layers)), [short(name) for name in layers])
        literal(axes.get_xticklabels(), rotation=38, ha="right")
    axes.set_xlim(-0.6, len(layers) - 0.4)
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    return figure, axes


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Names at the middle of rows that fill 0..1 from the top; every few, if tight."""
    height = axes.bbox.height * 72 / axes.figure.dpi
    step = int(np.ceil((FONT + 1) * len(names) / height))
    places = 1 - (np.arange(len(names)) + 0.5) / len(names)
    axes.set_yticks(places[::step], [short(name) for name in names[::step]])
    literal(axes.get_yticklabels())


def _longest(names: Sequence[str]) -> int:
    return max((len(short(name)) for name in names), default=0)


def name_width(names: Sequence[str]) -> float:
    """Pixels for names next to the axes."""
    return 16 + 6.4 * _longest(names)


def literal(labels: Sequence[Any], **options: Any) -> None:
    """Names are text: a dollar sign starts no formula."""
    for label in labels:
        label.set_parse_math(False)
        label.set(**options)


def verdict_legend(figure: Figure, words: Mapping[str, Any]) -> None:
    """The verdicts that occur, in their colors, in one line on top."""
    width, height = figure.get_size_inches() * 72
    at = figure.axes[0].get_position().x0 * width
    for word, values in words.items():
        if not np.any(np.asarray(values) > 0):
            continue
        text = word.replace("_", " ")
        y = 1 - 12 / height
        figure.text(at / width, y, "■", color=VERDICTS[word], fontsize=10, va="center")
        figure.text(
            (at + 13) / width,
            y,
            text,
            color=MUTED,
            fontsize=FONT,
            va="center_baseline",
        )
        at += 32 + 6.2 * len(text)
