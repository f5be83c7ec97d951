"""Shares of a whole as text, written alike everywhere. Imports nothing."""

from __future__ import annotations

#: Percentages nearer to 0 or 100 than these are written as bounds.
_LEAST, _MOST = 0.01, 99.95
#: Digits that any two different numbers differ in.
_ALL_DIGITS = 17


def percent(share: float) -> str:
    """A measured share with one decimal, below 1 % with two digits: `"53.1%"`.

    It shows 0 % and 100 % only where they are exact.

    Args:
        share: The share, usually in 0..1.
    """
    value = 100 * share
    if 0 < value < _LEAST:
        return f"<{_LEAST}%"
    if _MOST <= value < 100:  # noqa: PLR2004 (the whole)
        return ">99.9%"
    return f"{value:.2g}%" if 0 < value < 1 else f"{value:.1f}%"


def stated(share: float) -> str:
    """A share that somebody chose, such as a threshold, as it was given: `"20%"`.

    Args:
        share: The share, in 0..1.
    """
    return f"{100 * share:.10g}%"


def apart(share: float, limit: float) -> str:
    """A measured share with as many digits as it takes to differ from a threshold.

    Args:
        share: The share, in 0..1.
        limit: The threshold, in 0..1, which `stated` writes.
    """
    found = percent(share)
    same = float(stated(limit)[:-1])
    for digits in range(3, _ALL_DIGITS + 1):
        if share == limit or found[0] in "<>" or float(found[:-1]) != same:
            break
        found = f"{100 * share:.{digits}g}%"
    return found
