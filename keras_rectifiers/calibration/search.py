"""Choose one slope for each site, so that a measured change stays in its budget.

Numbers only: what a change is, and how it is measured, is a function that the
caller brings.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

#: Slope by site.
Slopes = Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Choice:
    """What a search found."""

    #: Slope by site, in the order of the sites.
    slopes: dict[str, float]
    #: The change that was measured with exactly these slopes.
    change: float
    #: How often the change was measured.
    passes: int


def search(
    sites: Sequence[str],
    candidates: Sequence[float],
    change: Callable[[Slopes], float],
    *,
    minimum: float,
    max_change: float,
) -> Choice:
    """The largest slopes whose change together stays within a budget.

    First one slope for all: the largest candidate that fits. Then each site in
    turn takes the largest candidate above it that fits its share: after site k of
    n the change may have used k/n of what was left, so what one site does not
    need goes to the next. Both by bisection, which takes the change for growing
    with the slope; where it does not, the choice still fits, since what is chosen
    was measured.

    Args:
        sites: Names of the sites.
        candidates: Slopes to choose from; those below `minimum` are left out.
        change: Measures the change with some slopes, a float >= 0; NaN and
            infinity fit no budget.
        minimum: The least slope of each site; taken even where it does not fit.
        max_change: The budget.

    Returns:
        The slopes, none below the best common one; at most
        `1 + (n + 1) * ceil(log2(candidates + 1))` measurements.
    """
    levels = sorted({minimum, *(each for each in candidates if each > minimum)})
    run = _Run(change, dict.fromkeys(sites, levels[0]))
    if run.change > max_change or math.isnan(run.change):
        return run.choice()
    common = run.raise_to(levels, sites, max_change)
    spare = max_change - run.change
    start = run.change
    for number, site in enumerate(sites, start=1):
        allowed = start + spare * number / len(sites)
        run.raise_to(levels[common:], (site,), allowed)
    return run.choice()


class _Run:
    """The slopes so far and what they change."""

    def __init__(
        self, change: Callable[[Slopes], float], slopes: dict[str, float]
    ) -> None:
        self._measure = change
        self._slopes = slopes
        self._passes = 1
        self.change = change(slopes)

    def raise_to(
        self, levels: Sequence[float], sites: Sequence[str], allowed: float
    ) -> int:
        """Raise sites to the largest level that fits; gives the level's index.

        Args:
            levels: Growing slopes, of which the first is the present one.
            sites: The sites to raise together.
            allowed: The change that may be reached.
        """
        fits, fails = 0, len(levels)
        while fails - fits > 1:
            middle = (fits + fails) // 2
            tried = {**self._slopes, **dict.fromkeys(sites, levels[middle])}
            change = self._measure(tried)
            self._passes += 1
            if change <= allowed:
                fits, self._slopes, self.change = middle, tried, change
            else:
                fails = middle
        return fits

    def choice(self) -> Choice:
        """The slopes, their change and what they cost."""
        return Choice(self._slopes, self.change, self._passes)
