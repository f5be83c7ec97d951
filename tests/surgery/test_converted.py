"""What people do with a model, they do with a converted one of a class of their own."""

import pickle

import keras
import numpy as np
import pytest
from keras import layers

import keras_rectifiers
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.surgery.converted import Converted

RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 4)).astype("float32")
Y = RNG.normal(size=(16, 2)).astype("float32")


@keras.saving.register_keras_serializable("test_converted")
class Block(layers.Layer):
    """A layer that holds layers, and a rectifier among its arguments."""

    def __init__(self, units, activation="relu", **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(units)
        self.activation = keras.activations.get(activation)
        self.rest = [layers.ReLU(), layers.Dense(units)]

    def call(self, x):
        for layer in (self.dense, *self.rest):
            x = layer(x)
        return self.activation(x)


@keras.saving.register_keras_serializable("test_converted")
class Net(keras.Model):
    """A model with a `call` of its own."""

    def __init__(self, units=5, **kwargs):
        super().__init__(**kwargs)
        self.block = Block(units)
        self.head = layers.Dense(2)

    def call(self, x):
        return self.head(self.block(x))

    def save_to_preset(self, folder):
        """As a class of KerasHub has it."""


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    made = Net()
    made.compile("adam", "mse")
    made.fit(X, Y, verbose=0)
    return made


@pytest.fixture
def converted(model):
    made = keras_rectifiers.convert(model)
    made.fit(X, Y, epochs=2, verbose=0)
    return made


def _same(one, other):
    assert isinstance(other, Net)
    assert len(other.weights) == len(one.weights)
    after = other.predict(X, verbose=0)
    assert after.tobytes() == one.predict(X, verbose=0).tobytes()


def test_its_weights_are_saved_and_loaded(model, converted, tmp_path):
    """Into another conversion of the same model."""
    converted.save_weights(tmp_path / "model.weights.h5")
    other = keras_rectifiers.convert(model)
    other.load_weights(tmp_path / "model.weights.h5")

    _same(converted, other)


def test_it_is_pickled(converted):
    """The copy is of the user's class, with its weights and optimizer."""
    other = pickle.loads(pickle.dumps(converted))

    _same(converted, other)
    assert int(other.optimizer.iterations) == int(converted.optimizer.iterations)


def test_it_is_cloned(converted):
    """Keras looks up the class in the config under the name of the converted one."""
    other = keras.models.clone_model(converted)
    other(X)
    other.set_weights(converted.get_weights())

    _same(converted, other)


def test_checkpoints_open(converted, tmp_path):
    """Those of a callback, too, while it trains."""
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "model.keras")
    converted.fit(X, Y, verbose=0, callbacks=[checkpoint])

    _same(converted, keras.saving.load_model(tmp_path / "model.keras"))


def test_a_killed_run_goes_on(model, tmp_path):
    """With Keras' own callback."""

    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    backup = keras.callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        keras_rectifiers.convert(model).fit(
            X, Y, epochs=4, verbose=0, callbacks=[backup, Kill()]
        )
    again = keras_rectifiers.convert(model)

    assert again.fit(X, Y, epochs=4, verbose=0, callbacks=[backup]).epoch == [2, 3]


def test_it_is_exported(converted, tmp_path):
    """The SavedModel computes what the model does."""
    if keras.config.backend() != "tensorflow":
        pytest.skip("a SavedModel is read by TensorFlow")
    import tensorflow as tf

    converted.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "exported")
    served = loaded.serve(X)

    np.testing.assert_allclose(served, converted.predict(X, verbose=0), rtol=1e-6)


def test_a_part_of_it_is_saved_alone(converted):
    """Each layer with slopes inside says so in its own config."""
    entry = keras.saving.serialize_keras_object(converted.block)
    other = keras.saving.deserialize_keras_object(entry)
    other.build((None, 4))
    other(X)

    assert isinstance(other, Block)
    assert len(other.weights) == len(converted.block.weights)


def test_a_preset_is_refused(converted, tmp_path):
    """`from_preset` would not open it."""
    with pytest.raises(UnsupportedModelError, match=r"saved as a \.keras file"):
        converted.save_to_preset(tmp_path)


def test_other_code_is_one_sentence(converted, tmp_path, monkeypatch):
    """A class that makes fewer layers than it did."""
    converted.save(tmp_path / "model.keras")

    def without_rest(self, units, **kwargs):
        super(Block, self).__init__(**kwargs)
        self.dense, self.rest = layers.Dense(units), []
        self.activation = keras.activations.relu

    monkeypatch.setattr(Block, "__init__", without_rest)
    with pytest.raises(UnsupportedModelError, match="code that it was converted with"):
        keras.saving.load_model(tmp_path / "model.keras")


@pytest.mark.parametrize(
    "changes",
    [
        {"rounds": []},
        {"rounds": [[]]},
        {"rounds": 3},
        {"inner": None},
        {"rounds": [[{"position": ["0"], "attribute": "", "operand": 0}]]},
        {"rounds": [[{"position": [0], "attribute": "", "operand": 0, "layer": {}}]]},
    ],
)
def test_a_config_of_another_build_is_one_sentence(changes):
    """Whoever opens a file is told which part of it is amiss."""
    config = keras_rectifiers.convert(_built()).get_config()

    with pytest.raises(
        UnsupportedModelError, match=f"a config with an invalid '{next(iter(changes))}'"
    ):
        Converted.from_config({**config, **changes})


def _built():
    model = Net()
    model(X)
    return model
