"""A model whose layers Python code makes is converted a second time."""

import keras
import numpy as np

import keras_rectifiers


class Block(keras.layers.Layer):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.act = keras.layers.ReLU()

    def call(self, x):
        return self.act(x)


class Net(keras.Model):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.first = keras.layers.Dense(4, activation="relu")
        self.block = Block()
        self.out = keras.layers.Dense(2)

    def call(self, x):
        return self.out(self.block(self.first(x)))


def _converted():
    model = Net()
    model(np.ones((2, 3), "float32"))
    leaky = keras_rectifiers.convert(model, "leaky_relu", negative_slope=0.0)
    return model, leaky, keras_rectifiers.convert(leaky, of="leaky_relu")


def test_what_was_replaced_is_forgotten():
    """A layer that an attribute held does not stay behind, with weights of its own."""
    *_, again = _converted()

    assert [type(each).__name__ for each in again.layers[0]._layers] == ["PReLU"]
    assert len(again.trainable_variables) == 6


def test_layers_inside_are_found_again():
    """A converted layer inside a converted model is paired with its copy."""
    model, leaky, again = _converted()
    folded = keras_rectifiers.fold(again).model

    for each in (leaky, again, folded):
        found = keras_rectifiers.verify(model, each)
        assert found.bit_equal
        assert found.variables_kept
    assert [type(each).__name__ for each in folded.layers[0]._layers] == ["ReLU"]
