"""Cost of `DeadUnitMonitor` beside training without it.

Prints, for the backend in KERAS_BACKEND, ratios of CPU time of one epoch: with a probe
set, with exact counting, and the way of older callbacks, `predict` of every
activation on all training data at each epoch's end. The arms run interleaved, in
random order, each on a model and a training step of its own.
"""

import argparse
import random
import statistics
import time

import diagnose
import keras
import numpy as np

from keras_rectifiers.callbacks import DeadUnitMonitor


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


def main():
    """Run the rounds and print their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=4096)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
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
    times = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name in random.sample(list(ways), len(ways)):
            times[name].append(runs[name]())
    base = times["no monitor"]
    print(f"{keras.backend.backend()}: {options.samples} samples, batch {batch}")
    for name, found in times.items():
        pairs = [mine / other for mine, other in zip(found, base, strict=True)]
        print(
            f"  {name:17s} x{statistics.median(pairs):.3f} "
            f"(minima x{min(found) / min(base):.3f}, {min(found):.2f} s)"
        )


if __name__ == "__main__":
    main()
