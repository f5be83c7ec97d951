"""One convnet on a part of CIFAR-10, with each member of the family as its rectifier.

For Xu et al. 2015 (arXiv:1505.00853), who rank the members by test error, and for He
et al. 2015 (arXiv:1502.01852), whose PReLU slopes fall with depth. The networks of one
seed start with the same weights and see the same batches, whatever the rectifier.
"""

import functools
from pathlib import Path

import keras
import numpy as np

from keras_rectifiers import initializers
from keras_rectifiers import layers

DATA = Path(__file__).parents[3] / "shared" / "data" / "cifar10_8k.npz"
SIDE = 16
#: Filters and strides of the 3x3 convolutions, from the input on.
CONVOLUTIONS = ((16, 2), (16, 1), (16, 1), (32, 2), (32, 1), (32, 1), (64, 1))
BATCH_SIZE = 64
LEARNING_RATE = 0.05
MOMENTUM = 0.9
#: Where the paper and this file start the slopes of PReLU.
START = 0.25

#: In the paper's order of test error, the least first.
RECTIFIERS = {
    "RReLU": layers.RReLU,
    "Leaky ReLU 1/5.5": lambda **named: layers.LeakyReLU(1 / 5.5, **named),
    "PReLU": lambda **named: layers.PReLU(
        alpha_initializer=keras.initializers.Constant(START), **named
    ),
    "ReLU": keras.layers.ReLU,
    "Leaky ReLU 1/100": lambda **named: layers.LeakyReLU(1 / 100, **named),
}


def missing():
    """Why these replications cannot run here, or an empty string."""
    return "" if DATA.exists() else f"there is no {DATA.name} in {DATA.parent}"


@functools.cache
def data():
    """Images averaged to SIDE x SIDE, about mean 0 and deviation 1, and classes."""
    with np.load(DATA) as arrays:
        return {
            part: (_shrunk(arrays[f"x_{part}"]), arrays[f"y_{part}"].astype("int32"))
            for part in ("train", "test")
        }


def _shrunk(images):
    factor = images.shape[1] // SIDE
    blocks = images.reshape(-1, SIDE, factor, SIDE, factor, 3).astype("float32")
    return (blocks.mean(axis=(2, 4)) / 255 - 0.47) / 0.24


def build(rectifier, seed):
    """An untrained network with a rectifier behind each convolution."""
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3))])
    for depth, (filters, strides) in enumerate(CONVOLUTIONS):
        convolution = keras.layers.Conv2D(
            filters,
            3,
            strides=strides,
            padding="same",
            kernel_initializer=initializers.HeNormal(seed=1000 * seed + depth),
        )
        model.add(convolution)
        model.add(RECTIFIERS[rectifier](name=f"rectifier_{depth}"))
    model.add(keras.layers.GlobalAveragePooling2D())
    start = keras.initializers.GlorotUniform(seed=1000 * seed + len(CONVOLUTIONS))
    model.add(keras.layers.Dense(10, kernel_initializer=start))
    return model


def train(rectifier, epochs, seed, samples=None):
    """Train a network; all but `samples` training images are left out.

    Returns:
        `test` and `train` accuracy in 0..1; for PReLU also `slopes`, the mean of the
        channels' slopes of each layer, from the input on.
    """
    keras.utils.set_random_seed(seed)
    model = build(rectifier, seed)
    (x, y), test = data()["train"], data()["test"]
    x, y = x[:samples], y[:samples]
    steps = epochs * -(-len(x) // BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    model.compile(
        keras.optimizers.SGD(rate, momentum=MOMENTUM),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x, y, batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
    cell = {"test": _accuracy(model, *test), "train": _accuracy(model, x, y)}
    if rectifier == "PReLU":
        cell["slopes"] = [
            float(np.mean(keras.ops.convert_to_numpy(layer.alpha)))
            for layer in model.layers
            if isinstance(layer, layers.PReLU)
        ]
    return cell


def _accuracy(model, x, y):
    return float(model.evaluate(x, y, batch_size=500, verbose=0)[1])
