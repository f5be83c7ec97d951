"""Read numpy's files without running them, and without trusting their sizes.

`allow_pickle` stays off, and no array is allocated before its declared size was checked
against the file.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from keras_rectifiers.errors import DataError
from keras_rectifiers.files.rows import Rows
from keras_rectifiers.files.rows import rows_of

#: Deflate cannot compress further than this: a larger ratio is a forged size.
MAX_EXPANSION = 1100

#: Bytes from which on an array stays on the disk.
MAPPED_FROM = 1 << 28

_HEADERS: dict[tuple[int, int], Any] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

#: What the readers raise on a file that is damaged, encrypted or of another kind.
_DAMAGE = (
    ValueError,
    TypeError,
    SyntaxError,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    zlib.error,
    zipfile.BadZipFile,
)


def names(path: Path) -> list[str]:
    """The names of the arrays in a `.npz`.

    Raises:
        DataError: The file is damaged or of another kind.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def read_npz(path: Path, wanted: Iterable[str]) -> dict[str, Any]:
    """Some arrays of an `.npz`, whose declared sizes are checked first.

    A large array that is not compressed stays on the disk, as `Rows`.

    Args:
        path: The file.
        wanted: Names of the arrays; the others are not read.

    Raises:
        DataError: The file is damaged or forged, or an array is not of numbers.
    """
    wanted = tuple(wanted)
    try:
        with zipfile.ZipFile(path) as archive:
            for name in wanted:
                member = archive.getinfo(f"{name}.npy")
                if member.file_size > MAX_EXPANSION * max(member.compress_size, 1):
                    raise DataError(
                        "An array must not be larger than its file can hold. "
                        f"Received: {member.file_size:,} bytes from "
                        f"{member.compress_size:,} in '{path}:{name}'. The file is "
                        "damaged or forged."
                    )
                with archive.open(member) as file:
                    _check_header(file, member.file_size, f"{path}:{name}")
    except _DAMAGE as error:
        raise _damaged(path, error) from error

    def read() -> dict[str, Any]:
        with np.load(path, allow_pickle=False) as archive:
            return {name: _member(path, archive, name) for name in wanted}

    return _read(read, path)


def _member(path: Path, archive: Any, name: str) -> Any:
    mapped = _mapped_member(path, name)
    return archive[name] if mapped is None else mapped


def _mapped_member(path: Path, name: str) -> Rows | None:
    """A large array of an `.npz` on the disk; None for one that has to be read."""
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(f"{name}.npy")
        stored = member.compress_type == zipfile.ZIP_STORED
        if not stored or member.file_size < MAPPED_FROM:
            return None
        with archive.open(member) as opened:
            version = np.lib.format.read_magic(opened)
            shape, fortran, dtype = _HEADERS[version](opened)
            header = opened.tell()
    with path.open("rb") as file:
        file.seek(member.header_offset + 26)
        lengths = np.frombuffer(file.read(4), "<u2")  # of the name and the extra field
    start = member.header_offset + 30 + int(lengths.sum()) + header
    if fortran or not shape:
        return None
    return Rows(np.memmap(path, dtype, "r", start, shape))


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"The file {str(path)!r} is damaged or not an .npz ({error}). Save it again "
        "with numpy.savez."
    )


def read_npy(path: Path) -> Any:
    """The array of an `.npy`, whose declared size is checked first.

    A large one stays on the disk, as `Rows`.

    Raises:
        DataError: The file is damaged or forged, or the array is not of numbers.
    """
    with path.open("rb") as file:
        _check_header(file, path.stat().st_size, str(path))
    size = path.stat().st_size

    def read() -> Any:
        if size < MAPPED_FROM:
            return np.load(path, allow_pickle=False)
        return rows_of(np.load(path, mmap_mode="r", allow_pickle=False))

    return _read(read, path)


def _check_header(file: Any, size: int, name: str) -> None:
    """Hold what an array's header declares against the bytes that are there."""
    try:
        version = np.lib.format.read_magic(file)
        header = _HEADERS.get(version, np.lib.format.read_array_header_2_0)
        shape, _, dtype = header(file)
    except _DAMAGE as error:
        raise DataError(
            f"The array {name!r} is damaged or not an .npy ({error}). Save it again "
            "with numpy.save."
        ) from error
    if dtype.hasobject or dtype.kind not in "biuf":
        raise DataError(
            f"Data must be numbers. Received: dtype {dtype} in {name!r}. Convert the "
            "array with array.astype('float32') and save it again."
        )
    declared = math.prod(shape) * dtype.itemsize
    if declared != size - file.tell():
        raise DataError(
            f"The array {name!r} declares {declared:,} bytes but holds "
            f"{size - file.tell():,}. The file is damaged or forged: save it again."
        )


def _read(read: Any, path: Path) -> Any:
    try:
        return read()
    except _DAMAGE as error:
        raise DataError(
            f"The file {str(path)!r} is damaged ({error}). Save it again."
        ) from error
    except MemoryError as error:
        raise DataError(
            f"The data {str(path)!r} do not fit into memory. Pass a part of them, or "
            "package.module:function that streams them."
        ) from error
