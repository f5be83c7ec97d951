"""Write an output file whole or not at all, and never over another by accident."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_rectifiers.errors import ArchiveError


def check_target(target: Path, *, force: bool, source: Path | None = None) -> None:
    """Refuse a target that cannot or must not be written, before any work.

    Args:
        target: The file to write.
        force: Whether an existing file may be replaced.
        source: The file that is read; it must not be the target.

    Raises:
        ArchiveError: The target is the source, a folder, exists, or has no
            folder that can be written to.
    """
    exist = source is not None and source.exists() and target.exists()
    if exist and target.samefile(source):  # type: ignore[arg-type]
        raise ArchiveError(
            f"The target must not be the source. Received: {str(target)!r} for "
            "both. Give the result a name of its own."
        )
    if target.is_dir():
        raise ArchiveError(
            f"The target must be a file. Received: the folder {str(target)!r}. "
            "Add a file name."
        )
    if os.path.lexists(target) and not force:
        raise ArchiveError(
            f"The target {str(target)!r} exists already. Use --force to replace it."
        )
    folder = target.parent
    if not folder.is_dir():
        raise ArchiveError(
            f"The target's folder does not exist. Received: {str(target)!r}. "
            f"Create {str(folder)!r} first."
        )
    if not os.access(folder, os.W_OK):
        raise ArchiveError(
            f"The target cannot be written. Received: {str(target)!r}. The folder "
            f"{str(folder)!r} is read-only: choose another."
        )


def check_keras_name(target: Path) -> None:
    """Refuse a target whose name Keras could not open again."""
    if target.suffix != ".keras":
        raise ArchiveError(
            "The target must have a name that ends in .keras. Received: "
            f"{str(target)!r}."
        )


@contextlib.contextmanager
def replacing(target: Path, *, force: bool) -> Iterator[Path]:
    """Give a path beside `target` to write to, and rename it when all went well.

    On any error the temporary file is removed, and `target` is as it was. A
    caller that removes the temporary file itself gives the target up.

    Args:
        target: The file to make.
        force: Whether an existing file may be replaced.
    """
    with tempfile.TemporaryDirectory(
        prefix=f".{target.stem}-", dir=target.parent
    ) as folder:
        temporary = Path(folder) / target.name
        yield temporary
        if not temporary.exists():
            return
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        check_target(target, force=force)
        temporary.replace(target)
        _sync_folder(target.parent)


def write_text(target: Path, text: str, *, force: bool) -> None:
    """Write a text file whole or not at all."""
    check_target(target, force=force)
    with replacing(target, force=force) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _sync_folder(folder: Path) -> None:
    """Make a rename last, where the system can open folders."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
