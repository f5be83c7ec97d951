"""Who brings dying networks back, at the same number of training steps?

Families of networks that really die, arms that try to rescue them, and seeds. Each
(family, arm, seed) is written to the results file as soon as it is done; a second
call with the same file goes on where the first ended. The table is printed at the
end. The backend is JAX, where KERAS_BACKEND names no other: on small networks it is
several times as fast as TensorFlow.

    python benchmarks/rescue.py --seeds 20 --out results.json
    python benchmarks/rescue.py --quick
"""

import argparse
import collections
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

#: A rescued network is at most this far below the mean of the healthy twins.
MARGIN = 0.01
#: A family counts as dying where this is the most that going on may rescue.
FAMILY_HEALTH = "_dying"


def main():
    """Run what is missing, and print the table."""
    options = _options()
    results = _read(options.out)
    started = time.perf_counter()
    for name in options.families:
        _run_family(name, options, results)
    _print(results, options)
    print(f"\nThis call took {time.perf_counter() - started:.0f} s.")


def _options():
    from rescue_families import arms
    from rescue_families import families

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--seeds", type=int, help="seeds 0..N-1; 20, and for --table all that there are"
    )
    parser.add_argument("--first", type=int, default=0, help="the first seed, 0")
    parser.add_argument("--families", default=",".join(families.ALL))
    parser.add_argument("--arms", default=",".join(arms.ALL))
    parser.add_argument("--out", type=Path, help="JSON file; gone on with if there")
    parser.add_argument("--quick", action="store_true", help="two seeds, fast families")
    parser.add_argument(
        "--table",
        action="store_true",
        help="print, and run nothing; the mark is that of the twins of all seeds",
    )
    options = parser.parse_args()
    if options.seeds is None:
        options.seeds = sys.maxsize if options.table else 20
    options.families = options.families.split(",")
    options.arms = options.arms.split(",")
    for wanted, known in (
        (options.families, families.ALL),
        (options.arms, arms.ALL),
    ):
        unknown = sorted(set(wanted) - set(known))
        if unknown:
            parser.error(f"not known: {', '.join(unknown)}. Choose of {list(known)}.")
    if options.quick:
        options.seeds = 2
        options.families = ["narrow", "digits-rate"]
    return options


def _read(path):
    if path is None or not path.exists():
        return {}
    return json.loads(path.read_text(encoding="utf-8"))


def _write(path, results):
    if path is None:
        return
    aside = path.with_name(path.name + ".part")
    aside.write_text(json.dumps(results, indent=1, sort_keys=True), encoding="utf-8")
    aside.replace(path)


def _run_family(name, options, results):
    from rescue_families import arms
    from rescue_families import families
    from rescue_families.case import dead_share
    from rescue_families.case import score

    family = families.ALL[name]()
    if options.table:
        return
    if family.missing():
        print(f"{name} is left out: {family.missing()}.")
        return
    for seed in range(options.first, options.seeds):
        open_arms = [
            arm for arm in options.arms if f"{name}/{arm}/{seed}" not in results
        ]
        if not open_arms:
            continue
        case = family.case(seed)
        results[f"{name}/{FAMILY_HEALTH}/{seed}"] = {
            "score": score(case.model, case.data),
            "dead": dead_share(case.dying(), case.data.x),
        }
        for arm in open_arms:
            start = time.perf_counter()
            reached = arms.ALL[arm](case, seed)
            seconds = time.perf_counter() - start
            results[f"{name}/{arm}/{seed}"] = {
                "score": reached,
                "seconds": round(seconds, 2),
            }
            print(f"{name:12s} {arm:18s} {seed:3d} {reached:8.4f} {seconds:6.1f} s")
            _write(options.out, results)


def _print(results, options):
    from rescue_families import families

    grouped = collections.defaultdict(dict)
    for key, cell in results.items():
        family, arm, seed = key.split("/")
        grouped[family, arm][int(seed)] = cell
    shown = [
        families.ALL[name]
        for name in options.families
        if grouped.get((name, FAMILY_HEALTH)) and grouped.get((name, "twin"))
    ]
    least = {family.name: _least(family, grouped) for family in shown}
    if options.table:
        grouped = {
            place: {
                seed: cell
                for seed, cell in cells.items()
                if options.first <= seed < options.seeds
            }
            for place, cells in grouped.items()
        }
    _print_summary(shown, grouped, options.arms, least)
    for family in shown:
        print(f"\n### {family.name}: {family.dies}\n")
        _print_family(family, grouped, options.arms, least[family.name])


def _print_summary(shown, grouped, arms, least):
    """How many networks each arm rescued in each family, and in all of them."""
    from rescue_families.rates import clopper_pearson

    names = [family.name for family in shown]
    print("\n| arm | " + " | ".join(names) + " | all | 95 % interval |")
    print("|---" * (len(names) + 3) + "|")
    for arm in arms:
        counts = [
            (
                sum(cell["score"] >= least[family.name] for cell in cells),
                len(cells),
            )
            for family in shown
            for cells in [list(grouped.get((family.name, arm), {}).values())]
        ]
        hits, trials = (sum(each) for each in zip(*counts, strict=True))
        if trials:
            low, high = clopper_pearson(hits, trials)
            each = " | ".join(f"{hit} of {count}" for hit, count in counts)
            share = f"{hits} of {trials} | {low:.1%} to {high:.1%} |"
            print(f"| {arm} | {each} | {share}")


def _least(family, grouped):
    """The score of a rescued network: that of the twins' mean, less the margin."""
    if family.greatest_mse is not None:
        return -family.greatest_mse
    twins = [cell["score"] for cell in grouped[family.name, "twin"].values()]
    margin = MARGIN if family.mse_margin is None else family.mse_margin
    return sum(twins) / len(twins) - margin


def _is_regression(family):
    return family.greatest_mse is not None or family.mse_margin is not None


def _print_family(family, grouped, arms, least):
    from rescue_families.rates import clopper_pearson
    from rescue_families.rates import mean_interval

    dying = grouped[family.name, FAMILY_HEALTH]
    unit = "MSE" if _is_regression(family) else "accuracy"
    before, _ = mean_interval([cell["score"] for cell in dying.values()])
    dead, _ = mean_interval([cell["dead"] for cell in dying.values()])
    print(
        f"{len(dying)} dying networks: {unit} {_figure(family, before)}, {dead:.0%} of "
        f"the units dead. Rescued: {unit} of {_figure(family, least)} or better.\n"
    )
    print(f"| arm | seeds | rescued | 95 % interval | {unit} | seconds |")
    print("|---|---|---|---|---|---|")
    for arm in arms:
        cells = grouped.get((family.name, arm))
        if not cells:
            continue
        scores = [cell["score"] for cell in cells.values()]
        hits = sum(each >= least for each in scores)
        low, high = clopper_pearson(hits, len(scores))
        mean, half = mean_interval(scores)
        seconds, _ = mean_interval([cell["seconds"] for cell in cells.values()])
        print(
            f"| {arm} | {len(scores)} | {hits / len(scores):.0%} | {low:.0%} to "
            f"{high:.0%} | {_figure(family, mean)} ± {_figure(family, half)} "
            f"| {seconds:.1f} |"
        )


def _figure(family, value):
    return f"{abs(value):.3f}" if _is_regression(family) else f"{value:.1%}"


if __name__ == "__main__":
    main()
