"""Slots of a layer whose weights Keras 3 keeps in another arrangement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from keras_rectifiers.graph.wellformed import MALFORMED
from keras_rectifiers.legacy.weights.conversions import CONVERSIONS

if TYPE_CHECKING:
    from keras_rectifiers.legacy.weights.expected import Owner

_Array = np.ndarray[Any, Any]


def rearranged(owner: Owner, values: Sequence[_Array]) -> list[_Array] | None:
    """Slots as Keras 3 wants them, None where a weight is no copy of an old one.

    A conversion that only moves numbers moves those of a slot in the same way; one
    that calculates, such as a sum of two biases, has no slot to show for it.

    Args:
        owner: A layer with a conversion.
        values: One slot of each of its old weights; zeros for one that has none.
    """
    conversion = CONVERSIONS[owner.conversion]
    labels, first = [], 0
    for each in values:
        labels.append(np.arange(first, first + each.size, dtype="float64"))
        first += each.size
    shaped = [
        each.reshape(value.shape) for each, value in zip(labels, values, strict=True)
    ]
    try:
        moved = conversion.apply(shaped, owner.place.config)
        if not _is_permutation(moved, first):
            return None
        return conversion.apply(values, owner.place.config)
    except MALFORMED:
        return None


def _is_permutation(moved: Sequence[_Array], count: int) -> bool:
    found = np.sort(np.concatenate([np.ravel(each) for each in moved]))
    return found.size == count and bool(np.array_equal(found, np.arange(count)))
