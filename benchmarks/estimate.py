"""Estimates from the weights beside what is measured on data.

    python benchmarks/estimate.py --model MODEL LO HI [DATA.npz:NAME] [--model ...]
    python benchmarks/estimate.py --time [ROUNDS]

For each model: how far `p_active` is from the measured firing rate per position
(mean absolute error, and Pearson's correlation over all units that have one), and how
many of the units that are proven dead or linear were so on the data. Without data,
inputs are drawn evenly from the range, half of them from its two ends; rates measured
on such inputs say nothing about the estimates, whose statistics are those of real
data, so only proofs are held against them.

With --lag DATA.npz (x_train, y_train, x_test of images in 0..255): a residual network
is trained shortly, so that its moving statistics lag behind its weights, and compared
before and after they are brought up to date.

With --time: the whole command on ResNet50, beside loading the file with Keras.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

COMMAND = "from keras_rectifiers.cli.main import main; main()"
LOAD = "import sys, keras; keras.saving.load_model(sys.argv[1], compile=False)"
MAKE = "import sys, keras; keras.applications.ResNet50(weights=None).save(sys.argv[1])"


def load(path):
    """A model with Keras, also one of Keras 2 that it refuses for `groups`."""
    import keras

    class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
        def __init__(self, *args, groups=1, **kwargs):
            super().__init__(*args, **kwargs)
            if groups != 1:
                raise ValueError(groups)

    known = {"DepthwiseConv2D": DepthwiseConv2D}
    return keras.saving.load_model(path, compile=False, custom_objects=known)


def drawn(model, lo, hi, samples):
    """Inputs in the range, half of them at its ends."""
    rng = np.random.default_rng(0)
    shape = (samples, *model.inputs[0].shape[1:])
    x = rng.uniform(lo, hi, shape)
    x[::2] = np.where(rng.random(shape) < 0.5, lo, hi)[::2]
    return x.astype("float32")


def compare(path, lo, hi, data, samples):
    """One file's lines."""
    model = load(path)
    if data:
        file, _, name = data.rpartition(":")
        x = np.load(file)[name][:samples].astype("float32")
        if not lo <= x.min() <= x.max() <= hi:
            raise SystemExit(f"{data} leaves the range {lo:g}..{hi:g}")
    else:
        x = drawn(model, lo, hi, samples)
    source = "data" if data else "drawn"
    print(f"{Path(path).name}, {len(x)} samples ({source})")
    report(path, model, lo, hi, x, real=bool(data))


def report(estimated, model, lo, hi, x, *, real):
    """What is estimated, and what came of it."""
    import keras_rectifiers

    estimate = keras_rectifiers.estimate(estimated, input_range=(lo, hi))
    diagnosis = keras_rectifiers.diagnose(model, x, batch_size=64)
    measured = {layer.layer: layer.statistics for layer in diagnosis.layers}
    counts = dict.fromkeys(("dead", "leaking", "linear", "unlikely"), 0)
    confirmed, pairs = dict(counts), {}
    for layer in estimate.layers:
        seen = measured[layer.layer]
        rate = seen.fired_positions / seen.positions
        held = {
            "dead": rate == 0,
            "leaking": rate == 0,
            "linear": rate == 1,
            "unlikely": rate < layer.level,
        }
        for word, truth in held.items():
            said = layer.verdicts == word
            counts[word] += int(said.sum())
            confirmed[word] += int((said & truth).sum())
        if layer.p_active is not None:
            pairs.setdefault(layer.basis, []).append((layer.p_active, rate))
    never = diagnosis.count("dead", "leaking")
    print(f"  {estimate.units} units for [{lo:g}, {hi:g}], silent on the data: {never}")
    for word, count in counts.items():
        if count and (word != "unlikely" or real):
            print(f"  {word:9} {count:6}, on the data so: {confirmed[word]}")
    for basis, found in pairs.items() if real else ():
        p, rate = (np.concatenate(each) for each in zip(*found, strict=True))
        error, half = np.abs(p - rate), np.abs(0.5 - rate).mean()
        print(
            f"  p_active by {basis}, {len(p)} units: mean absolute error "
            f"{error.mean():.3f} (of a constant 0.5: {half:.3f}), greatest "
            f"{error.max():.3f}, correlation {np.corrcoef(p, rate)[0, 1]:.3f}"
        )


def residual():
    """A residual network for images of 32 x 32, with 13 rectifiers."""
    from keras import Input
    from keras import Model
    from keras import layers

    def normed(x, filters, size, stride=1):
        made = layers.Conv2D(filters, size, stride, padding="same", use_bias=False)
        return layers.BatchNormalization()(made(x))

    inputs = Input((32, 32, 3))
    x = layers.ReLU()(normed(inputs, 16, 3))
    for filters, stride in ((16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
        branch = layers.ReLU()(normed(x, filters, 3, stride))
        branch = normed(branch, filters, 3)
        short = x if stride == 1 else normed(x, filters, 1, stride)
        x = layers.ReLU()(layers.Add()([branch, short]))
    return Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def lag(path, samples):
    """Estimates from statistics that lag, and from the same brought up to date."""
    import keras

    keras.utils.set_random_seed(0)
    data, model = np.load(path), residual()
    x, test = data["x_train"] / 255.0, data["x_test"][:samples] / 255.0
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    model.fit(x, data["y_train"], batch_size=64, epochs=5, verbose=0)
    print("trained for 5 epochs")
    report(model, model, 0, 1, test, real=True)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.8
    for start in range(0, len(x), 250):
        model(x[start : start + 250], training=True)
    print("moving statistics brought up to date")
    report(model, model, 0, 1, test, real=True)


def timed(*command):
    """Wall seconds of a process."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", *map(str, command)], check=True, capture_output=True
    )
    return time.perf_counter() - start


def time_it(rounds):
    """The command beside Keras' loading, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "resnet50.keras")
        timed(MAKE, path)
        arguments = (COMMAND, "inspect", path, "--estimate", "--input-range", 0, 255)
        timed(*arguments)
        pairs = [(timed(*arguments), timed(LOAD, path)) for _ in range(rounds)]
    ours, keras_own = zip(*pairs, strict=True)
    ratio = statistics.median(theirs / mine for mine, theirs in pairs)
    print(
        f"ResNet50: whole command {statistics.median(ours):.2f} s (least "
        f"{min(ours):.2f}), loading it with Keras {statistics.median(keras_own):.2f} s "
        f"(least {min(keras_own):.2f}): {ratio:.1f} times, {rounds} rounds"
    )


def main():
    """Compare each model, or time ResNet50."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--time", type=int, nargs="?", const=7, metavar="ROUNDS")
    parser.add_argument("--lag", metavar="DATA.npz")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument(
        "--model", nargs="+", action="append", default=[], metavar="MODEL LO HI DATA"
    )
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    if options.time:
        time_it(options.time)
    if options.lag:
        lag(options.lag, options.samples)
    for path, lo, hi, *data in options.model:
        compare(path, float(lo), float(hi), data[0] if data else "", options.samples)


if __name__ == "__main__":
    main()
