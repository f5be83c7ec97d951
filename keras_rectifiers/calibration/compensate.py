"""Let biases absorb what slopes shift, so that every mean is what it was.

A slope a in the place of 0 shifts the mean of a unit's output by a E[min(x, 0)]. The
layers that follow would pass that on; their biases take it back: bias -= E[new
output] - E[old output], measured on data layer by layer. For a Dense layer that is
W times the shift of its input; for a convolution it is the mean over all positions,
where those at the borders, which see padding, shift less than the rest. This is the
empirical bias correction of Nagel et al. 2019, "Data-Free Quantization Through
Weight Equalization and Bias Correction", section 4.2, for slopes in the place of
rounding.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rectifiers.calibration.absorbers import Absorber
from keras_rectifiers.calibration.forward import CalibrationPass
from keras_rectifiers.calibration.forward import PassResult

#: Shifts below this share of a channel's deviation are left.
TOLERANCE = 2e-6
#: Most passes that settle what one correcting pass leaves.
ROUNDS = 8


def compensate(
    absorbers: Iterable[Absorber],
    batches: Sequence[Any],
    reference: PassResult,
    correcting: CalibrationPass,
    plain: CalibrationPass,
) -> None:
    """Change biases and moving statistics of a model until its means are as before.

    Args:
        absorbers: What may be changed: layers of the model of both passes.
        batches: What the means are taken over.
        reference: The pass of the original on these batches.
        correcting: A correcting pass of the model.
        plain: A plain one.
    """
    seen = [each for each in absorbers if each.path in reference.moments]
    _absorb(seen, correcting.run(batches, reference), reference)
    for _ in range(ROUNDS):
        if _absorb(seen, plain.run(batches), reference) <= TOLERANCE:
            return


def _absorb(
    absorbers: Iterable[Absorber], found: PassResult, reference: PassResult
) -> float:
    """Absorb what is left; gives the greatest shift in deviations of its channel."""
    worst = 0.0
    for absorber in absorbers:
        if absorber.path not in found.moments:
            continue
        mean, variance = found.pooled(absorber.path)
        wanted, spread = reference.pooled(absorber.path)
        if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
            continue
        floor = max(1e-4 * float(np.mean(spread)), 1e-12)
        deviation = np.sqrt(np.maximum(spread, floor))
        shift = float(np.max(np.abs(mean - wanted) / deviation, initial=0.0))
        worst = max(worst, shift)
        if shift > TOLERANCE:
            absorber.absorb(mean, wanted, variance, spread)
    return worst
