"""Keras 3's own releases: what each wrote, opened by Keras alone and by this project.

    python benchmarks/dialects.py ZOO [--each] [--only CASE]

`ZOO` has a folder for each release, written by `tests/legacy/zoo/make_zoo.py` under it:

    pip install --no-deps --target RELEASES/3.4.1 keras==3.4.1
    PYTHONPATH=RELEASES/3.4.1 python tests/legacy/zoo/make_zoo.py ZOO/3.4.1

(3.0 needs `dm-tree` beside it.) The outputs are those that the release itself
computed. Prints a table in Markdown, and below it whatever does not hold; with --each
a line for every file. What several releases wrote alike is opened once.
"""

import argparse
import dataclasses
import hashlib
import io
import json
import os
import sys
import tempfile
import warnings
import zipfile
from collections import Counter
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import h5py
import numpy as np
import tensorflow as tf

from tests.legacy.zoo.cases import CASES
from tests.legacy.zoo.opened import FORMS
from tests.legacy.zoo.opened import Specimen

#: Longest part of an error that is printed, and the largest difference that is none.
LENGTH = 300
TOLERANCE = 1e-5
#: Parts of a file that say when it was written, and by whom.
_PASSING = ("date_saved", "keras_version")


@dataclasses.dataclass(frozen=True)
class Found:
    """What came of one way: its kind, what else is to be said, and the difference."""

    kind: str
    text: str = ""
    difference: float = np.inf

    def __str__(self):
        return f"{self.kind}{' ' if self.text else ''}{self.text}"


def tried(specimen, way):
    """What one way makes of a file."""
    try:
        model, note = way(specimen)
    except Exception as error:  # noqa: BLE001 (whatever it is goes into the table)
        return Found("refuses", message(error))
    try:
        outputs, optimizer = specimen.held(model)
    except Exception as error:  # noqa: BLE001 (any error means that it does not run)
        return Found("wrong", f"does not run: {message(error)}")
    if outputs > TOLERANCE:
        return Found("wrong", f"outputs differ by {outputs:.1g} {note}")
    if optimizer > TOLERANCE and way is not converted:  # it has slots of slopes, too
        return Found("state", f"another state of the optimizer {note}", outputs)
    return Found("opens", note, outputs)


def alone(specimen):
    """Keras itself."""
    return specimen.alone(), ""


def upgraded(specimen):
    """Keras, after `upgrade`."""
    with tempfile.TemporaryDirectory() as folder:
        record = specimen.upgraded(Path(folder) / "new.keras")
        rules = ",".join(sorted({each.rule for each in record.repairs}))
        return specimen.alone(Path(folder) / "new.keras"), rules


def converted(specimen):
    """Keras, after `convert`."""
    with tempfile.TemporaryDirectory() as folder:
        plan = specimen.converted(Path(folder) / "new.keras")
        return specimen.alone(Path(folder) / "new.keras"), f"{len(plan.steps)} sites"


def message(error):
    """An error, short enough for a line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:LENGTH]}"


def digest(specimen):
    """Of how a file is written, whatever its numbers and its date."""
    parts = [specimen.name, specimen.form]
    if specimen.form in ("keras", "again"):
        with zipfile.ZipFile(specimen.path) as file:
            for name in sorted(file.namelist()):
                data = file.read(name)
                if name.endswith(".h5"):
                    parts += _layout(io.BytesIO(data))
                elif name != "metadata.json":
                    parts += [name, _settled(data.decode("utf-8", "replace"))]
    elif specimen.form == "h5":
        parts += _layout(specimen.path)
    else:
        parts += [_settled(specimen.path.read_text()), *_layout(specimen.weights)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _settled(text):
    """JSON with its shared objects counted from 0, and without what passes."""
    ids = {}

    def settle(value):
        if isinstance(value, list):
            return [settle(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {
            key: ids.setdefault(each, len(ids))
            if key == "shared_object_id"
            else settle(each)
            for key, each in sorted(value.items())
            if key not in _PASSING
        }

    try:
        return json.dumps(settle(json.loads(text)))
    except ValueError:
        return text


def _layout(file):
    found = []

    def visit(name, item):
        form = (str(item.dtype), item.shape) if hasattr(item, "shape") else ()
        named = sorted(
            (key, _settled(str(each)))
            for key, each in item.attrs.items()
            if key not in _PASSING
        )
        found.append(f"{name}{form}{named}")

    with h5py.File(file) as opened:
        visit("", opened)
        opened.visititems(visit)
    return found


def specimens(folder, only, forms):
    """The files of one release."""
    for name in CASES:
        for form in forms:
            specimen = Specimen(folder, name, form)
            if specimen.exists and (not only or name in only):
                yield specimen


def arguments_of():
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path)
    parser.add_argument("--each", action="store_true")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--releases", nargs="*")
    parser.add_argument("--forms", nargs="*", default=list(FORMS), choices=FORMS)
    parser.add_argument("--convert", action="store_true")
    return parser.parse_args()


def releases(arguments):
    """The folders of the releases that are asked for, the oldest first."""
    found = [each for each in arguments.zoo.iterdir() if (each / "made.json").exists()]
    found.sort(key=lambda each: [int(part) for part in each.name.split(".")])
    wanted = arguments.releases
    return [each for each in found if not wanted or each.name in wanted]


def opened(folder, ways, arguments, known):
    """Every file of one release, and what came of it each way."""
    for specimen in specimens(folder, arguments.only, arguments.forms):
        key = digest(specimen)
        if key not in known:
            known[key] = [tried(specimen, way) for way in ways]
        if arguments.each:
            told = " | ".join(str(each) for each in known[key])
            print(folder.name, specimen.name, specimen.form, told, flush=True)
        yield specimen, known[key]


def main():
    """Open every file of every release, and print what came of it."""
    arguments = arguments_of()
    warnings.simplefilter("ignore")
    tf.config.run_functions_eagerly(True)  # as the zoo was made
    ways = (alone, upgraded, *((converted,) if arguments.convert else ()))
    known, wrong = {}, {}
    print("| Keras | files | Keras alone | of these equal | here | of these equal |")
    print("|---|---|---|---|---|---|")
    for folder in releases(arguments):
        counts = Counter()
        for specimen, results in opened(folder, ways, arguments, known):
            counts["files"] += 1
            for way, found in zip(ways, results, strict=True):
                counts[way, "opens"] += found.kind == "opens"
                counts[way, "equal"] += found.kind == "opens" and not found.difference
            if any(each.kind != "opens" for each in results):
                told = " | ".join(str(each) for each in results)
                line = (specimen.name, specimen.form, told)
                wrong.setdefault(line, []).append(folder.name)
        cells = [folder.name, counts["files"]]
        for way in ways[:2]:
            cells += [counts[way, "opens"], counts[way, "equal"]]
        print("|", " | ".join(map(str, cells)), "|", flush=True)
    print()
    for (name, form, told), written in sorted(wrong.items()):
        print(f"- {name} {form} [{' '.join(written)}]: {told}")
    print(len(known), "ways of writing")


if __name__ == "__main__":
    main()
