"""How often a deep, narrow ReLU network is born dead: Lu et al. 2019, section 3."""

import runpy
from pathlib import Path

import pytest

_BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "born_dead.py"


@pytest.fixture(scope="module")
def benchmark():
    """The functions of the benchmark."""
    return runpy.run_path(str(_BENCHMARK))


@pytest.mark.parametrize("depth", [10, 20])
def test_asymmetric_networks_of_width_two_live_more_often(benchmark, depth):
    """The claim of the paper, at its narrowest network."""
    he, rai = (
        benchmark["born_dead"](benchmark[k], 2, depth, 500) for k in ("he", "rai")
    )

    assert he > 0.6
    assert rai < he - 0.25


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "low", "high"),
    # Of the paper's networks of depth 10 about 60 % die at width 3, more than 10 % at
    # width 5 and less than 1 % at width 10.
    [(3, 0.5, 0.7), (5, 0.1, 0.25), (10, 0.0, 0.01)],
)
def test_he_networks_die_as_often_as_in_the_paper(benchmark, width, low, high):
    """The paper's figures for symmetric initialization, and the bound on them."""
    share = benchmark["born_dead"](benchmark["he"], width, 10, 4000)

    assert low <= share <= high
    assert share <= benchmark["bound"](width, 10)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [10, 20])
@pytest.mark.parametrize("width", [2, 3, 5])
def test_asymmetric_networks_live_more_often(benchmark, width, depth):
    """At each width and depth, fewer are born dead than with He."""
    he, rai = (
        benchmark["born_dead"](benchmark[k], width, depth, 4000) for k in ("he", "rai")
    )

    assert rai < he / 1.3
