"""Lu et al. 2019 (arXiv:1903.06733): deep, narrow networks that learn a constant.

Many networks of one input are trained side by side in one model: no weight is shared,
the loss is the sum of their losses, and Adam works on each number by itself, so each
is trained as if it were alone. All see the same batches.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import initializers
from keras_rectifiers import layers

WIDTH = 2
#: Layers with weights, the output counted, as in the paper.
DEPTH = 10
LIMIT = np.sqrt(3)
SAMPLES = 3000
BATCH_SIZE = 64
LEARNING_RATE = 0.001
GRID = np.linspace(-LIMIT, LIMIT, 513, dtype="float32")[:, None]
#: A network whose range is below this share of the target's has become constant.
CONSTANT_RANGE = 0.02
#: Flat is where the slope is below this; the targets have slopes of about 1.
FLAT_SLOPE = 0.01
#: A network that is flat on this share of the domain is constant in part.
FLAT_SHARE = 0.4
#: A network has learned the target where its MSE is below this share of the variance.
LEARNED_SHARE = 0.05

#: The paper's three functions of one variable.
FUNCTIONS = {
    "|x|": np.abs,
    "x sin 5x": lambda x: x * np.sin(5 * x),
    "step + 0.2 sin 5x": lambda x: (x > 0) + 0.2 * np.sin(5 * x),
}


def he(negative_slope=0.0):
    """A draw of kernel and bias by the package's He initialization."""

    def draw(fan_in, units, seed):
        kernel = initializers.HeNormal(negative_slope, seed=seed)((fan_in, units))
        return kernel, ops.zeros((units,))

    return draw


def rai(fan_in, units, seed):
    """A draw of kernel and bias by randomized asymmetric initialization."""
    pair = initializers.randomized_asymmetric(fan_in, seed)
    return (
        pair["kernel_initializer"]((fan_in, units)),
        pair["bias_initializer"]((units,)),
    )


def prelu(start):
    """A maker of PReLU layers with a slope of its own for each unit of each network."""
    return lambda: layers.PReLU(
        alpha_initializer=keras.initializers.Constant(start), shared_axes=None
    )


@dataclasses.dataclass(frozen=True)
class Arm:
    """A rectifier and the start that goes with it."""

    rectifier: Callable[[], Any]
    draw: Callable[[int, int, int], tuple[Any, Any]]


ARMS = {
    "ReLU, He": Arm(keras.layers.ReLU, he()),
    "ReLU, RAI": Arm(keras.layers.ReLU, rai),
    "Leaky ReLU 0.01, He": Arm(lambda: layers.LeakyReLU(0.01), he(0.01)),
    "Leaky ReLU 0.3, He": Arm(lambda: layers.LeakyReLU(0.3), he(0.3)),
    "PReLU from 0, He": Arm(prelu(0.0), he()),
    "PReLU from 0.25, He": Arm(prelu(0.25), he(0.25)),
}


def build(arm, networks, seed):
    """An untrained model of `(batch, 1)` to `(batch, networks)`."""
    x = inputs = keras.Input((1,))
    for depth in range(DEPTH):
        fan_in, units = (x.shape[-1], 1 if depth == DEPTH - 1 else WIDTH)
        equation = "bi,nio->bno" if depth == 0 else "bni,nio->bno"
        dense = keras.layers.EinsumDense(equation, (networks, units), bias_axes="no")
        x = dense(x)
        # Units are drawn independently: one wide draw is one for all networks.
        kernel, bias = arm.draw(fan_in, networks * units, 1000 * seed + depth)
        shape = (fan_in, networks, units)
        dense.kernel.assign(ops.transpose(ops.reshape(kernel, shape), (1, 0, 2)))
        dense.bias.assign(ops.reshape(bias, (networks, units)))
        if units == WIDTH:
            x = arm.rectifier()(x)
    return keras.Model(inputs, keras.layers.Reshape((networks,))(x))


def sum_of_losses(target, output):
    """MSE of each network, summed; targets are `(batch, 1)`."""
    return ops.sum(ops.mean(ops.square(output - target), axis=0))


def train(function, arm, networks, epochs, seed=0):
    """Train networks of an arm on a function.

    Returns:
        Counts of networks: all, `born`, dead before training, and those of `judge`.
    """
    rng = np.random.default_rng(seed)
    x = rng.uniform(-LIMIT, LIMIT, (SAMPLES, 1)).astype("float32")
    keras.utils.set_random_seed(seed)
    model = build(ARMS[arm], networks, seed)
    target = FUNCTIONS[function]
    born = judge(_outputs(model), target(GRID))["dead"]
    model.compile(keras.optimizers.Adam(LEARNING_RATE), sum_of_losses)
    y = target(x).astype("float32")
    model.fit(x, y, batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
    counts = judge(_outputs(model), target(GRID))
    return {"networks": networks, "born": born, **counts}


def judge(outputs, target):
    """Count what networks have become.

    Args:
        outputs: `(points of GRID, networks)`.
        target: `(points of GRID, 1)`.

    Returns:
        Counts: `dead`, the same number everywhere; `constant`, these and all others of
        next to no range; `part`, flat on a good part of the domain, `constant` left
        out; `learned`.
    """
    span = np.ptp(outputs, axis=0)
    constant = span <= CONSTANT_RANGE * np.ptp(target)
    slopes = np.diff(outputs, axis=0) / np.diff(GRID, axis=0)
    part = (np.abs(slopes) < FLAT_SLOPE).mean(axis=0) >= FLAT_SHARE
    error = np.square(outputs - target).mean(axis=0)
    return {
        "dead": int((span == 0).sum()),
        "constant": int(constant.sum()),
        "part": int((part & ~constant).sum()),
        "learned": int((error < LEARNED_SHARE * np.var(target)).sum()),
    }


def _outputs(model):
    return model.predict(GRID, batch_size=len(GRID), verbose=0)
