"""A place to write to that becomes the target when all is well, or vanishes."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.exporting.formats import Format
from keras_rectifiers.files import remote
from keras_rectifiers.files.leftovers import new_folder
from keras_rectifiers.files.writing import check_target
from keras_rectifiers.files.writing import put_in_place

StrPath = str | os.PathLike[str]

#: What every SavedModel has.
_SAVED_MODEL = "saved_model.pb"


def check(
    source: StrPath | None, target: StrPath, file_format: Format, *, overwrite: bool
) -> None:
    """Refuse a target that cannot or must not be written, before any work.

    Args:
        source: The path of the model; None for a live one.
        target: What is to be written.
        file_format: Its format.
        overwrite: Whether an existing target may be replaced.

    Raises:
        ArchiveError: Says what to name instead.
    """
    path = Path(target)
    if not file_format.suffix and remote.target_of(path) is not None:
        raise ArchiveError(
            "A format that is a folder must be written to the local disk. Received: "
            f"the target {str(path)!r}. Choose a local folder, and copy it."
        )
    if source is not None and not Path(source).exists():
        raise ArchiveError(
            f"The source must exist. Received: {str(source)!r}, which does not."
        )
    if file_format.suffix or not path.is_dir():
        for each in _all(path, file_format):
            check_target(source, each, overwrite=overwrite)
        return
    if source is not None and path.samefile(source):
        raise ArchiveError(
            f"The target must not be the source folder. Received: {str(path)!r} for "
            "both. Choose a new folder."
        )
    if not overwrite or not (path / _SAVED_MODEL).is_file():
        raise ArchiveError(
            f"The target must not exist. Received: the folder {str(path)!r}, which "
            "exists. Choose a new folder; a folder with a SavedModel can be replaced "
            "with overwrite=True (--force)."
        )


@dataclasses.dataclass(frozen=True)
class Workspace:
    """Where a child process writes."""

    #: Folder for everything that is needed on the way.
    folder: Path
    #: The file or folder to write, with the name that it is to have.
    path: Path
    target: Path
    file_format: Format
    overwrite: bool

    def keep(self) -> None:
        """Give what was written its name.

        Raises:
            ArchiveError: It cannot be had, or appeared meanwhile.
        """
        if not self.file_format.suffix:
            self._keep_folder()
            return
        # The file that is named comes last: where it is, all is.
        pairs = zip(
            _all(self.path, self.file_format),
            _all(self.target, self.file_format),
            strict=True,
        )
        for made, target in reversed(list(pairs)):
            put_in_place(made, target, overwrite=self.overwrite)

    def _keep_folder(self) -> None:
        before = self.folder / "replaced"
        try:
            if self.overwrite and self.target.is_dir():
                self.target.rename(before)
            self.path.rename(self.target)
        except OSError as error:
            if before.exists():
                before.rename(self.target)
            raise ArchiveError(
                f"The target must be writable. Received: {str(self.target)!r}, which "
                f"failed with {error.strerror}. Nothing was written."
            ) from error


@contextlib.contextmanager
def placing(
    target: StrPath, file_format: Format, *, overwrite: bool
) -> Iterator[Workspace]:
    """A folder next to the target, which is removed at the end with its contents.

    If this process is killed, the next one with the same target removes it.

    Args:
        target: What is to be written.
        file_format: Its format.
        overwrite: Whether an existing target may be replaced.

    Yields:
        The place; its `keep` writes the target.
    """
    path = Path(target)
    with new_folder(path) as folder:
        out = folder / "out"
        out.mkdir()
        yield Workspace(folder.resolve(), out / path.name, path, file_format, overwrite)


def _all(path: Path, file_format: Format) -> tuple[Path, ...]:
    return (path, *map(path.with_suffix, file_format.beside))
