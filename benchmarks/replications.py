"""Small replications of the papers behind the family, their figures beside ours.

Lu et al. 2019: how often deep, narrow networks learn a constant. He et al. 2015: how
the slopes of PReLU fall with depth. Xu et al. 2015: which member of the family has the
least test error. Each finished cell is written to the results file at once; a second
call with the same file goes on where the first ended, and the tables come at the end.
The backend is JAX, where KERAS_BACKEND names no other.

    python benchmarks/replications.py --out replications.json
    python benchmarks/replications.py --quick
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")


def main():
    """Run what is missing, and print the tables."""
    options = _options()
    cells = _read(options)
    started = time.perf_counter()
    for key, run in _work(options):
        if key in cells or options.table:
            continue
        start = time.process_time()
        cells[key] = run()
        cells[key]["cpu_seconds"] = round(time.process_time() - start, 1)
        print(f"{key}: {cells[key]}", flush=True)
        _write(options, cells)
    _print(cells)
    spent = sum(cell["cpu_seconds"] for cell in cells.values())
    passed = time.perf_counter() - started
    print(f"\nAll cells took {spent:.0f} s of CPU, this call {passed:.0f} s.")


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=300, help="of each start")
    parser.add_argument("--passes", type=int, default=60, help="epochs of a network")
    parser.add_argument("--seeds", type=int, default=7, help="of each convnet")
    parser.add_argument("--epochs", type=int, default=20, help="of each convnet")
    parser.add_argument("--out", type=Path, help="JSON file; gone on with if there")
    parser.add_argument("--quick", action="store_true", help="a minute or so, a look")
    parser.add_argument("--table", action="store_true", help="print, and run nothing")
    options = parser.parse_args()
    if options.quick:
        options.networks, options.passes = 100, 10
        options.seeds, options.epochs = 1, 1
    return options


def _work(options):
    """What there is to do: pairs of a key of the results and a function to call."""
    from papers import images
    from papers import narrow

    for function in list(narrow.FUNCTIONS)[: 1 if options.quick else None]:
        for arm in narrow.ARMS:
            yield (
                f"collapse/{function}/{arm}",
                lambda function=function, arm=arm: narrow.train(
                    function, arm, options.networks, options.passes
                ),
            )
    if images.missing():
        print(f"The convnets are left out: {images.missing()}.")
        return
    for seed in range(options.seeds):
        for rectifier in images.RECTIFIERS:
            yield (
                f"images/{rectifier}/{seed}",
                lambda rectifier=rectifier, seed=seed: images.train(
                    rectifier, options.epochs, seed
                ),
            )


def _settings(options):
    """What cells of one file have in common; there may be more seeds later."""
    return {name: getattr(options, name) for name in ("networks", "passes", "epochs")}


def _read(options):
    if options.out is None or not options.out.exists():
        return {}
    held = json.loads(options.out.read_text(encoding="utf-8"))
    if held["settings"] != _settings(options) and not options.table:
        raise SystemExit(
            f"A results file must have one set of settings. Received: {options.out} of "
            f"{held['settings']}, and {_settings(options)}. Name another file."
        )
    return held["cells"]


def _write(options, cells):
    if options.out is None:
        return
    held = {"settings": _settings(options), "cells": cells}
    aside = options.out.with_name(options.out.name + ".part")
    aside.write_text(json.dumps(held, indent=1, sort_keys=True), encoding="utf-8")
    aside.replace(options.out)


def _print(cells):
    from papers import tables

    narrow, convnets = {}, {}
    for key, cell in cells.items():
        kind, rest = key.split("/", 1)
        first, second = rest.rsplit("/", 1)
        if kind == "collapse":
            narrow[first, second] = cell
        else:
            convnets.setdefault(first, {})[second] = cell
    if narrow:
        tables.collapse(narrow)
    if "PReLU" in convnets:
        tables.slopes(convnets["PReLU"])
    if convnets:
        tables.order(convnets)


if __name__ == "__main__":
    main()
