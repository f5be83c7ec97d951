import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_rectifiers.diagnosis import criteria
from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.statistics import UnitStatistics


def _statistics(fired, fired_positions, sum_abs, *, not_finite=0, maximum=1.0):
    units = len(fired)
    return UnitStatistics(
        samples=10,
        positions=40,
        fired=np.array(fired),
        fired_positions=np.array(fired_positions),
        not_finite=np.broadcast_to(not_finite, units),
        sum_abs=np.array(sum_abs, float),
        sum_squares=np.array(sum_abs, float) ** 2,
        maximum=np.broadcast_to(maximum, units),
    )


def _binomial_tail(fired, samples, rate):
    """P(at most `fired` of `samples`), summed term by term."""
    from math import comb

    return sum(
        comb(samples, k) * rate**k * (1 - rate) ** (samples - k)
        for k in range(fired + 1)
    )


def test_each_verdict_has_its_case():
    """Dead, leaking, dormant, linear and alive are told apart."""
    statistics = _statistics([0, 0, 5, 10, 9], [0, 0, 5, 40, 20], [0, 8, 0.1, 40, 30])
    keeps_gradient = np.array([False, True, False, False, False])

    words = verdicts.verdicts(statistics, keeps_gradient)

    assert words.tolist() == ["dead", "leaking", "dormant", "linear", "alive"]


def test_nan_is_neither_dead_nor_alive():
    """A unit whose output was not finite says so before all else."""
    statistics = _statistics([0], [0], [0], not_finite=1)

    assert verdicts.verdicts(statistics, np.array([False])).tolist() == ["not_finite"]


@pytest.mark.parametrize(("maximum", "verdict"), [(6.0, "alive"), (5.0, "linear")])
def test_capped_unit_is_not_linear(maximum, verdict):
    """A unit that is always positive is linear only if its cap never acts."""
    statistics = _statistics([10], [40], [40], maximum=maximum)

    words = verdicts.verdicts(statistics, np.array([False]), cap=6.0)

    assert words.tolist() == [verdict]


def test_dormant_threshold_is_inclusive():
    """ReDo's score equal to tau is dormant, as in its definition 3.1."""
    statistics = _statistics([5, 5], [5, 5], [1, 39])
    score = criteria.dormancy_score(statistics)[0]

    def verdict(threshold):
        flags = np.array([False, False])
        return verdicts.verdicts(statistics, flags, dormant_threshold=threshold)[0]

    assert score == pytest.approx(0.05)
    assert verdict(score) == "dormant"
    assert verdict(score * 0.99) == "alive"


def test_layer_without_output_has_finite_scores():
    """In a layer of zeros each score is 0."""
    statistics = _statistics([0, 0], [0, 0], [0, 0])

    assert criteria.dormancy_score(statistics).tolist() == [0, 0]


@given(st.integers(1, 10**6), st.floats(0.5, 0.999))
def test_bound_of_none_fired_is_closed_form(samples, confidence):
    """For 0 of n the bound is 1 - (1 - confidence) ** (1 / n)."""
    bound = verdicts.upper_bound(0, samples, confidence)

    expected = -np.expm1(np.log1p(-confidence) / samples)
    assert bound == pytest.approx(expected, rel=1e-12)


def test_bound_follows_the_rule_of_three():
    """At 95 % and 1000 samples the bound of none fired is about 3 / 1000."""
    assert verdicts.upper_bound(0, 1000) == pytest.approx(3e-3, rel=0.01)


@given(
    st.integers(2, 60).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n)))
)
def test_bound_solves_the_binomial_tail(case):
    """At the bound, so few firings have the probability that is left over."""
    fired, samples = case

    bound = float(verdicts.upper_bound(fired, samples, 0.95))

    assert _binomial_tail(fired, samples, bound) == pytest.approx(0.05, rel=1e-9)


def test_bound_of_all_fired_is_one():
    """If every sample fired nothing below 1 can be excluded."""
    assert verdicts.upper_bound([7], 7).tolist() == [1.0]


@pytest.mark.parametrize("samples", [2, 100, 5_000, 1_000_000])
def test_bound_agrees_with_scipy(samples):
    """Our quantile of the beta distribution is scipy's to nine digits."""
    stats = pytest.importorskip("scipy.stats")
    fired = np.unique(np.linspace(0, samples - 1, 50).astype(int))

    bound = verdicts.upper_bound(fired, samples, 0.9)

    expected = stats.beta.ppf(0.9, fired + 1, samples - fired)
    np.testing.assert_allclose(bound, expected, rtol=1e-9)


def test_bound_keeps_the_shape():
    """Counts of any shape get bounds of that shape."""
    assert verdicts.upper_bound(np.zeros((2, 3), int), 5).shape == (2, 3)


@pytest.mark.parametrize("confidence", [0, 1, -0.1, 1.5, float("nan")])
def test_bound_refuses_confidence_out_of_range(confidence):
    """A confidence of 0 or 1 has no bound."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        verdicts.upper_bound(0, 5, confidence)


def test_bound_refuses_no_samples():
    """Nothing seen bounds nothing."""
    with pytest.raises(ValueError, match="one sample"):
        verdicts.upper_bound(0, 0)
