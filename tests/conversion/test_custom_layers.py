"""Weights of layers inside a layer of a custom class: where its class puts them."""

import sys

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from keras_rectifiers import convert_file
from keras_rectifiers import load_model
from keras_rectifiers import upgrade_file
from keras_rectifiers.cli.main import main
from keras_rectifiers.conversion import custom_layers
from keras_rectifiers.errors import UnsupportedModelError

tf_keras = pytest.importorskip("tf_keras")

#: The same classes for both: `K` is the Keras that they are for.
CLASSES = """
L = K.layers


@REGISTER(package="inside")
class Block(L.Layer):
    def __init__(self, units=3, **arguments):
        super().__init__(**arguments)
        self.units = units
        self.first = L.Dense(units, name="first")
        self.norm = L.BatchNormalization(name="norm")
        self.model = K.Sequential([L.Dense(4, activation="relu"), L.Dense(units)])

    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(self.units,))
        inner = (None, self.units)
        self.first.build(shape)
        self.norm.build(inner)
        self.model.build(inner)
        self.built = True

    def call(self, inputs):
        return self.model(self.norm(self.first(inputs))) * self.scale

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@REGISTER(package="inside")
class Wrapped(L.Wrapper):
    def build(self, shape):
        super().build(shape)
        self.step = self.add_weight(
            name="step", shape=(), trainable=False, initializer="ones"
        )

    def call(self, inputs):
        return self.layer(inputs) * self.step
"""


def _classes(library, register):
    found = {"K": library, "REGISTER": register, "__name__": "inside"}
    exec(CLASSES, found)
    return found


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """An `.h5` of the old Keras, inputs, and what the old Keras makes of them."""
    made = _classes(tf_keras, tf_keras.utils.register_keras_serializable)
    inner = tf_keras.layers.Dense(4, activation="relu", name="inner")
    model = tf_keras.Sequential(
        [
            tf_keras.Input((5,)),
            tf_keras.layers.Dense(6, activation="relu", name="before"),
            made["Block"](name="block"),
            made["Wrapped"](inner, name="wrapped"),
        ]
    )
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 1, each.shape) for each in model.get_weights()])
    path = tmp_path_factory.mktemp("old") / "old.h5"
    model.save(path)
    x = rng.normal(size=(6, 5)).astype("float32")
    return path, x, model(x).numpy()


@pytest.fixture
def classes():
    """The classes for Keras 3, registered while a test runs."""
    before = dict(keras.saving.get_custom_objects())
    yield _classes(keras, keras.saving.register_keras_serializable)
    keras.saving.get_custom_objects().clear()
    keras.saving.get_custom_objects().update(before)


def _difference(model, x, expected):
    return np.abs(keras.ops.convert_to_numpy(model(x)) - expected).max()


@pytest.mark.parametrize("name", ["block", "wrapped"])
def test_a_class_that_is_not_known_is_named(name, old, tmp_path):
    """The sentence names the layer and its class, and says what to do."""
    path, *_ = old
    source = path
    if name == "wrapped":  # the wrapper alone
        made = _classes(tf_keras, tf_keras.utils.register_keras_serializable)
        layer = made["Wrapped"](tf_keras.layers.Dense(2), name="wrapped")
        source = tmp_path / "alone.h5"
        tf_keras.Sequential([tf_keras.Input((3,)), layer]).save(source)
    wanted = f"for '{name}', a inside>{name.title()} .*--import MODULE"
    with pytest.raises(UnsupportedModelError, match=wanted):
        upgrade_file(source, tmp_path / "new.keras")
    assert not (tmp_path / "new.keras").exists()


def test_arrays_go_where_the_class_puts_them(old, classes, tmp_path):
    """With the class known, the model computes what the old Keras computed."""
    path, x, expected = old
    target = tmp_path / "new.keras"
    with custom_layers.known():
        upgrade_file(path, target)
        convert_file(path, tmp_path / "leaky.keras", "leaky_relu", negative_slope=0)
    for each in (target, tmp_path / "leaky.keras"):
        assert _difference(keras.saving.load_model(each), x, expected) < 1e-6
    assert _difference(load_model(path), x, expected) < 1e-6


def test_the_command_imports_the_module_that_it_is_given(
    old, classes, tmp_path, monkeypatch
):
    """`--import MODULE` is what makes the class known."""
    path, x, expected = old
    (tmp_path / "classes_inside.py").write_text(
        "import keras as K\n\nREGISTER = K.saving.register_keras_serializable\n"
        + CLASSES
    )
    monkeypatch.chdir(tmp_path)
    arguments = ["upgrade", str(path), "new.keras"]
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2
    assert not (tmp_path / "new.keras").exists()
    done = CliRunner().invoke(main, [*arguments, "--import", "classes_inside"])
    sys.modules.pop("classes_inside")
    assert done.exit_code == 0, done.output
    assert _difference(keras.saving.load_model("new.keras"), x, expected) < 1e-6


def test_a_class_that_makes_other_variables_is_refused(old, classes, tmp_path):
    """Arrays are held against what the class makes, by number, shape and name."""
    path, *_ = old

    @keras.saving.register_keras_serializable(package="inside", name="Block")
    class Block(classes["Block"]):
        def build(self, shape):
            super().build(shape)
            self.more = self.add_weight(name="more", shape=(2,))

    told = "'block', whose class 'Block' creates scale"
    with (
        custom_layers.known(),
        pytest.raises(UnsupportedModelError, match=told),
    ):
        upgrade_file(path, tmp_path / "new.keras")


def test_own_variables_of_a_custom_layer_need_no_class(tmp_path):
    """A layer without layers inside is carried as before, from `.h5` to `.h5` too."""

    @keras.saving.register_keras_serializable(package="inside")
    class Own(keras.layers.Layer):
        def build(self, shape):
            self.factor = self.add_weight(name="factor", shape=(shape[-1],))

        def call(self, inputs):
            return inputs * self.factor

    model = keras.Sequential(
        [keras.Input((4,)), Own(), keras.layers.Dense(3, "relu"), keras.layers.ReLU()]
    )
    model.layers[0].factor.assign([1.0, 2.0, 3.0, 4.0])
    model.save(tmp_path / "model.h5")
    for suffix in (".h5", ".keras"):
        target = tmp_path / f"new{suffix}"
        convert_file(tmp_path / "model.h5", target, "leaky_relu", roles=["hidden"])
        opened = keras.saving.load_model(target)
        assert np.array_equal(opened.layers[0].factor, model.layers[0].factor)


def test_a_custom_class_of_a_script_has_whatever_it_has(tmp_path):
    """Keras writes no module for a class of `__main__`: it is no class of Keras."""

    class Script(keras.layers.Layer):
        def build(self, shape):
            self.factor = self.add_weight(name="factor", shape=(shape[-1],))

        def call(self, inputs):
            return inputs * self.factor

    Script.__module__ = "__main__"
    model = keras.Sequential(
        [keras.Input((4,)), Script(), keras.layers.Dense(3, "relu")]
    )
    model.save(tmp_path / "model.keras")
    convert_file(
        tmp_path / "model.keras", tmp_path / "new.keras", roles=["hidden", "output"]
    )
    opened = keras.saving.load_model(
        tmp_path / "new.keras", custom_objects={"Script": Script}
    )
    assert np.array_equal(opened.layers[0].factor, model.layers[0].factor)
