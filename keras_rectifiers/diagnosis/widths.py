"""One rectifier at several widths: each width has its own figures and its own name.

A ReLU has no weights, so one layer may stand behind layers of different widths. Unit
3 of one of them is not unit 3 of another, and their figures do not add up. Calls of
one width do: they are positions of the same units.

Plain Python; Keras is never imported here.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import TypeVar

Found = TypeVar("Found")


def at_width(path: str, units: int) -> str:
    """The name of a rectifier at one of its widths, such as `relu (64 units)`.

    Args:
        path: Path of the rectifier.
        units: Number of units.
    """
    return f"{path} ({units} unit{'' if units == 1 else 's'})"


def is_of(name: str, path: str, units: int) -> bool:
    """Whether a name is that of a rectifier, at this width or at its only one.

    Args:
        name: As `named` gives it.
        path: Path of the rectifier.
        units: Number of units of what has the name.
    """
    if not name.startswith(path):
        return False
    return name in (path, at_width(path, units))


def named(found: Mapping[tuple[str, int], Found]) -> dict[str, Found]:
    """What was found, by path; with its width where a path has several.

    Args:
        found: By path and number of units.
    """
    widths = collections.Counter(path for path, _ in found)
    return {
        path if widths[path] == 1 else at_width(path, units): each
        for (path, units), each in found.items()
    }
