"""What a unit's statistics mean, given the slope of its rectifier.

Never positive is not yet dead: with a slope other than 0 the gradient still
flows and the unit can come back. And "never" is a statement about the samples
seen: `upper_bound` says what they allow. Keras is never imported here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from keras_rectifiers.diagnosis.criteria import NEVER_POSITIVE
from keras_rectifiers.diagnosis.criteria import Criterion
from keras_rectifiers.diagnosis.criteria import dormancy_score
from keras_rectifiers.diagnosis.statistics import UnitStatistics
from keras_rectifiers.diagnosis.statistics import Values

#: Never positive and no slope: no gradient reaches the weights before it.
DEAD = "dead"
#: Never positive, but a slope other than 0 keeps the gradient.
LEAKING = "leaking"
#: Fired, but its mean output is next to nothing beside its layer's (ReDo).
DORMANT = "dormant"
#: Positive at every position and never capped: the rectifier does nothing.
LINEAR = "linear"
#: None of the others.
ALIVE = "alive"
#: Its output was NaN or infinite in some sample.
NOT_FINITE = "not_finite"
#: All verdicts, worst first.
VERDICTS = (NOT_FINITE, DEAD, LEAKING, DORMANT, LINEAR, ALIVE)

#: Sokar et al. 2023, section 3 ("tau-dormant"), the threshold of their method.
DORMANT_THRESHOLD = 0.025
#: Half precision rounds a cap by at most this share (bfloat16).
_ROUNDING = 2.0**-7

#: Steps of Newton's method; each is bracketed, so the worst case is bisection.
_NEWTON_STEPS = 200
_FRACTION_STEPS = 20_000
_TINY = 1e-300


def verdicts(
    statistics: UnitStatistics,
    keeps_gradient: npt.NDArray[np.bool_],
    *,
    cap: float | None = None,
    dormant_threshold: float = DORMANT_THRESHOLD,
    criterion: Criterion = NEVER_POSITIVE,
) -> npt.NDArray[np.str_]:
    """The verdict of each unit.

    The first that holds counts: not_finite, dead or leaking, dormant, linear, alive.

    Args:
        statistics: What the units did; at least one sample.
        keeps_gradient: Shape `(units,)`: whether the slope below 0 is not 0.
        cap: Upper bound of the output, or None.
        dormant_threshold: ReDo's tau: a unit that fired is dormant where
            `dormancy_score` is at most this. Float >= 0, default 0.025.
        criterion: What counts as dead; by default never positive and no slope.

    Returns:
        Array of words, shape `(units,)`.

    Reference:
        Sokar et al. 2023, "The Dormant Neuron Phenomenon in Deep Reinforcement
        Learning" (arXiv:2302.12902), definition 3.1. "Dead": Lu et al. 2019,
        "Dying ReLU and Initialization" (arXiv:1903.06733).
    """
    silent = statistics.fired == 0
    dormant = dormancy_score(statistics) <= dormant_threshold
    linear = statistics.fired_positions == statistics.finite_positions
    if cap is not None:
        linear &= statistics.maximum < cap * (1 - _ROUNDING)
    return np.select(
        [
            statistics.not_finite > 0,
            criterion.marks(statistics, keeps_gradient, dormant_threshold),
            silent,
            dormant,
            linear,
        ],
        [NOT_FINITE, DEAD, LEAKING, DORMANT, LINEAR],
        ALIVE,
    )


def upper_bound(fired: npt.ArrayLike, samples: int, confidence: float = 0.95) -> Values:
    """Exact one-sided upper bound of the firing rate per sample.

    The rate p at which seeing `fired` or fewer in `samples` has probability
    `1 - confidence`. For none fired it is `1 - (1 - confidence) ** (1 / samples)`,
    at 95 % about `3 / samples` (the rule of three). The samples are taken to be
    independent draws from the data that the model will meet.

    Args:
        fired: Samples in which the unit fired, any shape.
        samples: Samples seen, at least 1.
        confidence: Float in (0, 1), default 0.95.

    Returns:
        Rates in 0..1, shape of `fired`.

    Raises:
        ValueError: If `confidence` or `samples` is out of its range.

    Reference:
        Clopper & Pearson 1934, Biometrika 26(4). Rule of three: Hanley &
        Lippman-Hand 1983, JAMA 249(13).
    """
    if not 0 < confidence < 1:
        raise ValueError(
            "confidence must lie between 0 and 1. "
            f"Received: confidence={confidence!r}. Pass 0.95 for 95 %."
        )
    if samples < 1:
        raise ValueError(
            f"A bound needs one sample at least. Received: samples={samples}."
        )
    counts = np.asarray(fired, np.int64)
    unique, where = np.unique(counts, return_inverse=True)
    bounds = np.ones(len(unique))
    none, some = unique == 0, (unique > 0) & (unique < samples)
    bounds[none] = -math.expm1(math.log1p(-confidence) / samples)
    if some.any():
        k = unique[some].astype(np.float64)
        bounds[some] = _beta_quantile(confidence, k + 1, samples - k)
    return bounds[where].reshape(counts.shape)


def _beta_quantile(probability: float, a: Values, b: Values) -> Values:
    """The x at which the regularized incomplete beta function is `probability`."""
    low, high = np.zeros_like(a), np.ones_like(a)
    x = a / (a + b)
    log_beta = _lgamma(a) + _lgamma(b) - _lgamma(a + b)
    for _ in range(_NEWTON_STEPS):
        error = _incomplete_beta(x, a, b, log_beta) - probability
        low, high = np.where(error < 0, x, low), np.where(error < 0, high, x)
        slope = np.exp((a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - log_beta)
        step = x - error / np.maximum(slope, _TINY)
        inside = (step > low) & (step < high)
        following = np.where(inside, step, (low + high) / 2)
        if np.all(np.abs(following - x) <= 1e-13 * x):
            return following
        x = following
    return x


def _incomplete_beta(x: Values, a: Values, b: Values, log_beta: Values) -> Values:
    """Regularized incomplete beta function I_x(a, b).

    The continued fraction converges fast below the mean only; above it the
    symmetry `I_x(a, b) = 1 - I_(1-x)(b, a)` is used (DLMF 8.17.4 and 8.17.22).
    """
    swap = x > (a + 1) / (a + b + 2)
    p, q = np.where(swap, b, a), np.where(swap, a, b)
    y = np.where(swap, 1 - x, x)
    front = np.exp(a * np.log(x) + b * np.log1p(-x) - log_beta) / p
    value = front / _fraction(y, p, q)
    return np.where(swap, 1 - value, value)


def _fraction(x: Values, a: Values, b: Values) -> Values:
    """The continued fraction of the incomplete beta function, by Lentz' method."""
    value, c, d = np.ones_like(x), np.ones_like(x), np.zeros_like(x)
    for step in range(1, _FRACTION_STEPS):
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _not_zero(1 + term * d)
        c = _not_zero(1 + term / c)
        value *= c * d
        if np.all(np.abs(c * d - 1) < 1e-15):  # noqa: PLR2004
            break
    return value


def _not_zero(value: Values) -> Values:
    return np.where(np.abs(value) < _TINY, _TINY, value)


_lgamma: Callable[[Values], Values] = np.vectorize(math.lgamma, otypes=[np.float64])
