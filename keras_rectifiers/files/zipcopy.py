"""Copy the members of a zip archive as raw bytes, and patch one on the way.

Python's zipfile has no raw copy: it would unpack and pack each member. Here each
byte is read once, checked, and written while the disk takes those before it.
"""

from __future__ import annotations

import contextlib
import copy
import io
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.files import streaming
from keras_rectifiers.files.sums import BlockSums

_CHUNK = 1 << 20
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_DATA_DESCRIPTOR = 0x08
_ENCRYPTED = 0x01
#: Members that grow while they are patched get 64-bit sizes well before 4 GiB.
_ZIP64_FROM = 1 << 31


class Window(io.RawIOBase):
    """The bytes of a file from an offset on, as a separate file.

    Args:
        file: The file.
        start: The offset.
        size: How many bytes of it are there.
        sums: Check sums of these bytes, as far as they are known.
    """

    def __init__(
        self, file: BinaryIO, start: int, size: int, sums: BlockSums | None = None
    ) -> None:
        super().__init__()
        self._file, self._start, self.size = file, start, size
        self._position = 0
        self._sums = BlockSums() if sums is None else sums

    @property
    def start(self) -> int:
        """Where it begins in the file."""
        return self._start

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}
        self._position = base[whence] + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        view = memoryview(buffer).cast("B")
        length = max(0, min(len(view), self.size - self._position))
        self._file.seek(self._start + self._position)
        count: int = self._file.readinto(view[:length])  # type: ignore[attr-defined]
        self._position += count
        return count

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        self._file.seek(self._start + self._position)
        length = self._file.write(data)
        if not length:
            return 0
        # Bytes that were skipped are 0 now.
        first = min(self._position, self.size)
        self._position += length
        self._sums.forget(first, self._position)
        self.size = max(self.size, self._position)
        return length

    def truncate(self, size: int | None = None) -> int:
        new = self._position if size is None else size
        self._sums.forget(*sorted((self.size, new)))
        self.size = new
        self._file.truncate(self._start + self.size)
        return self.size

    def flush(self) -> None:
        if not self._file.closed:
            self._file.flush()

    def check_sum(self) -> int:
        """The check sum of all its bytes; only what is not known of them is read."""
        return self._sums.total(self._file, self._start, self.size)


def data_offset(file: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Where a member's bytes begin.

    Raises:
        ArchiveError: There is no member where the directory says.
    """
    file.seek(info.header_offset)
    header = file.read(_LOCAL_HEADER.size + 4)[:30]
    if len(header) < 30 or header[:4] != b"PK\x03\x04":  # noqa: PLR2004
        raise ArchiveError(
            f"A member must begin with its header. Received: {info.filename!r}, which "
            "has none. The file is damaged."
        )
    name, extra = struct.unpack("<HH", header[26:30])
    return info.header_offset + 30 + name + extra


def check_member(info: zipfile.ZipInfo) -> None:
    """Refuse members that Keras never writes and that cannot be copied safely."""
    if info.flag_bits & _ENCRYPTED:
        raise ArchiveError(
            f"Members must not be encrypted. Received: {info.filename!r}, which is "
            "encrypted. The file was not written by Keras."
        )
    stored = info.compress_type == zipfile.ZIP_STORED
    if not stored and info.compress_type != zipfile.ZIP_DEFLATED:
        raise ArchiveError(
            f"Members must be stored or deflated. Received: {info.filename!r}, "
            f"compressed with method {info.compress_type}. Create the archive again "
            "without compression."
        )
    if stored and info.compress_size != info.file_size:
        raise ArchiveError(
            f"A stored member must have one size. Received: {info.filename!r}, with "
            f"{info.compress_size} and {info.file_size} bytes. The file is damaged, "
            "or was not written by Keras."
        )


@contextlib.contextmanager
def unpacked(file: BinaryIO, info: zipfile.ZipInfo) -> Iterator[Window | BinaryIO]:
    """The bytes of a member as a file that can be sought: those in place, or a copy.

    Args:
        file: The archive.
        info: The member.
    """
    if info.compress_type == zipfile.ZIP_STORED:
        yield Window(file, data_offset(file, info), info.file_size)
        return
    with tempfile.TemporaryFile() as copied:
        with zipfile.ZipFile(file) as archive, archive.open(info) as packed:
            shutil.copyfileobj(packed, copied, _CHUNK)
        copied.seek(0)
        yield copied


def copy_member(
    source: BinaryIO, target: zipfile.ZipFile, info: zipfile.ZipInfo
) -> None:
    """Copy a member as it is, packed or not, and check its sum.

    Raises:
        ArchiveError: The bytes are cut off, or do not have the stated sum.
    """
    stored = info.compress_type == zipfile.ZIP_STORED
    with _member(target, info, info.compress_size, info.file_size) as new:
        new.CRC = info.CRC
        noted: _Sum | _Unpacked = _Sum() if stored else _Unpacked()
        _copy_bytes(source, _file_of(target), info, noted.add)
        _expect(info, noted.crc)


@contextlib.contextmanager
def patched_member(
    source: BinaryIO, target: zipfile.ZipFile, info: zipfile.ZipInfo
) -> Iterator[Window]:
    """Copy a member unpacked, and give a window on the copy to change it in.

    It must be the last member: the window may grow.

    Raises:
        ArchiveError: The bytes are cut off, or do not have the stated sum.
    """
    file = _file_of(target)
    with _member(target, info, info.file_size, info.file_size) as new:
        new.compress_type = zipfile.ZIP_STORED
        begin, sums = file.tell(), BlockSums()
        if info.compress_type == zipfile.ZIP_STORED:
            _copy_bytes(source, file, info, sums.add)
        else:
            with zipfile.ZipFile(source) as archive, archive.open(info) as packed:
                shutil.copyfileobj(packed, file, _CHUNK)
        _expect(info, sums.total(file, begin, info.file_size))
        window = Window(file, begin, info.file_size, sums)
        yield window
        new.CRC = window.check_sum()
        new.file_size = new.compress_size = window.size
        file.seek(begin + window.size)


@contextlib.contextmanager
def new_member(target: zipfile.ZipFile, name: str) -> Iterator[Window]:
    """A window on a new member, stored unpacked, to write into at any place.

    It must be the last member: the window grows.

    Args:
        target: The archive, which must be open for reading too.
        name: The member's name.
    """
    file = _file_of(target)
    info = zipfile.ZipInfo(name)
    info.CRC = 0
    info.external_attr = 0o600 << 16
    # The size is not known yet: room for one of 64 bits is kept.
    with _member(target, info, _ZIP64_FROM, _ZIP64_FROM) as new:
        window = Window(file, file.tell(), 0)
        yield window
        new.CRC = window.check_sum()
        new.file_size = new.compress_size = window.size
        file.seek(window.start + window.size)


@contextlib.contextmanager
def _member(
    target: zipfile.ZipFile, info: zipfile.ZipInfo, packed: int, size: int
) -> Iterator[zipfile.ZipInfo]:
    """Room for a member: a header first, which is written again at the end."""
    file = _file_of(target)
    new = copy.copy(info)
    new.flag_bits &= ~_DATA_DESCRIPTOR
    new.extra = b""
    new.compress_size, new.file_size = packed, size
    file.seek(target.start_dir)
    new.header_offset = file.tell()
    zip64 = max(packed, size) >= _ZIP64_FROM
    file.write(new.FileHeader(zip64=zip64))
    yield new
    end = file.tell()
    file.seek(new.header_offset)
    file.write(new.FileHeader(zip64=zip64))
    file.seek(end)
    target.filelist.append(new)
    target.NameToInfo[new.filename] = new
    target.start_dir = end
    # So that close() writes the directory.
    target._didModify = True  # type: ignore[attr-defined]  # noqa: SLF001


def _file_of(target: zipfile.ZipFile) -> BinaryIO:
    file = target.fp
    if file is None:
        raise ValueError("The archive is closed.")
    return file  # type: ignore[return-value]


def _copy_bytes(
    source: BinaryIO,
    target: BinaryIO,
    info: zipfile.ZipInfo,
    note: streaming.Note,
) -> None:
    """Copy what is stored of a member, and note it on the way."""
    source.seek(data_offset(source, info))
    missing = streaming.copy(source, target, info.compress_size, note)
    if missing:
        raise ArchiveError(
            "A member must have the length that the archive states. Received: "
            f"{info.filename!r}, of which {missing} bytes are missing. The file is "
            "truncated."
        )


class _Sum:
    """The check sum of bytes that pass by."""

    def __init__(self) -> None:
        self.crc = 0

    def add(self, data: memoryview) -> None:
        self.crc = zlib.crc32(data, self.crc)


class _Unpacked:
    """The check sum of what deflated bytes that pass by unpack to."""

    def __init__(self) -> None:
        self._unpack = zlib.decompressobj(-zlib.MAX_WBITS)
        self._crc: int | None = 0

    def add(self, data: memoryview) -> None:
        packed: bytes | memoryview = data
        try:
            while packed and self._crc is not None:  # a piece, however far it unpacks
                if self._unpack.eof:
                    self._crc = None  # bytes that belong to nothing
                    return
                piece = self._unpack.decompress(packed, _CHUNK)
                self._crc = zlib.crc32(piece, self._crc)
                packed = self._unpack.unconsumed_tail
        except zlib.error:
            self._crc = None

    @property
    def crc(self) -> int | None:
        """None where the bytes do not unpack."""
        if self._crc is None or not self._unpack.eof or self._unpack.unused_data:
            return None
        return self._crc


def check_sum(file: BinaryIO, start: int, length: int) -> int:
    """The check sum of some bytes of a file."""
    file.seek(start)
    crc, left = 0, length
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    while left:
        count = file.readinto(view[: min(_CHUNK, left)])  # type: ignore[attr-defined]
        if not count:
            break
        crc = zlib.crc32(view[:count], crc)
        left -= count
    return crc


def _expect(info: zipfile.ZipInfo, crc: int | None) -> None:
    if crc != info.CRC:
        raise ArchiveError(
            "A member must match the checksum in the archive. Received: "
            f"{info.filename!r}, which does not match. The file is damaged."
        )
