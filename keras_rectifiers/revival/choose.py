"""Which units to revive, by what they did."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.layer_diagnosis import LayerDiagnosis

Units = npt.NDArray[np.int64]


def dormant(
    layer: LayerDiagnosis, tau: float | None, max_fraction: float = 1.0
) -> Units:
    """Units to revive, the most silent first.

    Args:
        layer: What the units of one rectifier did.
        tau: Those whose `dormancy` is at most this (Sokar et al. 2023: 0.025, and 0
            for units that put out nothing); None for those that are dead by the
            criterion of the diagnosis.
        max_fraction: Most of them, as a share of the layer's units, in 0..1; one at
            least, where there is one.

    Returns:
        Numbers of the units; none whose output was not finite.
    """
    score = layer.dormancy
    if tau is None:
        marked = layer.verdicts == verdicts.DEAD
    else:
        marked = (score <= tau) & (layer.verdicts != verdicts.NOT_FINITE)
    units = np.flatnonzero(marked)
    most = max(1, math.floor(max_fraction * layer.units)) if max_fraction else 0
    order = np.argsort(score[units], kind="stable")
    return np.asarray(units[order[:most]], np.int64)
