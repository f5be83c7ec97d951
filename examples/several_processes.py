"""Rescue a dying model on several processes of JAX, each with its part of the data.

On two machines of a cluster, each with its accelerators:

    python several_processes.py --coordinator host0:1234 --processes 2 --process 0
    python several_processes.py --coordinator host0:1234 --processes 2 --process 1

On one machine without accelerators the same two commands work with `--cpu`.
"""

import argparse
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np

import keras_rectifiers


def main():
    """Join the others, rescue the model, and save it once."""
    options = _options()
    if options.cpu:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # Before anything else of Keras: each process has its own number.
    keras.distribution.initialize(
        options.coordinator, options.processes, options.process
    )
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(auto_shard_dataset=False)
    )

    x, y = _data()
    mine = slice(options.process, None, options.processes)
    model = _dying()

    # All data take part in each step; all processes decide alike.
    result = keras_rectifiers.finetune(
        model, (x[mine], y[mine]), epochs=10, resume=options.out.with_suffix(".state")
    )

    # Keras makes variables while it saves: under a distribution every process would
    # have to take part in that.
    keras.distribution.set_distribution(None)
    if options.process == 0:
        print(result.outcome.sentence)
        result.model.save(options.out)
        print(f"Written: {options.out}")


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--coordinator", default="127.0.0.1:1234", help="host:port")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--process", type=int, default=0, help="0 .. processes - 1")
    parser.add_argument("--cpu", action="store_true", help="no accelerators")
    parser.add_argument("--out", type=Path, default=Path("rescued.keras"))
    return parser.parse_args()


def _data():
    """Points in a square, and whether they lie in a circle."""
    x = np.random.default_rng(0).uniform(-1, 1, (2048, 2)).astype("float32")
    return x, (np.square(x).sum(1) < 0.5).astype("int32")


def _dying():
    """A classifier of which no hidden unit fires."""
    keras.utils.set_random_seed(0)
    low = keras.initializers.Constant(-5.0)
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(32, activation="relu", bias_initializer=low),
            keras.layers.Dense(32, activation="relu", bias_initializer=low),
            keras.layers.Dense(2),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.003),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


if __name__ == "__main__":
    main()
