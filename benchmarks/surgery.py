"""File surgery beside the way that Keras itself offers, as whole processes.

    python benchmarks/surgery.py [--rounds 5] [--against CHECKOUT]

Both turn the ReLUs of one ResNet50 `.keras` file (about 100 MB) into Leaky ReLU
or PReLU and write another file. Keras' way: load_model, clone_model with a
clone_function, weights moved layer by layer, save. The rounds alternate; a line
gives medians, and the ratio is the median of the ratios pair by pair. With
`--against`, the other side is another checkout of this package in Keras' place, so
that two versions are compared in one run.
"""

import argparse
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


def run(code, *arguments, checkout=None):
    """Wall seconds and peak memory (MB) of one process."""
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    if checkout is not None:
        environment["PYTHONPATH"] = str(checkout)
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"a run failed with {process.returncode}: {code}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT")
    arguments = parser.parse_args()
    rounds, other = arguments.rounds, arguments.against
    here = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "resnet50.keras"), Path(folder, "out.keras")
        run(MAKE, source)
        print(f"ResNet50, {source.stat().st_size / 1e6:.0f} MB, {rounds} rounds")
        name = "Keras" if other is None else "other"
        print(f"{'':12} {'ours':>16} {name:>16} {'faster':>8} {'memory':>8}")
        for to in ("leaky_relu", "prelu"):
            pairs = []
            call = (source, target, to)
            run(OURS, *call, checkout=here)
            for _ in range(rounds):
                ours = run(OURS, *call, checkout=here)
                code = KERAS if other is None else OURS
                pairs.append((ours, run(code, *call, checkout=other)))
            mine = [statistics.median(pair[0][i] for pair in pairs) for i in (0, 1)]
            keras = [statistics.median(pair[1][i] for pair in pairs) for i in (0, 1)]
            faster = statistics.median(b[0] / a[0] for a, b in pairs)
            less = statistics.median(b[1] / a[1] for a, b in pairs)
            print(
                f"{to:12} {mine[0]:6.2f} s {mine[1]:5.0f} MB "
                f"{keras[0]:6.2f} s {keras[1]:5.0f} MB {faster:7.1f}x {less:7.1f}x"
            )


if __name__ == "__main__":
    main()
