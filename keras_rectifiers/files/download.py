"""Copy what a URL names to the local disk; no size that it declares is believed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from pathlib import PurePosixPath
from typing import Any

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.files.urls import RemotePlace
from keras_rectifiers.files.urls import unreadable

_CHUNK = 1 << 22
#: Bytes of the disk that are left free.
_RESERVE = 1 << 26
_MOST_FILES = 100_000


def download(
    place: RemotePlace, target: Path, tell: Callable[[str], None] | None = None
) -> None:
    """Copy a file, or a folder with all that is in it.

    Args:
        place: The file or folder.
        target: The local file or folder, which does not exist.
        tell: Called with a sentence before anything is copied.

    Raises:
        ArchiveError: It cannot be read, has another size than it declares, or does
            not fit on the disk.
    """
    found = _files(place)
    sizes = [_size(info) for info in found.values()]
    known = sum(size or 0 for size in sizes)
    if tell is not None:
        size = "" if None in sizes else f" ({known:,} bytes)"
        tell(f"Downloading {place.shown}{size}")
    _check_room(place, known, target.parent)
    for name, info in found.items():
        copy = target / name if name else target
        copy.parent.mkdir(parents=True, exist_ok=True)
        _copy(place, info, copy)


def _files(place: RemotePlace) -> dict[str, dict[str, Any]]:
    """What fsspec says about each file, by its path in the folder; `""` for a file."""
    system = place.system
    try:
        info = system.info(place.path)
        if info["type"] != "directory":
            return {"": info}
        listed = system.find(place.path, detail=True)
    except Exception as error:
        raise unreadable(place, error) from error
    if len(listed) > _MOST_FILES:
        raise ArchiveError(
            f"A folder must not have more than {_MOST_FILES:,} files. Received: "
            f"{len(listed):,} at {place.shown!r}. Name one model in it."
        )
    root = PurePosixPath("/", place.path)
    return {_inside(place, root, path): each for path, each in listed.items()}


def _inside(place: RemotePlace, root: PurePosixPath, path: str) -> str:
    """The path of a file in its folder; it never leaves it."""
    full = PurePosixPath("/", path)
    if ".." in full.parts or "\\" in path or not full.is_relative_to(root):
        raise ArchiveError(
            "The files of a folder must be in it. Received: "
            f"{path!r} in {place.shown!r}. The folder is damaged or forged."
        )
    return full.relative_to(root).as_posix()


def _size(info: dict[str, Any]) -> int | None:
    size = info.get("size")
    return int(size) if size is not None else None


def _check_room(place: RemotePlace, size: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free - _RESERVE
    if size > free:
        raise ArchiveError(
            f"There must be room on the disk for what a URL names. Received: "
            f"{place.shown!r}, which declares {size:,} bytes, but {str(folder)!r} has "
            f"room for {max(free, 0):,}. Free some, or set TMPDIR to another disk."
        )


def _copy(place: RemotePlace, info: dict[str, Any], copy: Path) -> None:
    """Copy one file, up to the size that it declares, or while there is room."""
    declared = _size(info)
    received = 0
    try:
        with _opened(place, info["name"]) as source, copy.open("xb") as made:
            while chunk := source.read(_CHUNK):
                received += len(chunk)
                if declared is not None and received > declared:
                    break
                if declared is None:
                    _check_room(place, len(chunk), copy.parent)
                made.write(chunk)
    except RectifierError:
        raise
    except Exception as error:
        raise unreadable(place, error) from error
    if declared is not None and received != declared:
        than = "more" if received > declared else f"{received:,}"
        raise ArchiveError(
            f"A file must have the size that it declares. Received: {than} instead of "
            f"{declared:,} bytes from {place.shown!r}. Try again."
        )


def _opened(place: RemotePlace, path: str) -> Any:
    """A stream of a file; over HTTP one answer, since not all servers cut files."""
    if type(place.system).__name__ == "HTTPFileSystem":
        return place.system.open(path, "rb", block_size=0)
    return place.system.open(path, "rb")
