"""Networks and data sets of the families."""

import functools
from pathlib import Path

import keras
import numpy as np

from keras_rectifiers import demo
from rescue_families.case import Data

CIFAR = Path(__file__).parents[3] / "shared" / "data" / "cifar10_8k.npz"


def mlp(inputs, width, depth, outputs):
    """A ReLU network with He's initialization, each ReLU a layer of its own."""
    model = keras.Sequential([keras.Input((inputs,))])
    for i in range(depth):
        dense = keras.layers.Dense(width, kernel_initializer="he_normal", name=f"h{i}")
        model.add(dense)
        model.add(keras.layers.ReLU(name=f"r{i}"))
    model.add(keras.layers.Dense(outputs, name="out"))
    return model


def convnet(bias):
    """Four convolutions on 8x8 images, whose biases start at `bias`."""
    model = keras.Sequential([keras.Input((8, 8, 1))])
    for i, (width, strides) in enumerate([(8, 1), (16, 2), (16, 1), (32, 2)]):
        convolution = keras.layers.Conv2D(
            width,
            3,
            strides=strides,
            padding="same",
            kernel_initializer="he_normal",
            bias_initializer=keras.initializers.Constant(bias),
            name=f"c{i}",
        )
        model.add(convolution)
        model.add(keras.layers.ReLU(name=f"r{i}"))
    model.add(keras.layers.Flatten(name="flat"))
    model.add(keras.layers.Dense(10, name="out"))
    return model


def compiled(model, loss=None):
    """Compile with Adam, and build its slots, so that `load` can set them."""
    if loss is None:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    metrics = None if loss == "mse" else ["accuracy"]
    model.compile(keras.optimizers.Adam(), loss, metrics=metrics)
    model.optimizer.build(model.trainable_variables)
    return model


@functools.cache
def digits(shape=(64,)):
    """The demo's digits in 0..1: 1,347 for training, 450 for testing."""
    with np.load(demo.DATA) as arrays:
        return _data(arrays, lambda x: x.reshape(-1, *shape) / 16)


@functools.cache
def small_cifar():
    """CIFAR-10, averaged to 8x8 and flat, scaled to about mean 0, deviation 1."""
    with np.load(CIFAR) as arrays:
        return _data(arrays, _shrunk)


@functools.cache
def images_cifar(samples):
    """CIFAR-10 as it is, in 0..255; the first `samples` for training."""
    with np.load(CIFAR) as arrays:
        data = _data(arrays, lambda x: x)
    return Data(data.x[:samples], data.y[:samples], data.x_test, data.y_test)


@functools.cache
def absolute():
    """|x| on 1,024 uniform points of -sqrt(3)..sqrt(3), as in Lu 2019."""
    limit = np.sqrt(3)
    x = np.random.default_rng(0).uniform(-limit, limit, (1024, 1)).astype("float32")
    x_test = np.linspace(-limit, limit, 513, dtype="float32")[:, None]
    return Data(x, np.abs(x), x_test, np.abs(x_test))


def _data(arrays, prepare):
    def of(part):
        x = prepare(arrays[f"x_{part}"].astype("float32"))
        return x.astype("float32"), arrays[f"y_{part}"].astype("int32")

    return Data(*of("train"), *of("test"))


def _shrunk(x):
    small = x.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4)).reshape(-1, 192)
    return (small / 255 - 0.47) / 0.22
