"""Time the rectifiers beside Keras' own, forward and backward.

    python benchmarks/kernels.py [--backend tensorflow] [--rounds 60]

One step computes the output, the gradient for the input and the gradient for the
slopes, for a given output gradient. All layers of one shape take turns in a random
order, so that other work on the machine meets all alike; compare the minima first.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SHAPES = (
    (64, 32, 32, 64),
    (32, 56, 56, 32),
    (64, 7, 7, 512),
    (32, 128, 256),
    (256, 1024),
)
#: Best stock layer to compare each of ours with.
RIVALS = {"ours PReLU": "keras PReLU", "ours LeakyReLU": "keras LeakyReLU"}
WARM_UP = 3


@dataclasses.dataclass
class Timing:
    """Seconds that the steps of one layer took."""

    seconds: list[float] = dataclasses.field(default_factory=list)

    @property
    def best(self) -> float:
        """Minimum in seconds."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """Median in seconds."""
        return statistics.median(self.seconds)


def layers_for(shape: tuple[int, ...]) -> dict[str, Any]:
    """The layers to compare, built for a shape."""
    import keras

    from keras_rectifiers import layers

    spatial = list(range(1, len(shape) - 1)) or None
    slope = keras.initializers.Constant(0.1)
    found = {
        "keras ReLU": keras.layers.ReLU(),
        "keras LeakyReLU": keras.layers.LeakyReLU(0.1),
        "ours LeakyReLU": layers.LeakyReLU(0.1),
        "keras PReLU": keras.layers.PReLU(slope, shared_axes=spatial),
        "ours PReLU": layers.PReLU(slope),
    }
    for layer in found.values():
        layer.build(shape)
    return found


def steps_tensorflow(shape: tuple[int, ...], xla: bool) -> dict[str, Callable]:
    """One forward and backward step for each layer, on TensorFlow."""
    import tensorflow as tf

    x, dy = (tf.constant(array) for array in _data(shape))

    def step_of(layer: Any) -> Callable:
        variables = [variable.value for variable in layer.trainable_variables]

        @tf.function(jit_compile=xla)
        def step(x: Any, dy: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x)
            return y, tape.gradient(y, [x, *variables], output_gradients=dy)

        def run() -> None:
            _, gradients = step(x, dy)
            gradients[-1][..., :1].numpy()

        return run

    return {name: step_of(layer) for name, layer in layers_for(shape).items()}


def steps_jax(shape: tuple[int, ...], xla: bool) -> dict[str, Callable]:
    """One forward and backward step for each layer, on JAX (always under XLA)."""
    import jax

    del xla
    x, dy = (jax.numpy.asarray(array) for array in _data(shape))

    def step_of(layer: Any) -> Callable:
        def forward(x: Any, variables: Any) -> Any:
            return layer.stateless_call(variables, [], x)[0]

        @jax.jit
        def step(x: Any, variables: Any, dy: Any) -> Any:
            y, pull_back = jax.vjp(forward, x, variables)
            return y, pull_back(dy)

        variables = [variable.value for variable in layer.trainable_variables]
        return lambda: jax.block_until_ready(step(x, variables, dy))

    return {name: step_of(layer) for name, layer in layers_for(shape).items()}


def steps_torch(shape: tuple[int, ...], xla: bool) -> dict[str, Callable]:
    """One forward and backward step for each layer, on torch (eager)."""
    import torch

    del xla
    x, dy = (torch.tensor(array) for array in _data(shape))
    x.requires_grad_()

    def step_of(layer: Any) -> Callable:
        variables = [variable.value for variable in layer.trainable_variables]
        return lambda: torch.autograd.grad(layer(x), [x, *variables], dy)

    return {name: step_of(layer) for name, layer in layers_for(shape).items()}


#: Backend -> what makes its steps, and its modes (name, whether XLA compiles).
BACKENDS = {
    "tensorflow": (steps_tensorflow, (("graph", False), ("XLA", True))),
    "jax": (steps_jax, (("XLA", True),)),
    "torch": (steps_torch, (("eager", False),)),
}


def measure(steps: dict[str, Callable], rounds: int) -> dict[str, Timing]:
    """Time the steps in turns, in a new random order each round."""
    for step in steps.values():
        for _ in range(WARM_UP):
            step()
    timings = {name: Timing() for name in steps}
    order = list(steps)
    shuffle = random.Random(0).shuffle  # noqa: S311
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            start = time.perf_counter()
            steps[name]()
            timings[name].seconds.append(time.perf_counter() - start)
    return timings


def table(title: str, timings: dict[str, Timing]) -> str:
    """The timings of one shape as text, in milliseconds and as ratios."""
    relu = timings["keras ReLU"]
    header = f"{title:<34}{'min ms':>8}{'median':>8}{'x ReLU':>8}{'median':>8}"
    lines = [header + f"{'speed-up':>10}{'median':>8}"]
    for name, timing in timings.items():
        line = (
            f"  {name:<32}{timing.best * 1e3:8.2f}{timing.median * 1e3:8.2f}"
            f"{timing.best / relu.best:8.2f}{timing.median / relu.median:8.2f}"
        )
        if name in RIVALS:
            rival = timings[RIVALS[name]]
            line += f"{rival.best / timing.best:10.2f}"
            line += f"{rival.median / timing.median:8.2f}"
        lines.append(line)
    return "\n".join(lines)


def _data(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """An input and an output gradient, normally distributed, float32."""
    generator = np.random.default_rng(0)
    x, dy = (generator.normal(size=shape).astype("float32") for _ in range(2))
    return x, dy


def main() -> None:
    """Measure on one backend and print one table for each shape and mode."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("KERAS_BACKEND", "tensorflow")
    parser.add_argument("--backend", choices=BACKENDS, default=default)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument(
        "--shape", help="only this shape, such as 64,32,32,64", default=None
    )
    arguments = parser.parse_args()
    # Keras reads its backend when it is imported.
    os.environ["KERAS_BACKEND"] = arguments.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    shapes = SHAPES
    if arguments.shape:
        shapes = (tuple(int(length) for length in arguments.shape.split(",")),)
    make_steps, modes = BACKENDS[arguments.backend]
    print(
        f"Forward and backward, float32, {arguments.backend}, {os.cpu_count()} CPU "
        f"cores, {arguments.rounds} rounds in turns.\n"
        "x ReLU: cost as a multiple of keras.layers.ReLU. speed-up: over the stock "
        "layer of the same name.\n"
    )
    for mode, xla in modes:
        for shape in shapes:
            timings = measure(make_steps(shape, xla), arguments.rounds)
            print(table(f"{shape} {mode}", timings), flush=True)


if __name__ == "__main__":
    main()
