"""Means and deviations of channels, and the shares that they imply."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_rectifiers
from keras_rectifiers.estimation.moments import Moments
from keras_rectifiers.estimation.moments import summed

_MEANS = np.asarray([0.0, 1.0, -2.0, 3.0])
_DEVIATIONS = np.asarray([1.0, 0.5, 2.0, 0.0])


def test_moments_behind_a_relu_are_those_of_samples(rng):
    """Mean and deviation of a rectified normal variable are exact."""
    samples = np.maximum(rng.normal(_MEANS, _DEVIATIONS, (400_000, 4)), 0)

    moments = Moments(_MEANS, _DEVIATIONS).rectified()

    assert moments.mean == pytest.approx(samples.mean(axis=0), abs=0.01)
    assert moments.deviation == pytest.approx(samples.std(axis=0), abs=0.01)


def test_moments_of_a_sum_add_up(rng):
    """Variances of independent terms add up; an unknown term leaves nothing."""
    a = Moments(_MEANS, _DEVIATIONS)
    b = Moments(2 * _MEANS, 3 * _DEVIATIONS)

    both = summed(a, b)

    assert both.mean == pytest.approx(3 * _MEANS)
    assert both.deviation == pytest.approx(np.sqrt(10) * _DEVIATIONS)
    assert summed(a, None) is None
    assert summed(a, Moments(_MEANS[:1], _DEVIATIONS[:1])) is None


def test_a_rectifier_behind_a_residual_sum_has_a_share(rng):
    """The estimate holds where its assumption does: independent branches."""
    inputs = keras.Input((2,))
    left = layers.ReLU()(layers.BatchNormalization(epsilon=0.0)(inputs[:, :1]))
    right = layers.BatchNormalization(epsilon=0.0, name="norm")(inputs[:, 1:])
    out = layers.ReLU(name="r")(layers.Add()([left, right]))
    model = keras.Model(inputs, out)
    model.get_layer("norm").beta.assign([-0.5])
    x = rng.normal(size=(20_000, 2)).astype("float32")

    layer = keras_rectifiers.estimate(model).layer("r")
    seen = keras_rectifiers.diagnose(model, x).layer("r").statistics

    assert layer.basis == "sum"
    # The sum is not quite normal, which is the rest of the difference.
    assert layer.p_active == pytest.approx(
        seen.fired_positions / seen.positions, abs=0.03
    )


def test_a_rectifier_behind_a_rectifier_has_no_share():
    """What comes out of a ReLU is not normal."""
    inputs = keras.Input((2,))
    x = layers.ReLU()(layers.BatchNormalization()(inputs))
    model = keras.Model(inputs, layers.ReLU(name="second")(x))

    layer = keras_rectifiers.estimate(model).layer("second")

    assert layer.p_active is None
    assert layer.basis == ""
