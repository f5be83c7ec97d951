"""The intervals of the rescue benchmark."""

import importlib.util
from pathlib import Path

import pytest

_PATH = Path(__file__).parents[1] / "benchmarks" / "rescue_families" / "rates.py"
_SPEC = importlib.util.spec_from_file_location("rates", _PATH)
rates = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(rates)


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        (0, 20, 0.0, 1 - 0.025 ** (1 / 20)),
        (20, 20, 0.025 ** (1 / 20), 1.0),
        (5, 10, 0.1871, 0.8129),
    ],
)
def test_clopper_pearson_gives_the_known_intervals(hits, trials, low, high):
    """All, none, and the value in the tables."""
    assert rates.clopper_pearson(hits, trials) == pytest.approx((low, high), abs=1e-4)


def test_the_interval_of_a_mean_uses_students_quantile():
    """For 5 values t is 2.776; the expansion comes within 1 %."""
    mean, half = rates.mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])

    assert mean == 3.0
    assert half == pytest.approx(2.776 * 2.5**0.5 / 5**0.5, rel=0.01)
