"""What an estimate says, and that every way to the weights says the same."""

import json
import math

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

import keras_rectifiers


def phi(z):
    """The normal distribution function."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def normed(gamma, beta, *rest, variance=None, epsilon=1e-3):
    """A BatchNormalization with these parameters, and a ReLU behind it."""
    norm = layers.BatchNormalization(epsilon=epsilon, name="norm")
    model = keras.Sequential(
        [keras.Input((len(gamma),)), norm, *rest, layers.ReLU(name="relu")]
    )
    norm.gamma.assign(np.asarray(gamma, "float32"))
    norm.beta.assign(np.asarray(beta, "float32"))
    if variance is not None:
        norm.moving_variance.assign(np.asarray(variance, "float32"))
    return model


def dense_relu(kernel, bias=None, **arguments):
    """A Dense layer with a fused ReLU."""
    kernel = np.asarray(kernel, "float32")
    layer = layers.Dense(
        kernel.shape[1], use_bias=bias is not None, name="h", **arguments
    )
    model = keras.Sequential([keras.Input((kernel.shape[0],)), layer])
    layer.set_weights([kernel] if bias is None else [kernel, np.asarray(bias)])
    return model


def test_batch_normalization_gives_the_share_of_active_positions():
    """P(active) is Phi(beta/|gamma|), and the rate measured on normal data."""
    gamma, beta = [1.0, 2.0, -2.0, 0.5, 1.0], [0.0, 1.0, 1.0, -1.0, -4.5]
    model = normed(gamma, beta, epsilon=0.0)
    x = np.random.default_rng(0).normal(size=(20_000, 5)).astype("float32")

    estimated = keras_rectifiers.estimate(model).layer("relu")
    statistics = keras_rectifiers.diagnose(model, x).layers[0].statistics

    expected = [phi(b / abs(g)) for g, b in zip(gamma, beta, strict=True)]
    rates = statistics.fired_positions / statistics.positions
    assert estimated.p_active == pytest.approx(expected, abs=1e-12)
    assert rates == pytest.approx(expected, abs=5 * 0.5 / math.sqrt(20_000))
    assert estimated.verdicts.tolist() == ["open"] * 4 + ["unlikely"]


def test_epsilon_narrows_the_distribution():
    """A channel that hardly varies comes out as its beta."""
    model = normed([1.0, 1.0], [0.1, 0.1], variance=[1e-9, 1.0])

    chances = keras_rectifiers.estimate(model).layer("relu").p_active

    assert chances[0] > 0.999
    assert chances[1] == pytest.approx(phi(0.1 / math.sqrt(1 / 1.001)))


def test_a_channel_without_scale_is_decided_whatever_comes_in():
    """With gamma 0 the output is beta: proven dead or linear without a range."""
    model = normed([0.0, 0.0, 0.0], [-1.0, 0.0, 1.0])

    estimated = keras_rectifiers.estimate(model).layer("relu")

    assert estimated.p_active.tolist() == [0.0, 0.0, 1.0]
    assert estimated.verdicts.tolist() == ["dead", "dead", "linear"]


def test_layers_that_keep_values_are_seen_through():
    """Dropout, noise and constants between the two change the estimate rightly."""
    between = [layers.Dropout(0.5), layers.GaussianNoise(1.0), layers.Rescaling(-2, 1)]
    model = normed([1.0], [0.25], *between, epsilon=0.0)

    chances = keras_rectifiers.estimate(model).layer("relu").p_active

    assert chances == pytest.approx([phi(0.5 / 2)])


def test_the_threshold_counts():
    """A ReLU with a threshold fires above it."""
    inputs = keras.Input((1,))
    x = layers.BatchNormalization(epsilon=0.0)(inputs)
    model = keras.Model(inputs, layers.ReLU(threshold=1.5, name="relu")(x))

    chances = keras_rectifiers.estimate(model).layer("relu").p_active

    assert chances == pytest.approx([phi(-1.5)])


def test_without_a_batch_normalization_there_is_no_share():
    """A rectifier behind a Dense layer has no P(active), and says so by None."""
    layer = keras_rectifiers.estimate(dense_relu([[1.0]], activation="relu")).layers[0]

    assert layer.p_active is None
    assert layer.unlikely is None


def test_intervals_prove_units_dead_or_linear():
    """A range of inputs decides the units that it cannot move across zero."""
    model = dense_relu([[1.0, 1.0, 1.0]], [-2.0, 0.0, 2.0], activation="relu")

    estimated = keras_rectifiers.estimate(model, input_range=(-1, 1)).layers[0]

    assert estimated.verdicts.tolist() == ["dead", "open", "linear"]
    assert estimated.lower == pytest.approx([-3, -1, 1], rel=0.03)
    assert estimated.upper == pytest.approx([-1, 1, 3], rel=0.03)


def test_a_slope_makes_dead_units_leak():
    """A silent unit with a slope is proven leaking, not dead."""
    rectifier = keras_rectifiers.layers.PReLU()
    model = keras.Sequential(
        [keras.Input((1,)), layers.Dense(2, name="d"), rectifier], name="m"
    )
    model.layers[0].set_weights([np.ones((1, 2)), np.asarray([-5.0, -5.0])])
    rectifier.alpha.assign([0.0, 0.25])

    estimated = keras_rectifiers.estimate(model, input_range=(0, 1)).layers[0]

    assert estimated.dead.tolist() == [True, False]
    assert estimated.leaking.tolist() == [False, True]


def test_a_cap_is_not_linear():
    """A unit that may be cut at 6 is not linear."""
    model = dense_relu([[1.0, 1.0]], [1.0, 6.0], activation="relu6")

    estimated = keras_rectifiers.estimate(model, input_range=(0, 1)).layers[0]

    assert estimated.linear.tolist() == [True, False]


def test_without_a_range_only_what_always_holds_is_proven():
    """Behind a ReLU, weights of one sign decide; before it, nothing does."""
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(2, activation="relu", name="first"),
            layers.Dense(3, activation="relu", name="second"),
        ]
    )
    model.layers[1].set_weights(
        [np.asarray([[-1.0, 1.0, -1.0], [-1.0, 1.0, 1.0]]), np.asarray([0.0, 1.0, 0.0])]
    )

    estimated = keras_rectifiers.estimate(model)

    assert estimated.layer("first").dead is None
    assert "input" in estimated.layer("first").blocked
    assert estimated.layer("second").verdicts.tolist() == ["dead", "linear", "open"]


def test_what_is_not_followed_is_named():
    """The first layer that ends the bounds is named with its class."""
    inputs = keras.Input((5,))
    x = layers.LayerNormalization(name="centered")(layers.Dense(4)(inputs))
    x = layers.Dense(3, activation="relu", name="h")(layers.Dense(3)(x))
    model = keras.Model(inputs, x)

    layer = keras_rectifiers.estimate(model, input_range=(0, 1)).layer("h")

    assert layer.blocked == "LayerNormalization 'centered'"
    assert layer.linear is None


def test_rectifiers_inside_what_is_not_followed_are_listed():
    """A rectifier in a recurrence has no bounds, and says in what it stands."""
    inputs = keras.Input((4, 3))
    x = layers.LSTM(2, activation="relu", name="memory")(inputs)
    y = layers.Bidirectional(layers.GRU(2, activation="relu"), name="both")(inputs)
    model = keras.Model(inputs, [x, y])

    estimated = keras_rectifiers.estimate(model, input_range=(0, 1))

    assert len(estimated.layers) == 3
    assert all(layer.dead is None for layer in estimated.layers)
    assert {layer.blocked for layer in estimated.layers} == {
        "LSTM 'memory'",
        "Bidirectional 'both'",
    }


def test_bounded_states_are_used():
    """What a plain LSTM puts out lies in [-1, 1], whatever goes in."""
    model = keras.Sequential(
        [
            keras.Input((4, 3)),
            layers.LSTM(2),
            layers.Dense(1, activation="relu", name="h"),
        ]
    )
    model.layers[1].set_weights([np.ones((2, 1)), np.asarray([-3.0])])

    assert keras_rectifiers.estimate(model).layer("h").dead.tolist() == [True]


@pytest.mark.parametrize(
    "kind",
    [
        layers.BatchNormalization,
        lambda **name: layers.Dropout(0.5, **name),
        lambda **name: layers.AlphaDropout(0.5, **name),
        lambda **name: layers.SpatialDropout1D(0.5, **name),
        lambda **name: layers.GaussianNoise(0.9, **name),
    ],
)
def test_training_mode_ends_the_proof(kind):
    """A layer that is called with training=True does not do what is estimated."""
    inputs, trained = keras.Input((2, 3)), kind(name="it")
    model = keras.Model(inputs, layers.ReLU(name="r")(trained(inputs, training=True)))

    layer = keras_rectifiers.estimate(model, input_range=(5, 6)).layer("r")

    assert layer.p_active is None
    assert layer.blocked == f"{type(trained).__name__} 'it'"


def test_calls_of_a_shared_rectifier_are_taken_together():
    """A unit is dead only if it is at every call."""
    shared, inputs = layers.ReLU(name="shared"), keras.Input((1,))
    outputs = [shared(inputs - 3.0), shared(ops.concatenate([inputs]) - 0.5)]
    model = keras.Model(inputs, outputs)

    layer = keras_rectifiers.estimate(model, input_range=(0, 1)).layer("shared")

    assert layer.dead is None or layer.dead.tolist() == [False]
    assert layer.lower[0] <= -3


def test_ranges_go_to_inputs_by_name():
    """Each of several inputs has its own range; others have none."""
    a, b = keras.Input((1,), name="a"), keras.Input((1,), name="b")
    both = layers.Add()([a, b])
    outputs = [layers.ReLU(name="r")(each - 3.0) for each in (a,)]
    outputs.append(layers.ReLU(name="s")(both - 3.0))
    model = keras.Model([a, b], outputs)

    one = keras_rectifiers.estimate(model, input_range={"a": (0, 1)})
    two = keras_rectifiers.estimate(model, input_range={"a": (0, 1), "b": (0, 1)})

    assert one.layer("r").dead.tolist() == [True]
    assert one.layer("s").dead is None
    assert "'b'" in one.layer("s").blocked
    assert two.layer("s").dead.tolist() == [True]


def test_a_range_may_differ_between_features():
    """Arrays give each feature of a sample its own range."""
    model = dense_relu([[1.0], [1.0]], [-1.0], activation="relu")

    wide = keras_rectifiers.estimate(model, input_range=(0, 1)).count("dead")
    narrow = keras_rectifiers.estimate(model, input_range=([0, 0], [0.9, 0]))

    assert wide == 0
    assert narrow.count("dead") == 1


@pytest.mark.parametrize(
    "input_range",
    [(1, 0), (0,), "ab", 3, (0, math.nan), ([0, 1], [1, 0]), {"nowhere": (0, 1)}],
)
def test_what_is_no_range_is_refused(input_range):
    """A range that says nothing is an error that shows what one looks like."""
    with pytest.raises(ValueError, match="input_range must"):
        keras_rectifiers.estimate(dense_relu([[1.0]]), input_range=input_range)


def test_a_level_out_of_bounds_is_refused():
    """A share lies between 0 and 1."""
    with pytest.raises(ValueError, match="level must be"):
        keras_rectifiers.estimate(dense_relu([[1.0]]), level=2)


def test_it_prints_and_becomes_json():
    """The table has a line for each layer; JSON has null for what is infinite."""
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(2, activation="relu", name="first"),
            layers.BatchNormalization(),
            layers.ReLU(name="second"),
        ],
        name="m",
    )

    estimated = keras_rectifiers.estimate(model)
    lines = str(estimated).splitlines()
    data = json.loads(estimated.to_json())

    assert lines[0].startswith("Model 'm': of 4 units, 0 dead and 0 linear are proven")
    assert [line.split()[0] for line in lines[2:5]] == ["layer", "first", "second"]
    assert data["layers"][0]["mean_p_active"] is None
    assert data["layers"][1]["mean_p_active"] == pytest.approx(0.5)
    assert data["rows"][0]["lower"] is None
    assert len(estimated.rows) == estimated.units == 4
    with pytest.raises(KeyError, match="second"):
        estimated.layer("third")


def test_a_model_without_rectifiers_says_so():
    """There is nothing to estimate, and that is no error."""
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2)], name="plain")

    assert "no rectifier" in str(keras_rectifiers.estimate(model))


def test_channels_first_is_followed():
    """Channels that come first keep their own bounds."""
    conv = layers.Conv2D(2, 1, data_format="channels_first", name="c")
    inputs = keras.Input((3, 4, 4))
    x = layers.ReLU(name="r")(layers.BatchNormalization(axis=1)(conv(inputs)))
    x = layers.MaxPooling2D(2, data_format="channels_first")(x)
    x = layers.Flatten(data_format="channels_first")(x)
    model = keras.Model(inputs, layers.Dense(1, activation="relu", name="d")(x))
    conv.set_weights([np.ones((1, 1, 3, 2)), np.asarray([-9.0, 9.0])])
    kernel = np.tile([[-1.0], [1.0]], (4, 1))  # positions, then channels
    model.layers[-1].set_weights([kernel, np.asarray([-1.0])])

    estimated = keras_rectifiers.estimate(model, input_range=(0, 1))

    assert estimated.layer("r").verdicts.tolist() == ["dead", "linear"]
    assert estimated.layer("d").verdicts.tolist() == ["linear"]
    assert estimated.layer("d").lower == pytest.approx([35], rel=0.03)
