"""Dead outputs get weights that put out about what the labels are."""

import keras
import numpy as np
import pytest

from keras_rectifiers.revival import revive_outputs
from keras_rectifiers.revival.outputs import redraw_outputs

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 6)).astype("float32")
Y = (300 + 50 * X[:, :2]).astype("float32")


def _model(*end):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(32, activation="relu", name="h"), *end]
    )


def test_a_dense_output_is_fitted_to_the_labels():
    """It is close to them before any training, whatever their unit."""
    model = _model(keras.layers.Dense(2, activation="relu", name="y"))
    model.get_layer("y").bias.assign([-900.0, 0.0])
    before = model.get_weights()
    done = revive_outputs(model, {"y": np.array([0, 1])}, X, Y)
    found = model.predict(X, verbose=0)

    assert done == ("y",)
    assert np.mean((found - Y) ** 2) < 0.2 * Y.var()
    for place in (0, 1):  # the features stay
        np.testing.assert_array_equal(model.get_weights()[place], before[place])


def test_living_units_stay():
    """Only the dead unit's column and bias are new."""
    model = _model(keras.layers.Dense(2, activation="relu", name="y"))
    kernel, bias = model.get_layer("y").get_weights()
    revive_outputs(model, {"y": np.array([1])}, X, Y)
    new, shift = model.get_layer("y").get_weights()

    np.testing.assert_array_equal(new[:, 0], kernel[:, 0])
    assert shift[0] == bias[0]
    assert np.all(new[:, 1] != kernel[:, 1])


@pytest.mark.parametrize("normalized", [False, True])
def test_without_labels_an_output_is_about_one(normalized):
    """Most samples get something, and the layers below it stay."""
    norm = [keras.layers.BatchNormalization(name="n")] if normalized else []
    model = _model(keras.layers.Dense(2, name="d"), *norm, keras.layers.ReLU(name="y"))
    last = model.get_layer("n" if normalized else "d")
    (last.beta if normalized else last.bias).assign([-900.0, -900.0])
    before = model.get_layer("h").get_weights()
    assert not model.predict(X, verbose=0).any()

    assert redraw_outputs(model, ["y", "h"]) == ("y",)
    found = model.predict(X, verbose=0)

    assert np.mean(found > 0) > 0.7
    assert 0.5 < found.mean() < 2
    for mine, theirs in zip(before, model.get_layer("h").get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("normalized", [False, True])
def test_a_convolution_has_the_mean_and_spread_of_the_labels(normalized):
    """A map of outputs, with or without a normalization before the rectifier."""
    keras.utils.set_random_seed(0)
    norm = [keras.layers.BatchNormalization(name="n")] if normalized else []
    model = keras.Sequential(
        [
            keras.Input((5, 5, 2)),
            keras.layers.Conv2D(1, 3, padding="same", name="c"),
            *norm,
            keras.layers.ReLU(name="y"),
        ]
    )
    x = RNG.normal(size=(64, 5, 5, 2)).astype("float32")
    labels = RNG.normal(20, 2, (64, 5, 5, 1)).astype("float32")
    assert revive_outputs(model, {"y": np.array([0])}, x, labels) == ("y",)
    found = model.predict(x, verbose=0)

    assert found.mean() == pytest.approx(20, abs=0.5)
    assert found.std() == pytest.approx(2, abs=0.5)


def test_numbers_of_classes_are_shares():
    """Ten rectified outputs and labels 0 to 9: each is fitted to its class."""
    model = _model(keras.layers.Dense(3, activation="relu", name="y"))
    labels = X[:, :3].argmax(1)
    revive_outputs(model, {"y": np.arange(3)}, X, labels)

    assert np.mean(model.predict(X, verbose=0).argmax(1) == labels) > 0.7


def test_frozen_layers_stay():
    """Nothing is revived where weights must not change."""
    model = _model(keras.layers.Dense(2, activation="relu", name="y"))
    model.get_layer("y").trainable = False
    before = model.get_weights()

    assert revive_outputs(model, {"y": np.array([0])}, X, Y) == ()
    for mine, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)
