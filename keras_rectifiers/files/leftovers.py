"""What runs write next to a target, and what a killed one left there.

A run holds a lock on what it writes as long as it lives, and the kernel lets go of it
however the run ends. So whoever gets the lock knows that nobody is at work there.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from keras_rectifiers.errors import ArchiveError

try:
    import fcntl
except ImportError:  # Windows, where nobody can remove a file that is open
    fcntl = None  # type: ignore[assignment]

#: In every name, so that none is taken for a file of another program.
_MARK = "keras_rectifiers"
_RANDOM = r"[a-z0-9_]{8}"
#: Bytes of a target's name up to which it is part of the name.
_LONGEST = 200


def new_name(target: Path, suffix: str = "") -> Path:
    """A name next to a target that most likely is free.

    Args:
        target: The target.
        suffix: Its ending.
    """
    random = os.urandom(4).hex()
    return target.with_name(f"{_prefix(target)}{random}.{_MARK}{suffix}")


def new_file(target: Path, suffix: str) -> tuple[Path, int]:
    """A new file next to a target, and the open handle that keeps it.

    Args:
        target: The target.
        suffix: The ending of the file's name.

    Raises:
        OSError: The folder cannot be written.
    """
    ending = f".{_MARK}{suffix}"
    while True:
        handle, name = tempfile.mkstemp(ending, _prefix(target), target.parent)
        if hold(handle) and _is_at(handle, Path(name)):
            return Path(name), handle
        os.close(handle)  # another run met it before it was locked, and removes it


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A new folder next to a target, which goes at the end with its contents.

    What killed runs left for the same target goes, too.

    Args:
        target: The target.

    Raises:
        ArchiveError: The folder around it cannot be written.
    """
    remove_left(target)
    try:
        folder, handle = _held_folder(target)
    except OSError as error:
        raise ArchiveError(
            f"The target's folder must be writable. Received: {str(target)!r}, which "
            f"failed with {error.strerror}."
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def _held_folder(target: Path) -> tuple[Path, int | None]:
    while True:
        name = tempfile.mkdtemp(f".{_MARK}", _prefix(target), target.parent)
        handle = _opened(Path(name))
        if handle is None or (hold(handle) and _is_at(handle, Path(name))):
            return Path(name), handle
        os.close(handle)


def remove_left(target: Path) -> None:
    """Remove what killed runs left next to a target; nothing of a run that lives.

    Args:
        target: The target.
    """
    ours = re.compile(rf"{re.escape(_prefix(target))}{_RANDOM}\.{_MARK}(\..*)?")
    with contextlib.suppress(OSError), os.scandir(target.parent) as entries:
        for name in [each.name for each in entries if ours.fullmatch(each.name)]:
            with contextlib.suppress(OSError):
                _remove_if_left(target.with_name(name))


def hold(handle: int) -> bool:
    """Lock an open file or folder for this run.

    Returns:
        Whether nobody else has; True where there are no locks: there nothing that is
        left is removed, either.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _remove_if_left(path: Path) -> None:
    found = path.lstat()
    if fcntl is None:
        if stat.S_ISREG(found.st_mode):
            path.unlink()  # an error, if a run has it open
        return
    if found.st_uid != os.geteuid():
        return
    handle = _opened(path)
    if handle is None:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_at(handle, path):
            return
        if stat.S_ISDIR(found.st_mode):
            shutil.rmtree(path)
        elif stat.S_ISREG(found.st_mode):
            path.unlink()
    finally:
        os.close(handle)


def _opened(path: Path) -> int | None:
    """A handle to lock a file or a folder by; None where there are no locks."""
    if fcntl is None:
        return None
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


def _is_at(handle: int, path: Path) -> bool:
    """Whether an open file still has its name."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except OSError:
        return False


def _prefix(target: Path) -> str:
    """What the names of everything for one target begin with."""
    name = target.name
    if len(os.fsencode(name)) > _LONGEST:
        name = f"{zlib.crc32(os.fsencode(name)):08x}"
    return f".{name}."
