"""Whatever is proven holds: random networks, random inputs, and the corners."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

import keras_rectifiers
from keras_rectifiers.live import rectifiers
from keras_rectifiers.live.tap import tap
from tests.estimation import networks


def measured(model, x):
    """Least and greatest pre-activation of each unit, by the rectifier's path."""
    seen = {}

    def receive(rectifier, before, _):
        values = keras.ops.convert_to_numpy(before).astype(np.float64)
        values = np.moveaxis(values, rectifier.channel_axis, -1)
        values = values.reshape(-1, values.shape[-1])
        ends = values.min(axis=0), values.max(axis=0)
        seen.setdefault(rectifier.path, []).append(ends)

    with tap(rectifiers.find(model), receive):
        model(x, training=False)
    return seen


def assert_sound(model, x, estimate):
    """No measured value contradicts what the estimate proves."""
    seen = measured(model, x)
    assert set(seen) == {layer.layer for layer in estimate.layers}
    for layer in estimate.layers:
        for least, greatest in seen[layer.layer]:
            with np.errstate(invalid="ignore"):
                assert not (least < layer.lower).any(), layer.layer
                assert not (greatest > layer.upper).any(), layer.layer
            if layer.bounded:
                silent = layer.dead | layer.leaking
                assert not (greatest > layer.threshold)[silent].any()
                assert not (least <= layer.threshold)[layer.linear].any()


@given(networks.recipes)
def test_no_measurement_contradicts_a_proof(recipe):
    """Every pre-activation lies in its bounds; dead units stay silent, linear fire."""
    model = networks.build(recipe)
    x = networks.inputs_for(recipe)

    stated = keras_rectifiers.estimate(model, input_range=networks.range_of(recipe))
    unstated = keras_rectifiers.estimate(model)

    assert_sound(model, x, stated)
    assert_sound(model, x, unstated)


@pytest.mark.slow
@settings(max_examples=600)
@given(networks.recipes)
def test_no_measurement_contradicts_a_proof_in_many_networks(recipe):
    """The same over many more networks."""
    model = networks.build(recipe)

    stated = keras_rectifiers.estimate(model, input_range=networks.range_of(recipe))

    assert_sound(model, networks.inputs_for(recipe), stated)


@settings(max_examples=20)
@given(st.integers(0, 2**16), st.sampled_from(["mixed_float16", "mixed_bfloat16"]))
def test_half_precision_is_allowed_for(seed, policy):
    """Proofs hold where the network computes in half precision."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8,))
    x = keras.layers.Dense(6, dtype=policy, activation="relu")(inputs)
    x = keras.layers.BatchNormalization(dtype=policy)(x)
    x = keras.layers.Dense(6, dtype=policy, activation="relu")(x)
    model = keras.Model(inputs, x)
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape).astype("float32"))
    model.layers[2].moving_variance.assign(np.ones(6, "float32"))
    x = rng.uniform(-1, 1, (64, 8)).astype("float32")

    assert_sound(model, x, keras_rectifiers.estimate(model, input_range=(-1, 1)))


def test_proofs_are_found_at_all():
    """The bounds of small networks are tight enough to prove something."""
    proven = {"dead": 0, "linear": 0, "leaking": 0}
    for seed in range(20):
        recipe = {
            "steps": ["rescale", "conv", "prelu", "average_pool"],
            "end": "flatten",
            "seed": seed,
            "center": 128.0,
            "width": 1.0,
            "shift": 0.0,
        }
        model = networks.build(recipe)
        estimate = keras_rectifiers.estimate(
            model, input_range=networks.range_of(recipe)
        )
        for word in proven:
            proven[word] += estimate.count(word)

    assert all(count > 10 for count in proven.values()), proven
