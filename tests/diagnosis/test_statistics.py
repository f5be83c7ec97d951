import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from keras_rectifiers.diagnosis.statistics import UnitStatistics

_UNITS = 3
_COUNTS = arrays.arrays(np.int64, _UNITS, elements=st.integers(0, 2**40))
# Whole numbers, so that float64 adds them without rounding.
_SUMS = arrays.arrays(
    np.float64, _UNITS, elements=st.integers(0, 2**40).map(float), fill=st.nothing()
)
_MAXIMA = arrays.arrays(
    np.float64, _UNITS, elements=st.floats(allow_nan=False, width=32)
)
_STATISTICS = st.builds(
    UnitStatistics,
    samples=st.integers(0, 2**40),
    positions=st.integers(0, 2**40),
    fired=_COUNTS,
    fired_positions=_COUNTS,
    not_finite=_COUNTS,
    sum_abs=_SUMS,
    sum_squares=_SUMS,
    maximum=_MAXIMA,
)


@given(_STATISTICS, _STATISTICS, _STATISTICS)
def test_merging_is_associative(a, b, c):
    """It does not matter which two of three statistics are merged first."""
    assert (a + b) + c == a + (b + c)


@given(_STATISTICS, _STATISTICS)
def test_merging_is_free_of_order(a, b):
    """Two statistics give the same sum either way round."""
    assert a + b == b + a


@given(_STATISTICS)
def test_empty_statistic_is_the_identity(a):
    """No data changes nothing."""
    assert a + UnitStatistics.empty(_UNITS) == a


def test_statistics_of_different_units_do_not_merge():
    """Merging layers of different widths is refused with both widths."""
    with pytest.raises(ValueError, match="3 and 4 units"):
        UnitStatistics.empty(3) + UnitStatistics.empty(4)


def test_something_else_does_not_merge():
    """A statistic plus a number is a TypeError of Python's own."""
    with pytest.raises(TypeError):
        UnitStatistics.empty(3) + 1


def test_ratios_without_data_are_nan():
    """Without samples there is no rate and no mean, and no warning either."""
    empty = UnitStatistics.empty(2)

    assert np.isnan([empty.fired_fraction, empty.mean_abs, empty.mean_square]).all()


def test_means_leave_out_samples_that_are_not_finite():
    """A mean is over the positions of finite samples only."""
    statistics = UnitStatistics(
        samples=4,
        positions=8,
        fired=np.array([1]),
        fired_positions=np.array([2]),
        not_finite=np.array([1]),
        sum_abs=np.array([12.0]),
        sum_squares=np.array([24.0]),
        maximum=np.array([9.0]),
    )

    assert statistics.fired_fraction.tolist() == [0.25]
    assert statistics.mean_abs.tolist() == [2.0]
    assert statistics.mean_square.tolist() == [4.0]


def test_statistic_equals_only_a_statistic():
    """Comparison with something else is False and no error."""
    assert UnitStatistics.empty(1) != "empty"
