"""Open whatever Keras ever saved a model as: the bytes decide, never the name."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.files import members
from keras_rectifiers.files.members import CONFIG
from keras_rectifiers.files.members import METADATA
from keras_rectifiers.files.members import WEIGHTS
from keras_rectifiers.legacy.containers import architecture
from keras_rectifiers.legacy.containers import archive
from keras_rectifiers.legacy.containers import foreign
from keras_rectifiers.legacy.containers import hdf5_model
from keras_rectifiers.legacy.containers import vocabularies
from keras_rectifiers.legacy.containers import weights_only
from keras_rectifiers.legacy.containers.groups import GroupedWeights
from keras_rectifiers.legacy.containers.groups import tree_of
from keras_rectifiers.legacy.containers.hdf5_arrays import open_hdf5
from keras_rectifiers.legacy.containers.saved import Saved

_ZIP = b"PK"
_GRAPHS = ("saved_model.pb", "saved_model.pbtxt", "keras_metadata.pb")


@contextlib.contextmanager
def open_saved(path: Path, weights: Path | None = None) -> Iterator[Saved]:
    """Open a saved model of any form; its arrays are read while it is open.

    Args:
        path: A file or a folder.
        weights: File of the weights, for an architecture.

    Raises:
        ArchiveError: It is missing, damaged, or no saved Keras model.
        UnsupportedModelError: Its kind has no form in Keras 3.
    """
    with contextlib.ExitStack() as stack:
        saved = _open(path, stack)
        if weights is None:
            yield saved
            return
        if saved.weights is not None:
            raise ArchiveError(
                "Weights can only be given for an architecture without weights. "
                f"Received: {str(weights)!r} for {str(path)!r}, which has its own. "
                "Pass only one of them."
            )
        found = _open_weights(weights, saved, stack)
        yield dataclasses.replace(found, container=f"{saved.container} with weights")


def is_model_folder(path: Path) -> bool:
    """Whether a folder is one model: a SavedModel, or an unpacked `.keras` file.

    Args:
        path: The folder.
    """
    unpacked = (path / CONFIG).is_file() and (path / WEIGHTS).is_file()
    return unpacked or _has_graph(path)


def _has_graph(path: Path) -> bool:
    return any((path / name).is_file() for name in _GRAPHS)


def _open(path: Path, stack: contextlib.ExitStack) -> Saved:
    if os.path.isdir(path):  # noqa: PTH112 (which raises nothing)
        return _open_folder(path, stack)
    file = stack.enter_context(members.open_file(path))
    size = path.stat().st_size
    match _kind(file):
        case "zip":
            return stack.enter_context(archive.read(file, path))
        case "hdf5":
            reader = stack.enter_context(open_hdf5(file, path, size))
            if hdf5_model.is_whole(reader):
                return hdf5_model.read(reader, path)
            if weights_only.is_weights(reader):
                raise ArchiveError(architecture.without_architecture(path))
            raise ArchiveError(
                "A model file must hold the model's config and its weights. Received: "
                f"{str(path)!r}, an HDF5 file that Keras did not write. Pass the "
                "model file."
            )
        case "json":
            return architecture.read(file, path)
        case _:
            raise ArchiveError(foreign.describe(file, path, size))


def _open_folder(path: Path, stack: contextlib.ExitStack) -> Saved:
    if _has_graph(path):
        from keras_rectifiers.legacy.containers.savedmodel.read import read  # noqa: PLC0415

        return stack.enter_context(read(path))
    config, weights = path / CONFIG, path / WEIGHTS
    if not is_model_folder(path):
        raise ArchiveError(
            "A folder must be a SavedModel, or an unpacked .keras file. Received: "
            f"{str(path)!r}, which holds neither saved_model.pb nor {CONFIG} with "
            f"{WEIGHTS}. Pass the model itself."
        )
    with members.open_file(config) as file:
        document = architecture.read(file, config)
    metadata = None
    if (path / METADATA).is_file():
        with members.open_file(path / METADATA) as file:
            metadata = architecture.read_json(file, path / METADATA)
    file = stack.enter_context(members.open_file(weights))
    size = weights.stat().st_size
    reader = stack.enter_context(open_hdf5(file, weights, size))
    found = GroupedWeights(tree_of(reader), document.document)
    whole = archive.saved(found, metadata if isinstance(metadata, dict) else {}, path)
    whole = dataclasses.replace(
        whole, container=f"unpacked {whole.container}", training=document.training
    )
    return _with_vocabularies(whole, found)


def _with_vocabularies(saved: Saved, weights: GroupedWeights) -> Saved:
    """The other files of an unpacked `.keras` file."""
    folder = saved.path
    files = (folder / vocabularies.ASSETS).rglob("*")
    names = sorted(each.relative_to(folder).as_posix() for each in files)

    def read_file(name: str, limit: int) -> bytes:
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()):
            raise ArchiveError(
                "The files of a model must be in its folder. Received: "
                f"{str(file)!r}, which is a link to another place. If you trust it, "
                "copy the folder so that links become files (cp -rL)."
            )
        with members.open_file(file) as opened:
            data = opened.read(limit + 1)
        if len(data) > limit:
            raise vocabularies.too_large(folder)
        return data

    names = [name for name in names if not (folder / name).is_dir()]
    return vocabularies.filled(saved, weights, names, read_file)


def _open_weights(path: Path, saved: Saved, stack: contextlib.ExitStack) -> Saved:
    file = stack.enter_context(members.open_file(path))
    size = path.stat().st_size
    match _kind(file):
        case "zip":
            return stack.enter_context(archive.read_weights(file, path, saved))
        case "hdf5":
            reader = stack.enter_context(open_hdf5(file, path, size))
            found = weights_only.read(reader, saved.document)
        case "json":
            shards = weights_only.read_shards(file, path, saved.document)
            found = stack.enter_context(shards)
        case _:
            raise ArchiveError(foreign.describe(file, path, size))
    whole = dataclasses.replace(saved, weights=found)
    return found.filled(whole) if isinstance(found, GroupedWeights) else whole


def _kind(file: BinaryIO) -> str:
    """What the first bytes of a file show; the file is rewound."""
    head = file.read(512)
    file.seek(0)
    if head.startswith(members.HDF5):
        return "hdf5"
    if head.startswith(_ZIP):
        return "zip"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return "json" if text[:1] in (b"{", b"[", b'"') else ""
