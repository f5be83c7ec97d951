"""Arrays on the disk, of which only those rows are in memory that are asked for."""

from __future__ import annotations

import mmap
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

#: Bytes that are read at once where all rows pass by.
_BLOCK = 1 << 24
#: Rows at any places that are read at once: the system maps up to 2 MiB for each.
_PIECE = 16
#: Bytes of a row up to which a whole array is small: labels, and weights of samples.
_SMALL_ROW = 64


class Rows:
    """Rows of a memory map, in some order; a row is read when it is asked for.

    What was read is copied, and its pages are given back to the system: it is neither
    held in memory nor counted as such.

    Args:
        array: An array whose data are those of a `numpy.memmap`.
        index: Numbers of the rows, in their order; None for all.
        scale: Factor for what is read, which makes it float32; 1 for none.
        channel: Whether to add an axis of length 1 behind the others.
    """

    def __init__(
        self,
        array: np.ndarray,
        index: np.ndarray | None = None,
        *,
        scale: float = 1.0,
        channel: bool = False,
    ) -> None:
        self._array = array
        self._index = index
        self._scale = scale
        self._channel = channel

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""
        rows = len(self._array) if self._index is None else len(self._index)
        return (rows, *self._array.shape[1:], *([1] if self._channel else []))

    @property
    def ndim(self) -> int:
        """As of an array."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """As of an array."""
        return self._array.dtype if self._scale == 1 else np.dtype("float32")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """Some rows, in memory; `[..., None]` adds an axis and reads nothing."""
        if isinstance(key, tuple) and key == (..., None):
            return Rows(self._array, self._index, scale=self._scale, channel=True)
        if isinstance(key, types.EllipsisType | tuple):
            raise TypeError(f"rows must be given by number or slice. Received: {key}.")
        wanted = key if self._index is None else self._index[key]
        found = _read(self._array, wanted)
        if self._scale != 1:
            found = found.astype("float32") * np.float32(self._scale)
        return found[..., None] if self._channel else found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All rows, in memory."""
        del copy
        return np.asarray(self[:], dtype)

    def subset(self, index: np.ndarray) -> Rows:
        """Some rows, not read.

        Args:
            index: Their numbers among these.
        """
        wanted = index if self._index is None else self._index[index]
        return Rows(self._array, wanted, scale=self._scale, channel=self._channel)

    def scaled(self, scale: float) -> Rows:
        """The same rows times a number, not read.

        Args:
            scale: The number.
        """
        product = self._scale * scale
        return Rows(self._array, self._index, scale=product, channel=self._channel)

    def blocks(self) -> Iterator[np.ndarray]:
        """All rows, some at a time."""
        rows = max(1, _BLOCK // max(self.row_bytes, 1))
        for start in range(0, len(self), rows):
            yield self[start : start + rows]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row in memory."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize


def is_mapped(array: Any) -> bool:
    """Whether an array is a memory map, or a view of one."""
    return isinstance(array, np.ndarray) and _map_of(array) is not None


def rows_of(array: Any) -> Any:
    """The rows of a memory map; one of small rows is read, all else stays.

    Args:
        array: Anything.
    """
    if not is_mapped(array) or not array.ndim:
        return array
    rows = Rows(array)
    return rows[:] if rows.row_bytes <= _SMALL_ROW else rows


def blocks(array: Any) -> Iterator[Any]:
    """An array in pieces that fit into memory; one in memory is one piece.

    Args:
        array: An array, or `Rows`.
    """
    if isinstance(array, Rows):
        yield from array.blocks()
    else:
        yield array


def _read(array: np.ndarray, wanted: Any) -> np.ndarray:
    """A copy of some rows; of rows here and there few are mapped at a time."""
    if not isinstance(wanted, np.ndarray) or wanted.dtype == bool:
        found = np.array(array[wanted])
        _release(array)
        return found
    found = np.empty((len(wanted), *array.shape[1:]), array.dtype)
    for start in range(0, len(wanted), _PIECE):
        piece = slice(start, start + _PIECE)
        found[piece] = array[wanted[piece]]
        _release(array)
    return found


def _map_of(array: Any) -> np.memmap | None:
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array


def _release(array: np.ndarray) -> None:
    """Give the pages of a map back; what is in the file, or was changed, stays."""
    mapped = _map_of(array)
    pages: Any = getattr(mapped, "_mmap", None)
    # With "c", what the user changed is in these pages alone.
    if isinstance(pages, mmap.mmap) and getattr(mapped, "mode", "c") != "c":
        advice = getattr(mmap, "MADV_DONTNEED", None)
        if advice is not None:
            pages.madvise(advice)
