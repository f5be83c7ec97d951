"""Open an untrusted `.keras` file, and read its texts, with limits on their size.

Members are read by exact name and never extracted; sizes are checked before
anything is allocated.
"""

from __future__ import annotations

import contextlib
import json
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import BinaryIO

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.files import zipcopy

#: What Keras calls the members of a `.keras` file.
CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"

#: The largest config that is read; ResNet152's has 0.5 MB.
MAX_CONFIG_BYTES = 256 << 20
#: Packed data does not expand further than this unless it is meant to.
MAX_EXPANSION = 200
#: ... and what is smaller than this may expand as it likes.
SMALL = 1 << 20
MAX_MEMBERS = 100_000

HDF5 = b"\x89HDF\r\n\x1a\n"

#: What damaged members make zipfile and json raise; a RecursionError is a
#: RuntimeError.
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
)

Members = tuple[zipfile.ZipInfo, ...]


@contextlib.contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading.

    Raises:
        ArchiveError: It is missing, a folder, a device, or cannot be read.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ArchiveError(
                f"A model must be one file. Received: the folder {str(path)!r}. Save "
                "a SavedModel folder as .keras first."
            )
        if not stat.S_ISREG(mode):
            raise ArchiveError(
                f"A model must be a regular file. Received: {str(path)!r}, which is a "
                "device or a pipe. Copy its contents to a file."
            )
        file = path.open("rb")
    except FileNotFoundError as error:
        raise ArchiveError(
            f"The model file must exist. Received: {str(path)!r}, which does not. "
            "Check the path."
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ArchiveError(
            f"The model file must be readable. Received: {str(path)!r}, which failed "
            f"with {reason}. Check the path and its permissions."
        ) from error
    with file:
        yield file


@contextlib.contextmanager
def open_zip(file: BinaryIO, path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive.

    Raises:
        ArchiveError: It is HDF5, cut off, damaged, or something else.
    """
    magic = file.read(len(HDF5))
    if magic == HDF5:
        raise ArchiveError(
            f"A .keras file must be a zip archive. Received: {str(path)!r}, which is "
            "HDF5: a whole-model .h5 (upgrade it first: "
            "keras_rectifiers.upgrade_file) or weights only (pass them with their "
            "architecture: weights=)."
        )
    try:
        archive = zipfile.ZipFile(file)
    except (
        zipfile.BadZipFile,
        struct.error,
        OSError,
        ValueError,
        NotImplementedError,
    ) as error:
        cut = magic.startswith(b"PK")
        raise ArchiveError(
            f"A .keras file must be a whole zip archive. Received: {str(path)!r}, "
            f"which is {'damaged or cut off' if cut else 'something else'} ({error}). "
            "Use another copy of it."
        ) from error
    with archive:
        yield archive


def members_of(archive: zipfile.ZipFile, path: Path) -> Members:
    """The members of an archive, all of them safe to copy.

    Raises:
        ArchiveError: There are too many, a name is there twice, they overlap, or
            one is encrypted or packed in a way that Keras does not know.
    """
    members = tuple(archive.infolist())
    names = [info.filename for info in members]
    if len(names) > MAX_MEMBERS or len(set(names)) != len(names):
        raise ArchiveError(
            f"A .keras file must contain each member once. Received: {str(path)!r}, "
            f"which has {len(names)} members with {len(set(names))} names. The file "
            "was not written by Keras."
        )
    for info in members:
        zipcopy.check_member(info)
        if info.file_size > max(SMALL, MAX_EXPANSION * info.compress_size):
            raise ArchiveError(
                f"A member must not expand more than {MAX_EXPANSION}-fold. Received: "
                f"{info.filename!r} in {str(path)!r}, which expands from "
                f"{info.compress_size} to {info.file_size} bytes. The file was not "
                "written by Keras."
            )
    _check_places(members, archive.start_dir, path)
    return members


def texts_of(
    archive: zipfile.ZipFile, path: Path
) -> tuple[Members, dict[str, Any], dict[str, Any]]:
    """The members of an archive, its config, and its metadata, empty where it has none.

    Raises:
        ArchiveError: As for `members_of` and `read_json`.
    """
    members = members_of(archive, path)
    config = read_json(archive, members, CONFIG, path)
    has_metadata = any(info.filename == METADATA for info in members)
    return (
        members,
        config,
        read_json(archive, members, METADATA, path) if has_metadata else {},
    )


def read_json(
    archive: zipfile.ZipFile, members: Members, name: str, path: Path
) -> dict[str, Any]:
    """The object in a member of JSON text.

    Raises:
        ArchiveError: The member is missing, too large, damaged, or no object.
    """
    info = next((info for info in members if info.filename == name), None)
    if info is None:
        raise ArchiveError(
            f"A .keras file must contain {name!r}. Received: {str(path)!r}, which "
            "contains "
            f"{', '.join(sorted(each.filename for each in members)[:5]) or 'nothing'}. "
            "It is not a saved Keras model."
        )
    if info.file_size > MAX_CONFIG_BYTES:
        raise ArchiveError(
            f"{name} must be at most {MAX_CONFIG_BYTES} bytes. Received: "
            f"{info.file_size} in {str(path)!r}. The file was not written by Keras."
        )
    try:
        with archive.open(info) as member:
            text = member.read(MAX_CONFIG_BYTES + 1)
        value = json.loads(text)
    except UNREADABLE as error:
        raise ArchiveError(
            f"{name} must be readable JSON. Received: {str(path)!r}, whose {name} is "
            f"not ({type(error).__name__}: {error}). The file is damaged."
        ) from error
    if not isinstance(value, dict):
        raise ArchiveError(
            f"{name} must contain a JSON object. Received: a {type(value).__name__} "
            f"in {str(path)!r}. The file was not written by Keras."
        )
    return value


def write_packed(new: zipfile.ZipFile, contents: Mapping[str, bytes]) -> None:
    """Add members of text, packed; the same contents make the same bytes.

    Args:
        new: The archive, open for writing.
        contents: The members by their names; empty ones are left out.
    """
    for name, content in contents.items():
        if content:
            info = zipfile.ZipInfo(name)  # of no date
            info.external_attr = 0o600 << 16
            new.writestr(info, content, zipfile.ZIP_DEFLATED)


def _check_places(members: Members, end: int, path: Path) -> None:
    """Members follow each other; overlapping ones would multiply when copied."""
    position = 0
    for info in sorted(members, key=lambda info: info.header_offset):
        start = info.header_offset
        if start < position or start + info.compress_size > end:
            raise ArchiveError(
                "The members of a .keras file must follow each other. Received: "
                f"{info.filename!r} in {str(path)!r}, which overlaps another member "
                "or runs past the end of the file. The file is damaged, or was not "
                "written by Keras."
            )
        position = start + info.compress_size
