"""Which operations of a file compute which rectifier: by the values of the slopes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rectifiers.exporting.inspectors.found import Rectifying
from keras_rectifiers.exporting.result import ExportedRectifier

#: Share by which slopes may differ by being stored in float32.
_ROUNDING = 1e-5


def paired(
    rectifiers: Sequence[tuple[str, str, Any]], found: Sequence[Rectifying]
) -> tuple[ExportedRectifier, ...]:
    """What each rectifier became.

    Where several have the same slopes they are taken in running order; a rectifier
    that is called at several places has what is left over.

    Args:
        rectifiers: Path, kind and slopes of each, in the model's order.
        found: What an inspection found.

    Returns:
        One entry for each rectifier.
    """
    free = list(found)
    made = []
    for path, kind, slopes in rectifiers:
        match = next((each for each in free if _same(slopes, each)), None)
        if match is None:  # one set of operations may serve two rectifiers
            match = next((each for each in found if _same(slopes, each)), None)
        else:
            free.remove(match)
        if match is None:
            made.append(ExportedRectifier(path, kind, ()))
        else:
            made.append(
                ExportedRectifier(
                    path, kind, match.operations, match.slopes.shape, match.native
                )
            )
    return tuple(made)


def _same(slopes: Any, found: Rectifying) -> bool:
    """Whether slopes are those of a file, in whatever order its axes are."""
    own = np.sort(np.asarray(slopes, "float64"), axis=None)
    other = np.sort(found.slopes, axis=None)
    if own.size != other.size:
        if own.size > 1 and own[0] != own[-1]:
            return False
        if other.size > 1 and other[0] != other[-1]:
            return False
        own, other = own[:1], other[:1]
    limit = found.rounding + _ROUNDING * np.abs(own).max(initial=0.0)
    return bool(np.abs(own - other).max(initial=0.0) <= limit)
