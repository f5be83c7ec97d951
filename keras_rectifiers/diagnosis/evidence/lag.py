"""How far moving statistics are from those of the data. Plain numpy."""

from __future__ import annotations

import numpy as np

from keras_rectifiers.diagnosis.evidence.data import MovingEvidence
from keras_rectifiers.diagnosis.statistics import Values

#: Distance of the moving mean from that of the batch, in deviations of the batch.
SHIFT = (0.3, 1.0)
#: Logarithm of the moving variance over that of the batch: factors 1.5 and 3.
RATIO = (0.4, 1.1)
#: Standard errors within which a difference is that of a sample.
_ERRORS = 5.0


def lag(norm: MovingEvidence) -> Values:
    """How far moving statistics are from those of the batch, 0..1 for each channel.

    Args:
        norm: The statistics. Differences within `_ERRORS` standard errors count as 0.
    """
    shift = np.where(
        np.abs(norm.mean - norm.batch_mean) > _ERRORS * norm.mean_error,
        _ramp(shift_of(norm), *SHIFT),
        0.0,
    )
    ratio = np.where(
        np.abs(norm.variance - norm.batch_variance) > _ERRORS * norm.variance_error,
        _ramp(np.abs(log_ratio(norm)), *RATIO),
        0.0,
    )
    return np.maximum(shift, ratio)


def shift_of(norm: MovingEvidence) -> Values:
    """Distance of the means, in deviations of the batch.

    Args:
        norm: The statistics.
    """
    deviation = np.sqrt(np.maximum(norm.batch_variance, 0) + norm.epsilon)
    return np.abs(norm.mean - norm.batch_mean) / deviation


def log_ratio(norm: MovingEvidence) -> Values:
    """Logarithm of the moving variance over that of the batch.

    Args:
        norm: The statistics.
    """
    moving = np.maximum(norm.variance, 0) + norm.epsilon
    return np.log(moving / (np.maximum(norm.batch_variance, 0) + norm.epsilon))


def _ramp(values: Values, low: float, high: float) -> Values:
    return np.clip((values - low) / (high - low), 0.0, 1.0)
