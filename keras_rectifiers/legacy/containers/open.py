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
from keras_rectifiers.legacy.containers import missing_config
from keras_rectifiers.legacy.containers import vocabularies
from keras_rectifiers.legacy.containers import weights_only
from keras_rectifiers.legacy.containers.groups import GroupedWeights
from keras_rectifiers.legacy.containers.groups import tree_of
from keras_rectifiers.legacy.containers.hdf5_arrays import open_hdf5
from keras_rectifiers.legacy.containers.saved import Saved
from keras_rectifiers.legacy.containers.saved import Weights

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
        UnsupportedModelError: It is of a kind that has no form in Keras 3.
    """
    with contextlib.ExitStack() as stack:
        saved = stack.enter_context(_open(path))
        if weights is None:
            yield saved
            return
        if saved.weights is not None:
            raise ArchiveError(
                "Weights are given for an architecture that has none. Received: "
                f"{str(path)!r}, which has its own, and {str(weights)!r}. Name one of "
                "them."
            )
        found = stack.enter_context(_open_weights(weights, saved))
        yield dataclasses.replace(found, container=f"{saved.container} with weights")


@contextlib.contextmanager
def _open(path: Path) -> Iterator[Saved]:
    if os.path.isdir(path):  # noqa: PTH112 (which raises nothing)
        with _open_folder(path) as saved:
            yield saved
        return
    with members.open_file(path) as file:
        size = path.stat().st_size
        match _kind(file):
            case "zip":
                with archive.read(file, path) as saved:
                    yield saved
            case "hdf5":
                with open_hdf5(file, path, size) as reader:
                    if not hdf5_model.is_whole(reader):
                        if weights_only.is_weights(reader):
                            raise ArchiveError(architecture.without_architecture(path))
                        raise ArchiveError(_no_model(path))
                    yield hdf5_model.read(reader, path)
            case "json":
                yield architecture.read(file, path)
            case _:
                raise ArchiveError(foreign.describe(file, path, size))


@contextlib.contextmanager
def _open_folder(path: Path) -> Iterator[Saved]:
    if any((path / name).is_file() for name in _GRAPHS):
        from keras_rectifiers.legacy.containers.savedmodel.read import read  # noqa: PLC0415

        with read(path) as saved:
            yield saved
        return
    config, weights = path / CONFIG, path / WEIGHTS
    if not (config.is_file() and weights.is_file()):
        raise ArchiveError(
            "A folder must be a SavedModel, or an unpacked .keras file. Received: "
            f"{str(path)!r}, which holds neither saved_model.pb nor {CONFIG} with "
            f"{WEIGHTS}. Name the model itself."
        )
    with members.open_file(config) as file:
        document = architecture.read(file, config)
    metadata = {}
    if (path / METADATA).is_file():
        with members.open_file(path / METADATA) as file:
            metadata = architecture.read_json(file, path / METADATA)
    if not isinstance(metadata, dict):
        metadata = {}
    with (
        members.open_file(weights) as file,
        open_hdf5(file, weights, weights.stat().st_size) as reader,
    ):
        found = GroupedWeights(tree_of(reader), document.document)
        whole = archive.saved(found, metadata, path)
        whole = dataclasses.replace(
            whole, container=f"unpacked {whole.container}", training=document.training
        )
        yield _with_vocabularies(whole, found)


def _with_vocabularies(saved: Saved, weights: GroupedWeights) -> Saved:
    """What lies beside the config of an unpacked `.keras` file."""
    folder = saved.path
    files = (folder / vocabularies.ASSETS).rglob("*")
    names = sorted(each.relative_to(folder).as_posix() for each in files)

    def read_file(name: str, limit: int) -> bytes:
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()):
            raise ArchiveError(
                "The files of a model must be in its folder. Received: "
                f"{str(file)!r}, which is a link to elsewhere. Copy the folder so "
                "that links become files (cp -rL), if you trust it."
            )
        with members.open_file(file) as opened:
            data = opened.read(limit + 1)
        if len(data) > limit:
            raise vocabularies.too_large(folder)
        return data

    names = [name for name in names if not (folder / name).is_dir()]
    return vocabularies.filled(saved, weights, names, read_file)


@contextlib.contextmanager
def _open_weights(path: Path, saved: Saved) -> Iterator[Saved]:
    with members.open_file(path) as file:
        size = path.stat().st_size
        match _kind(file):
            case "zip":
                with archive.read_weights(file, path, saved) as whole:
                    yield whole
            case "hdf5":
                with open_hdf5(file, path, size) as reader:
                    yield _whole(saved, weights_only.read(reader, saved.document))
            case "json":
                with weights_only.read_shards(file, path, saved.document) as found:
                    yield _whole(saved, found)
            case _:
                raise ArchiveError(foreign.describe(file, path, size))


def _whole(saved: Saved, weights: Weights) -> Saved:
    whole = dataclasses.replace(saved, weights=weights)
    if isinstance(weights, GroupedWeights):
        return missing_config.filled(whole, weights)
    return whole


def _kind(file: BinaryIO) -> str:
    """What the first bytes of a file say; it stands at its beginning after."""
    head = file.read(512)
    file.seek(0)
    if head.startswith(members.HDF5):
        return "hdf5"
    if head.startswith(_ZIP):
        return "zip"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return "json" if text[:1] in (b"{", b"[", b'"') else ""


def _no_model(path: Path) -> str:
    return (
        "A model file must hold the model's config and its weights. Received: "
        f"{str(path)!r}, an HDF5 file that Keras did not write. Name the model."
    )
