"""A user's module of classes, and files of the models that it makes."""

import contextlib
import importlib.util
import sys

import keras
import numpy as np

#: Name of the module: its file has the same stem.
NAME = "users_net"

CODE = '''
import keras
from keras import layers

print("users_net is imported")


class Block(layers.Layer):
    """A layer that holds a rectifier; not registered."""

    def __init__(self, units=4, **arguments):
        super().__init__(**arguments)
        self.units = units
        self.dense = layers.Dense(units, name="dense")
        self.act = layers.ReLU(name="act")

    def build(self, shape):
        self.dense.build(shape)
        super().build(shape)

    def call(self, x):
        return self.act(self.dense(x))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Net(keras.Model):
    """A model whose layers Python code makes and calls; not registered."""

    def __init__(self, units=6, **arguments):
        super().__init__(**arguments)
        self.units = units
        self.first = layers.Dense(units, activation="relu")
        self.block = Block(units)
        self.out = layers.Dense(3)

    def call(self, x):
        return self.out(self.block(self.first(x)))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("users")
class Graph(keras.Model):
    """A Functional model under a class that keeps its own arguments."""

    def __init__(self, units=6, **arguments):
        x = inputs = keras.Input((5,))
        x = layers.Dense(units, activation="relu", name="a")(x)
        x = layers.ReLU(name="b")(layers.Dense(units, name="c")(x))
        super().__init__(inputs=inputs, outputs=layers.Dense(3)(x), **arguments)
        self.units = units

    def get_config(self):
        return {"units": self.units, "name": self.name, "trainable": self.trainable}


def distance(y, p):
    return keras.ops.mean(keras.ops.square(y - p), axis=-1)


class Close(keras.metrics.MeanSquaredError):
    """A metric; not registered."""
'''


@contextlib.contextmanager
def imported(folder):
    """The module, imported inside the block only.

    Args:
        folder: Where its file is.
    """
    registered = dict(keras.saving.get_custom_objects())
    path = list(sys.path)
    spec = importlib.util.spec_from_file_location(NAME, folder / f"{NAME}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        forget(registered, path)


def forget(registered, path):
    """Put back what was registered, and where Python looks for modules.

    Args:
        registered: A copy of Keras' custom objects.
        path: A copy of `sys.path`.
    """
    for name in [NAME, *(each for each in sys.modules if each.startswith("users_"))]:
        sys.modules.pop(name, None)
    sys.path[:] = path
    keras.saving.get_custom_objects().clear()
    keras.saving.get_custom_objects().update(registered)


def make_files(folder):
    """Write the module, files of its models, and data.

    Args:
        folder: An empty folder.
    """
    (folder / f"{NAME}.py").write_text(CODE)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 5)).astype("float32")
    y = np.zeros((20, 3), "float32")
    np.savez(folder / "data.npz", x=x, y=y)
    with imported(folder) as users:
        keras.utils.set_random_seed(0)
        net = users.Net(name="net")
        net.compile("adam", users.distance, metrics=[users.Close(name="close")])
        graph = users.Graph(name="graph")
        graph.compile("adam", "mse")
        inputs = keras.Input((5,))
        hidden = keras.layers.Dense(4, "relu", name="pre")(inputs)
        outputs = keras.layers.Dense(3)(users.Block(name="block")(hidden))
        holder = keras.Model(inputs, outputs, name="holder")
        holder.compile("adam", "mse")
        for model in (net, graph, holder):
            model.fit(x, y, verbose=0)
            model.save(folder / f"{model.name}.keras")
        holder.save(folder / "holder.h5")
