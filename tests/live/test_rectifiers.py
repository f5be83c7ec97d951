import json

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.layers import LeakyReLU
from keras_rectifiers.layers import PReLU
from keras_rectifiers.live import rectifiers


def _paths(model):
    return [(found.path, found.form) for found in rectifiers.find(model)]


def _functional(function, shape=(6, 6, 3)):
    inputs = keras.Input(shape)
    return keras.Model(inputs, function(inputs))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: layers.ReLU(name="r"), "relu"),
        (lambda: layers.ReLU(negative_slope=0.2, name="r"), "leaky_relu"),
        (lambda: layers.LeakyReLU(0.1, name="r"), "leaky_relu"),
        (lambda: layers.PReLU(name="r"), "prelu"),
        (lambda: layers.Activation("relu6", name="r"), "relu"),
        (lambda: LeakyReLU(name="r"), "leaky_relu"),
        (lambda: PReLU(name="r"), "prelu"),
    ],
)
def test_rectifier_layers_are_found(make, kind):
    """Keras' rectifier layers and ours are found under their name."""
    model = keras.Sequential([keras.Input((4,)), make()])

    (found,) = rectifiers.find(model)

    assert (found.path, found.form, found.function.kind) == ("r", "layer", kind)


@pytest.mark.parametrize(
    ("activation", "kind"),
    [
        ("relu", "relu"),
        ("relu6", "relu"),
        ("leaky_relu", "leaky_relu"),
        (LeakyReLU(), "leaky_relu"),
        (PReLU(), "prelu"),
        (layers.PReLU(), "prelu"),
    ],
)
def test_fused_rectifiers_have_the_path_of_their_host(activation, kind):
    """A function or layer in `activation` is one rectifier, called as its host."""
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, activation=activation, name="host")]
    )

    (found,) = rectifiers.find(model)

    assert (found.path, found.form, found.function.kind) == ("host", "fused", kind)


@pytest.mark.parametrize(
    "function",
    [
        ops.relu,
        ops.relu6,
        lambda x: ops.maximum(x, 0.0),
        lambda x: ops.maximum(0, x),
        lambda x: ops.clip(x, 0.0, 4.0),
        lambda x: ops.where(x > 0, x, 0.0),
        lambda x: keras.activations.relu(x, max_value=3.0),
    ],
)
def test_operations_are_found(function):
    """Each spelling of ReLU as an operation is found in a functional graph."""
    (found,) = rectifiers.find(_functional(function))

    assert (found.form, found.function.kind) == ("op", "relu")


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ops.maximum(x, 1.0),
        lambda x: ops.clip(x, -1.0, 1.0),
        lambda x: ops.where(x > 0, -x, 0.0),
        ops.sigmoid,
        layers.Activation("tanh"),
        layers.Conv2D(2, 3),
        layers.Conv2D(2, 3, activation=lambda x: x * 2),
    ],
)
def test_other_functions_are_not_rectifiers(function):
    """What is not known to rectify is left out."""
    assert rectifiers.find(_functional(function)) == ()


def test_nested_models_and_wrappers_name_the_way_inside():
    """Paths lead through models and wrappers; the top model's name is left out."""
    inner = keras.Sequential(
        [
            keras.Input((5, 4)),
            layers.TimeDistributed(
                layers.Dense(3, activation="relu", name="dense"), name="td"
            ),
        ],
        name="encoder",
    )
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, layers.ReLU(name="r")(inner(inputs)), name="top")

    assert _paths(model) == [("encoder/td/dense", "fused"), ("r", "layer")]


def test_paths_are_those_of_surgery():
    """What is watched and what is converted is called by the same name."""
    inner = keras.Sequential(
        [
            keras.Input((5, 4)),
            layers.TimeDistributed(layers.Dense(3, activation="relu")),
            layers.ReLU(),
        ],
        name="inner",
    )
    inputs = keras.Input((5, 4))
    x = inner(inputs)
    x = ops.maximum(0.0, layers.Dense(3, activation=PReLU())(x))
    x = layers.Bidirectional(layers.LSTM(3))(x)
    model = keras.Model(inputs, layers.Dense(2, activation="leaky_relu")(x))
    document = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))

    found = rectifiers.find(model)

    assert [(each.path, each.form, each.channel_axis) for each in found] == [
        (each.site.path, each.site.form, each.site.channel_axis)
        for each in Survey(document).found
    ]


def test_shared_layer_counts_once():
    """A layer that is called twice is one rectifier."""
    shared = layers.Dense(3, activation="relu", name="shared")

    model = _functional(lambda x: shared(shared(x)), (3,))

    assert _paths(model) == [("shared", "fused")]


class _Block(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(3, activation="relu", name="dense")
        self.rest = [layers.Dense(3, activation="relu", name="dense")]

    def call(self, x):
        return self.rest[0](self.first(x))


def test_layers_of_subclasses_are_found_and_told_apart():
    """Tracked sub-layers are found; a second one of a name ends in #2."""
    model = keras.Sequential([keras.Input((3,)), _Block(name="block")])

    assert _paths(model) == [("block/dense", "fused"), ("block/dense#2", "fused")]


def test_recurrent_layers_are_left_out():
    """What runs inside a recurrent loop cannot be watched and is not listed."""
    model = _functional(layers.Bidirectional(layers.LSTM(3, activation="relu")), (5, 2))

    assert rectifiers.find(model) == ()


@pytest.mark.parametrize(
    ("function", "axis"),
    [
        (lambda x: layers.ReLU()(layers.Conv2D(2, 1)(x)), -1),
        (
            lambda x: layers.ReLU()(
                layers.BatchNormalization(axis=1)(
                    layers.Conv2D(2, 1, data_format="channels_first")(x)
                )
            ),
            1,
        ),
        (
            lambda x: ops.relu(
                layers.Flatten()(layers.Conv2D(2, 1, data_format="channels_first")(x))
            ),
            -1,
        ),
    ],
)
def test_channel_axis_follows_the_nearest_layer_with_a_format(function, axis):
    """A rectifier has the data format of what feeds it, until axes are mixed."""
    (found,) = rectifiers.find(_functional(function))

    assert found.channel_axis == axis


def test_channel_axis_in_a_sequential():
    """A Sequential is a chain like any other graph."""
    model = keras.Sequential(
        [
            keras.Input((3, 6, 6)),
            layers.Conv2D(2, 1, data_format="channels_first"),
            layers.ReLU(),
        ]
    )

    (found,) = rectifiers.find(model)

    assert found.channel_axis == 1


def test_slopes_of_functions_are_constant():
    """A leaky unit has its layer's slope, a plain one has none."""
    leaky = keras.Sequential([keras.Input((3,)), LeakyReLU(0.25)])
    plain = keras.Sequential([keras.Input((3,)), layers.ReLU()])

    slopes, keeps = rectifiers.find(leaky)[0].slopes(3)
    none, loses = rectifiers.find(plain)[0].slopes(3)

    assert (slopes.tolist(), keeps.tolist()) == ([0.25] * 3, [True] * 3)
    assert (none.tolist(), loses.tolist()) == ([0.0] * 3, [False] * 3)


def test_slopes_of_prelu_are_its_weights():
    """A PReLU with one slope for each channel gives just these."""
    model = keras.Sequential([keras.Input((4, 3)), PReLU()])
    model.set_weights([np.array([0.0, 0.5, -0.25], "float32")])

    slopes, keeps = rectifiers.find(model)[0].slopes(3)

    assert slopes.tolist() == [0.0, 0.5, -0.25]
    assert keeps.tolist() == [False, True, True]


def test_slopes_along_positions_are_averaged_and_kept_alive():
    """Slopes of the positions of one channel: their mean; alive if any is not 0."""
    model = keras.Sequential([keras.Input((2, 2)), layers.PReLU()])
    model.set_weights([np.array([[0.5, 0.0], [-0.5, 0.0]], "float32")])

    slopes, keeps = rectifiers.find(model)[0].slopes(2)

    assert slopes.tolist() == [0.0, 0.0]
    assert keeps.tolist() == [True, False]
