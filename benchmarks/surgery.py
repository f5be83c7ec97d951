"""File surgery beside the way that Keras itself offers, as whole processes.

    python benchmarks/surgery.py [--rounds 5] [--against CHECKOUT]
    python benchmarks/surgery.py --size 1000

Both turn the ReLUs of one ResNet50 `.keras` file (about 100 MB) into Leaky ReLU
or PReLU and write another file. Keras' way: load_model, clone_model with a
clone_function, weights moved layer by layer, save. The rounds alternate; a line
gives medians, and the ratio is the median of the ratios pair by pair. With
`--against`, the other side is another checkout of this package in Keras' place, so
that two versions are compared in one run.

With `--size`, the file has so many MB, in a few Dense layers of random weights, and the
other side is `cp` and `sync` of the same file to the same disk. The source is in memory
for both, and no target exists. Every process finds compiled code, as an installed
package has it.
"""

import argparse
import functools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MAKE = """
import keras, sys
keras.applications.ResNet50(weights=None).save(sys.argv[1])
"""
MAKE_LARGE = """
import keras, numpy, sys
path, size = sys.argv[1], int(sys.argv[2]) * 10**6
width = int((size / 4 / 8) ** 0.5)
model = keras.Sequential([keras.Input((width,))])
for _ in range(8):
    model.add(keras.layers.Dense(width, "relu", kernel_initializer="zeros"))
generator = numpy.random.default_rng(0)
for layer in model.layers:
    shapes = [each.shape for each in layer.weights]
    layer.set_weights([generator.standard_normal(s, "float32") for s in shapes])
model.save(path)
"""
OURS = """
import sys, keras_rectifiers
keras_rectifiers.convert_file(sys.argv[1], sys.argv[2], sys.argv[3], overwrite=True)
"""
KERAS = """
import sys, keras
source, target, to = sys.argv[1:]
model = keras.saving.load_model(source)

def replace(layer):
    if isinstance(layer, keras.layers.Activation):
        if to == "prelu":
            return keras.layers.PReLU(shared_axes=[1, 2], name=layer.name)
        return keras.layers.LeakyReLU(negative_slope=0.01, name=layer.name)
    return layer.__class__.from_config(layer.get_config())

new = keras.models.clone_model(model, clone_function=replace)
for old, layer in zip(model.layers, new.layers):
    if old.weights:
        layer.set_weights(old.get_weights())
new.save(target)
"""


def run(code, *arguments, checkout=None, cache=None):
    """Wall seconds and peak memory (MB) of one process.

    Args:
        code: Python code, or a command as a list.
        *arguments: What it finds in `sys.argv`.
        checkout: Where it finds this package.
        cache: Folder of compiled code.
    """
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    if checkout is not None:
        environment["PYTHONPATH"] = str(checkout)
    if cache is not None:
        environment["PYTHONPYCACHEPREFIX"] = str(cache)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", code] if isinstance(code, str) else code
    start = time.perf_counter()
    process = subprocess.Popen(
        [*command, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"a run failed with {process.returncode}: {code}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def compare(ours, other, rounds, name):
    """Run both in turns, each first in every second round, and print one line."""
    ours(), other()  # so that code is compiled, and files are in memory
    pairs = []
    for number in range(rounds):
        order = (ours, other) if number % 2 else (other, ours)
        found = {each: each() for each in order}
        pairs.append((found[ours], found[other]))
    mine = [statistics.median(pair[0][i] for pair in pairs) for i in (0, 1)]
    others = [statistics.median(pair[1][i] for pair in pairs) for i in (0, 1)]
    faster = statistics.median(b[0] / a[0] for a, b in pairs)
    less = statistics.median(b[1] / a[1] for a, b in pairs)
    print(
        f"{name:12} {mine[0]:6.2f} s {mine[1]:5.0f} MB "
        f"{others[0]:6.2f} s {others[1]:5.0f} MB {faster:7.1f}x {less:7.1f}x "
        f"{1 / faster:6.2f}"
    )


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT")
    parser.add_argument("--size", type=int, metavar="MB")
    asked = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        source, target = Path(folder, "source.keras"), Path(folder, "out.keras")
        cache = Path(folder, "compiled")
        if asked.size is None:
            run(MAKE, source)
        else:
            run(MAKE_LARGE, source, asked.size)
        size = source.stat().st_size / 1e6
        what = "ResNet50" if asked.size is None else "Dense layers"
        name = "Keras" if asked.size is None else "cp + sync"
        name = name if asked.against is None else "other"
        print(f"{what}, {size:.0f} MB, {asked.rounds} rounds")
        print(
            f"{'':12} {'ours':>16} {name:>16} {'faster':>8} {'memory':>8} {'time':>6}"
        )

        def ours(to, checkout=here):
            target.unlink(missing_ok=True)
            return run(OURS, source, target, to, checkout=checkout, cache=cache)

        def other(to):
            if asked.against is not None:
                return ours(to, asked.against)
            target.unlink(missing_ok=True)
            if asked.size is None:
                return run(KERAS, source, target, to, cache=cache)
            copy = ["sh", "-c", 'cp "$0" "$1" && sync "$1"']
            return run(copy, source, target)

        for to in ("leaky_relu", "prelu"):
            compare(
                functools.partial(ours, to),
                functools.partial(other, to),
                asked.rounds,
                to,
            )


if __name__ == "__main__":
    main()
