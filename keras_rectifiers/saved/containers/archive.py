"""`.keras` files of Keras 2 and 3."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import BinaryIO

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.saved.containers.groups import GroupedWeights
from keras_rectifiers.saved.containers.groups import tree_of
from keras_rectifiers.saved.containers.hdf5_arrays import Reader
from keras_rectifiers.saved.containers.hdf5_arrays import open_hdf5
from keras_rectifiers.saved.containers.saved import Saved
from keras_rectifiers.saved.modern import MODERN
from keras_rectifiers.surgery import members
from keras_rectifiers.surgery import wellformed
from keras_rectifiers.surgery import zipcopy
from keras_rectifiers.surgery.archive import CONFIG
from keras_rectifiers.surgery.archive import METADATA
from keras_rectifiers.surgery.archive import WEIGHTS
from keras_rectifiers.surgery.document import Entry

_EARLY = "early .keras"
_ASSETS = "assets/"
_CHUNK = 1 << 20


@contextlib.contextmanager
def read(file: BinaryIO, path: Path) -> Iterator[Saved]:
    """Read a `.keras` file.

    Args:
        file: Its bytes, from the beginning.
        path: Where it is.

    Raises:
        ArchiveError: It is damaged, or no file that Keras wrote.
        UnsupportedModelError: It holds its weights in a way that is not read.
    """
    with members.open_zip(file, path) as zipped:
        infos = members.members_of(zipped, path)
        document = members.read_json(zipped, infos, CONFIG, path)
        metadata = {}
        if any(info.filename == METADATA for info in infos):
            metadata = members.read_json(zipped, infos, METADATA, path)
        with _reader(file, zipped, infos, path) as reader:
            made = saved(document, metadata, reader, path)
            yield dataclasses.replace(made, assets=_assets(infos))


@contextlib.contextmanager
def read_weights(
    file: BinaryIO, path: Path, document: Entry
) -> Iterator[GroupedWeights]:
    """The weights in a `.keras` file, for an architecture.

    Args:
        file: Its bytes, from the beginning.
        path: Where it is.
        document: The architecture, as it was written.

    Raises:
        ArchiveError: It is damaged, or no file that Keras wrote.
        UnsupportedModelError: It holds its weights in a way that is not read.
    """
    with members.open_zip(file, path) as zipped:
        infos = members.members_of(zipped, path)
        with _reader(file, zipped, infos, path) as reader:
            yield GroupedWeights(tree_of(reader), document)


def saved(
    document: Entry, metadata: dict[str, Any], reader: Reader, path: Path
) -> Saved:
    """What the three parts of a `.keras` file say.

    Args:
        document: The config.
        metadata: The metadata; may be empty.
        reader: The open weights file.
        path: The file or folder that has them.
    """
    tree = tree_of(reader)
    version = str(metadata.get("keras_version") or "")
    training = document.pop("compile_config", None)
    if training is not None and not isinstance(training, dict):
        raise ArchiveError(
            "A compile_config must be an object. Received: a "
            f"{type(training).__name__} in {str(path)!r}. The file is not one that "
            "Keras wrote."
        )
    early = version.partition(".")[0] == "2"
    return Saved(
        path=path,
        container=_EARLY if early else MODERN,
        document=document,
        training=training or None,  # empty where it was not compiled
        version=version,
        backend="tensorflow" if early else "",
        weights=GroupedWeights(tree, document),
        slots=tree.slots(),
    )


def _assets(infos: members.Members) -> tuple[str, ...]:
    """What layers store beside their weights: vocabularies, images."""
    names = [info.filename.replace("\\", "/") for info in infos if info.file_size]
    return tuple(name for name in names if name.startswith(_ASSETS))


@contextlib.contextmanager
def _reader(
    file: BinaryIO, zipped: zipfile.ZipFile, infos: members.Members, path: Path
) -> Iterator[Reader]:
    info = _weights(infos, path)
    with wellformed.reading(path, WEIGHTS):
        unpacked = _member(file, zipped, info, path)
    with unpacked, open_hdf5(unpacked, path, info.file_size) as reader:
        yield reader


def _weights(infos: members.Members, path: Path) -> zipfile.ZipInfo:
    for info in infos:
        if info.filename == WEIGHTS:
            return info
    other = next(
        (each.filename for each in infos if each.filename.startswith("model.weights")),
        "",
    )
    if other:
        raise UnsupportedModelError(
            f"A .keras file must hold its weights as {WEIGHTS}. Received: {other!r} in "
            f"{str(path)!r}. Open it with the Keras that wrote it, and save it again."
        )
    raise ArchiveError(
        f"A .keras file must hold {WEIGHTS!r}. Received: {str(path)!r}, which does "
        "not. The file is cut short; take another copy of it."
    )


def _member(
    file: BinaryIO, zipped: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path
) -> Any:
    """The bytes of a member as a file that can be sought, their sum checked."""
    if info.compress_type != zipfile.ZIP_STORED:
        unpacked = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
        with zipped.open(info) as packed:
            shutil.copyfileobj(packed, unpacked, _CHUNK)
        return unpacked
    window = zipcopy.Window(file, zipcopy.data_offset(file, info), info.file_size)
    total = 0
    while data := window.read(_CHUNK):
        total = zlib.crc32(data, total)
    if total != info.CRC:
        raise ArchiveError(
            "A member must have the check sum that the archive states. Received: "
            f"{info.filename!r} of {str(path)!r} with another. The file is damaged."
        )
    return window
