"""Producers and consumers of units, found in a document."""

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

from keras_rectifiers.graph.units.wire import wire
from keras_rectifiers.specs import Cannot
from keras_rectifiers.surgery.live import LiveModel


def _model(build, shape=(6, 6, 3)):
    inputs = keras.Input(shape)
    return keras.Model(inputs, build(inputs))


def _wiring(model, path=None):
    found = wire(LiveModel(model).survey)
    return found[path] if path else next(iter(found.values()))


def test_convolution_with_normalization():
    """Kernel, bias and affine make a unit; the next kernel takes it up."""
    model = _model(
        lambda x: layers.Conv2D(2, 1, name="next")(
            layers.MaxPooling2D()(
                layers.ReLU(name="r")(
                    layers.BatchNormalization(name="bn")(
                        layers.Conv2D(4, 3, name="conv")(x)
                    )
                )
            )
        )
    )

    wiring = _wiring(model)

    assert wiring.units == 4
    assert [(p.path, p.weight) for p in wiring.producers] == [
        ("bn", "gamma"),
        ("bn", "beta"),
        ("bn", "moving_mean"),
        ("bn", "moving_variance"),
        ("conv", "kernel"),
        ("conv", "bias"),
    ]
    (consumer,) = wiring.consumers
    assert (consumer.path, consumer.weight) == ("next", "kernel")
    mask = consumer.mask([1], (1, 1, 4, 2))
    assert mask.sum() == 2
    assert mask[0, 0, 1].all()
    assert [each.class_name for each in consumer.through] == ["MaxPooling2D"]


@pytest.mark.parametrize(
    "between",
    [
        layers.Flatten(),
        layers.Reshape((-1,)),
        lambda x: layers.Flatten()(layers.Permute((3, 1, 2))(x)),
        layers.Flatten(data_format="channels_first"),
        lambda x: layers.Flatten()(layers.Reshape((3, 12, 4))(x)),
        lambda x: layers.Flatten()(layers.Concatenate()([x, x])),
        lambda x: layers.Flatten()(layers.ZeroPadding2D()(x)),
        layers.GlobalAveragePooling2D(keepdims=True),
        lambda x: layers.Flatten()(layers.UpSampling2D()(layers.Dropout(0.1)(x))),
        layers.TimeDistributed(layers.GlobalMaxPooling1D()),
    ],
)
def test_positions_of_a_unit_are_exact(between):
    """A unit that is changed alone changes just the inputs that are its own."""
    model = _model(
        lambda x: layers.Dense(2, name="d")(
            between(layers.Conv2D(4, 1, activation="relu", name="c")(x))
        )
    )
    model.get_layer("c").bias.assign(np.full(4, 5.0))
    seen = keras.Model(model.input, model.get_layer("d").input)
    x = np.random.default_rng(0).normal(size=(3, 6, 6, 3)).astype("float32")
    before = ops.convert_to_numpy(seen(x))
    (consumer,) = _wiring(model).consumers

    for unit in range(4):
        bias = np.full(4, 5.0)
        bias[unit] = 7.0
        model.get_layer("c").bias.assign(bias)
        changed = ops.convert_to_numpy(seen(x)) != before
        expected = np.flatnonzero(changed.reshape(-1, changed.shape[-1]).any(axis=0))
        known = consumer.indices[0][unit]
        padding = [place for place in known if not before[..., place].any()]
        assert sorted(set(known) - set(padding)) == list(expected)


def test_several_consumers_and_an_offset():
    """Each branch is followed, and a concatenation shifts positions."""

    def build(x):
        a = layers.Conv2D(3, 1, activation="relu", name="a")(x)
        b = layers.Conv2D(4, 1, activation="relu", name="b")(x)
        both = layers.Concatenate()([a, b])
        return [layers.Conv2D(2, 1, name="y")(both), layers.DepthwiseConv2D(1)(b)]

    wiring = _wiring(_model(build), "b")

    assert [c.class_name for c in wiring.consumers] == ["Conv2D", "DepthwiseConv2D"]
    assert wiring.consumers[0].indices[0].ravel().tolist() == [3, 4, 5, 6]


def test_groups_reach_their_own_outputs():
    """A grouped convolution takes a unit up in its own group only."""
    model = _model(
        lambda x: layers.Conv2D(6, 1, groups=2)(
            layers.Conv2D(4, 1, activation="relu")(x)
        )
    )

    (consumer,) = _wiring(model).consumers

    mask = consumer.mask([3], (1, 1, 2, 6))
    assert np.argwhere(mask)[:, 2:].tolist() == [[1, 3], [1, 4], [1, 5]]


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda x, r: layers.Add()([r, layers.Conv2D(4, 1)(x)]), "added"),
        (lambda x, r: r * layers.Conv2D(4, 1)(x), "multiplied"),
        (lambda x, r: r, "an output of the model"),
        (lambda x, r: layers.LayerNormalization()(r), "mixes units"),
        (lambda x, r: layers.Softmax()(r), "cannot be traced through"),
        (
            lambda x, r: layers.Dense(2)(layers.Permute((3, 1, 2))(r)),
            "an axis other than",
        ),
        (lambda x, r: layers.MultiHeadAttention(1, 2)(r, r), "attention"),
        (lambda x, r: layers.Masking()(layers.Reshape((36, 4))(r)), "cannot be traced"),
    ],
)
def test_no_safe_consumers(build, reason):
    """Where other values depend on the same entries, the reason is told."""
    model = _model(
        lambda x: (
            layers.Dense(1)(
                build(x, layers.Conv2D(4, 1, activation="relu", name="c")(x))
            )
            if reason != "an output of the model"
            else build(x, layers.Conv2D(4, 1, activation="relu", name="c")(x))
        )
    )

    answer = _wiring(model, "c").consumers

    assert isinstance(answer, Cannot)
    assert reason in answer.detail


def test_shared_consumer_is_refused():
    """A kernel that takes other values up as well belongs to no unit."""

    def build(x):
        shared = layers.Dense(4, name="shared")
        return shared(layers.Dense(3, activation="relu", name="a")(shared(x)))

    wiring = _wiring(_model(build, (3,)), "a")

    assert "shared" in wiring.consumers.detail


def test_branching_producer_is_refused():
    """A kernel whose output is used elsewhere is not re-initialized."""

    def build(x):
        y = layers.Dense(3)(x)
        return layers.Dense(2)(layers.ReLU(name="r")(y)), layers.Dense(1)(y)

    wiring = _wiring(_model(build, (3,)), "r")

    assert "used elsewhere" in wiring.producers.detail


def test_normalization_alone_makes_units_after_a_sum():
    """Before a sum nothing may change, but the affine belongs to the unit."""

    def build(x):
        y = layers.Add()([layers.Dense(3)(x), x])
        y = layers.ReLU(name="r")(layers.BatchNormalization(name="bn")(y))
        return layers.Dense(2)(y)

    wiring = _wiring(_model(build, (3,)), "r")

    assert [p.weight for p in wiring.producers] == ["gamma", "beta"]


def test_nested_models_and_time():
    """Units are followed out of one model into another, and inside a wrapper."""
    first = keras.Sequential(
        [keras.Input((6, 3)), layers.Dense(4, name="d"), layers.ReLU(name="r")],
        name="first",
    )
    second = keras.Sequential(
        [keras.Input((6, 4)), layers.LSTM(2, name="lstm")], name="second"
    )
    model = _model(lambda x: second(first(x)), (6, 3))

    wiring = _wiring(model, "first/r")

    assert [p.path for p in wiring.producers] == ["first/d", "first/d"]
    assert [(c.path, c.weight) for c in wiring.consumers] == [
        ("second/lstm", "cell.kernel")
    ]
