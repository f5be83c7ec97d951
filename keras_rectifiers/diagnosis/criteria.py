"""What others call a dead unit, selectable by name.

Each criterion marks units from their statistics; `never_positive` is the default
and the only one under which a dead unit can be sure to get no gradient.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from keras_rectifiers.diagnosis.statistics import UnitStatistics
from keras_rectifiers.diagnosis.statistics import Values

Mask = npt.NDArray[np.bool_]

#: Keeps the score finite in a layer whose mean is 0.
_EPSILON = 1e-9
#: SageMaker Debugger, rule DeadRelu: `threshold_inactivity`, 1 %.
_INACTIVE = 0.01


@dataclasses.dataclass(frozen=True)
class Criterion:
    """One definition of a dead unit."""

    name: str
    #: Marks units; takes their statistics, whether each keeps a gradient below its
    #: threshold, and ReDo's tau.
    marks: Callable[[UnitStatistics, Mask, float], Mask]
    #: Share of dead units at which its authors flag a layer; None where they don't.
    layer_share: float | None
    #: Who defined it.
    reference: str
    #: Whether the statistics must hold gradients.
    needs_gradients: bool = False


def dormancy_score(statistics: UnitStatistics) -> Values:
    """ReDo's score: mean |h| of a unit over the mean of its layer's units.

    Reference:
        Sokar et al. 2023 (arXiv:2302.12902), equation 1.
    """
    means = statistics.mean_abs
    finite = np.isfinite(means)
    layer = means[finite].mean() if finite.any() else np.nan
    return means / (layer + _EPSILON)


def criterion(name: str) -> Criterion:
    """The criterion of a name.

    Args:
        name: A key of `CRITERIA`.

    Raises:
        ValueError: There is none of this name.
    """
    if name not in CRITERIA:
        near = difflib.get_close_matches(str(name), CRITERIA, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"criterion must be one of {', '.join(map(repr, CRITERIA))}. "
            f"Received: criterion={name!r}.{hint}"
        )
    return CRITERIA[name]


def _never_positive(seen: UnitStatistics, keeps: Mask, _: float) -> Mask:
    return np.asarray((seen.fired == 0) & ~keeps)


def _redo(seen: UnitStatistics, _: Mask, tau: float) -> Mask:
    return np.asarray(dormancy_score(seen) <= tau)


def _sagemaker(seen: UnitStatistics, _: Mask, __: float) -> Mask:
    return np.asarray(seen.positive_fraction < _INACTIVE)


def _apoz(seen: UnitStatistics, _: Mask, __: float) -> Mask:
    zeros = 1 - seen.positive_fraction
    # A layer that is dead throughout has no unit above its own mean.
    return np.asarray((zeros > np.nanmean(zeros) + np.nanstd(zeros)) | (zeros == 1))


def _autotrainer(seen: UnitStatistics, _: Mask, __: float) -> Mask:
    if seen.with_gradient is None:
        raise ValueError(
            "The criterion 'autotrainer' needs gradients. Received: statistics "
            "without them. Call diagnose(model, (x, y), gradients=True) on a "
            "compiled model."
        )
    return np.asarray(seen.with_gradient == 0)


#: The default.
NEVER_POSITIVE = Criterion(
    "never_positive",
    _never_positive,
    None,
    "Lu et al. 2019, Dying ReLU and Initialization, arXiv:1903.06733",
)
#: By name, the default first.
CRITERIA = {
    each.name: each
    for each in (
        NEVER_POSITIVE,
        Criterion(
            "redo",
            _redo,
            None,
            "Sokar et al. 2023, The Dormant Neuron Phenomenon, definition 3.1, "
            "arXiv:2302.12902: mean |h| at most tau times its layer's mean",
        ),
        Criterion(
            "sagemaker",
            _sagemaker,
            0.5,
            "Amazon SageMaker Debugger, rule DeadRelu: positive at less than 1 % of "
            "the positions; a layer with more than 50 % of such units",
        ),
        Criterion(
            "autotrainer",
            _autotrainer,
            0.7,
            "Zhang et al. 2021, AutoTrainer, ICSE: no gradient in any sample; a layer "
            "with 70 % of such units",
            needs_gradients=True,
        ),
        Criterion(
            "apoz",
            _apoz,
            None,
            "Hu et al. 2016, Network Trimming, arXiv:1607.03250: share of zeros more "
            "than one standard deviation above the layer's mean",
        ),
    )
}
