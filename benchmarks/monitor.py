"""Cost of `DeadUnitMonitor` beside training without it.

Prints, for the backend in KERAS_BACKEND, ratios of CPU time of one epoch: with a probe
set, with exact counting, and the way of older callbacks, `predict` of every
activation on all training data at each epoch's end. The arms run interleaved, in
random order, each on a model and a training step of its own.

`--short` measures what a beginner's run costs instead: `fit` of a new small CNN over
1,500 images for three epochs, compilation and the measurement before training
included.
"""

import argparse
import functools
import random
import statistics
import time

import diagnose
import keras
import numpy as np

from keras_rectifiers.callbacks import DeadUnitMonitor
from keras_rectifiers.callbacks import ReviveDeadUnits


class PredictEverything(keras.callbacks.Callback):
    """A full pass over the training data after each epoch, counted in numpy."""

    def __init__(self, x, batch_size):
        super().__init__()
        self.x = x
        self.batch_size = batch_size
        self.outputs = None

    def on_train_begin(self, logs=None):
        if self.outputs is None:
            kept = [
                layer.output
                for layer in self.model.layers
                if isinstance(layer, keras.layers.ReLU) or layer.name == "hidden"
            ]
            self.outputs = keras.Model(self.model.input, kept)

    def on_epoch_end(self, epoch, logs=None):
        diagnose.naive(self.outputs, self.x, self.batch_size)


class Clock(keras.callbacks.Callback):
    """CPU seconds of each epoch, with what callbacks before it do at its end."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.process_time() - self.start)


def arm(callbacks, x, y, batch_size, width):
    """A function that trains two epochs and returns the CPU seconds of the second."""
    keras.utils.set_random_seed(1)
    model = diagnose.build(width)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def run():
        clock = Clock()
        model.fit(
            x,
            y,
            batch_size=batch_size,
            epochs=2,
            verbose=0,
            callbacks=[*callbacks, clock],
        )
        return clock.seconds[1]

    return run


def short_run(callbacks):
    """CPU seconds of `fit` of a new small CNN, three epochs over 1,500 images."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 28, 28, 1)).astype("float32")
    y = rng.integers(0, 10, len(x))
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    start = time.process_time()
    model.fit(x, y, epochs=3, verbose=0, callbacks=callbacks(x))
    return time.process_time() - start


#: Callbacks of a short run, by name.
SHORT = {
    "no monitor": lambda _: [],
    "no monitor again": lambda _: [],
    "probe": lambda x: [DeadUnitMonitor(x)],
    "exact": lambda _: [DeadUnitMonitor()],
    "revive": lambda x: [ReviveDeadUnits(x)],
}


def short_runs():
    """What to measure with `--short`, and what it is called."""
    for callbacks in SHORT.values():
        short_run(callbacks)  # what a process does once only
    runs = {name: functools.partial(short_run, each) for name, each in SHORT.items()}
    return "three epochs over 1,500 images", runs


def long_runs(options):
    """What to measure otherwise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(options.samples, 32, 32, 3)).astype("float32")
    y = rng.integers(0, 10, options.samples)
    batch = options.batch_size
    ways = {
        "no monitor": [],
        "no monitor again": [],
        "probe": [DeadUnitMonitor(x)],
        "exact": [DeadUnitMonitor()],
        "predict all": [PredictEverything(x, batch)],
    }
    runs = {
        name: arm(callbacks, x, y, batch, options.width)
        for name, callbacks in ways.items()
    }
    return f"{options.samples} samples, batch {batch}", runs


def main():
    """Run the rounds and print their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=4096)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    title, runs = short_runs() if options.short else long_runs(options)
    times = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name in random.sample(list(runs), len(runs)):
            times[name].append(runs[name]())
    base = times["no monitor"]
    print(f"{keras.backend.backend()}: {title}")
    for name, found in times.items():
        pairs = [mine / other for mine, other in zip(found, base, strict=True)]
        print(
            f"  {name:17s} x{statistics.median(pairs):.3f} "
            f"(minima x{min(found) / min(base):.3f}, {min(found):.2f} s)"
        )


if __name__ == "__main__":
    main()
