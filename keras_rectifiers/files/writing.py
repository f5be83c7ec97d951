"""Write a file whole or not at all, and never over another by accident."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_rectifiers.errors import ArchiveError


def check_model_target(
    source: str | os.PathLike[str] | None,
    target: str | os.PathLike[str],
    *,
    overwrite: bool,
) -> None:
    """`check_target` for a model, whose name must show Keras how to open it.

    Raises:
        ArchiveError: As for `check_target`, or the name does not end in `.keras`.
    """
    check_target(source, target, overwrite=overwrite)
    if Path(target).suffix != ".keras":
        raise ArchiveError(
            "A model must be written as .keras. Received: the target "
            f"{str(target)!r}. Choose a file name that ends in .keras."
        )


def check_target(
    source: str | os.PathLike[str] | None,
    target: str | os.PathLike[str],
    *,
    overwrite: bool,
) -> None:
    """Refuse a target that cannot or must not be written, before any work.

    Raises:
        ArchiveError: The target exists, is the source, is a folder, or its
            folder does not exist or cannot be written.
    """
    path = Path(target)
    try:
        same = source is not None and path.samefile(source)
    except FileNotFoundError:
        same = False
    except (OSError, ValueError) as error:  # a name too long, or with a null byte
        raise ArchiveError(_unwritable(path, error)) from error
    if same:
        raise ArchiveError(
            f"The target must not be the source file. Received: {str(path)!r} for "
            "both. Choose a new file."
        )
    if path.is_dir():
        raise ArchiveError(
            f"The target must be a file. Received: the folder {str(path)!r}. Choose a "
            "file inside it."
        )
    if path.exists() and not path.is_file():
        raise ArchiveError(
            f"The target must be a file. Received: {str(path)!r}, which is a device "
            "or a pipe. Choose a new file."
        )
    if path.exists() and not overwrite:
        raise ArchiveError(
            f"The target must not exist. Received: {str(path)!r}, which exists. "
            "Choose a new file, or pass overwrite=True (--force) to replace it."
        )
    folder = path.parent
    if not folder.is_dir():
        raise ArchiveError(
            f"The target's folder must exist. Received: {str(path)!r}, but there is "
            f"no folder {str(folder)!r}. Create it first."
        )
    if not os.access(folder, os.W_OK):
        raise ArchiveError(
            f"The target's folder must be writable. Received: {str(path)!r}, but "
            f"{str(folder)!r} is not. Choose another folder."
        )


@contextlib.contextmanager
def replacing(
    target: str | os.PathLike[str], *, overwrite: bool, suffix: str = ".tmp"
) -> Iterator[Path]:
    """A temporary file next to the target that becomes the target at the end.

    Where the block raises, the temporary file goes and the target stays as it
    was. The bytes are on the disk before the name is.

    Args:
        target: The file to write.
        overwrite: Whether an existing target may be replaced.
        suffix: Ending of the temporary name, for writers that look at it.

    Raises:
        ArchiveError: The target cannot be written, or appeared meanwhile.
    """
    path = Path(target)
    try:
        handle, name = tempfile.mkstemp(suffix, f".{path.name}.", path.parent)
    except OSError as error:
        raise ArchiveError(_unwritable(path, error)) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # what open() would have given it
        if overwrite:
            temporary.replace(path)
        else:
            _link(temporary, path)
        _sync(path.parent)
    except OSError as error:
        raise ArchiveError(_unwritable(path, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> None:
    """Name the file, and fail if the name was taken meanwhile."""
    try:
        os.link(temporary, path)
    except FileExistsError as error:
        raise ArchiveError(
            f"The target must not exist. Received: {str(path)!r}, which appeared "
            "during writing. Choose a new file."
        ) from error
    except OSError:  # a file system without hard links
        temporary.replace(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(path: Path, error: Exception) -> str:
    return (
        f"The target must be writable. Received: {str(path)!r}, which failed with "
        f"{getattr(error, 'strerror', None) or error}. No partial file was left."
    )
