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

_X = np.random.default_rng(0).normal(size=(512, 8, 8, 1)).astype("float32")
_Y = (_X.sum((1, 2, 3)) > 0).astype(int)


def main(way):
    """Print what was found as JSON."""
    scope = _mirrored().scope if way == "mirrored" else contextlib.nullcontext
    if way in ("data_parallel", "uneven"):
        assert len(keras.distribution.list_devices("cpu")) == 4
        keras.distribution.set_distribution(keras.distribution.DataParallel())
    told = _uneven() if way == "uneven" else _found(scope)
    print(json.dumps(told))  # noqa: T201 - the parent reads it


def _mirrored():
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    logical = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, logical)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def _found(scope):
    monitor, revive = DeadUnitMonitor(_X), ReviveDeadUnits(_X)
    _fit(_dead(scope), monitor)
    revived = _fit(_dead(scope), revive)
    with scope():
        leaky = keras_rectifiers.convert(_dead(scope), "leaky_relu", negative_slope=0.1)
    _fit(leaky, AnnealSlope(0.0))
    tuned = keras_rectifiers.finetune(_dead(scope), (_X, _Y), epochs=3)
    return {
        "diagnose": keras_rectifiers.diagnose(_dead(scope), _X).dead_fraction,
        "monitor": [each["dead_fraction"] for each in monitor.history],
        "revived": keras_rectifiers.diagnose(revived, _X).dead_fraction,
        "annealed": keras_rectifiers.fold(leaky).model is not None,
        "calibrate": len(calibration.calibrate(_dead(scope), _X).rows),
        "finetune": {"treatment": tuned.treatment, "rescued": tuned.rescued},
    }


def _dead(scope):
    """A compiled classifier whose hidden units are all dead."""
    keras.utils.set_random_seed(1)
    low = keras.initializers.Constant(-9.0)
    with scope():
        model = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(8, 3, activation="relu", bias_initializer=low),
                layers.Flatten(),
                layers.Dense(16, activation="relu", bias_initializer=low),
                layers.Dense(2),
            ]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
    return model


def _fit(model, callback):
    model.fit(_X, _Y, epochs=3, verbose=0, callbacks=[callback])
    return model


def _uneven():
    try:
        keras_rectifiers.finetune(_dead(contextlib.nullcontext), (_X[:450], _Y[:450]))
    except DataError as error:
        return str(error)
    return "no error"
