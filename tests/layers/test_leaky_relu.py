"""The constructor of Leaky ReLU."""

import ml_dtypes
import numpy as np
import pytest

from keras_rectifiers.layers import LeakyReLU


def test_default_slope_is_that_of_the_paper():
    """Without arguments the slope is 0.01 and there is no cap."""
    layer = LeakyReLU()

    assert (layer.negative_slope, layer.max_value) == (0.01, None)


@pytest.mark.parametrize("slope", [-0.5, 0, 1, 3.0, 1e-30])
def test_any_finite_slope_is_accepted(slope):
    """Slopes below 0 and above 1 are legitimate."""
    layer = LeakyReLU(slope)

    assert layer.negative_slope == slope
    assert type(layer.negative_slope) is float


@pytest.mark.parametrize(
    "number",
    [
        np.float32(0.5),
        np.float64(0.5),
        np.float16(0.5),
        ml_dtypes.bfloat16(0.5),
        np.array(0.5),
    ],
    ids=lambda number: type(number).__name__,
)
def test_numpy_numbers_become_floats(number):
    """A NumPy scalar is kept as a Python float, so the config is JSON."""
    layer = LeakyReLU(number, max_value=number)

    assert type(layer.negative_slope) is type(layer.max_value) is float
    assert layer.negative_slope == layer.max_value == 0.5


@pytest.mark.parametrize("argument", ["negative_slope", "max_value"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -np.inf])
def test_numbers_must_be_finite(argument, value):
    """NaN and infinities are refused, and the message says what was received."""
    with pytest.raises(
        ValueError, match=f"{argument} of LeakyReLU must be finite.*Rec"
    ):
        LeakyReLU(**{argument: value})


@pytest.mark.parametrize("argument", ["negative_slope", "max_value"])
@pytest.mark.parametrize("value", ["0.1", True, [0.1], np.array([0.1]), {}])
def test_other_types_are_refused(argument, value):
    """What is no number is a TypeError that names the argument and the remedy."""
    with pytest.raises(TypeError, match=f"{argument} of LeakyReLU must be a number.*P"):
        LeakyReLU(**{argument: value})


def test_slope_must_be_given_as_a_number():
    """None is no slope."""
    with pytest.raises(TypeError, match="negative_slope"):
        LeakyReLU(None)


@pytest.mark.parametrize("cap", [0, -1.0, -0.0])
def test_cap_must_be_positive(cap):
    """A cap at or below 0 would make a layer that never fires."""
    with pytest.raises(ValueError, match="max_value of LeakyReLU must be above 0"):
        LeakyReLU(max_value=cap)
