"""Compensation: means stay, outputs move less, on the wirings that nets have."""

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

import keras_rectifiers


def _means(model, names, x):
    """Mean of each named layer's output over samples and positions."""
    tap = keras.Model(model.inputs, [model.get_layer(name).output for name in names])
    found = tap.predict(x, verbose=0)
    found = found if isinstance(found, list) else [found]
    return [np.mean(each, axis=tuple(range(each.ndim - 1))) for each in found]


def _trained_like(model, rng):
    """Biases and moving statistics as of a net that was trained."""
    for weight in model.weights:
        if weight.name in ("bias", "beta", "moving_mean"):
            weight.assign(rng.normal(0, 0.3, weight.shape))
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


def _dense():
    x = given = keras.Input((6,))
    for number in range(3):
        x = layers.Dense(16, name=f"pre_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
    return keras.Model(given, layers.Dense(3, name="pre_3")(x))


def _fused():
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(16, activation="relu"),
            layers.Dense(16, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ]
    )


def _conv():
    return keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(6, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.Activation("relu", name="relu_1"),
            layers.Conv2D(5, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )


def _normalized():
    x = given = keras.Input((8, 8, 2))
    for number in range(3):
        x = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(name=f"pre_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
    x = layers.AveragePooling2D(2)(x)
    x = layers.BatchNormalization(name="pre_3")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(given, layers.Dense(3, name="pre_4")(x))


def _branches():
    x = given = keras.Input((8, 8, 2))
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="stem")(x)
    a = layers.Conv2D(4, 1, activation="relu", name="a")(x)
    b = layers.Conv2D(4, 3, padding="same", activation="relu", name="b")(x)
    x = layers.Concatenate()([a, b])
    x = layers.Conv2D(6, 3, name="join")(x)
    x = layers.ReLU(name="last")(x)
    return keras.Model(given, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def _residual():
    x = given = keras.Input((12,))
    x = layers.Dense(12, name="in")(x)
    for number in range(2):
        y = layers.Dense(12, activation="relu", name=f"up_{number}")(x)
        y = layers.Dense(12, activation="relu", name=f"down_{number}")(y)
        x = layers.Add()([x, y])
    return keras.Model(given, layers.Dense(3, name="out")(x))


NETS = {
    "dense": _dense,
    "fused": _fused,
    "conv": _conv,
    "normalized": _normalized,
    "branches": _branches,
    "residual": _residual,
}


@pytest.fixture(scope="module", params=NETS)
def net(request):
    """A net, inputs for it, its weights, and two conversions by the same slopes."""
    keras.utils.set_random_seed(7)
    rng = np.random.default_rng(7)
    model = _trained_like(NETS[request.param](), rng)
    weights = model.get_weights()
    x = rng.normal(size=(96, *model.input_shape[1:])).astype("float32")
    options = {"minimum": 0.2, "candidates": (0.2,), "max_change": 0.0}
    with_it = keras_rectifiers.calibrate(model, x[:64], **options)
    without = keras_rectifiers.calibrate(model, x[:64], compensate=False, **options)
    return model, x, weights, with_it, without


def test_outputs_move_less_with_compensation(net):
    """By the same slopes, on the samples of the calibration and on others."""
    model, x, _, with_it, without = net

    assert set(with_it.slopes.values()) == {0.2} == set(without.slopes.values())
    # How much less depends on the initial weights, which backends draw differently.
    assert with_it.change < 0.9 * without.change
    assert with_it.change_uncompensated == pytest.approx(without.change, rel=1e-3)
    assert not with_it.uncompensated
    assert all(with_it.compensated.values())
    before = model.predict(x[64:], verbose=0)
    moved = [
        np.mean((each.model.predict(x[64:], verbose=0) - before) ** 2)
        for each in (with_it, without)
    ]
    assert moved[0] < moved[1]


def test_bias_and_statistics_only_are_changed(net):
    """Kernels, gammas and betas are the original's, and the original is untouched."""
    model, _, before, found, _ = net

    for was, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(now, was)
    changed = {
        weight.name
        for weight, was in zip(found.model.weights, before, strict=True)
        if not np.array_equal(ops.convert_to_numpy(weight), was)
    }
    assert changed
    assert changed <= {"bias", "moving_mean", "moving_variance"}


@pytest.mark.parametrize("samples", [64, 96])
def test_the_mean_of_every_next_pre_activation_is_what_it_was(rng, samples):
    """Exactly, for a chain of Dense layers, in one batch and in two."""
    model = _trained_like(_dense(), rng)
    x = rng.normal(size=(samples, 6)).astype("float32")
    names = [f"pre_{number}" for number in range(4)]
    before = _means(model, names, x)

    found = keras_rectifiers.calibrate(model, x, minimum=0.3)
    raw = keras_rectifiers.convert(model, "leaky_relu", negative_slope=0.3)

    for was, now in zip(before, _means(found.model, names, x), strict=True):
        np.testing.assert_allclose(now, was, atol=1e-5)
    moved = _means(raw, names[1:], x)
    assert (
        max(np.abs(a - b).max() for a, b in zip(moved, before[1:], strict=True)) > 0.1
    )


def test_normalization_takes_up_shift_and_spread(rng):
    """The outputs of BatchNormalization keep their mean, and the variance too."""
    model = _trained_like(_normalized(), rng)
    x = rng.normal(size=(64, 8, 8, 2)).astype("float32")
    names = [f"pre_{number}" for number in range(4)]
    tap = [model.get_layer(name).output for name in names]
    before = keras.Model(model.inputs, tap).predict(x, verbose=0)

    found = keras_rectifiers.calibrate(model, x, minimum=0.2).model

    tap = [found.get_layer(name).output for name in names]
    after = keras.Model(found.inputs, tap).predict(x, verbose=0)
    for was, now in zip(before, after, strict=True):
        axes = (0, 1, 2)
        np.testing.assert_allclose(now.mean(axes), was.mean(axes), atol=2e-4)
        np.testing.assert_allclose(now.var(axes), was.var(axes), rtol=2e-2, atol=1e-3)


def test_what_cannot_be_taken_up_is_said(rng):
    """A shift that reaches the output, or a layer that we do not know."""

    class Twice(layers.Layer):
        def call(self, inputs):
            return 2 * inputs

    x = given = keras.Input((6,))
    x = layers.Dense(8, activation="relu", name="custom")(x)
    x = layers.Dense(8, activation="relu", name="good")(Twice(name="twice")(x))
    x = layers.Dense(8, activation="relu", name="norm")(x)
    x = layers.Dense(8, activation="relu", name="end")(layers.LayerNormalization()(x))
    model = keras.Model(given, layers.Identity()(x))
    data = rng.normal(size=(32, 6)).astype("float32")

    found = keras_rectifiers.calibrate(
        model, data, minimum=0.1, include=["custom", "good", "norm", "end"]
    )

    assert found.compensated == {"good": "norm"}
    assert found.uncompensated["custom"] == "Twice 'twice' is not supported"
    assert "LayerNormalization" in found.uncompensated["norm"]
    assert found.uncompensated["end"] == "it reaches the output of the model"
    assert "stays: it reaches the output" in str(found)


def test_nested_models_and_time_steps_are_walked(rng):
    """Into a model and out of it again, and through a TimeDistributed."""
    inner = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(5, activation="relu", name="d"),
            layers.ReLU(),
        ],
        name="inner",
    )
    given = keras.Input((3, 4))
    x = layers.TimeDistributed(layers.Dense(6, activation="relu"), name="td")(given)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dense(2, name="out")(inner(x))
    model = _trained_like(keras.Model(given, x), rng)
    data = rng.normal(size=(32, 3, 4)).astype("float32")

    found = keras_rectifiers.calibrate(model, data, minimum=0.1)

    assert not found.uncompensated
    assert found.compensated["inner/d"] == "out"
    assert [text for path, text in found.compensated.items() if "td" in path] == [
        "inner/d"
    ]
