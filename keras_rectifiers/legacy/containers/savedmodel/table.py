"""Tables of sorted keys in LevelDB's format, as a checkpoint's index is stored.

A table is a row of blocks, each with its checksum; the footer says where the block is
that says where the others are. Malformed data raises ValueError.
"""

from __future__ import annotations

from collections.abc import Iterator

from keras_rectifiers.legacy.containers.savedmodel.crc import masked_crc32c
from keras_rectifiers.legacy.containers.savedmodel.wire import varint

_FOOTER = 48
_MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
#: After each block: how it is compressed, and its checksum.
_TRAILER = 5
_WORD = 4
#: Longest key, and most bytes of all keys: a key may repeat the start of the one
#: before, so that a small file could hold a huge one.
_MAX_KEY = 1 << 14
_MAX_KEYS = 1 << 28


def entries(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a table, in its order.

    Args:
        data: The whole table.

    Raises:
        ValueError: It is not a table, or it is damaged or compressed.
    """
    if len(data) < _FOOTER or data[-len(_MAGIC) :] != _MAGIC:
        msg = "it does not have a table footer"
        raise ValueError(msg)
    footer = data[-_FOOTER:]
    _, _, at = _handle(footer, 0)  # of a block with nothing that is needed
    offset, size, _ = _handle(footer, at)
    total = 0
    for _, handle in _block_entries(_block(data, offset, size)):
        offset, size, _ = _handle(handle, 0)
        for key, value in _block_entries(_block(data, offset, size)):
            total += len(key) + len(value)
            if total > _MAX_KEYS:
                msg = f"its keys take more than {_MAX_KEYS} bytes"
                raise ValueError(msg)
            yield key, value


def _handle(data: bytes, at: int) -> tuple[int, int, int]:
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return offset, size, at


def _block(data: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    if end + _TRAILER > len(data) - _FOOTER:
        msg = f"a block of {size} bytes at byte {offset} runs past the end"
        raise ValueError(msg)
    compression = data[end]
    if compression:
        msg = f"a block at byte {offset} is compressed (kind {compression})"
        raise ValueError(msg)
    stored = int.from_bytes(data[end + 1 : end + _TRAILER], "little")
    if stored != masked_crc32c(data[offset : end + 1]):
        msg = f"the block at byte {offset} has a different checksum"
        raise ValueError(msg)
    return data[offset:end]


def _block_entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Entries of one block; its list of restarts serves only a search."""
    restarts = int.from_bytes(block[-_WORD:], "little")
    end = len(block) - _WORD * (restarts + 1)
    if len(block) < _WORD or end < 0:
        msg = f"a block states {restarts} restarts, which are missing"
        raise ValueError(msg)
    key, at = b"", 0
    while at < end:
        shared, at = varint(block, at)
        added, at = varint(block, at)
        length, at = varint(block, at)
        if shared > len(key) or at + added + length > end:
            msg = "an entry of a block runs past its end"
            raise ValueError(msg)
        if shared + added > _MAX_KEY:
            msg = f"a key of a block is longer than {_MAX_KEY} bytes"
            raise ValueError(msg)
        key = key[:shared] + block[at : at + added]
        at += added
        yield key, block[at : at + length]
        at += length
