"""Layers whose modern config needs what only an old file's weights tell."""

import json
import zipfile

import keras
import numpy as np
import pytest

from keras_rectifiers.conversion.upgrade import upgrade_file
from keras_rectifiers.legacy.weights.config_from_weights import boundaries

tf_keras = pytest.importorskip("tf_keras")
layers = tf_keras.layers

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="the reference runs on TensorFlow, and outputs are held to its kernels",
)

FORMATS = {"h5": "old.h5", "keras": "old.keras", "SavedModel": "old"}


def _slot(make):
    return lambda: make(layers.PReLU(name="slopes"))


SLOTS = {
    "dense": _slot(lambda slot: [layers.Dense(4, activation=slot)]),
    "activation": _slot(lambda slot: [layers.Activation(slot)]),
    "shared axes": lambda: [
        layers.Reshape((5, 1)),
        layers.Conv1D(3, 2, activation=layers.PReLU(shared_axes=[1])),
    ],
    "recurrent": _slot(
        lambda slot: [layers.Reshape((5, 1)), layers.SimpleRNN(3, activation=slot)]
    ),
}


def _upgraded(model, file_format, tmp_path):
    model.save(tmp_path / FORMATS[file_format])
    upgrade_file(tmp_path / FORMATS[file_format], tmp_path / "new.keras")
    return keras.models.load_model(tmp_path / "new.keras")


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("name", SLOTS)
def test_a_layer_in_the_activation_argument_has_its_weights(
    name, file_format, tmp_path, rng
):
    old = tf_keras.Sequential([tf_keras.Input((5,)), *SLOTS[name]()])
    old.set_weights([rng.uniform(-1, 1, w.shape) for w in old.get_weights()])
    inputs = rng.normal(size=(3, 5)).astype("float32")
    new = _upgraded(old, file_format, tmp_path)
    assert len(new.weights) == len(old.weights)
    np.testing.assert_allclose(new(inputs), old(inputs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("file_format", FORMATS)
def test_bins_that_keras_2_had_adapted(file_format, tmp_path, rng):
    layer = layers.Discretization(num_bins=4, name="bins")
    layer.adapt(rng.normal(size=(100, 1)))
    old = tf_keras.Sequential([tf_keras.Input((2,)), layer])
    inputs = rng.normal(size=(50, 2)).astype("float32")
    new = _upgraded(old, file_format, tmp_path)
    np.testing.assert_array_equal(new(inputs), old(inputs))
    with zipfile.ZipFile(tmp_path / "new.keras") as archive:
        config = json.loads(archive.read("config.json"))["config"]["layers"][1]
    assert config["config"]["bin_boundaries"] == pytest.approx(layer.bin_boundaries)


@pytest.mark.parametrize("bins", [1, 2, 3, 7, 10])
def test_boundaries_are_those_of_keras_2(bins, rng):
    from tf_keras.src.layers.preprocessing import discretization

    summary = np.stack([np.sort(rng.normal(size=30)), rng.uniform(1, 3, 30)])
    summary = summary.astype("float32")
    expected = discretization.get_bin_boundaries(summary, bins)
    assert boundaries(summary, bins) == pytest.approx(list(expected))


def test_nothing_seen_tells_no_boundaries():
    assert boundaries(np.zeros((2, 0)), 3) is None
