"""Sequentials that do not say what they take, whose weights must tell it."""

import json
import shutil
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import keras_rectifiers
from keras_rectifiers.conversion.modern import is_modern
from keras_rectifiers.errors import UnsupportedModelError

tf_keras = pytest.importorskip("tf_keras")
kl = tf_keras.layers

CASE = Path(__file__).parents[3] / "shared/cases/sequential_without_input_shape.h5"


def _stripped(entry):
    """A model's config without a word of what it takes."""
    config = entry["config"]
    layers = config.get("layers")
    for key in ("batch_input_shape", "build_input_shape"):
        config.pop(key, None)
    entry.pop("build_config", None)
    if layers and entry["class_name"] == "Sequential":
        config["layers"] = [e for e in layers if e["class_name"] != "InputLayer"]
    for layer in config.get("layers", []):
        _stripped(layer)
    return entry


def _bare(model, path):
    """Save a model as an `.h5` of TensorFlow 2.0 is: without its input's shape."""
    model.save(path)
    with h5py.File(path, "r+") as file:
        config = _stripped(json.loads(file.attrs["model_config"]))
        file.attrs["model_config"] = json.dumps(config)
    return path


def _built(layers, shape):
    """A model of Keras 2, and what it makes of some inputs."""
    tf_keras.utils.set_random_seed(1)
    model = tf_keras.Sequential(layers)
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    if isinstance(layers[0], kl.Embedding):
        x = np.abs(3 * x).astype("int32")
    return model, x, model(x).numpy()


def _only(repairs):
    return [each for each in repairs if each.rule == "input_shape"]


TOLD = {
    "a dense layer": ((4,), (None, 4), lambda: [kl.Dense(3, "relu"), kl.Dense(2)]),
    "what keeps shapes": (
        (4,),
        (None, 4),
        lambda: [kl.Dropout(0.2), kl.ReLU(), kl.Dense(3), kl.BatchNormalization()],
    ),
    "normalized images": (
        (6, 6, 3),
        (None, None, None, 3),
        lambda: [
            *(kl.BatchNormalization(), kl.ZeroPadding2D(), kl.Conv2D(2, 3)),
            *(kl.MaxPooling2D(), kl.GlobalMaxPooling2D(), kl.Dense(2)),
        ],
    ),
    "groups": (
        (6, 6, 4),
        (None, None, None, 4),
        lambda: [kl.Conv2D(4, 3, groups=2, activation="relu")],
    ),
    "a length out of a dense kernel": (
        (16, 1),
        (None, 16, 1),
        lambda: [kl.Conv1D(4, 2, activation="relu"), kl.Flatten(), kl.Dense(3)],
    ),
    "other convolutions": (
        (6, 6, 2),
        (None, None, None, 2),
        lambda: [kl.SeparableConv2D(3, 3), kl.Conv2DTranspose(2, 2, activation="relu")],
    ),
    "indices": (
        (5,),
        (None, None),
        lambda: [kl.Embedding(20, 6), kl.GlobalAveragePooling1D(), kl.Dense(2, "relu")],
    ),
    "sequences": (
        (5, 3),
        (None, None, 3),
        lambda: [kl.Masking(), kl.Bidirectional(kl.LSTM(4)), kl.Dense(2, "relu")],
    ),
    "cells": (
        (5, 3),
        (None, None, 3),
        lambda: [kl.RNN([kl.LSTMCell(4), kl.GRUCell(3)]), kl.Dense(2, "relu")],
    ),
    "steps": (
        (3, 6, 6, 1),
        (None, None, None, None, 1),
        lambda: [
            kl.TimeDistributed(kl.Conv2D(2, 3, activation="relu")),
            kl.TimeDistributed(kl.GlobalMaxPooling2D()),
            kl.LSTM(3),
        ],
    ),
    "a rank that only a later layer tells": (
        (9, 4),
        (None, None, 4),
        lambda: [kl.Dense(3, "relu"), kl.Conv1D(2, 2), kl.GlobalMaxPooling1D()],
    ),
    "models inside": (
        (16, 1),
        (None, None, 1),
        lambda: [
            tf_keras.Sequential([kl.Conv1D(4, 2, activation="relu"), kl.Conv1D(4, 2)]),
            *(kl.GlobalMaxPooling1D(), kl.Dense(2)),
        ],
    ),
    "axes that change places": (
        (6, 4),
        (None, 6, None),
        lambda: [kl.Permute((2, 1)), kl.Conv1D(3, 2), kl.GlobalMaxPooling1D()],
    ),
    "slopes": (
        (4, 5),
        (None, 4, 5),
        lambda: [kl.PReLU(alpha_initializer="ones"), kl.Dense(3)],
    ),
    "einsum": (
        (3, 4),
        (None, None, 4),
        lambda: [kl.EinsumDense("abc,cd->abd", (None, 6)), kl.Dense(3, "relu")],
    ),
    "half precision": (
        (9, 1),
        (None, None, 1),
        lambda: [kl.Conv1D(4, 2, activation="relu", dtype="mixed_float16")],
    ),
}


@pytest.mark.parametrize("what", TOLD)
def test_the_weights_tell_the_shape(tmp_path, what):
    """Keras opens the file, with every variable, and computes what Keras 2 did."""
    shape, wanted, layers = TOLD[what]
    model, x, y = _built(layers(), shape)
    old, new = _bare(model, tmp_path / "old.h5"), tmp_path / "new.keras"

    made = keras_rectifiers.upgrade_file(old, new)

    assert len(_only(made.repairs)) == 1
    opened = keras.saving.load_model(new)
    assert opened.input_shape == wanted
    assert len(opened.weights) == len(model.weights)
    np.testing.assert_array_equal(opened(x), y)


UNTOLD = {
    "(None, 12) and (None, None, None)": (
        (4, 3),
        lambda: [kl.Flatten(), kl.Dense(5, "relu")],
    ),
    "lengths 15 and 16 suit 'dense'": (
        (16, 1),
        lambda: [kl.Conv1D(4, 2), kl.MaxPooling1D(), kl.Flatten(), kl.Dense(3)],
    ),
    "the 144 values of 'dense' can be arranged in several ways": (
        (8, 8, 1),
        lambda: [kl.Conv2D(4, 3, activation="relu"), kl.Flatten(), kl.Dense(3)],
    ),
    "'conv_lstm2d' needs lengths that cannot be inferred from the weights": (
        (3, 6, 6, 2),
        lambda: [kl.ConvLSTM2D(3, 2), kl.GlobalMaxPooling2D(), kl.Dense(3)],
    ),
    "shapes such as (None, None)": (
        (16,),
        lambda: [kl.Reshape((4, 4, 1)), kl.Conv2D(2, 3), kl.Flatten(), kl.Dense(3)],
    ),
}


@pytest.mark.parametrize("why", UNTOLD)
def test_what_weights_do_not_tell_is_asked_for(tmp_path, why):
    """One sentence says what is open, and how to state it; then the file opens."""
    tf_keras.backend.clear_session()
    shape, layers = UNTOLD[why]
    model, x, y = _built(layers(), shape)
    old, new = _bare(model, tmp_path / "old.h5"), tmp_path / "new.keras"

    with pytest.raises(UnsupportedModelError, match="--input-shape None,") as caught:
        keras_rectifiers.upgrade_file(old, new)

    assert why in str(caught.value)
    assert list(tmp_path.iterdir()) == [old]
    keras_rectifiers.upgrade_file(old, new, input_shape=(None, *shape))
    np.testing.assert_array_equal(keras.saving.load_model(new)(x), y)


@pytest.fixture(scope="module")
def deferred(tmp_path_factory):
    """A Sequential that Keras 2 itself saves without an InputLayer."""
    folder = tmp_path_factory.mktemp("deferred")
    tf_keras.utils.set_random_seed(1)
    model = tf_keras.Sequential(
        [kl.Conv2D(4, 3, activation="relu"), kl.Flatten(), kl.Dense(3)]
    )
    model._use_legacy_deferred_behavior = True
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 1)).astype("float32")
    y = model.predict(x, verbose=0)
    model.save(folder / "old.h5")
    model.save(folder / "old.keras")
    model.save(folder / "old", save_format="tf")
    return folder, x, y


@pytest.mark.parametrize("name", ["old.h5", "old.keras", "old"])
def test_a_shape_that_it_was_built_for_is_used(deferred, tmp_path, name):
    """Whatever the container says of the build or the call beats the weights."""
    folder, x, y = deferred

    keras_rectifiers.convert_file(folder / name, tmp_path / "new.keras")

    model = keras_rectifiers.load_model(tmp_path / "new.keras")
    assert model.input_shape == (None, 6, 6, 1)
    np.testing.assert_array_equal(model.predict(x, verbose=0), y)


def _rewritten(source, target):
    """A `.keras` file without a word of what its model takes."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                data = json.dumps(_stripped(json.loads(data)))
            new.writestr(name, data)
    return target


def _modern(*, built):
    layers = keras.layers
    model = keras.Sequential(
        [layers.Conv1D(4, 2, activation="relu"), layers.Dropout(0.1), layers.Dense(3)]
    )
    if built:
        model.build((None, 16, 1))
    return model


def test_a_file_of_keras_3_that_keras_cannot_open_is_mended(tmp_path):
    """It counts as one to repair, where it has weights and no shape for them."""
    model = _modern(built=True)
    model.save(tmp_path / "good.keras")
    bad = _rewritten(tmp_path / "good.keras", tmp_path / "bad.keras")
    with pytest.raises(ValueError, match="never built"):
        keras.saving.load_model(bad)

    assert is_modern(tmp_path / "good.keras")
    assert not is_modern(bad)
    x = np.ones((2, 16, 1), "float32")
    np.testing.assert_array_equal(keras_rectifiers.load_model(bad)(x), model(x))


def test_a_model_that_was_never_built_stays_so(tmp_path):
    """It has no weights, so that Keras needs no shape; its bytes are copied."""
    _modern(built=False).save(tmp_path / "old.keras")

    assert is_modern(tmp_path / "old.keras")
    keras_rectifiers.convert_file(tmp_path / "old.keras", tmp_path / "new.keras")
    assert not keras_rectifiers.load_model(tmp_path / "new.keras").built


def test_an_architecture_takes_the_shape_that_is_stated(tmp_path):
    """Alone it has no weights to tell it; with them it needs no statement."""
    model = tf_keras.Sequential([kl.Conv1D(4, 2, activation="relu"), kl.Dense(2)])
    (tmp_path / "old.json").write_text(model.to_json())
    model.build((None, 16, 1))
    model.save_weights(tmp_path / "w.h5")
    options = [{}, {"input_shape": (None, 16, 1)}]

    shapes = []
    for each in options:
        keras_rectifiers.upgrade_file(
            tmp_path / "old.json", tmp_path / "new.json", overwrite=True, **each
        )
        new = keras.models.model_from_json((tmp_path / "new.json").read_text())
        shapes.append(new.input_shape if new.built else None)

    assert shapes == [None, (None, 16, 1)]
    loaded = keras_rectifiers.load_model(
        tmp_path / "old.json", weights=tmp_path / "w.h5"
    )
    assert loaded.input_shape == (None, None, 1)


@pytest.mark.parametrize("shape", [(None, 16, 2), (None, 16), (None, 4, 4, 1)])
def test_a_stated_shape_must_suit_the_weights(tmp_path, shape):
    """Else the layer that does not accept it is named."""
    model, _, _ = _built([kl.Conv1D(4, 2, name="first")], (16, 1))
    old = _bare(model, tmp_path / "old.h5")

    with pytest.raises(UnsupportedModelError, match="'first' does not accept it"):
        keras_rectifiers.plan(old, input_shape=shape)


def test_a_shape_that_the_file_states_is_not_overruled(tmp_path):
    """Stating the same is no error; stating another is."""
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "relu")]).save(
        tmp_path / "old.keras"
    )

    assert keras_rectifiers.plan(tmp_path / "old.keras", input_shape=(None, 4)).skips
    with pytest.raises(UnsupportedModelError, match=r"states \(None, 4\) itself"):
        keras_rectifiers.plan(tmp_path / "old.keras", input_shape=(None, 5))


def test_more_axes_than_the_fewest_are_worth_a_look(tmp_path):
    """Dense layers alone would take sequences, too: the repair is a caution."""
    model, _, _ = _built([kl.Dense(3, "relu")], (4,))

    made = keras_rectifiers.upgrade_file(
        _bare(model, tmp_path / "old.h5"), tmp_path / "new.keras"
    )

    assert "--input-shape" in _only(made.cautions)[0].text


def test_a_custom_layer_before_the_weights_is_not_guessed_at(tmp_path):
    """What comes out of it is not known here, and neither is what goes in."""

    class Odd(kl.Layer):
        pass

    model, _, _ = _built([Odd(), kl.Dense(3)], (4,))

    with pytest.raises(UnsupportedModelError, match="before the first weights"):
        keras_rectifiers.upgrade_file(
            _bare(model, tmp_path / "old.h5"), tmp_path / "new.keras"
        )


def test_a_conversion_in_its_own_form_states_the_shape_too(tmp_path):
    """An `.h5` that is written from an `.h5` opens in Keras 3."""
    model, x, y = _built([kl.Conv1D(4, 2, activation="relu"), kl.Dense(2)], (16, 1))
    old = _bare(model, tmp_path / "old.h5")

    keras_rectifiers.convert_file(old, tmp_path / "new.h5")

    new = keras.saving.load_model(tmp_path / "new.h5", compile=False)
    np.testing.assert_array_equal(new(x), y)


@pytest.mark.skipif(not CASE.exists(), reason="the file of the issue is not here")
def test_the_file_of_the_issue_opens(tmp_path):
    """A Sequential of Keras 2.2.4-tf, by both commands."""
    source = shutil.copy(CASE, tmp_path / "old.h5")

    keras_rectifiers.upgrade_file(source, tmp_path / "new.keras")
    keras_rectifiers.convert_file(source, tmp_path / "prelu.keras")

    new = keras.saving.load_model(tmp_path / "new.keras")
    prelu = keras_rectifiers.load_model(tmp_path / "prelu.keras")
    x = np.random.default_rng(0).normal(size=(2, 16, 1)).astype("float32")
    assert new.input_shape == (None, None, 1)
    np.testing.assert_array_equal(prelu(x), new(x))
    with h5py.File(source) as file:
        group = file["model_weights"]
        stored = [group[f"{n}/{n}/{k}:0"][()] for n, k in _NAMES]
    for mine, theirs in zip(new.get_weights(), stored, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    twin = tf_keras.Sequential(
        [
            kl.Conv1D(4, 2, activation="relu"),
            kl.Conv1D(4, 2, dilation_rate=2, activation="relu"),
            kl.Dense(3),
        ]
    )
    twin.build((None, 16, 1))
    twin.set_weights(stored)
    np.testing.assert_array_equal(new(x), twin(x))


_NAMES = [(n, k) for n in ("conv1d", "conv1d_1", "dense") for k in ("kernel", "bias")]


def test_a_model_that_is_too_long_is_not_tried_on_forever(tmp_path, monkeypatch):
    """A contrived file costs a bounded number of trials."""
    from keras_rectifiers.legacy.inputs import meet

    monkeypatch.setattr(meet, "_MOST", 2)
    model, _, _ = _built([kl.Conv1D(4, 2), kl.Flatten(), kl.Dense(3)], (16, 1))

    with pytest.raises(UnsupportedModelError, match="too many layers"):
        keras_rectifiers.upgrade_file(
            _bare(model, tmp_path / "old.h5"), tmp_path / "new.keras"
        )
