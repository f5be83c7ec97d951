"""Unscaled inputs are normalized by the model itself."""

import keras
import numpy as np
import pytest

import keras_rectifiers

RNG = np.random.default_rng(0)
CLASSES = RNG.integers(0, 2, 240)
X = np.clip(RNG.normal(90, 60, (240, 6)) + 60 * CLASSES[:, None], 0, 255)
X = X.astype("float32")


def _dead(head=()):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            *head,
            keras.layers.Dense(16, activation="relu", name="a"),
            keras.layers.Dense(2, activation="softmax", name="y"),
        ]
    )
    model.get_layer("a").bias.assign([-1e4] * 16)
    model.compile(
        keras.optimizers.SGD(0.1),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def test_a_restart_puts_a_normalization_in_front(tmp_path):
    """It is part of the model that is saved, which takes what it took before."""
    result = keras_rectifiers.finetune(_dead(), (X, CLASSES), epochs=8)
    path = tmp_path / "m.keras"
    result.model.save(path)
    opened = keras.saving.load_model(path)

    assert result.treatment == "restart"
    assert "far from unit range" in result.why
    assert result.rescued, result.outcome
    assert result.after["accuracy"] > 0.7
    front = opened.layers[0]
    assert isinstance(front, keras.layers.Normalization)
    np.testing.assert_allclose(np.ravel(front.mean), X.mean(0), rtol=0.1)
    assert opened.input_shape == (None, 6)
    np.testing.assert_array_equal(
        opened.predict(X, verbose=0), result.model.predict(X, verbose=0)
    )
    assert any("'input_normalization' was put in front" in line for line in result.done)


@pytest.mark.parametrize(
    ("x", "options"),
    [
        (X, {"input_normalization": False}),
        ((X - 100) / 60, {}),
    ],
    ids=["left out", "scaled by the pipeline"],
)
def test_nothing_is_added_without_need(x, options):
    """Neither where it is left out, nor where the data are scaled already."""
    result = keras_rectifiers.finetune(
        _dead(), (x, CLASSES), treatment="restart", epochs=1, **options
    )

    assert [each.name for each in result.model.layers] == ["a", "y"]


def test_several_inputs_are_left_and_it_is_said():
    """No layer is put in front of a model with two inputs."""
    keras.utils.set_random_seed(3)
    inputs = [keras.Input((6,), name="p"), keras.Input((6,), name="q")]
    hidden = keras.layers.Dense(8, activation="relu")(keras.layers.add(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(hidden))
    model.layers[-2].bias.assign([-1e6] * 8)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    result = keras_rectifiers.finetune(model, ([X, X], CLASSES), epochs=2)

    assert result.treatment == "restart"
    assert any(
        "far from unit range: A layer can be put in front" in line
        for line in result.done
    )
