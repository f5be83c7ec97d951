import keras
import numpy as np
import pytest

from keras_rectifiers import layers

BACKEND = keras.config.backend()


def slopes(low=0.1, high=0.4):
    """Different slopes for each channel, the same each time."""
    return keras.initializers.RandomUniform(low, high, seed=1)


class Doubled(keras.layers.Layer):
    """A class of a user, which is not registered."""

    def call(self, x):
        return 2 * x


def small(*, cap=None, last=None):
    """Two convolutions with a PReLU, and a dense layer with a Leaky ReLU."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, name="first"),
            layers.PReLU(slopes(), name="own"),
            keras.layers.Conv2D(4, 3, name="host"),
            layers.PReLU(slopes(0.2, 0.3), max_value=cap, name="second"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(6),
            layers.LeakyReLU(0.125, name="leaky"),
            keras.layers.Dense(3, name="out"),
            *([last] if last else []),
        ],
        name="small",
    )


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """The small model on file, with inputs and labels; nobody changes them."""
    folder = tmp_path_factory.mktemp("exporting")
    small(cap=6.0).save(folder / "small.keras")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(24, 8, 8, 3)).astype("float32")
    np.savez(folder / "data.npz", x=x, y=np.arange(24) % 3)
    np.savez(folder / "wide.npz", x=np.ones((4, 9, 9, 3), "float32"))
    return folder
