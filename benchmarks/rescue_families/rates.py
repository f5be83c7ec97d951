"""Shares and means with their intervals."""

import math
import statistics


def clopper_pearson(hits, trials, confidence=0.95):
    """Exact interval of a share (Clopper & Pearson 1934), as (low, high) in 0..1.

    Found by bisection on the binomial tails.
    """
    alpha = (1 - confidence) / 2

    def above(p):
        return sum(_term(trials, k, p) for k in range(hits, trials + 1))

    def below(p):
        return sum(_term(trials, k, p) for k in range(hits + 1))

    low = 0.0 if hits == 0 else _root(lambda p: above(p) - alpha)
    high = 1.0 if hits == trials else _root(lambda p: alpha - below(p))
    return low, high


def mean_interval(values, confidence=0.95):
    """Mean and half width of its interval, by Student's t; 0 wide for one value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, 0.0
    error = statistics.stdev(values) / math.sqrt(len(values))
    return mean, _student(len(values) - 1, confidence) * error


def _term(n, k, p):
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


def _root(rising):
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _student(freedom, confidence):
    """Quantile of Student's t, by Cornish and Fisher's expansion of the normal."""
    z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
