"""Rectifiers find their operations by their slopes."""

import numpy as np

from keras_rectifiers.exporting.inspectors.found import Rectifying
from keras_rectifiers.exporting.pairing import paired


def _found(*values, shape=(-1,), name="PRELU", rounding=0.0):
    slopes = np.array(values, "float64").reshape(shape)
    return Rectifying((name,), slopes, native=True, rounding=rounding)


def test_slopes_decide_whatever_the_order_of_axes():
    """A file may hold channels first, and its operations in another order."""
    known = [("a", "prelu", np.array([0.1, 0.2])), ("b", "prelu", np.array([0.3, 0.4]))]
    found = [_found(0.3, 0.4, shape=(1, 2, 1, 1)), _found(0.2, 0.1)]

    first, second = paired(known, found)

    assert (first.slope_shape, second.slope_shape) == ((2,), (1, 2, 1, 1))


def test_equal_slopes_are_taken_in_running_order():
    """Each of two rectifiers has operations of its own."""
    known = [(name, "prelu", np.full(2, 0.25)) for name in "ab"]
    found = [_found(0.25, 0.25, name="FIRST"), _found(0.25, 0.25, name="SECOND")]

    names = [each.operations for each in paired(known, found)]

    assert names == [("FIRST",), ("SECOND",)]


def test_slopes_that_are_all_the_same_may_be_one_number():
    """Exporters shorten them; different ones are not the same as their first."""
    found = [_found(0.25, shape=())]

    assert paired([("a", "prelu", np.full(4, 0.25))], found)[0].native
    assert not paired([("a", "prelu", np.array([0.25, 0.5]))], found)[0].operations


def test_rounding_is_allowed_for():
    """Slopes of 8 bits are a step away, and no more."""
    known = [("a", "prelu", np.array([0.1, 0.2]))]

    assert paired(known, [_found(0.103, 0.2, rounding=0.004)])[0].operations
    assert not paired(known, [_found(0.11, 0.2, rounding=0.004)])[0].operations
    assert not paired(known, [_found(0.103, 0.2)])[0].operations
