"""The tables of `benchmarks/upgrade.py`; they need what the tests need."""

import dataclasses
import sys
import tempfile
from collections import Counter
from pathlib import Path

import keras
import numpy as np

from keras_rectifiers.conversion.upgrade import upgrade_file
from tests.legacy import aged_containers
from tests.legacy import aged_dialects
from tests.legacy import aged_keras1
from tests.legacy import corpus
from tests.legacy import corpus_habits
from tests.legacy import corpus_layers
from tests.legacy import corpus_models
from tests.legacy import corpus_operations
from tests.legacy import corpus_recurrent
from tests.legacy.aged import AGED
from tests.legacy.aged import inputs_of
from tests.legacy.corpus import difference
from tests.legacy.corpus import run

#: Modules whose import declares cases.
DECLARED = (
    aged_containers,
    aged_dialects,
    aged_keras1,
    corpus_habits,
    corpus_layers,
    corpus_models,
    corpus_operations,
    corpus_recurrent,
)
#: Longest part of an error that is printed, and the largest difference that is none.
LENGTH = 70
TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True)
class Found:
    """What came of one way: "opens", "wrong" or "refuses", and how a table says it."""

    kind: str
    text: str
    difference: float = np.inf


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
    upgrade_file(source, target, weights=weights)
    return keras_alone(target, None, case)


def message(error, folder):
    """First line of an error, short enough for a table, without the folder."""
    name = type(error).__name__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = (lines or [""])[0].replace("|", "\\|").replace("`", "'")
    text = text.replace(f"{folder}/", "")
    return f"{name}: {text[:LENGTH]}{'…' if len(text) > LENGTH else ''}"


def tried(way, old, inputs, source, weights, case):
    """What one way makes of a file."""
    alone = source.suffix == ".json" and weights is None
    try:
        new = way(source, weights, case)
    except Exception as error:  # noqa: BLE001 (whatever it is goes into the table)
        return Found("refuses", f"refuses ({message(error, source.parent)})")
    if alone:
        new.set_weights(old.get_weights())
    try:
        got = run(new, inputs)
    except Exception:  # noqa: BLE001 (any error means that it does not run)
        return Found("wrong", "**wrong**: opens, and does not run on the same inputs")
    worst = difference(run(old, inputs), got)
    if worst == np.inf:
        return Found("wrong", "**wrong**: outputs of another shape")
    if worst > case.tolerance:
        return Found("wrong", f"**wrong**: outputs differ by {worst:.1g}")
    return Found("opens", "opens" if worst == 0 else f"opens ({worst:.0e})", worst)


def case_table():
    """Try every case both ways, and print a row for each."""
    totals = {"alone": Counter(), "here": Counter()}
    print(f"| case | Keras {keras.__version__} alone | here |")
    print("|---|---|---|")
    for about, case in AGED.items():
        with tempfile.TemporaryDirectory() as folder:
            old, source, weights = case.make(Path(folder))
            inputs = inputs_of(case, old)
            alone = tried(keras_alone, old, inputs, source, weights, case)
            ours = tried(here, old, inputs, source, weights, case)
        totals["alone"][alone.kind] += 1
        totals["here"][ours.kind] += 1
        print(f"| {about} | {alone.text} | {ours.text} |")
    print()
    for way, kinds in totals.items():
        print(f"{way}: {dict(kinds)} of {len(AGED)}")


def corpus_table(*, slow):
    """Count what opens of the tests' models, and print a row for each format."""
    print(f"| format | models | Keras {keras.__version__} alone | here | bit-equal |")
    print("|---|---|---|---|---|")
    for file_format, write in corpus.FORMATS.items():
        counts, worst = Counter(), 0.0
        for name, one in corpus.CASES.items():
            if one.slow != slow or file_format in one.absent:
                continue
            old, inputs = corpus.built(name)
            with tempfile.TemporaryDirectory() as folder:
                source, weights = write(old, Path(folder))
                alone = tried(keras_alone, old, inputs, source, weights, one)
                ours = tried(here, old, inputs, source, weights, one)
            counts["models"] += 1
            counts[f"alone {alone.kind}"] += 1
            counts[f"here {ours.kind}"] += 1
            counts["equal"] += ours.difference == 0
            if ours.kind == "opens":
                worst = max(worst, ours.difference / (one.tolerance / TOLERANCE))
            else:
                print(f"{name}: {ours.text}", file=sys.stderr)
        print(
            f"| {file_format} | {counts['models']} | {counts['alone opens']} open, "
            f"{counts['alone wrong']} wrong, {counts['alone refuses']} refused "
            f"| {counts['here opens']} open, {counts['here wrong']} wrong, "
            f"{counts['here refuses']} refused | {counts['equal']}; "
            f"others within {worst:.0e} |"
        )
