"""Pictures of units: plain numbers in, a matplotlib figure out.

Figures are made by matplotlib's objects and never by `pyplot`: nothing global is
changed, no window opens, and no figure must be closed. Of this package nothing is
imported here but the text of shares.
"""

try:
    import matplotlib as mpl  # noqa: F401
except ImportError as error:
    from keras_rectifiers import installing

    raise ImportError(
        "Pictures need matplotlib. Install it with "
        f"`{installing.command('report', ['matplotlib'])}`."
    ) from error

from keras_rectifiers.plots.canvas import short
from keras_rectifiers.plots.depth import peaks_by_depth
from keras_rectifiers.plots.depth import slopes_by_depth
from keras_rectifiers.plots.units import firing_rates
from keras_rectifiers.plots.units import heat_map
from keras_rectifiers.plots.whole import dead_share
from keras_rectifiers.plots.whole import network
from keras_rectifiers.plots.whole import verdicts_over_time

__all__ = [
    "dead_share",
    "firing_rates",
    "heat_map",
    "network",
    "peaks_by_depth",
    "short",
    "slopes_by_depth",
    "verdicts_over_time",
]
