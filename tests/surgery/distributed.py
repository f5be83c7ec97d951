"""Models that train on several devices, for fresh interpreters.

A process has its devices from its start, so no test can call these functions itself.
"""

import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers

import keras_rectifiers
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.layers import PReLU

_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(32, 8)).astype("float32")
Y = _RNG.normal(size=(32, 4)).astype("float32")


@keras.saving.register_keras_serializable("test_distributed")
class AtZero(keras.constraints.Constraint):
    """Hold a weight at zero."""

    def __call__(self, w):
        return w * 0


@keras.saving.register_keras_serializable("test_distributed")
class Net(keras.Model):
    """A model with a `call` of its own, and units that are dead."""

    def __init__(self, units=8, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(units, activation="relu")
        self.norm = layers.BatchNormalization()
        self.rectify = layers.ReLU()
        self.drop = layers.Dropout(0.3, seed=3)
        self.head = layers.Dense(4)

    def call(self, x, training=False):
        x = self.rectify(self.norm(self.first(x), training=training))
        return self.head(self.drop(x, training=training))

    def get_config(self):
        return {"units": self.first.units, "name": self.name}


def _chain():
    return [
        layers.Dense(8, activation="relu"),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Dropout(0.3, seed=3),
        layers.Dense(4),
    ]


def _functional():
    inputs = x = keras.Input((8,))
    for layer in _chain():
        x = layer(x)
    return keras.Model(inputs, x)


def _sequential():
    return keras.Sequential([keras.Input((8,)), *_chain()])


_MODELS = {"functional": _functional, "sequential": _sequential, "subclassed": Net}
_OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
}


def _trained(kind, optimizer, *, eager=True):
    keras.utils.set_random_seed(1)
    model = _MODELS[kind]()
    model.compile(_OPTIMIZERS[optimizer](), "mse", run_eagerly=eager)
    _fit(model)
    return model


def _fit(model):
    fitted = model.fit(X, Y, batch_size=16, shuffle=False, verbose=0)
    return fitted.history["loss"]


def _held(site):
    return PReLU(alpha_constraint=AtZero())


def _found(model, converted):
    """What a conversion kept, before both models train on and afterwards."""
    kept = {_array(each).tobytes() for each in converted.optimizer.variables}
    found = {
        "state": all(
            _array(each).tobytes() in kept for each in model.optimizer.variables
        ),
        "equal": keras_rectifiers.verify(model, converted, X).holds,
        "losses": _fit(model) == _fit(converted),
        # Other slopes are other code, which may round otherwise when it is compiled.
        "weights after": _weights_agree(model, converted),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        converted.save(path)
        opened = keras.saving.load_model(path)
    states = [
        *zip(opened.variables, converted.variables, strict=True),
        *zip(opened.optimizer.variables, converted.optimizer.variables, strict=True),
    ]
    found["file"] = all(
        np.array_equal(_array(one), _array(other))
        for one, other in states
        if "seed" not in one.path  # Keras stores none
    )
    found["units"] = _counts(converted) == _counts(opened)
    return found


def _weights_agree(model, converted):
    ours = [each for each in converted.weights if each.name != "alpha"]
    return all(
        np.allclose(_array(one), _array(other), rtol=1e-5, atol=1e-6)
        for one, other in zip(model.weights, ours, strict=True)
    )


def _array(variable):
    return keras.ops.convert_to_numpy(variable.value)


def _counts(model):
    diagnosis = keras_rectifiers.diagnose(model, X)
    return [
        (each.statistics.samples, each.statistics.fired.tolist())
        for each in diagnosis.layers
    ]


def mirrored(cases):
    """Under `MirroredStrategy` with two replicas on logical CPUs.

    Args:
        cases: Pairs of a model and an optimizer.

    Returns:
        What was found of each, by name.
    """
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    half = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [half, half])
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    told = {}
    for kind, optimizer in cases:
        with strategy.scope():
            model = _trained(kind, optimizer)
        converted = keras_rectifiers.convert(model, _held)
        with strategy.scope():
            inside = keras_rectifiers.convert(model, "leaky_relu", negative_slope=0.0)
        reverted = keras_rectifiers.revert(inside)
        found = {
            "mirrored": all(map(_is_mirrored, (model, converted, inside, reverted))),
            "replicas": _replicas(model) == _replicas(inside) == _replicas(reverted),
            "which differ": any(len(set(each)) > 1 for each in _replicas(model)),
            **_found(model, converted),
        }
        keras_rectifiers.convert(model, in_place=True)
        found["in place"] = _is_mirrored(model) and len(_fit(model)) == 1
        told[f"{kind}, {optimizer}"] = found
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        try:
            keras_rectifiers.convert(model)
        except UnsupportedModelError as error:
            told["refused"] = str(error)
    return told


def _is_mirrored(model):
    variables = [*model.variables, *model.optimizer.variables]
    return all(len(getattr(each.value, "values", ())) == 2 for each in variables)


def _replicas(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [[part.numpy().tobytes() for part in v.value.values] for v in variables]


def laid_out(cases):
    """Under a `keras.distribution` of JAX, with four devices on the host.

    Args:
        cases: Triples of `"data"` or `"model"`, a model and an optimizer.

    Returns:
        What was found of each, by name.
    """
    import jax

    told = {"devices": len(jax.devices())}
    for parallel, kind, optimizer in cases:
        distribution = _distribution(parallel)
        with distribution.scope():
            model = _trained(kind, optimizer, eager=False)
            converted = keras_rectifiers.convert(model, _held)
        outside = keras_rectifiers.convert(model, "leaky_relu", negative_slope=0.0)
        reverted = keras_rectifiers.revert(outside)
        found = {
            "same places": all(
                _places(each) == _places(model) for each in (outside, reverted)
            ),
            "places kept": set(_places(model)) <= set(_places(converted)),
            "one mesh": len(_meshes(converted)) == 1,
            "sharded": any("model" in each for each in _places(converted)),
        }
        with distribution.scope():
            told[f"{parallel}, {kind}, {optimizer}"] = {
                **found,
                **_found(model, converted),
            }
    return told


def _distribution(parallel):
    if parallel == "data":
        return keras.distribution.DataParallel(auto_shard_dataset=False)
    mesh = keras.distribution.DeviceMesh(
        (2, 2), ["batch", "model"], keras.distribution.list_devices()
    )
    layout = keras.distribution.LayoutMap(mesh)
    layout[".*dense.*kernel"] = (None, "model")
    layout[".*dense.*bias"] = ("model",)
    return keras.distribution.ModelParallel(
        layout_map=layout, batch_dim_name="batch", auto_shard_dataset=False
    )


def _places(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [str(each.value.sharding.spec) for each in variables]


def _meshes(model):
    variables = [*model.variables, *model.optimizer.variables]
    return {each.value.sharding.mesh for each in variables}
