"""Old files beside Keras 3 alone: what opens, what opens wrongly, what is refused.

    python benchmarks/upgrade.py

Each case is a file as an older version of Keras wrote it, whose outputs are known
(`tests/upgrade/aged*.py`). It is opened by Keras alone, and by Keras after this
project's `upgrade`. The differences are relative to the largest output of the
reference, `tf_keras`. Prints a table in Markdown.
"""

import os
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np

from keras_rectifiers.upgrade.upgrade import upgrade
from tests.upgrade import aged_containers
from tests.upgrade import aged_dialects
from tests.upgrade import aged_keras1
from tests.upgrade.aged import AGED
from tests.upgrade.aged import inputs_of
from tests.upgrade.corpus import difference
from tests.upgrade.corpus import run

DECLARED = (aged_containers, aged_dialects, aged_keras1)
#: Longest part of an error that is printed, and the largest difference that is none.
LENGTH = 70
TOLERANCE = 1e-5


def keras_alone(source, weights, case):
    """The model that Keras itself makes of the file."""
    if source.suffix == ".json":
        model = keras.models.model_from_json(source.read_text())
        if weights:
            model.load_weights(weights)
        return model
    return keras.saving.load_model(source, **case.opening())


def here(source, weights, case):
    """The model that Keras makes of the file after `upgrade`."""
    alone = source.suffix == ".json" and weights is None
    target = source.with_name("upgraded.json" if alone else "upgraded.keras")
    upgrade(source, target, weights=weights)
    return keras_alone(target, None, case)


def message(error, folder):
    """First line of an error, short enough for a table, without the folder."""
    name = type(error).__name__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = (lines or [""])[0].replace("|", "\\|").replace("`", "'")
    text = text.replace(f"{folder}/", "")
    return f"{name}: {text[:LENGTH]}{'…' if len(text) > LENGTH else ''}"


def tried(way, old, inputs, source, weights, case):
    """What one way makes of a file: (kind, text of the cell)."""
    alone = source.suffix == ".json" and weights is None
    try:
        new = way(source, weights, case)
    except Exception as error:  # noqa: BLE001 (whatever it is goes into the table)
        return "refuses", f"refuses ({message(error, source.parent)})"
    if alone:
        new.set_weights(old.get_weights())
    try:
        got = run(new, inputs)
    except Exception:  # noqa: BLE001 (any error means that it does not run)
        return "wrong", "**wrong**: opens, and does not run on the model's own inputs"
    worst = difference(run(old, inputs), got)
    if worst == np.inf:
        return "wrong", "**wrong**: outputs of another shape"
    if worst > max(TOLERANCE, case.tolerance):
        return "wrong", f"**wrong**: outputs differ by {worst:.1g}"
    return "opens", "opens" if worst == 0 else f"opens ({worst:.0e})"


def main():
    """Try every case both ways, and print the table."""
    warnings.simplefilter("ignore")
    totals = {"alone": [], "here": []}
    rows = []
    for about, case in AGED.items():
        with tempfile.TemporaryDirectory() as folder:
            old, source, weights = case.make(Path(folder))
            inputs = inputs_of(case, old)
            alone = tried(keras_alone, old, inputs, source, weights, case)
            ours = tried(here, old, inputs, source, weights, case)
        totals["alone"].append(alone[0])
        totals["here"].append(ours[0])
        rows.append(f"| {about} | {alone[1]} | {ours[1]} |")
    print(f"| case | Keras {keras.__version__} alone | here |")
    print("|---|---|---|")
    print("\n".join(rows))
    print()
    for way, kinds in totals.items():
        counts = {kind: kinds.count(kind) for kind in ("opens", "wrong", "refuses")}
        print(f"{way}: {counts} of {len(kinds)}")


if __name__ == "__main__":
    main()
