"""Sequentials without weights are built in a copy."""

import keras
import numpy as np
import pytest

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.finetuning.unbuilt import built

X = np.ones((3, 4), "float32")


def test_a_copy_is_built():
    """With the optimizer and loss of the original, which stays as it was."""
    model = keras.Sequential([keras.layers.Dense(5, activation="relu")])
    model.compile(keras.optimizers.Adam(0.5), "mse", metrics=["mae"])

    copy = built(model, X)

    assert [weight.shape for weight in copy.weights] == [(4, 5), (5,)]
    assert float(copy.optimizer.learning_rate) == 0.5
    assert copy.loss == "mse"
    assert not model.built
    assert not model.weights


def test_layers_that_have_weights_keep_them():
    """A trained layer behind one that is not built."""
    trained = keras.layers.Dense(2)
    trained.build((None, 5))
    model = keras.Sequential([keras.layers.Dense(5), trained])

    copy = built(model, X)

    np.testing.assert_array_equal(copy.layers[1].kernel, trained.kernel)
    assert not model.layers[0].built


def test_a_built_model_is_itself():
    """There is nothing to do."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5)])

    assert built(model, X) is model


def test_what_cannot_be_copied_is_refused():
    """With the reason, and what to do."""

    class Wide(keras.layers.Dense):
        def __init__(self, width, factor):
            super().__init__(width * factor)

    model = keras.Sequential([Wide(2, 3)], name="wide")

    with pytest.raises(UnsupportedModelError, match=r"'wide'.*Call it once before"):
        built(model, X)
