"""Files inside a SavedModel folder, opened by names that this package chooses."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from keras_rectifiers.errors import ArchiveError


def open_member(folder: Path, name: str) -> BinaryIO:
    """Open a file of a folder to read it.

    Args:
        folder: The SavedModel.
        name: Its path in the folder; never one that a file names.

    Raises:
        ArchiveError: It is missing, not a regular file, or a link out of the folder.
    """
    path = folder / name
    try:
        inside = path.resolve(strict=True).is_relative_to(folder.resolve())
        if inside and stat.S_ISREG(path.stat().st_mode):
            return path.open("rb")
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ArchiveError(
            f"A SavedModel must hold {name}. Received: {str(folder)!r}, where it "
            f"cannot be read ({reason}). Copy the whole folder, with its subfolders."
        ) from error
    raise ArchiveError(
        "The files of a SavedModel must be regular files in its folder. Received: "
        f"{str(path)!r}, which is a link to another place, or not a regular file. If "
        "you trust it, copy the folder so that links become files (cp -rL)."
    )


def read(folder: Path, name: str, limit: int) -> bytes:
    """Read a whole file of a folder.

    Args:
        folder: The SavedModel.
        name: Its path in the folder; never one that a file names.
        limit: Most bytes that it may have.

    Raises:
        ArchiveError: It cannot be opened, or is longer.
    """
    with open_member(folder, name) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise ArchiveError(
                f"{name} of a SavedModel must be at most {limit:,} bytes. Received: "
                f"{str(folder)!r}, where it has {size:,}. The folder was not written "
                "by Keras."
            )
        return file.read(size)


def has(folder: Path, name: str) -> bool:
    """Whether a folder has something of this name."""
    return os.path.lexists(folder / name)
