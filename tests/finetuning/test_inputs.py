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
