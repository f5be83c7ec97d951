"""Checks shapes of stored arrays against a layer's config."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph.variables.shapes import fits
from keras_rectifiers.graph.variables.shapes import shape_text
from keras_rectifiers.graph.variables.variable import Variable

if TYPE_CHECKING:
    from keras_rectifiers.legacy.containers.saved import Array
    from keras_rectifiers.legacy.weights.owners import Owner

_MOST = 8


def check_shapes(
    owner: Owner, expected: Sequence[Variable], arrays: Sequence[Array]
) -> None:
    """Check arrays against the variables of a layer.

    Args:
        owner: The layer.
        expected: Its variables.
        arrays: As many arrays, in the same order.

    Raises:
        ArchiveError: They differ; names the layer.
    """
    lengths: dict[str, int] = {}
    if len(expected) == len(arrays) and all(
        fits(variable.shape, array.shape, lengths)
        for variable, array in zip(expected, arrays, strict=True)
    ):
        return
    raise ArchiveError(
        "A layer must have the weights that its class has. Received: "
        f"{listed(arrays)} for {owner.place.path!r} ({owner.class_name}), where "
        f"{described(expected)} are expected. The weights belong to another model, or "
        "the file is damaged."
    )


def described(variables: Iterable[Variable]) -> str:
    """Variables for people: `kernel (3, 3, in, 8), bias (8)`."""
    return _some([f"{each.name}{_shape(each.shape)}" for each in variables])


def listed(arrays: Sequence[Array]) -> str:
    """Arrays for people: `2 arrays (kernel:0 (3, 8), bias:0 (8))`."""
    texts = _some([f"{each.name!r} {_shape(each.shape).strip()}" for each in arrays])
    count = "1 array" if len(arrays) == 1 else f"{len(arrays)} arrays"
    return f"{count} ({texts})" if arrays else "no arrays"


def _shape(shape: Sequence[int | str | None] | None) -> str:
    return "" if shape is None else f" {shape_text(shape)}"


def _some(texts: list[str]) -> str:
    few = ", ".join(itertools.islice(texts, _MOST))
    more = len(texts) - _MOST
    return f"{few} and {more} more" if more > 0 else few or "none"
