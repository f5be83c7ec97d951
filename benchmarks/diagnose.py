"""Cost of `diagnose` beside `model.predict` on the same data and batch.

Prints, for the backend in KERAS_BACKEND, the ratio of CPU time and of wall time
(median of paired, interleaved runs) on a CIFAR-shaped convolutional network; and
that of the naive way, `predict` of every activation and numpy. "with causes" adds
what is looked up for `explain` where units are silent, a fixed cost.
"""

import argparse
import statistics
import time

import keras
import numpy as np

from keras_rectifiers.diagnosis.diagnose import Diagnostician


def build(width):
    """Four convolutions and a dense layer, five rectifiers."""
    inputs = x = keras.Input((32, 32, 3))
    for index, filters in enumerate((width, width, 2 * width, 2 * width)):
        x = keras.layers.Conv2D(filters, 3, padding="same")(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU(name=f"relu{index}")(x)
        if index % 2:
            x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(128, activation="relu", name="hidden")(x)
    return keras.Model(inputs, keras.layers.Dense(10)(x))


def naive(outputs, data, batch_size):
    """Predict all activations, then count."""
    for output in outputs.predict(data, batch_size=batch_size, verbose=0):
        (output > 0).reshape(len(output), -1, output.shape[-1]).any(1).sum(0)


def timed(function):
    """CPU seconds and wall seconds of one call."""
    cpu, wall = time.process_time(), time.perf_counter()
    function()
    return time.process_time() - cpu, time.perf_counter() - wall


def main():
    """Run the pairs and print their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    model = build(options.width)
    data = np.random.default_rng(0).normal(size=(options.samples, 32, 32, 3))
    data = data.astype("float32")
    rectifiers = [
        layer.output
        for layer in model.layers
        if isinstance(layer, keras.layers.ReLU) or layer.name == "hidden"
    ]
    outputs = keras.Model(model.input, rectifiers)
    observer = Diagnostician(
        model, batch_size=options.batch_size, explain=False, uncompiled=0
    )
    explaining = Diagnostician(model, batch_size=options.batch_size, uncompiled=0)
    batch = options.batch_size
    ways = {
        "predict": lambda: model.predict(data, batch_size=batch, verbose=0),
        "diagnose": lambda: observer.diagnose(data),
        "with causes": lambda: explaining.diagnose(data),
        "predict all": lambda: naive(outputs, data, batch),
    }
    times = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(options.rounds):
        for name, way in ways.items():
            times[name].append(timed(way))
    print(f"{keras.backend.backend()}: {options.samples} samples, batch {batch}")
    for name in ways:
        print(f"  {name:12s} {compared(times[name], times['predict'])}")


def compared(mine, base):
    """The ratios of CPU and wall times, as medians of pairs and as minima."""
    parts = []
    for kind, label in ((0, "cpu"), (1, "wall")):
        pairs = [a[kind] / b[kind] for a, b in zip(mine, base, strict=True)]
        least = min(each[kind] for each in mine)
        minima = least / min(each[kind] for each in base)
        parts.append(
            f"{label} x{statistics.median(pairs):.2f} (minima x{minima:.2f}, "
            f"{least:.3f} s)"
        )
    return "  ".join(parts)


if __name__ == "__main__":
    main()
