"""The binding to `.keras` files: read, rewrite, write, and never import Keras.

A `.keras` file is untrusted. Members are read by exact name, no code in them
runs, and declared sizes are checked before anything is allocated.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import BinaryIO

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.surgery import zipcopy
from keras_rectifiers.surgery.document import Entry
from keras_rectifiers.surgery.document import is_model
from keras_rectifiers.surgery.files import check_target as check_target
from keras_rectifiers.surgery.files import replacing
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.rewrite import rewrite
from keras_rectifiers.surgery.sites import Site
from keras_rectifiers.surgery.sites import find

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"
#: The largest config that is read; ResNet152's has 0.5 MB.
MAX_CONFIG_BYTES = 256 << 20
#: Packed text does not expand further than this unless it is meant to.
MAX_EXPANSION = 200
MAX_MEMBERS = 100_000

_HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclasses.dataclass(frozen=True)
class Archive:
    """An open `.keras` file, read only."""

    path: Path
    file: BinaryIO
    members: tuple[zipfile.ZipInfo, ...]
    document: Entry
    metadata: dict[str, Any]

    def member(self, name: str) -> zipfile.ZipInfo:
        """A member by its exact name.

        Raises:
            ArchiveError: The archive has no such member.
        """
        for info in self.members:
            if info.filename == name:
                return info
        raise ArchiveError(
            f"A .keras file must hold {name!r}. Received: {str(self.path)!r}, which "
            "does not. It may hold sharded or NumPy weights: load it with Keras and "
            "convert the model with keras_rectifiers.convert."
        )

    def read_alpha(self, site: Site) -> Any:
        """The slopes of the PReLU at a site."""
        from keras_rectifiers.surgery import weights_file  # noqa: PLC0415 (h5py)

        found = next(each for each in find(self.document) if each.site == site)
        info = self.member(WEIGHTS)
        with zipfile.ZipFile(self.file) as archive, archive.open(info) as member:
            with _open_weights(member, self.path, "r") as file:
                return weights_file.read_alpha(file, found.group)


@contextlib.contextmanager
def read(path: str | os.PathLike[str]) -> Iterator[Archive]:
    """Open a `.keras` file and read its document.

    Args:
        path: The file.

    Raises:
        ArchiveError: It is missing, a folder, damaged, or not a `.keras` file.
    """
    path = Path(path)
    with _open(path) as file, _zip(file, path) as zipped:
        members = _members(zipped, path)
        document = _read_json(zipped, members, CONFIG, path)
        metadata = {}
        if any(info.filename == METADATA for info in members):
            metadata = _read_json(zipped, members, METADATA, path)
        _check_document(document, metadata, path)
        yield Archive(path, file, members, document, metadata)


def apply(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    plan: Plan,
    *,
    overwrite: bool = False,
) -> None:
    """Convert a `.keras` file by a plan into another file.

    Args:
        source: The file that the plan was made for; it is not changed.
        target: The file to write: whole, or not at all.
        plan: The plan.
        overwrite: Whether an existing target may be replaced.

    Raises:
        ArchiveError: A file is damaged, foreign, or cannot be written.
        PlanMismatchError: The plan is for another model.
        UnsupportedModelError: The optimizer's state cannot be carried.
    """
    check_target(source, target, overwrite=overwrite)
    with read(source) as archive, replacing(target, overwrite=overwrite) as temporary:
        rewritten = rewrite(archive.document, plan)
        weights = archive.member(WEIGHTS)
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as new:
            for info in archive.members:
                if info.filename == CONFIG:
                    config = json.dumps(rewritten.document)
                    new.writestr(_like(info), config.encode())
                elif info is not weights:
                    zipcopy.copy_member(archive.file, new, info)
            _write_weights(archive, weights, new, rewritten)


def is_hdf5(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as HDF5 files do, whatever its name."""
    try:
        with Path(path).open("rb") as file:
            return file.read(len(_HDF5)) == _HDF5
    except OSError:
        return False


def _write_weights(
    archive: Archive, info: zipfile.ZipInfo, new: zipfile.ZipFile, rewritten: Any
) -> None:
    from keras_rectifiers.surgery import weights_file  # noqa: PLC0415 (h5py)

    if not weights_file.needs_edit(archive.document, rewritten):
        zipcopy.copy_member(archive.file, new, info)
        return
    with zipcopy.patched_member(archive.file, new, info) as window:
        with _open_weights(window, archive.path, "r+") as file:
            weights_file.edit(file, archive.document, rewritten)


@contextlib.contextmanager
def _open_weights(file: Any, path: Path, mode: str) -> Iterator[Any]:
    import h5py  # noqa: PLC0415 (not needed to plan)

    from keras_rectifiers.surgery import weights_file  # noqa: PLC0415

    try:
        with h5py.File(file, mode) as weights:
            weights_file.check_links(weights)
            yield weights
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise ArchiveError(
            f"The weights must be a whole HDF5 file. Received: {str(path)!r}, whose "
            f"{WEIGHTS} cannot be read ({str(error).splitlines()[0]}). The file is "
            "damaged; take another copy of it."
        ) from error


@contextlib.contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    if path.is_dir():
        raise ArchiveError(
            f"A model must be one file. Received: the folder {str(path)!r}. A "
            "SavedModel folder must be saved as .keras first."
        )
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise ArchiveError(
            f"The model file must exist. Received: {str(path)!r}, which does not. "
            "Check the path."
        ) from error
    except OSError as error:
        raise ArchiveError(
            f"The model file must be readable. Received: {str(path)!r}, which failed "
            f"with {error.strerror or error}."
        ) from error
    with file:
        yield file


@contextlib.contextmanager
def _zip(file: BinaryIO, path: Path) -> Iterator[zipfile.ZipFile]:
    magic = file.read(8)
    if magic == _HDF5:
        raise ArchiveError(
            "A .keras file must be a zip archive. Received: "
            f"{str(path)!r}, which is HDF5: a whole-model .h5 (convert takes it, and "
            "loads it with Keras) or weights only (load them into their model)."
        )
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        cut = magic.startswith(b"PK")
        raise ArchiveError(
            f"A .keras file must be a whole zip archive. Received: {str(path)!r}, "
            f"which is {'damaged or cut off' if cut else 'something else'} "
            f"({error}). Take another copy of it."
        ) from error
    with archive:
        yield archive


def _members(archive: zipfile.ZipFile, path: Path) -> tuple[zipfile.ZipInfo, ...]:
    members = tuple(archive.infolist())
    names = [info.filename for info in members]
    if len(names) > MAX_MEMBERS or len(set(names)) != len(names):
        raise ArchiveError(
            "A .keras file must hold each member once. Received: "
            f"{str(path)!r} with {len(names)} members of {len(set(names))} names. "
            "The file is not one that Keras wrote."
        )
    for info in members:
        zipcopy.check_member(info)
    return members


def _read_json(
    archive: zipfile.ZipFile,
    members: tuple[zipfile.ZipInfo, ...],
    name: str,
    path: Path,
) -> dict[str, Any]:
    info = next((info for info in members if info.filename == name), None)
    if info is None:
        raise ArchiveError(
            f"A .keras file must hold {name!r}. Received: {str(path)!r}, which holds "
            f"{', '.join(sorted(each.filename for each in members)[:5]) or 'nothing'}. "
            "It is not a saved Keras model."
        )
    limit = min(MAX_CONFIG_BYTES, max(1 << 20, MAX_EXPANSION * info.compress_size))
    if info.file_size > limit:
        raise ArchiveError(
            f"{name} must be at most {limit} bytes here. Received: {info.file_size} "
            f"in {str(path)!r}. The file is not one that Keras wrote."
        )
    try:
        with archive.open(info) as member:
            text = member.read(limit + 1)
        value = json.loads(text)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        RecursionError,
    ) as error:
        raise ArchiveError(
            f"{name} must be readable JSON. Received: {str(path)!r}, whose {name} is "
            f"not ({type(error).__name__}: {error}). The file is damaged."
        ) from error
    if not isinstance(value, dict):
        raise ArchiveError(
            f"{name} must hold an object. Received: a {type(value).__name__} in "
            f"{str(path)!r}. The file is not one that Keras wrote."
        )
    return value


def _check_document(document: Entry, metadata: dict[str, Any], path: Path) -> None:
    version = str(metadata.get("keras_version", ""))
    if version and version.split(".")[0] in ("1", "2"):
        raise ArchiveError(
            f"A .keras file must be written by Keras 3. Received: {str(path)!r}, "
            f"written by Keras {version}. Open it with that version, and save it "
            "again with Keras 3."
        )
    if not is_model(document):
        raise ArchiveError(
            "A model's layers must stand in its config. Received: "
            f"{document.get('class_name')!r} in {str(path)!r}, whose layers are made "
            "in Python code. Replace the activations in that code."
        )


def _like(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    new = zipfile.ZipInfo(info.filename, info.date_time)
    new.compress_type = info.compress_type
    new.external_attr = info.external_attr
    return new


