"""The search: what it chooses fits, and it is never below the best common slope."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_rectifiers.calibration.search import search

CANDIDATES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3)


def _additive(costs):
    def change(slopes):
        return sum(costs[site] * slope for site, slope in slopes.items())

    return change


@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=6),
    st.floats(0, 3),
)
def test_the_choice_fits_and_no_site_is_below_the_best_common_slope(costs, budget):
    """For changes that grow with the slopes."""
    by_site = {str(number): cost for number, cost in enumerate(costs)}
    change = _additive(by_site)

    found = search(list(by_site), CANDIDATES, change, minimum=0.0, max_change=budget)

    common = max(
        slope
        for slope in CANDIDATES
        if change(dict.fromkeys(by_site, slope)) <= budget or slope == 0
    )
    assert found.change == change(found.slopes) <= budget
    assert min(found.slopes.values()) >= common
    bound = 1 + (len(costs) + 1) * math.ceil(math.log2(len(CANDIDATES) + 1))
    assert found.passes <= bound


@given(st.integers(0, 2**32 - 1))
def test_a_change_that_does_not_grow_is_still_within_the_budget(seed):
    """What is chosen was measured, whatever the changes are."""
    measured = {}

    def change(slopes):
        key = tuple(slopes.items())
        rng = np.random.default_rng([seed, *(int(1000 * s) for s in slopes.values())])
        measured[key] = 0.0 if not any(slopes.values()) else float(rng.random())
        return measured[key]

    found = search(["a", "b"], CANDIDATES, change, minimum=0.0, max_change=0.5)

    assert measured[tuple(found.slopes.items())] == found.change <= 0.5


def test_what_one_site_does_not_need_goes_to_the_next():
    """A costly site stays low, a free one takes the greatest slope."""
    change = _additive({"costly": 100.0, "free": 0.0, "cheap": 0.01})

    found = search(
        ["costly", "free", "cheap"], CANDIDATES, change, minimum=0.0, max_change=0.01
    )

    assert found.slopes == {"costly": 0.0, "free": 0.3, "cheap": 0.3}


def test_the_minimum_is_taken_even_where_it_does_not_fit():
    """And nothing above it is tried then."""
    found = search(
        ["a"], CANDIDATES, _additive({"a": 100.0}), minimum=0.02, max_change=0.1
    )

    assert found.slopes == {"a": 0.02}
    assert found.change == pytest.approx(2.0)
    assert found.passes == 1


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_fits_no_budget(bad):
    """A slope that makes the model overflow is not chosen."""
    found = search(
        ["a"],
        CANDIDATES,
        lambda slopes: bad if slopes["a"] > 0.05 else 0.0,
        minimum=0.0,
        max_change=1.0,
    )

    assert found.slopes == {"a": 0.05}
