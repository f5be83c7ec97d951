"""Is every model converted, bit for bit, or refused with a sentence?

    python -m benchmarks.sweep --family hub|subclassed|applications --out FILE.json

Each model is built small with random weights, converted live to PReLU (slopes 0) and
to Leaky ReLU (slope 0), verified bit for bit, saved as `.keras`, opened again and
compared again. Each outcome is written as soon as it is known; a second call with the
same file does only what is missing or failed. The family `hub` needs KerasHub.
"""

import argparse
import collections
import dataclasses
import gc
import importlib
import importlib.util
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

FAMILIES = ("hub", "subclassed", "applications")


def main():
    """Run what is missing, and print the table."""
    options = _options()
    if options.family == "hub" and importlib.util.find_spec("keras_hub") is None:
        sys.exit("The family hub needs KerasHub: pip install keras-hub")
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    _run(options, results.setdefault(options.family, {}), results)
    _print(results)
    failed = [each for family in results.values() for each in family.values()]
    sys.exit(any(each["outcome"] == "failed" for each in failed))


def _options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--family", choices=FAMILIES, required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of results")
    parser.add_argument("--only", nargs="*", default=(), help="names of models")
    parser.add_argument(
        "--eager", action="store_true", help="TensorFlow without graphs"
    )
    return parser.parse_args()


def _run(options, done, results):
    import keras

    from benchmarks.sweep_models import check

    if options.eager and keras.config.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.run_functions_eagerly(True)
    family = importlib.import_module(f"benchmarks.sweep_models.{options.family}")
    for name, case in family.cases().items():
        asked = name in options.only
        known = done.get(name, {}).get("outcome", check.FAILED) != check.FAILED
        if (options.only and not asked) or (known and not asked):
            continue
        keras.utils.set_random_seed(3)
        started = time.perf_counter()
        found = check.outcome(case, family.custom_objects())
        done[name] = dataclasses.asdict(found)
        _write(options.out, results)
        seconds = time.perf_counter() - started
        print(f"{name}: {found.outcome} {found.replaced} {found.left} {seconds:.1f} s")
        if found.said:
            print(f"    {found.said}", flush=True)
        keras.backend.clear_session()
        gc.collect()


def _write(path, results):
    """The whole file or the old one."""
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(results, indent=1))
    temporary.replace(path)


def _print(results):
    print("\n| family | tried | equal | refused | none to replace | failed |")
    print("|---|---|---|---|---|---|")
    for family, done in results.items():
        counts = collections.Counter(each["outcome"] for each in done.values())
        kinds = ("equal", "refused", "none to replace", "failed")
        cells = [len(done), *(counts[kind] for kind in kinds)]
        print(f"| {family} | {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main()
