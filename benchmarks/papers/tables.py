"""The tables of the replications: the paper's figure beside ours."""

import statistics

from rescue_families.rates import clopper_pearson
from rescue_families.rates import mean_interval

from papers import narrow
from papers import published
from papers.ranks import spearman


def collapse(cells):
    """Print one table for each function that has cells, keyed (function, arm)."""
    print("\n## Lu et al. 2019: networks that learn a constant")
    for function in narrow.FUNCTIONS:
        rows = {arm: cells.get((function, arm)) for arm in narrow.ARMS}
        if any(rows.values()):
            print(f"\n### {function}\n")
            print(
                "| start | networks | dead at birth | dead after training | constant "
                "| constant, or in part | learned | the paper: collapsed |"
            )
            print("|---|---|---|---|---|---|---|---|")
        for arm, cell in rows.items():
            if cell:
                paper = published.COLLAPSED.get((function, arm), "not given")
                print(f"| {arm} | {_collapse_row(cell)} | {paper} |")


def _collapse_row(cell):
    networks = cell["networks"]
    collapsed = cell["constant"] + cell["part"]
    counts = (
        cell[name] if name else collapsed
        for name in ("born", "dead", "constant", "", "learned")
    )
    return f"{networks} | " + " | ".join(_share(count, networks) for count in counts)


def _share(hits, trials):
    low, high = clopper_pearson(hits, trials)
    return f"{hits / trials:.1%} ({low:.0%} to {high:.0%})"


def slopes(cells):
    """Print the slopes of PReLU by depth; cells are keyed by seed."""
    by_seed = [cell["slopes"] for cell in cells.values()]
    print("\n## He et al. 2015: learned slopes by depth\n")
    print(
        "| convolution | mean slope, 95 % interval | least and greatest seed "
        "| the paper, channel-wise |\n|---|---|---|---|"
    )
    count = len(by_seed[0])
    paper = {1: published.FIRST_SLOPE, count: f"{published.LAST_SLOPE} (layer 13)"}
    for depth, values in enumerate(zip(*by_seed, strict=True), 1):
        mean, half = mean_interval(values)
        print(
            f"| {depth} | {mean:.3f} ± {half:.3f} | {min(values):.3f} to "
            f"{max(values):.3f} | {paper.get(depth, '')} |"
        )
    mean, half = mean_interval([spearman(range(count), each) for each in by_seed])
    first = sum(max(each) == each[0] for each in by_seed)
    low, high = clopper_pearson(first, len(by_seed))
    print(
        f"\nSpearman's correlation of slope with depth: {mean:.2f} ± {half:.2f} over "
        f"{len(by_seed)} seeds. The first layer has the greatest slope in {first} of "
        f"{len(by_seed)} ({low:.0%} to {high:.0%})."
    )


def order(cells):
    """Print test errors beside the paper's; cells are keyed rectifier, then seed."""
    print("\n## Xu et al. 2015: test error on CIFAR-10\n")
    print(
        "| rectifier | seeds | test error, 95 % interval | less ReLU's, by seed "
        "| training error | the paper: test error | less ReLU's |"
    )
    print("|---|---|---|---|---|---|---|")
    errors = {}
    for rectifier, paper in published.TEST_ERRORS.items():
        own = cells.get(rectifier)
        if own:
            errors[rectifier] = _errors(own, "test")
            base = _errors(cells.get("ReLU", {}), "test")
            print(f"| {rectifier} | {_order_row(own, base)} | {_paper(paper)} |")
    if len(errors) > 1:
        ours = {name: statistics.fmean(each.values()) for name, each in errors.items()}
        paper = [published.TEST_ERRORS[name] for name in ours]
        print(f"\nOur order, best first: {', '.join(sorted(ours, key=ours.get))}.")
        rho = spearman(paper, list(ours.values()))
        print(f"Spearman's correlation with the paper's errors: {rho:.2f}.")


def _errors(cells, part):
    return {seed: 100 * (1 - cell[part]) for seed, cell in cells.items()}


def _order_row(own, base):
    test = _errors(own, "test")
    mean, half = mean_interval(test.values())
    training, _ = mean_interval(_errors(own, "train").values())
    gaps = [test[seed] - base[seed] for seed in test if seed in base]
    gap = "{:+.2f} ± {:.2f}".format(*mean_interval(gaps)) if any(gaps) else ""
    return f"{len(test)} | {mean:.2f} ± {half:.2f} % | {gap} | {training:.2f} %"


def _paper(error):
    gap = error - published.TEST_ERRORS["ReLU"]
    return f"{error:.2f} % | {f'{gap:+.2f}' if gap else ''}"
