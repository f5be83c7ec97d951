"""CPU time of two files on one thread, run in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

#: Seconds of CPU time that one measurement takes at least, and their number.
_SHORTEST = 0.02
_ROUNDS = 15
_WARM_UP = 3


def pair(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[float, float]:
    """CPU time of one run of each, in milliseconds.

    Args:
        first: Runs the one file.
        second: Runs the other one.
    """
    both = (first, second)
    for each in both:
        for _ in range(_WARM_UP):
            each()
    counts = [max(1, int(_SHORTEST / max(_timed(each, 1), 1e-6))) for each in both]
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(_ROUNDS):
        # Neither is always the one that comes after the other.
        for index in (0, 1) if turn % 2 else (1, 0):
            times[index].append(_timed(both[index], counts[index]))
    return tuple(1000 * statistics.median(each) for each in times)  # type: ignore[return-value]


def _timed(function: Callable[[], Any], count: int) -> float:
    start = time.process_time()
    for _ in range(count):
        function()
    return (time.process_time() - start) / count
