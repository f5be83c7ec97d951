"""What a fresh interpreter does on one device, or on several."""

import contextlib
import json

import keras
import numpy as np
from keras import layers

import keras_rectifiers
from keras_rectifiers import calibration
from keras_rectifiers.callbacks import AnnealSlope
from keras_rectifiers.callbacks import DeadUnitMonitor
from keras_rectifiers.callbacks import ReviveDeadUnits
from keras_rectifiers.errors import DataError

X = np.random.default_rng(0).normal(size=(512, 8, 8, 1)).astype("float32")
Y = (X.sum((1, 2, 3)) > 0).astype(int)


def main(way):
    """Print what was found as JSON."""
    scope = _mirrored().scope if way == "mirrored" else contextlib.nullcontext
    if way in ("data_parallel", "model_parallel", "uneven"):
        assert len(keras.distribution.list_devices("cpu")) == 4
        divided = _model_parallel if way == "model_parallel" else _data_parallel
        keras.distribution.set_distribution(divided())
    told = _uneven() if way == "uneven" else _found(scope)
    print(json.dumps(told))  # noqa: T201 - the parent reads it


def _data_parallel():
    return keras.distribution.DataParallel()


def _model_parallel():
    """Kernels and slopes by channel over two devices, samples over two."""
    mesh = keras.distribution.DeviceMesh((2, 2), ["batch", "model"])
    layout = keras.distribution.LayoutMap(mesh)
    layout[".*conv.*kernel"] = (None, None, None, "model")
    layout[".*hidden.*kernel"] = (None, "model")
    return keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch")


def _mirrored():
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    logical = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, logical)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def _found(scope):
    monitor, revive = DeadUnitMonitor(X), ReviveDeadUnits(X)
    _fit(dead(scope=scope), monitor)
    revived = _fit(dead(scope=scope), revive)
    with scope():
        leaky = keras_rectifiers.convert(
            dead(scope=scope), "leaky_relu", negative_slope=0.1
        )
    _fit(leaky, AnnealSlope(0.0))
    given = dead(scope=scope)
    tuned = keras_rectifiers.finetune(given, (X, Y), epochs=3)
    return {
        "diagnose": keras_rectifiers.diagnose(dead(scope=scope), X).dead_fraction,
        "monitor": [each["dead_fraction"] for each in monitor.history],
        "revived": keras_rectifiers.diagnose(revived, X).dead_fraction,
        "annealed": keras_rectifiers.fold(leaky).model is not None,
        "calibrate": len(calibration.calibrate(dead(scope=scope), X).rows),
        "finetune": {"treatment": tuned.treatment, "rescued": tuned.rescued},
        "places kept": _places(tuned.model) == _places(given),
    }


def _places(model):
    """How each variable is divided among devices; None for all that is on one."""
    shardings = [getattr(each.value, "sharding", None) for each in model.variables]
    return [str(getattr(each, "spec", None)) for each in shardings]


def dead(kind=keras.Sequential, scope=contextlib.nullcontext):
    """A compiled classifier whose hidden units are all dead."""
    keras.utils.set_random_seed(1)
    dying = {
        "activation": "relu",
        "bias_initializer": keras.initializers.Constant(-9.0),
    }
    with scope():
        model = kind(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(8, 3, name="conv", **dying),
                layers.Flatten(),
                layers.Dense(16, name="hidden", **dying),
                layers.Dense(2),
            ]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
    return model


def _fit(model, callback):
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[callback])
    return model


def _uneven():
    try:
        keras_rectifiers.finetune(dead(), (X[:450], Y[:450]))
    except DataError as error:
        return str(error)
    return "no error"
