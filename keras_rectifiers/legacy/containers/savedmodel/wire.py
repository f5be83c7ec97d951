"""Messages in protobuf's wire format, read field by field.

Only what a SavedModel needs: a message is known only by its field numbers, a message
inside a message stays bytes until it is read, and every length is checked against the
available bytes. Malformed data raises ValueError.
"""

from __future__ import annotations

from collections.abc import Iterator

Bytes = bytes | memoryview

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
#: Bits of an unsigned number, and bytes that a varint of it takes at most.
_BITS = 64
_MAX_VARINT = 10


def varint(data: Bytes, at: int) -> tuple[int, int]:
    """An unsigned number in protobuf's and LevelDB's form, and where it ends.

    Args:
        data: The bytes.
        at: Where the number begins.

    Raises:
        ValueError: It does not end in time.
    """
    value = 0
    for index in range(_MAX_VARINT):
        if at + index >= len(data):
            break
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004 (the top bit says that more bytes follow)
            return value & ((1 << _BITS) - 1), at + index + 1
    msg = f"a number at byte {at} does not end"
    raise ValueError(msg)


def fields(data: Bytes) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field of a message, in the order of the file.

    Args:
        data: The message.

    Yields:
        An int for a varint, else the field's bytes.

    Raises:
        ValueError: The bytes are not a message.
    """
    view = memoryview(data)
    at = 0
    while at < len(view):
        tag, at = varint(view, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = varint(view, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = varint(view, at)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            msg = f"field {number} at byte {at} has kind {kind}"
            raise ValueError(msg)
        if length > len(view) - at:
            msg = (
                f"field {number} at byte {at} states {length} bytes, which are missing"
            )
            raise ValueError(msg)
        yield number, view[at : at + length]
        at += length


class Message:
    """A message whose fields are looked up by their numbers.

    Args:
        data: The message.

    Raises:
        ValueError: The bytes are not a message.
    """

    def __init__(self, data: Bytes) -> None:
        self._fields: dict[int, list[int | memoryview]] = {}
        for number, value in fields(data):
            self._fields.setdefault(number, []).append(value)

    def all_bytes(self, number: int) -> list[memoryview]:
        """Every value of a field that holds bytes, text or messages."""
        values = self._fields.get(number, [])
        if any(isinstance(value, int) for value in values):
            msg = f"field {number} is a number, not bytes"
            raise ValueError(msg)
        return [value for value in values if not isinstance(value, int)]

    def messages(self, number: int) -> Iterator[Message]:
        """Every message of a field, in order."""
        return map(Message, self.all_bytes(number))

    def message(self, number: int) -> Message:
        """A field that holds a message; an empty one where it is not there."""
        return Message(self.bytes(number))

    def numbers(self, number: int) -> list[int]:
        """Every signed number of a field, one by one or packed together."""
        found: list[int] = []
        for value in self._fields.get(number, []):
            if isinstance(value, int):
                found.append(_signed(value))
                continue
            at = 0
            while at < len(value):
                each, at = varint(value, at)
                found.append(_signed(each))
        return found

    def bytes(self, number: int) -> memoryview:
        """The last value of a field that holds bytes; empty where it is not there."""
        values = self.all_bytes(number)
        return values[-1] if values else memoryview(b"")

    def text(self, number: int) -> str:
        """A field that holds text; empty where it is not there."""
        return str(self.bytes(number), "utf-8")

    def number(self, number: int) -> int:
        """A signed number; 0 where it is not there."""
        values = self._fields.get(number, [0])
        value = values[-1]
        if not isinstance(value, int):
            msg = f"field {number} holds bytes, not a number"
            raise ValueError(msg)  # noqa: TRY004 (the file's fault, not the caller's)
        return _signed(value)

    def fixed32(self, number: int) -> int | None:
        """An unsigned number of 4 bytes; None where it is not there."""
        if number not in self._fields:
            return None
        value = self.bytes(number)
        if len(value) != _FIXED[_FIXED32]:
            msg = f"field {number} does not have 4 bytes"
            raise ValueError(msg)
        return int.from_bytes(value, "little")


def _signed(value: int) -> int:
    return value - (1 << _BITS) if value >> (_BITS - 1) else value
