"""What the whole recipe costs next to a plain `fit` of the same number of epochs.

    python benchmarks/finetune.py [--epochs 10] [--rounds 5] [--against CHECKOUT]

Both train the demo's classifier on the demo's images, each in a fresh process, in
turns: CPU seconds without the imports and the opening of the file, and the median of
the ratios pair by pair. `fit` has the same validation split. With `--against`, the
other side is `finetune` of another checkout of this package. The backend is the one in
KERAS_BACKEND.
"""

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_START = """
import sys, time
from importlib import resources
import keras, numpy as np
import keras_rectifiers
import keras_rectifiers.finetuning.finetune
demo = resources.files("keras_rectifiers.demo")
with np.load(str(demo / "digits.npz")) as found:
    x, y = found["x_train"], found["y_train"]
model = keras_rectifiers.load_model(str(demo / "dying_digits.keras"))
epochs = int(sys.argv[1])
start = time.process_time()
"""
_END = """
print(time.process_time() - start)
"""
FIT = (
    _START
    + """
cut = round(0.9 * len(x))
held_out = x[cut:], y[cut:]
model.fit(x[:cut], y[:cut], validation_data=held_out, epochs=epochs, verbose=0)
"""
    + _END
)
FINETUNE = _START + "keras_rectifiers.finetune(model, (x, y), epochs=epochs)\n" + _END


def main():
    """Run the rounds, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path, help="a checkout, in place of fit")
    options = parser.parse_args()
    other = (FIT, _ROOT) if options.against is None else (FINETUNE, options.against)
    name = "fit" if options.against is None else str(options.against)
    ours, theirs = [], []
    for _ in range(options.rounds):
        theirs.append(_seconds(*other, options.epochs))
        ours.append(_seconds(FINETUNE, _ROOT, options.epochs))
    ratios = [mine / its for mine, its in zip(ours, theirs, strict=True)]
    print(f"finetune        {statistics.median(ours):6.2f} s of CPU time")
    print(f"{name:15s} {statistics.median(theirs):6.2f} s")
    print(
        f"ratio           {statistics.median(ratios):6.2f}   "
        f"(from {min(ratios):.2f} to {max(ratios):.2f}, {options.epochs} epochs)"
    )


def _seconds(code, root, epochs):
    done = subprocess.run(
        [sys.executable, "-c", code, str(epochs)],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,  # comes before the path
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
