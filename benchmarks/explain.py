"""Plant each cause of dead units in many models, and count how often it is named.

    python benchmarks/explain.py --first 100 --seeds 50
    python benchmarks/explain.py --first 100 --seeds 5 --remedies

Each run makes one model on the digits of the demo, lets or makes its units die in a
way that is drawn by the seed, and asks `explain` for the first cause. Only runs in
which units really died count: units that fire with the batch's own statistics count
for `lagging_statistics` alone. Each model is explained as it was trained, and once
more after a way through a file. Seeds 0 to 59 served to set the thresholds.

With `--remedies` the code of the first cause is run on each model that was explained
rightly, and the dead units are counted before and after.
"""

import argparse
import collections
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

from keras_rectifiers import demo
from keras_rectifiers.diagnosis.causes.explain import explain
from keras_rectifiers.diagnosis.diagnose import diagnose

#: Units must have died, or a run does not count.
LEAST_DEAD = 3
#: What is counted instead of a kind.
TOO_FEW, NOT_FINITE, WRONG_LAYER = "too few dead", "not finite", "wrong layer"
BATCH, PROBED = 64, 512
WIDTHS = {"mlp": (64, 48, 48, 32), "convnet": (16, 16, 32, 32), "bn": (16, 16, 32)}


def digits():
    """Images in 0..1 and their labels."""
    with np.load(demo.DATA) as arrays:
        return arrays["x_train"].astype("float32") / 16, arrays["y_train"]


def build(architecture, head=None, **options):
    """An untrained model; the options go to its layers with kernels.

    Args:
        architecture: `"mlp"`, `"convnet"`, `"bn"` or `"narrow"`.
        head: The last layer. Default None: ten logits.
        **options: Such as `kernel_initializer`.
    """
    inputs = keras.Input((8, 8, 1), name="image")
    head = head or layers.Dense(10, name="logits")
    return keras.Model(inputs, head(_ARCHITECTURES[architecture](inputs, options)))


def _mlp(x, options, widths=WIDTHS["mlp"]):
    x = layers.Flatten()(x)
    for place, width in enumerate(widths):
        x = layers.Dense(width, activation="relu", name=f"dense_{place}", **options)(x)
    return x


def _narrow(x, options):
    """Deep and narrow, as in Lu et al. 2019: most of them are born dead."""
    return _mlp(x, options, (3,) * 14)


def _convnet(x, options):
    first, second, third, last = WIDTHS["convnet"]
    for place, filters in enumerate((first, second, third)):
        x = layers.Conv2D(filters, 3, padding="same", name=f"conv_{place}", **options)(
            x
        )
        x = layers.ReLU(name=f"relu_{place}")(x)
        x = layers.MaxPooling2D()(x) if place else x
    x = layers.Flatten()(x)
    return layers.Dense(last, activation="relu", name="hidden", **options)(x)


def _bn(x, options):
    for place, filters in enumerate(WIDTHS["bn"]):
        x = layers.Conv2D(
            filters, 3, padding="same", use_bias=False, name=f"conv_{place}", **options
        )(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"bn_{place}")(x)
        x = layers.ReLU(name=f"relu_{place}")(x)
        x = layers.MaxPooling2D()(x) if place else x
    return layers.Flatten()(x)


_ARCHITECTURES = {"mlp": _mlp, "convnet": _convnet, "bn": _bn, "narrow": _narrow}


def train(model, optimizer, x, y, epochs):
    """Train a model with the usual loss, one with a single output on squares."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if model.output_shape[-1] == 1:
        loss = "mse"
    if getattr(model, "optimizer", None) is not optimizer:
        model.compile(optimizer, loss)
    model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
    return model


def ordinary(rng):
    """An optimizer with an ordinary learning rate."""
    if rng.integers(2):
        return keras.optimizers.Adam(10 ** rng.uniform(-3.3, -2.7))
    return keras.optimizers.SGD(10 ** rng.uniform(-2.3, -1.7), momentum=0.9)


def trained(architecture, rng, x, y):
    """A healthy model after a few epochs."""
    model = build(architecture, kernel_initializer=_healthy(rng))
    return train(model, ordinary(rng), x, y, int(rng.integers(2, 9)))


def _healthy(rng):
    return str(rng.choice(["he_normal", "he_uniform", "glorot_uniform"]))


def dead(model, x):
    """How many units never fire."""
    return diagnose(model, x[:PROBED], batch_size=PROBED).count("dead")


def learning_rate(architecture, rng, x, y):
    """Train with too large a rate until units die."""
    if rng.integers(2):
        optimizer = keras.optimizers.Adam(10 ** rng.uniform(-1.7, -0.5))
    else:
        momentum = float(rng.choice([0.0, 0.9]))
        rate = 10 ** rng.uniform(-0.7, 0.3) * (1 if momentum else 5)
        optimizer = keras.optimizers.SGD(rate, momentum=momentum)
    model = build(architecture, kernel_initializer=_healthy(rng))
    for _ in range(6):
        train(model, optimizer, x, y, 1)
        if dead(model, x) >= LEAST_DEAD:
            break
    more = int(rng.integers(0, 3))
    return (train(model, optimizer, x, y, more) if more else model), x, None


def input_scale(architecture, rng, x, y):
    """Feed data far from unit range, and train a little."""
    way = rng.integers(3)
    if way == 0:
        x = x * 255  # pixels as they come
    elif way == 1:
        x = x * 10 ** rng.uniform(2, 4)
    else:
        x = x * 10 - 10 ** rng.uniform(1.3, 3)  # all negative
    model = build(architecture, kernel_initializer=_healthy(rng))
    optimizer = ordinary(rng)
    for _ in range(5):
        train(model, optimizer, x, y, 1)
        if dead(model, x) >= LEAST_DEAD:
            break
    return model, x, None


def initialization(architecture, rng, x, y):
    """Begin with bad weights, and train a little or not at all."""
    way = rng.integers(4)
    if way == 0:
        architecture, options = "narrow", {"kernel_initializer": _healthy(rng)}
    elif way == 1:
        std = 10 ** rng.uniform(-1.5, -0.7)
        mean = -std * rng.uniform(0.4, 2)
        options = {"kernel_initializer": keras.initializers.RandomNormal(mean, std)}
    elif way == 2:
        options = {"kernel_initializer": "zeros"}
    else:
        std = 10 ** rng.uniform(0, 1)
        options = {"kernel_initializer": keras.initializers.RandomNormal(0.0, std)}
    model = build(architecture, **options)
    optimizer = ordinary(rng)
    epochs = int(rng.integers(0, 4))
    if epochs or architecture == "bn":
        train(model, optimizer, x, y, max(epochs, 1))
    return model, x, None


def bias_shift(architecture, rng, x, y):
    """Negative biases from the start, or shifted ones in a trained model."""
    if architecture == "bn":
        architecture = "mlp"
    if rng.integers(2):
        bias = keras.initializers.Constant(-(10 ** rng.uniform(-0.3, 0.7)))
        model = build(
            architecture, kernel_initializer=_healthy(rng), bias_initializer=bias
        )
        return train(model, ordinary(rng), x, y, int(rng.integers(1, 4))), x, None
    model = trained(architecture, rng, x, y)
    hosts = [each for each in model.layers if hasattr(each, "bias")][:-1]
    chosen = rng.choice(len(hosts), rng.integers(1, len(hosts) + 1), replace=False)
    for place in chosen:
        bias = keras.ops.convert_to_numpy(hosts[place].bias).copy()
        picked = rng.random(len(bias)) < rng.uniform(0.2, 0.7)
        bias[picked] -= _peaks(model, hosts[place], x)[picked] * rng.uniform(1.1, 4)
        hosts[place].bias.assign(bias)
    return model, x, None


def batch_norm(_, rng, x, y):
    """Shift beta, or take gamma away."""
    model = trained("bn", rng, x, y)
    norms = _norms(model)
    chosen = rng.choice(len(norms), rng.integers(1, len(norms) + 1), replace=False)
    way = rng.integers(2)
    for place in chosen:
        layer = norms[place]
        gamma, beta, mean, variance = map(np.copy, layer.get_weights())
        picked = rng.random(len(beta)) < rng.uniform(0.3, 0.8)
        if way == 0:
            beta[picked] = -rng.uniform(4, 10) * np.abs(gamma[picked])
        else:
            gamma[picked] = 10 ** rng.uniform(-5, -3)
            beta[picked] = -np.abs(beta[picked]) - 1e-2
        layer.set_weights([gamma, beta, mean, variance])
    return model, x, None


def lagging_statistics(_, rng, x, y):
    """Train too few steps for the momentum, or change the moving statistics."""
    way = rng.integers(3)
    if way == 0:
        model = build("bn", kernel_initializer=_healthy(rng))
        for layer in _norms(model):
            layer.momentum = 0.999
        x = x * 10 ** rng.uniform(-1, 0.5)
        few = x[: 64 * int(rng.integers(2, 6))]
        return train(model, ordinary(rng), few, y[: len(few)], 5), x, None
    model = trained("bn", rng, x, y)
    norms = _norms(model)
    chosen = rng.choice(len(norms), rng.integers(1, len(norms) + 1), replace=False)
    for place in chosen:
        gamma, beta, mean, variance = map(np.copy, norms[place].get_weights())
        picked = rng.random(len(beta)) < rng.uniform(0.3, 0.8)
        if way == 1:
            mean[picked] += rng.uniform(5, 20) * np.sqrt(variance[picked])
        else:
            variance[picked] *= 10 ** rng.uniform(1, 4)
            mean[picked] = np.abs(mean[picked]) * rng.uniform(2, 20)
        norms[place].set_weights([gamma, beta, mean, variance])
    return model, x, None


def _norms(model):
    return [each for each in model.layers if each.name.startswith("bn_")]


def dead_output(architecture, rng, x, y):
    """A single rectified output that bias or weights keep at 0."""
    way = rng.integers(3)
    bias = "zeros"
    if way == 0:
        bias = keras.initializers.Constant(-(10 ** rng.uniform(0.5, 1.5)))
    head = layers.Dense(1, activation="relu", bias_initializer=bias, name="number")
    model = build(architecture, head, kernel_initializer=_healthy(rng))
    train(model, ordinary(rng), x, targets("dead_output", y), int(rng.integers(1, 5)))
    if way == 1:
        head.bias.assign(-_peaks(model, head, x) * rng.uniform(1.1, 4))
    elif way == 2:
        head.kernel.assign(-np.abs(keras.ops.convert_to_numpy(head.kernel)))
        head.bias.assign(-np.abs(keras.ops.convert_to_numpy(head.bias)) - 1e-3)
    return model, x, None


def targets(kind, y):
    """The labels of a plant: of a single output a number in 0..1."""
    return (y / 9).astype("float32") if kind == "dead_output" else y


def collapsed_upstream(architecture, rng, x, y):
    """Kill one whole layer of a trained model that is not the last."""
    model = trained(architecture, rng, x, y)
    hosts = [each for each in model.layers if hasattr(each, "kernel")][:-2]
    host = hosts[rng.integers(len(hosts))]
    way = rng.integers(3)
    if architecture == "bn":
        layer = model.get_layer(host.name.replace("conv", "bn"))
        gamma, _, *rest = map(np.copy, layer.get_weights())
        layer.set_weights([gamma, -8 * np.abs(gamma) - 0.1, *rest])
    elif way == 0:
        host.bias.assign(-1.5 * np.abs(_peaks(model, host, x)) - 0.1)
    elif way == 1:
        kernel = keras.ops.convert_to_numpy(host.kernel)
        bias = keras.ops.convert_to_numpy(host.bias)
        host.kernel.assign(-np.abs(kernel))
        host.bias.assign(-np.abs(bias) - 1e-3)
    else:
        host.kernel.assign(keras.ops.zeros_like(host.kernel))
        host.bias.assign(-np.abs(keras.ops.convert_to_numpy(host.bias)))
    return model, x, host.name.replace("conv", "relu")


def _peaks(model, host, x):
    """Greatest pre-activation of each unit without its bias, at least 0.1."""
    outputs = keras.Model(model.inputs, host.input).predict(x[:PROBED], verbose=0)
    saved, host.activation = host.activation, keras.activations.linear
    values = keras.ops.convert_to_numpy(host(outputs))
    host.activation = saved
    peaks = values.max(axis=tuple(range(values.ndim - 1)))
    return np.maximum(peaks, 0.1)


PLANTS = {
    "collapsed_upstream": collapsed_upstream,
    "learning_rate": learning_rate,
    "input_scale": input_scale,
    "initialization": initialization,
    "bias_shift": bias_shift,
    "batch_norm": batch_norm,
    "lagging_statistics": lagging_statistics,
    "dead_output": dead_output,
}
ARCHITECTURES = ("mlp", "convnet", "bn")


def plant(kind, seed):
    """A model with a planted cause, its data and labels, and the layer that was killed.

    Args:
        kind: One of `PLANTS`.
        seed: Of everything that is drawn; the architecture goes round.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng([seed, list(PLANTS).index(kind)])
    x, y = digits()
    model, x, killed = PLANTS[kind](ARCHITECTURES[seed % 3], rng, x, y)
    return model, x[:PROBED], targets(kind, y)[:PROBED], killed


def reloaded(model):
    """The model after a way through a file: the seeds at birth are lost."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return keras.saving.load_model(path)


def counts(kind, diagnosis):
    """Whether units died of a planted cause."""
    if kind == "dead_output":
        return bool(diagnosis.dead_outputs)
    waking = diagnosis.waking or 0
    if kind == "lagging_statistics":
        return waking >= LEAST_DEAD
    return diagnosis.count("dead") - waking >= LEAST_DEAD


def mended(cause, model, x, y):
    """The model and the data after the code of a remedy was run."""
    scope = {"model": model, "x": x, "y": y}
    exec(cause.code, scope)  # noqa: S102 - it is what a user would run
    return scope["model"], scope["x"]


def named(kind, diagnosis, killed):
    """What is named first; `"-"` where a run does not count."""
    if diagnosis.count("not_finite"):
        return NOT_FINITE
    if not counts(kind, diagnosis):
        return TOO_FEW
    first = explain(diagnosis).first
    if killed is not None and first.kind == kind and first.layers[0] != killed:
        return WRONG_LAYER
    return first.kind


def table(named_of):
    """The confusion table as lines."""
    kinds = [*PLANTS, "unknown"]
    yield f"{'planted':>20s} {'right':>12s}  named instead (runs that do not count)"
    for planted in PLANTS:
        found = named_of[planted]
        runs = sum(found[kind] for kind in [*kinds, WRONG_LAYER])
        share = found[planted] / max(runs, 1)
        others = ", ".join(
            f"{kind} {found[kind]}"
            for kind in [*kinds, WRONG_LAYER]
            if kind != planted and found[kind]
        )
        left_out = ", ".join(
            f"{kind} {found[kind]}" for kind in (TOO_FEW, NOT_FINITE) if found[kind]
        )
        yield (
            f"{planted:>20s} {found[planted]:>3d}/{runs:<3d} {share:4.0%}  "
            f"{others or '-'}{f' ({left_out})' if left_out else ''}"
        )


def main():
    """Plant, explain, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--only", choices=list(PLANTS), action="append")
    parser.add_argument("--remedies", action="store_true")
    options = parser.parse_args()
    if options.remedies:
        return remedies(options)
    ways = {"as trained": lambda model: model, "loaded from a file": reloaded}
    found = {way: {kind: collections.Counter() for kind in PLANTS} for way in ways}
    began = time.process_time()
    for seed in range(options.first, options.first + options.seeds):
        for kind in options.only or PLANTS:
            model, x, _, killed = plant(kind, seed)
            for way, way_of in ways.items():
                diagnosis = diagnose(way_of(model), x, batch_size=128)
                found[way][kind][named(kind, diagnosis, killed)] += 1
    last = options.first + options.seeds - 1
    print(
        f"{keras.backend.backend()}, seeds {options.first} to {last}, "
        f"{time.process_time() - began:.0f} s of CPU time"
    )
    for way, named_of in found.items():
        print(f"\n{way}")
        print("\n".join(table(named_of)))
    return None


def remedies(options):
    """Plant, explain, run the remedy, and look again."""
    print(f"{'planted':>20s} {'cause gone':>12s}  dead units before -> after")
    for kind in options.only or PLANTS:
        gone, before, after = [], [], []
        for seed in range(options.first, options.first + options.seeds):
            model, x, y, killed = plant(kind, seed)
            diagnosis = diagnose(model, x, batch_size=128)
            if named(kind, diagnosis, killed) != kind or not model.compiled:
                continue
            again = diagnose(*mended(explain(diagnosis).first, model, x, y))
            left = [cause.kind for cause in explain(again).causes]
            gone.append(kind not in left)
            before.append(diagnosis.dead_fraction)
            after.append(again.dead_fraction)
        shares = "-"
        if gone:
            shares = f"{np.mean(before):.1%} -> {np.mean(after):.1%}"
        print(f"{kind:>20s} {sum(gone):>5d}/{len(gone):<5d}   {shares}", flush=True)


if __name__ == "__main__":
    main()
