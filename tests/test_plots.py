import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs the extra `report`")

from matplotlib.text import Text

from keras_rectifiers import plots
from keras_rectifiers.plots import colors
from keras_rectifiers.plots import pixels
from keras_rectifiers.report.svg import inline
from tests.report.diagnoses import layer
from tests.report.diagnoses import network


def _texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def _image(figure):
    return np.asarray(figure.axes[0].get_images()[0].get_array())


_NEVER = (*bytes.fromhex(colors.NEVER[1:]), 255)


def test_firing_rates_count_every_unit():
    """The bars add up to the units, those that never fired in two colors."""
    rates = np.array([0, 0, 0, 0.01, 0.5, 1.0])

    axes = plots.firing_rates(rates, dead=2, leaking=1).axes[0]

    heights = [bar.get_height() for bar in axes.patches]
    assert sum(heights) == 6
    assert heights[-2:] == [2, 1]


def test_heat_map_sorts_units_and_marks_the_silent():
    """The busiest unit is on top, and "never" has a color of its own."""
    values = np.array([[0.1, 0.9, 0.0], [0.2, 0.8, 0.0]])

    image = _image(plots.heat_map(values, [0, 1], never=values == 0))

    assert image.shape == (3, 2, 4)
    assert tuple(image[2, 0]) == _NEVER
    assert image[0, 0, :3].sum() > image[1, 0, :3].sum()


def test_heat_map_keeps_the_order_of_named_rows():
    """Layers stand from the input on."""
    values = np.array([[0.0, 1.0]])

    figure = plots.heat_map(values, [0], rows=["first", "last"])

    image = _image(figure)
    assert image[0, 0, :3].sum() < image[1, 0, :3].sum()
    assert {"first", "last"} <= set(_texts(figure))


def test_heat_map_of_many_units_is_small():
    """Neighbors share a row; a row is silent if all of its units are."""
    values = np.linspace(1, 0, 4096)[None].repeat(500, axis=0)
    values[:, 2048:] = 0

    image = _image(plots.heat_map(values, range(500), never=values == 0))

    assert image.shape == (pixels.ROWS, pixels.COLUMNS, 4)
    silent = (image == _NEVER).all(axis=-1)[:, 0]
    assert not silent[: pixels.ROWS // 2].any()
    assert silent[pixels.ROWS // 2 :].all()


def test_heat_map_leaves_gaps_where_nothing_is_known():
    """NaN is transparent."""
    assert _image(plots.heat_map([[np.nan, 0.5]], [0]))[1, 0, 3] == 0


def test_dead_share_stacks_to_one():
    """The verdicts of each layer fill its bar."""
    counts = {"dead": [1, 0], "leaking": [0, 0], "alive": [3, 5]}

    axes = plots.dead_share(["a", "b"], counts).axes[0]

    widths = np.array([bar.get_width() for bar in axes.patches]).reshape(-1, 2)
    assert widths.tolist() == [[0.25, 0], [0.75, 1]]


def test_slopes_by_depth_shows_the_means():
    """One dot for each layer that has a finite slope."""
    slopes = [np.array([0.1, 0.3]), np.array([np.nan]), np.array([-0.5])]

    axes = plots.slopes_by_depth(["a", "b", "c"], slopes, [[0, 0, 0]] * 30).axes[0]

    dots = [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert dots == pytest.approx([0.2, -0.5])


def test_peaks_by_depth_leaves_out_what_never_fired():
    """A layer without a peak has a place and no mark."""
    quantiles = [[0.1, 1, 2, 3, 10], [np.nan] * 5]

    axes = plots.peaks_by_depth(["a", "b"], quantiles).axes[0]

    dots = [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert dots == [2]
    assert axes.get_yscale() == "log"


def test_verdicts_over_time_names_what_occurs():
    """Its legend leaves out verdicts that never occurred."""
    shares = {"dead": np.array([0.5, 0]), "leaking": np.zeros(2), "alive": np.ones(2)}

    texts = _texts(plots.verdicts_over_time([0, 1], shares))

    assert "dead" in texts
    assert "leaking" not in texts


@pytest.mark.parametrize("name", ["$x$", "$\\frac{$", "a_b^c", "<b>&amp;</b>"])
def test_names_are_no_formulas(name):
    """What a layer is called is drawn letter by letter."""
    figure = plots.slopes_by_depth([name], [np.ones(2)])

    markup = inline(figure, name)

    assert name in _texts(figure)
    assert "<b>" not in markup


def test_short_names_are_cut_in_the_middle():
    """Both ends tell layers apart; what cannot be printed is replaced."""
    assert plots.short("conv") == "conv"
    assert plots.short("a" * 30 + "end", 9) == "aaaa…aend"
    assert plots.short("a\nb\x00") == "a·b·"


def test_inline_pictures_take_their_colors_from_the_page():
    """No color of the palette is left, no size, no counter that is not unique."""
    figure = plots.network(
        ["a"], {"dead": [1], "alive": [2]}, [np.array([0.0, 0.4, 0.6])]
    )

    markup = inline(figure, 'say "what"')

    assert "var(--dead)" in markup
    assert not [each for each in colors.VERDICTS.values() if each in markup]
    assert 'aria-label="say &quot;what&quot;"' in markup
    assert "figure_1" not in markup
    assert "<style" not in markup
    assert 'style="--width: 880px"' in markup


def test_a_diagnosis_plots_itself():
    """Its figure can be saved, and a notebook can show it."""
    figure = network(layer("first", 8, 2), layer("second", 8, 0, 0.1)).plot()

    assert {"first", "second", "dead"} <= set(_texts(figure))
    assert figure._repr_svg_().rstrip().endswith("</svg>")


def test_a_diagnosis_without_layers_cannot_be_plotted():
    """It says why."""
    with pytest.raises(ValueError, match="no rectifier"):
        network().plot()


def test_plots_leave_matplotlib_as_it_was():
    """Pyplot is not imported, and no setting is changed."""
    code = """
import sys
from keras_rectifiers import plots
import matplotlib
def settings():  # without asking for the backend, which would choose one
    return [dict.__getitem__(matplotlib.rcParams, name) for name in matplotlib.rcParams]
before = settings()
plots.firing_rates([0.5], 0, 0)._repr_svg_()
print("matplotlib.pyplot" in sys.modules, before == settings())
print(sorted(n for n in sys.modules if n.startswith("keras_rectifiers.")
             and ".plots" not in n and not n.startswith("keras_rectifiers._")))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert run.stdout.split() == [
        "False",
        "True",
        "['keras_rectifiers.shares']",
    ]
