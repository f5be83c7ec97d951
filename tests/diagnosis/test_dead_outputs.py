"""Rectifiers that make the outputs of a model."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_rectifiers.diagnosis.diagnose import diagnose

_X = np.random.default_rng(1).normal(0.0, 1.0, (20, 4)).astype("float32")
_LOW = keras.initializers.Constant(-50.0)


def _dense(units=2, **options):
    return layers.Dense(units, bias_initializer=_LOW, **options)


def _chain(*inner):
    return keras.Sequential([keras.Input((4,)), *inner])


def _two():
    inputs = keras.Input((4,))
    x = layers.Dense(3, activation="relu", name="hidden")(inputs)
    one = _dense(activation="relu", name="one")(x)
    return keras.Model(inputs, [one, layers.Dense(2, name="two")(x)])


def _inside():
    inputs = keras.Input((3, 4))
    block = _chain(_dense(), layers.ReLU(name="act"))
    return keras.Model(inputs, layers.TimeDistributed(block, name="steps")(inputs))


class _Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(3, activation="relu", name="hidden")
        self.out = _dense(activation="relu", name="out")

    def call(self, x):
        return self.out(self.hidden(x))


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda: _chain(_dense(activation="relu", name="out")), "out"),
        (
            lambda: _chain(_dense(), layers.ReLU(name="act"), layers.Reshape((2, 1))),
            "act",
        ),
        (
            lambda: _chain(_dense(), layers.ReLU(name="act"), layers.Rescaling(3.0)),
            "act",
        ),
        (_two, "one"),
        (_inside, "steps/sequential/act"),
        (_Net, "out"),
    ],
    ids=["fused", "reshaped", "rescaled", "one of two", "inside", "subclassed"],
)
def test_a_dead_output_is_seen(make, path):
    """However the model is written, and through layers that reshape or rescale."""
    keras.utils.clear_session()
    x = np.repeat(_X[:, None], 3, 1) if make is _inside else _X

    found = diagnose(make(), x)

    (name,) = found.dead_outputs
    assert name.split("/")[-1] == path.split("/")[-1]
    assert found.layer(name).role == "output"
    assert str(found).startswith(f"The model's output {name!r} is dead: it predicts 0")
    assert found.summary()["dead_outputs"] == [name]


def test_a_dead_layer_before_the_output_is_none():
    """Another layer still has a bias of its own."""
    found = diagnose(
        _chain(_dense(activation="relu", name="hidden"), layers.Dense(1)), _X
    )

    assert found.layer("hidden").dead == 2
    assert found.layer("hidden").role is None
    assert found.dead_outputs == ()
    assert "output" not in str(found)


def test_an_output_that_lives_is_known_and_not_told():
    """Its role is there, and nothing is said of it."""
    found = diagnose(_chain(layers.Dense(2, activation="relu", name="out")), _X)

    assert found.layer("out").role == "output"
    assert found.dead_outputs == ()


def test_some_dead_units_of_an_output_are_counted():
    """The others still predict."""
    model = _chain(layers.Dense(3, activation="relu", name="out"))
    model.get_layer("out").bias.assign([-90.0, 0.0, -90.0])

    assert str(diagnose(model, _X)).startswith(
        "2 of 3 units of the model's output 'out' are dead: they predict 0 for every"
    )


def test_the_sum_of_two_diagnoses_keeps_the_role():
    """An output stays an output."""
    model = _chain(_dense(activation="relu", name="out"))

    both = diagnose(model, _X[:10]) + diagnose(model, _X[10:])

    assert both.dead_outputs == ("out",)
