"""By how much one run must be better than another before it takes its place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keras_rectifiers.files.data import Data

#: Parts of a sample over which a metric that is no share is seen to vary.
_PARTS = 16


def error_over_parts(model: Any, sample: Data, metric: str) -> float:
    """Standard error of a metric, from how much it differs between parts of a sample.

    Args:
        model: A compiled model.
        sample: Inputs and labels in memory.
        metric: The metric, as `Model.evaluate` names it.

    Returns:
        0 or more; infinite where the sample has no two parts to compare.
    """
    parts = np.array_split(np.arange(sample.samples or 0), _PARTS)
    found = [
        _measured(model, sample.taken(rows), metric) for rows in parts if len(rows)
    ]
    if len(found) < 2:  # noqa: PLR2004 - one alone does not vary
        return math.inf
    return float(np.std(found, ddof=1) / math.sqrt(len(found)))


def _measured(model: Any, part: Data, metric: str) -> float:
    found = model.evaluate(
        part.x,
        part.y,
        sample_weight=part.sample_weight,
        batch_size=part.samples,
        verbose=0,
        return_dict=True,
    )
    return float(found[metric])
