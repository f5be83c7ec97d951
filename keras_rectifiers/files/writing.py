"""Write a file whole or not at all, and never over another by accident."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.files import leftovers
from keras_rectifiers.files import remote
from keras_rectifiers.files import upload


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
    _check_url(source, path, overwrite=overwrite)
    try:
        same = source is not None and path.samefile(source)
    except FileNotFoundError:
        same = False
    except (OSError, ValueError) as error:  # a name too long, or with a null byte
        raise ArchiveError(_unwritable(path, error)) from error
    if same:
        raise _is_the_source(str(path))
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


def _check_url(
    source: str | os.PathLike[str] | None, path: Path, *, overwrite: bool
) -> None:
    """Check the target of a path that is a stand-in."""
    place = remote.target_of(path)
    if place is None:
        return
    if remote.url_of(source) == place.url:
        raise _is_the_source(place.shown)
    upload.check(place, overwrite=overwrite)


def _is_the_source(name: str) -> ArchiveError:
    return ArchiveError(
        f"The target must not be the source file. Received: {name!r} for both. "
        "Choose a new file."
    )


@contextlib.contextmanager
def replacing(
    target: str | os.PathLike[str],
    *,
    overwrite: bool,
    suffix: str = ".tmp",
    named: bool = True,
) -> Iterator[Path]:
    """A temporary file next to the target that becomes the target at the end.

    Where the block raises, the temporary file goes and the target stays as it
    was. The bytes are on the disk before the name is, and at the URL, if the target is
    the stand-in of one. What killed runs left for the same target goes, too.

    Args:
        target: The file to write.
        overwrite: Whether an existing target may be replaced.
        suffix: Ending of the temporary name, for writers that look at it.
        named: Whether the temporary file must have a name next to the target. If not,
            and if the file system has such files, it has none until it is whole, so
            that not even a killed run leaves it; the path leads to this process' own
            handle. Default True.

    Raises:
        ArchiveError: The target cannot be written, or appeared meanwhile.
    """
    path = Path(target)
    leftovers.remove_left(path)
    try:
        handle = None if named else _unnamed(path.parent)
        temporary = _Named(path, suffix) if handle is None else _Unnamed(handle)
    except OSError as error:
        raise ArchiveError(_unwritable(path, error)) from error
    try:
        yield temporary.path
        _finish(temporary.path, path, overwrite=overwrite)
        temporary.become(path, overwrite=overwrite)
        _sync(path.parent)
    except OSError as error:
        raise ArchiveError(_unwritable(path, error)) from error
    finally:
        temporary.close()


def put_in_place(
    made: Path, target: str | os.PathLike[str], *, overwrite: bool
) -> None:
    """Give a whole file, made in a folder next to the target, the target's name.

    Args:
        made: The file; it is moved.
        target: The target.
        overwrite: Whether an existing target may be replaced.

    Raises:
        ArchiveError: As for `replacing`.
    """
    path = Path(target)
    try:
        _finish(made, path, overwrite=overwrite)
        _rename(made, path, overwrite=overwrite)
        _sync(path.parent)
    except OSError as error:
        raise ArchiveError(_unwritable(path, error)) from error


class _Named:
    """A temporary file with a name, which a later run removes if this one is killed."""

    def __init__(self, target: Path, suffix: str) -> None:
        self.path, handle = leftovers.new_file(target, suffix)
        self._handle: int | None = handle

    def become(self, target: Path, *, overwrite: bool) -> None:
        if os.name == "nt":
            self._release()  # an open file cannot be renamed there
        _rename(self.path, target, overwrite=overwrite)
        self._release()  # whoever opens the target may want to lock it

    def close(self) -> None:
        self._release()
        self.path.unlink(missing_ok=True)

    def _release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class _Unnamed:
    """A temporary file without a name, which goes with the process."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle
        self.path = _path_of(handle)

    def become(self, target: Path, *, overwrite: bool) -> None:
        try:
            self._link(target)
        except FileExistsError as error:
            if not overwrite:
                raise ArchiveError(_appeared(target)) from error
            self._replace(target)

    def _replace(self, target: Path) -> None:
        """Take the place of a file, which needs a name first, for a moment."""
        name = leftovers.new_name(target)
        if self._handle is not None:
            leftovers.hold(self._handle)
        self._link(name)
        try:
            name.replace(target)
        finally:
            name.unlink(missing_ok=True)

    def _link(self, name: Path) -> None:
        folder = os.open(name.parent, os.O_RDONLY)
        try:
            # Only with a folder's handle does os.link follow the link to the file.
            os.link(self.path, name.name, dst_dir_fd=folder, follow_symlinks=True)
        finally:
            os.close(folder)

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _unnamed(folder: Path) -> int | None:
    """A new file without a name in a folder; None where there are none."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None:
        return None
    try:
        handle = os.open(folder, flag | os.O_RDWR, 0o600)
    except OSError:
        return None
    if _path_of(handle).exists():
        return handle
    os.close(handle)
    return None


def _path_of(handle: int) -> Path:
    return Path(f"/proc/self/fd/{handle}")


def _finish(made: Path, target: Path, *, overwrite: bool) -> None:
    """Bring a file to the disk, with the permissions that open() would have given.

    If the target is the stand-in of a URL, it is uploaded, too.
    """
    mask = os.umask(0)
    os.umask(mask)
    made.chmod(0o666 & ~mask)
    _sync(made)
    place = remote.target_of(target)
    if place is not None:
        upload.upload(made, place, overwrite=overwrite)


def _rename(made: Path, target: Path, *, overwrite: bool) -> None:
    """Name a file, and fail if the name was taken meanwhile and must not be."""
    if overwrite:
        made.replace(target)
        return
    try:
        os.link(made, target)
    except FileExistsError as error:
        raise ArchiveError(_appeared(target)) from error
    except OSError:  # a file system without hard links
        made.replace(target)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _appeared(path: Path) -> str:
    return (
        f"The target must not exist. Received: {str(path)!r}, which appeared during "
        "writing. Choose a new file."
    )


def _unwritable(path: Path, error: Exception) -> str:
    return (
        f"The target must be writable. Received: {str(path)!r}, which failed with "
        f"{getattr(error, 'strerror', None) or error}. No partial file was left."
    )
