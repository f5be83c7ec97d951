"""A layer in front of a model changes what it takes, and nothing else."""

import keras
import numpy as np
import pytest

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.surgery.live import LiveModel

X = np.random.default_rng(0).uniform(0, 255, (8, 6, 6, 3)).astype("float32")
LAYER = {"mean": [10.0, 100.0, 200.0], "variance": [4.0, 9.0, 100.0]}


def _normalized(x):
    return (x - np.array(LAYER["mean"])) / np.sqrt(LAYER["variance"])


def _sequential():
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )


def _functional():
    image = keras.Input((6, 6, 3), name="image")
    first = keras.layers.Conv2D(4, 3, activation="relu", padding="same")(image)
    second = keras.layers.Conv2D(4, 1)(image)
    inner = keras.Sequential([keras.Input((6, 6, 4)), keras.layers.Conv2D(2, 1)])
    return keras.Model(image, inner(keras.layers.add([first, second])), name="net")


def _with_operation():
    image = keras.Input((6, 6, 3))
    return keras.Model(image, keras.layers.Conv2D(2, 1)(keras.ops.relu(image - 1.0)))


@pytest.mark.parametrize("make", [_sequential, _functional, _with_operation])
def test_a_layer_is_put_in_front(make, tmp_path):
    """Outputs are those of the original on what the layer gives; weights stay."""
    keras.utils.set_random_seed(0)
    model = make()
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(X, np.zeros((8, *model.output_shape[1:])), verbose=0)
    made = LiveModel(model).with_layer_in_front(
        keras.layers.Normalization(**LAYER, name="front")
    )
    made.save(tmp_path / "m.keras")
    opened = keras.saving.load_model(tmp_path / "m.keras")

    expected = model.predict(_normalized(X).astype("float32"), verbose=0)
    np.testing.assert_allclose(made.predict(X, verbose=0), expected, atol=1e-5)
    np.testing.assert_array_equal(
        opened.predict(X, verbose=0), made.predict(X, verbose=0)
    )
    assert type(made) is type(model)
    assert made.name == model.name
    assert "front" not in {each.name for each in model.layers}
    for mine, theirs in zip(made.weights, model.weights, strict=True):
        assert mine.name == theirs.name
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(mine), keras.ops.convert_to_numpy(theirs)
        )
    assert int(keras.ops.convert_to_numpy(made.optimizer.iterations)) == 1


def test_several_inputs_are_refused():
    """One sentence names the model and how many it has."""
    inputs = [keras.Input((2,)), keras.Input((2,))]
    model = keras.Model(inputs, keras.layers.add(inputs), name="two")
    with pytest.raises(UnsupportedModelError, match="'two', which has 2"):
        LiveModel(model).with_layer_in_front(keras.layers.Normalization())
