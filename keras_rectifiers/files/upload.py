"""Put a local file where a URL says: whole or not at all, and never over another."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.files.urls import RemotePlace
from keras_rectifiers.files.urls import shown
from keras_rectifiers.files.urls import unwritable

#: Protocols that are only read.
_READ_ONLY = {
    *("http", "https", "zip", "tar", "libarchive", "git", "github", "jlab"),
    *("jupyter", "data", "reference", "gist", "blockcache", "filecache"),
    "simplecache",
}
#: Stores in which a file appears whole, and moving means to copy it once more.
_WHOLE = {
    *("s3", "s3a", "gs", "gcs", "hf", "abfs", "abfss", "az", "adl", "oss", "oci"),
    *("r2", "tos", "ocilake"),
}


def check_kind(url: str) -> None:
    """Refuse a file system that is only read.

    Args:
        url: The target.

    Raises:
        ArchiveError: It is one.
    """
    if url.partition(":")[0].lower() in _READ_ONLY:
        raise ArchiveError(
            "The target must be in a file system that can be written. Received: "
            f"{shown(url)!r}, which is only read. Choose another one, or a local file."
        )


def check(place: RemotePlace, *, overwrite: bool) -> None:
    """Refuse a target that cannot or must not be written, before any work.

    Args:
        place: The target.
        overwrite: Whether an existing target may be replaced.

    Raises:
        ArchiveError: Says what to name instead.
    """
    with _failing(place):
        folder = place.system.isdir(place.path)
        taken = not overwrite and place.system.exists(place.path)
    if folder:
        raise ArchiveError(
            f"The target must be a file. Received: the folder {place.shown!r}. "
            "Choose a file inside it."
        )
    if taken:
        raise ArchiveError(
            f"The target must not exist. Received: {place.shown!r}, which exists. "
            "Choose a new file, or pass overwrite=True (--force) to replace it."
        )


def upload(source: Path, place: RemotePlace, *, overwrite: bool) -> None:
    """Copy a local file to a URL.

    It is written under a temporary name and then moved, but where the file appears
    whole at once.

    Args:
        source: The local file.
        place: The target.
        overwrite: Whether an existing target may be replaced.

    Raises:
        ArchiveError: The target exists, or cannot be written.
    """
    check(place, overwrite=overwrite)
    with _failing(place):
        if _protocols(place) & _WHOLE:
            _put(source, place, new=not place.system.exists(place.path))
            return
        if not place.system.isdir(place.parent):
            place.system.makedirs(place.parent, exist_ok=True)
        token = secrets.token_hex(4)
        temporary = place.sibling(f".{Path(place.path).name}.{token}.tmp")
        _put(source, temporary, new=True)
        with _removed_on_failure(temporary):
            check(place, overwrite=overwrite)
            place.system.mv(temporary.path, place.path)


def _put(source: Path, place: RemotePlace, *, new: bool) -> None:
    """Write a file and compare its size; on failure it is removed, if it is new."""
    system = place.system
    with _removed_on_failure(place) if new else contextlib.nullcontext():
        system.put_file(str(source), place.path)
        system.invalidate_cache(place.parent)
        size, wanted = system.size(place.path), source.stat().st_size
        if size is not None and size != wanted:
            raise OSError(f"{size:,} of {wanted:,} bytes arrived")


@contextlib.contextmanager
def _removed_on_failure(place: RemotePlace) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            place.system.rm_file(place.path)
        raise


@contextlib.contextmanager
def _failing(place: RemotePlace) -> Iterator[None]:
    """Turn what a file system raises into one sentence."""
    try:
        yield
    except RectifierError:
        raise
    except Exception as error:
        raise unwritable(place, error) from error


def _protocols(place: RemotePlace) -> set[str]:
    named = place.system.protocol
    return {named} if isinstance(named, str) else set(named)
