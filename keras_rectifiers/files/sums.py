"""Check sums of a file that changes: one for each block, put together at the end.

A CRC-32 is linear, so that of a whole follows from those of its parts: only blocks
that were changed are read again.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterator
from typing import BinaryIO

#: Bytes of a block; a power of two by which those that are read at once can be divided.
BLOCK = 1 << 18
_BITS = 32


class BlockSums:
    """The check sums of the blocks of one part of a file.

    Blocks whose sum is not known are read when the whole sum is asked for.
    """

    def __init__(self) -> None:
        self._sums: list[int | None] = []

    def add(self, data: memoryview) -> None:
        """Note the next blocks.

        Args:
            data: Their bytes, of which only those of the last block may be fewer.
        """
        for start in range(0, len(data), BLOCK):
            self._sums.append(zlib.crc32(data[start : start + BLOCK]))

    def forget(self, start: int, end: int) -> None:
        """Note that bytes were changed.

        Args:
            start: The first of them, from the beginning of the part.
            end: The one after the last.
        """
        for number in range(start // BLOCK, min(-(-end // BLOCK), len(self._sums))):
            self._sums[number] = None

    def total(self, file: BinaryIO, start: int, size: int) -> int:
        """The check sum of the whole part.

        Args:
            file: The file.
            start: Where the part begins in it.
            size: Its length.
        """
        crc, buffer = 0, bytearray(BLOCK)
        for number, length in enumerate(_lengths(size)):
            known = self._sums[number] if number < len(self._sums) else None
            if known is None:
                view = memoryview(buffer)[:length]
                file.seek(start + number * BLOCK)
                count = file.readinto(view)  # type: ignore[attr-defined]
                known = zlib.crc32(view[:count])
            crc = joined(crc, known, length)
        return crc


def joined(first: int, second: int, length: int) -> int:
    """The check sum of two parts that follow each other.

    Args:
        first: That of the first part.
        second: That of the second part.
        length: Number of bytes of the second part.
    """
    for bit in range(length.bit_length()):
        if length >> bit & 1:
            first = _applied(_zeros(bit), first)
    return first ^ second


def _lengths(size: int) -> Iterator[int]:
    for start in range(0, size, BLOCK):
        yield min(BLOCK, size - start)


@functools.cache
def _zeros(power: int) -> tuple[int, ...]:
    """What 2**power bytes of 0 make of each bit of a check sum before them."""
    if power == 0:
        nothing = zlib.crc32(b"\0")
        return tuple(zlib.crc32(b"\0", 1 << bit) ^ nothing for bit in range(_BITS))
    half = _zeros(power - 1)
    return tuple(_applied(half, column) for column in half)


def _applied(columns: tuple[int, ...], value: int) -> int:
    result = 0
    for column in columns:
        if value & 1:
            result ^= column
        value >>= 1
    return result
