"""Does `ReviveDeadUnits` keep networks alive while they are killed, and at what cost?

The killing runs of `rescue.py` once more, with the callback on: how many networks are
alive at their end. And the CPU time of the callback over the training of a healthy
network of each family. Results are written as they come, and a second call with the
same file goes on.

    python benchmarks/live.py --seeds 20 --out live.json
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")


def main():
    """Run what is missing, and print the table."""
    from rescue_families import families

    options = _options(families.ALL)
    results = json.loads(options.out.read_text()) if options.out.is_file() else {}
    for name in options.families:
        family = families.ALL[name]()
        if family.missing():
            print(f"{name}: left out, {family.missing()}")
            continue
        _run(family, options, results)
    _print(options, results)


def _options(known):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="seeds 0..N-1")
    parser.add_argument("--families", nargs="*", default=list(known), choices=known)
    parser.add_argument("--out", type=Path, required=True, help="JSON; gone on with")
    return parser.parse_args()


def _run(family, options, results):
    from rescue_families import live

    for seed in range(options.seeds):
        key = f"{family.name}/{seed}"
        if key not in results:
            results[key] = live.run(family, seed)
            options.out.write_text(json.dumps(results, indent=1, sort_keys=True))
    key = f"{family.name}/_cost"
    if key not in results:
        results[key] = live.cost(family)
        options.out.write_text(json.dumps(results, indent=1, sort_keys=True))


def _print(options, results):
    print(f"{'family':14} {'alive':>8} {'dead':>6} {'cost':>7}")
    alive = count = 0
    for name in options.families:
        runs = [results.get(f"{name}/{seed}") for seed in range(options.seeds)]
        runs = [each for each in runs if each is not None]
        if not runs:
            continue
        well = sum(each["alive"] for each in runs)
        dead = sum(each["dead"] for each in runs) / len(runs)
        cost = results.get(f"{name}/_cost")
        alive, count = alive + well, count + len(runs)
        said = "-" if cost is None else f"{cost:+.1%}"
        print(f"{name:14} {well:>3} / {len(runs):<3} {dead:>6.1%} {said:>7}")
    print(f"{'all':14} {alive:>3} / {count:<3} {alive / max(count, 1):>6.1%}")


if __name__ == "__main__":
    main()
