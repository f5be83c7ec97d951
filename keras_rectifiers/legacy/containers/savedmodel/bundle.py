"""A TensorFlow checkpoint: arrays by name, in an index and numbered data files.

File names are made from numbers only, never from the contents of the index. An array is
read when it is asked for; before that, its place and size are checked against the file
and against its shape and type.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from typing import BinaryIO
from typing import Literal

import numpy as np

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph.wellformed import reading
from keras_rectifiers.legacy.containers.savedmodel import files
from keras_rectifiers.legacy.containers.savedmodel import table
from keras_rectifiers.legacy.containers.savedmodel.crc import crc32c
from keras_rectifiers.legacy.containers.savedmodel.crc import mask
from keras_rectifiers.legacy.containers.savedmodel.crc import masked_crc32c
from keras_rectifiers.legacy.containers.savedmodel.wire import Message
from keras_rectifiers.legacy.containers.savedmodel.wire import varint

#: TensorFlow's numbers for the types that a variable can have.
_TYPES = {
    1: "f4",
    2: "f8",
    3: "i4",
    4: "u1",
    5: "i2",
    6: "i1",
    8: "c8",
    9: "i8",
    10: "?",
    17: "u2",
    18: "c16",
    19: "f2",
    22: "u4",
    23: "u8",
}
_STRING = 7
_BFLOAT16 = 14
#: Longest checkpoint index that is read.
_MAX_INDEX = 1 << 28
_MAX_SHARDS = 100_000
_CHECKSUM = 4


@dataclasses.dataclass(frozen=True)
class BundleArray:
    """An array of a checkpoint, read when it is asked for.

    Attributes:
        name: Its name in the checkpoint, without what all names end with.
        shape: Its shape.
        dtype: The type that its values are read as (float32 for bfloat16).
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    _read: Callable[[], np.ndarray[Any, Any]] = dataclasses.field(repr=False)

    def read(self) -> np.ndarray[Any, Any]:
        """Its values.

        Raises:
            ArchiveError: The file's bytes are not those that were saved.
        """
        return self._read()


@dataclasses.dataclass(frozen=True)
class _Entry:
    """What the index says of one array."""

    kind: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int | None
    sliced: bool


class Bundle:
    """The checkpoint of a SavedModel; its files stay open as long as `stack`.

    Args:
        folder: The SavedModel.
        stack: Closes the files.

    Raises:
        ArchiveError: A file is missing or damaged.
    """

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._shards: dict[int, tuple[BinaryIO, int]] = {}
        index = files.read(folder, "variables/variables.index", _MAX_INDEX)
        with reading(folder, "variables/variables.index"):
            self._entries = dict(table.entries(index))
            header = Message(self._entries.pop(b"", b""))
            self._count = header.number(1)
            self._order: Literal["<", ">"] = ">" if header.number(2) else "<"
            if not 0 < self._count <= _MAX_SHARDS:
                msg = f"it states {self._count} data files"
                raise ValueError(msg)

    def __contains__(self, key: str) -> bool:
        """Whether the checkpoint has a value of this name."""
        return key.encode() in self._entries

    def array(self, key: str, name: str) -> BundleArray:
        """An array by its name in the checkpoint.

        Args:
            key: Its whole name.
            name: Its name for people.

        Raises:
            ArchiveError: It is not there, or not all of it.
            UnsupportedModelError: Its type or form is not that of a Keras variable.
        """
        entry = self._entry(key, name)
        if entry.sliced:
            raise UnsupportedModelError(
                f"Each variable must be stored in one piece. Received: {name!r} in "
                f"{str(self._folder)!r}, which is stored in slices. Load the model "
                "with the TensorFlow that saved it and save it on one device."
            )
        brain = entry.kind == _BFLOAT16
        code = "u2" if brain else _TYPES.get(entry.kind)
        if code is None:
            raise UnsupportedModelError(
                f"Each variable must hold numbers. Received: {name!r} in "
                f"{str(self._folder)!r}, which has TensorFlow type {entry.kind}. "
                "Remove the layer that it belongs to."
            )
        stored = np.dtype(code).newbyteorder(self._order)
        native = np.dtype("f4" if brain else code)
        size = math.prod(entry.shape) * stored.itemsize
        if size != entry.size:
            raise self._damaged(
                name, f"{entry.size} bytes for shape {entry.shape}, {native}"
            )
        self._check_room(entry, name)

        def read() -> np.ndarray[Any, Any]:
            data = self._bytes(entry, name)
            if entry.crc is not None and masked_crc32c(data) != entry.crc:
                raise self._damaged(name, "bytes with a different checksum")
            values = np.frombuffer(data, stored).reshape(entry.shape)
            if brain:
                return (values.astype(np.uint32) << 16).view(np.float32)
            return values.astype(native)

        return BundleArray(name, entry.shape, native, read)

    def text(self, key: str) -> bytes:
        """A single string by its name in the checkpoint.

        Raises:
            ArchiveError: It is missing, damaged, or not a single string.
        """
        entry = self._entry(key, key)
        if entry.kind != _STRING or entry.shape or entry.sliced:
            raise self._damaged(key, "something other than one string")
        data = self._bytes(entry, key)
        with reading(self._folder, key):
            length, at = varint(data, 0)
            text = data[at + _CHECKSUM :]
            width = 8 if length >> 32 else 4
            sums = crc32c(length.to_bytes(width, "little"))
            good = data[at : at + _CHECKSUM] == mask(sums).to_bytes(4, "little")
            sums = crc32c(data[at : at + _CHECKSUM], sums)
            if entry.crc is not None:
                good = good and masked_crc32c(text, sums) == entry.crc
        if length != len(text) or not good:
            raise self._damaged(key, "an incomplete string")
        return text

    def _entry(self, key: str, name: str) -> _Entry:
        stored = self._entries.get(key.encode())
        if stored is None:
            raise ArchiveError(
                "Every variable must have its values in the checkpoint. Received: "
                f"{str(self._folder)!r}, whose variables.index lacks {name!r}. The "
                "folder is damaged, or was not written by Keras."
            )
        with reading(self._folder, "variables/variables.index"):
            message = Message(stored)
            shape = Message(message.bytes(2))
            entry = _Entry(
                kind=message.number(1),
                shape=tuple(axis.number(1) for axis in shape.messages(2)),
                shard=message.number(3),
                offset=message.number(4),
                size=message.number(5),
                crc=message.fixed32(6),
                sliced=bool(message.all_bytes(7)),
            )
        if min(entry.offset, entry.size, entry.shard, *entry.shape, 0) < 0:
            raise self._damaged(name, "a negative size")
        if shape.number(3):
            raise self._damaged(name, "no shape")
        return entry

    def _check_room(self, entry: _Entry, name: str) -> BinaryIO:
        if entry.shard not in self._shards:
            if entry.shard >= self._count:
                raise self._damaged(
                    name, f"data file {entry.shard} of {self._count} files"
                )
            file = files.open_member(
                self._folder,
                f"variables/variables.data-{entry.shard:05d}-of-{self._count:05d}",
            )
            self._stack.callback(file.close)
            self._shards[entry.shard] = file, file.seek(0, 2)
        file, room = self._shards[entry.shard]
        if entry.offset + entry.size > room:
            raise self._damaged(
                name,
                f"bytes {entry.offset} to {entry.offset + entry.size} of a data file "
                f"of {room} bytes",
            )
        return file

    def _bytes(self, entry: _Entry, name: str) -> bytes:
        file = self._check_room(entry, name)
        file.seek(entry.offset)
        data = file.read(entry.size)
        if len(data) != entry.size:
            raise self._damaged(name, "a data file that was truncated")
        return data

    def _damaged(self, name: str, received: str) -> ArchiveError:
        return ArchiveError(
            f"A checkpoint must match its index. Received: {received}, for {name!r} "
            f"in {str(self._folder)!r}. The folder is damaged; copy or save it again."
        )
