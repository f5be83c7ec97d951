"""Models whose files one backend writes and another opens."""

from pathlib import Path

import keras
import numpy as np
from keras import layers

import keras_rectifiers

_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(12, 6, 6, 2)).astype("float32")
Y = _RNG.normal(size=(12, 3)).astype("float32")


@keras.saving.register_keras_serializable("test_across_backends")
class Block(layers.Layer):
    """A layer that holds layers, and a rectifier in a list."""

    def __init__(self, filters=4, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.steps = [layers.Conv2D(filters, 3), layers.ReLU(), layers.Conv2D(3, 1)]

    def call(self, x):
        for step in self.steps:
            x = step(x)
        return x

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable("test_across_backends")
class Net(keras.Model):
    """A model with a `call` of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.block = Block()
        self.norm = layers.BatchNormalization()
        self.rest = [layers.Flatten(), layers.Dense(5, "relu"), layers.Dense(3)]

    def call(self, x, training=False):
        x = self.norm(self.block(x), training=training)
        for layer in self.rest:
            x = layer(x)
        return x


def _functional():
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(4, 3, activation="relu")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Flatten()(layers.ReLU()(x))
    return keras.Model(inputs, layers.Dense(3)(x), name="functional")


MODELS = {"functional": _functional, "subclassed": Net}


def write(folder):
    """Write the files of each model, and what they hold, into a folder.

    `original.keras` was trained; `plain.keras` is converted to slopes 0; `trained` is
    converted and trained on, in each form that Keras writes.

    Args:
        folder: The folder.
    """
    for name, make in MODELS.items():
        keras.utils.set_random_seed(2)
        model = make()
        # JAX would have its file say that each backend is to compile, torch too.
        loss = keras.losses.MeanSquaredError()
        model.compile(keras.optimizers.Adam(0.01), loss, jit_compile=False)
        model.fit(X, Y, batch_size=6, verbose=0)
        to = Path(folder, name)
        to.mkdir()
        keras_rectifiers.convert(model).save(to / "plain.keras")
        trained = keras_rectifiers.convert(model, alpha=0.25)
        trained.fit(X, Y, batch_size=6, verbose=0)
        model.save(to / "original.keras")
        trained.save(to / "trained.keras")
        trained.save_weights(to / "trained.weights.h5")
        if name == "functional":  # Keras opens no .h5 of a class of one's own
            trained.save(to / "trained.h5")
        for each, kept in (("original", model), ("trained", trained)):
            np.savez(
                to / f"{each}.npz",
                outputs=kept.predict(X, verbose=0),
                **_numbered("weight", kept.weights),
                **_numbered("slot", kept.optimizer.variables),
            )


def _numbered(name, variables):
    return {f"{name} {i}": array(each) for i, each in enumerate(variables)}


def array(variable):
    """The value of a variable."""
    return keras.ops.convert_to_numpy(variable.value)


def state(model, name):
    """The variables that `write` kept, in the same order.

    Args:
        model: A model.
        name: `"weight"` or `"slot"`.
    """
    of = model.weights if name == "weight" else model.optimizer.variables
    return [array(each) for each in of]
