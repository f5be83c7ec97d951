"""Shapes of variables, in which an axis may be a name or unknown."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence


def fits(
    expected: tuple[int | str | None, ...] | None,
    shape: tuple[int, ...],
    lengths: dict[str, int] | None = None,
) -> bool:
    """Whether a shape is what is expected.

    Args:
        expected: As in `Variable.shape`.
        shape: The shape of an array.
        lengths: Axes known by name, from other arrays of the layer; updated.
    """
    if expected is None:
        return True
    if len(expected) != len(shape):
        return False
    known = {} if lengths is None else lengths
    for axis, length in zip(expected, shape, strict=True):
        if isinstance(axis, str):
            if known.setdefault(axis, length) != length:
                return False
        elif axis is not None and axis != length:
            return False
    return True


def shape_text(
    shape: Sequence[int | str | None] | None, lengths: Mapping[str, int] | None = None
) -> str:
    """A shape for people: `(3, 3, in, 8)`.

    Args:
        shape: As in `Variable.shape`.
        lengths: Axes known by name.
    """
    known = lengths or {}
    axes = [known.get(str(axis), axis) for axis in shape or ()]
    return f"({', '.join('?' if axis is None else str(axis) for axis in axes)})"
