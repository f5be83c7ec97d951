"""What a look at a model gives: its skill, and whether outputs are the same."""

import keras
import numpy as np
import pytest

from keras_rectifiers.files.data import Data
from keras_rectifiers.finetuning.findings import find
from keras_rectifiers.finetuning.skill import difference

X = np.random.default_rng(0).normal(size=(200, 3)).astype("float32")


def _linear(kernel, loss):
    layers = [keras.layers.Dense(3, "relu"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    ends = [np.eye(3), np.full(3, 10.0), np.reshape(kernel, (3, 1)), np.zeros(1)]
    model.set_weights(ends)
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_skill_is_one_for_what_is_right_and_zero_for_a_constant(loss):
    """Whatever the loss; below zero for what is worse than the same dealt out."""
    y = X[:, :1] + 10
    right = find(_linear([1, 0, 0], loss), Data(X, y), X, 0).skill
    nothing = find(_linear([0, 0, 0], loss), Data(X, y), X, 0).skill
    other = find(_linear([0, 1, 0], loss), Data(X, y), X, 0).skill

    assert abs(nothing) < 1e-6
    assert right > 0.99
    assert abs(other) < 0.15
    assert find(_linear([-1, 0, 0], loss), Data(X, y - 20), X, 0).skill < 0


def test_outputs_that_are_no_numbers_have_no_skill():
    """NaN is not better than chance."""
    model = _linear([np.nan, 0, 0], "mse")
    assert find(model, Data(X, X[:, :1]), X, 0).skill == 0


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.0], [1.0, 2.5], 0.5),
        ([np.nan, 2.0], [np.nan, 2.5], 0.5),
        ([np.nan, 2.0], [1.0, 2.0], np.nan),
        ([0.0], [-0.0], 0.0),
    ],
)
def test_a_difference_is_the_greatest(before, after, wanted):
    """NaN against a number is no difference that has a size."""
    found = difference({"a": np.array(before)}, {"a": np.array(after)})
    np.testing.assert_equal(found, wanted)
