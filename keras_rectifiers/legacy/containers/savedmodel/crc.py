"""CRC-32C, the checksum of a checkpoint's blocks and arrays, at numpy's speed.

A CRC is linear: the remainders of parts of equal length are computed side by side
and then joined, each shifted by what follows it.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from keras_rectifiers.legacy.containers.savedmodel.wire import Bytes

Words = np.ndarray[Any, np.dtype[np.uint32]]

_POLYNOMIAL = 0x82F63B78
_ONES = 0xFFFFFFFF
_ONE = np.uint32(1)
#: What LevelDB adds to a checksum that is stored with its data.
_MASK_DELTA = 0xA282EAD8

_WORD = 4
#: Parts that are read side by side, and words of each, in one pass.
_LANES = 1024
_DEPTH = 256


def masked_crc32c(data: Bytes, before: int = 0) -> int:
    """The checksum of bytes in the form in which files store it.

    Args:
        data: The bytes.
        before: Unmasked checksum of what comes before them.
    """
    return mask(crc32c(data, before))


def mask(crc: int) -> int:
    """The stored form of a checksum."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & _ONES


def crc32c(data: Bytes, before: int = 0) -> int:
    """The checksum of bytes.

    Args:
        data: The bytes.
        before: Checksum of what comes before them.
    """
    state = before ^ _ONES
    view = memoryview(data).cast("B")
    block = _LANES * _DEPTH * _WORD
    for at in range(0, len(view), block):
        part = view[at : at + block]
        state = _shifted(state, len(part)) ^ _remainder(part)
    return state ^ _ONES


def _remainder(part: memoryview) -> int:
    """Remainder of a part that nothing comes before."""
    # Zeros in front change nothing, so that the part can be made a whole rectangle.
    lanes = _LANES if len(part) > _LANES * _WORD else 1
    depth = -(-len(part) // (lanes * _WORD))
    padded = np.zeros(lanes * depth * _WORD, np.uint8)
    if len(part):
        padded[len(padded) - len(part) :] = np.frombuffer(part, np.uint8)
    columns = np.ascontiguousarray(padded.view("<u4").reshape(lanes, depth).T)
    low, high = _tables()
    state = np.zeros(lanes, np.uint32)
    for column in columns:
        state ^= column
        state = low[state & 0xFFFF] ^ high[state >> 16]
    length = depth * _WORD
    while len(state) > 1:
        state = _apply(_shift(length), state[0::2]) ^ state[1::2]
        length *= 2
    return int(state[0])


@functools.cache
def _tables() -> tuple[Words, Words]:
    """What the low and the high half of a word become once four bytes went by."""
    state = np.arange(1 << 8, dtype=np.uint32)
    for _ in range(8):
        state = (state >> _ONE) ^ (state & _ONE) * np.uint32(_POLYNOMIAL)
    of_byte = state.astype(np.uint32)

    def four_bytes(words: Words) -> Words:
        for _ in range(_WORD):
            words = of_byte[words & 0xFF] ^ (words >> np.uint32(8))
        return words

    half = np.arange(1 << 16, dtype=np.uint32)
    return four_bytes(half), four_bytes(half << np.uint32(16))


@functools.lru_cache(maxsize=256)
def _shift(length: int) -> Words:
    """What each bit of a remainder becomes when this many zero bytes follow."""
    images = (np.uint32(1) << np.arange(32, dtype=np.uint32)).astype(np.uint32)
    if length == 0:
        return images
    if length == 1:
        for _ in range(8):
            images = (images >> _ONE) ^ (images & _ONE) * np.uint32(_POLYNOMIAL)
        return images.astype(np.uint32)
    half = _shift(length // 2)
    whole = _apply(half, half)
    return _apply(_shift(1), whole) if length % 2 else whole


def _apply(images: Words, states: Words) -> Words:
    result = np.zeros_like(states)
    for bit in range(32):
        result ^= ((states >> np.uint32(bit)) & _ONE) * images[bit]
    return result


def _shifted(state: int, length: int) -> int:
    return int(_apply(_shift(length), np.array([state], np.uint32))[0])
