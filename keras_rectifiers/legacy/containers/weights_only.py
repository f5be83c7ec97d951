"""Files of weights alone: legacy `.h5`, `.weights.h5` and its shards."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import BinaryIO

import h5py

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.files import members
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.legacy.containers import architecture
from keras_rectifiers.legacy.containers import hdf5_model
from keras_rectifiers.legacy.containers.groups import EARLY
from keras_rectifiers.legacy.containers.groups import GroupedWeights
from keras_rectifiers.legacy.containers.groups import Tree
from keras_rectifiers.legacy.containers.groups import tree_of
from keras_rectifiers.legacy.containers.hdf5_arrays import Reader
from keras_rectifiers.legacy.containers.hdf5_arrays import open_hdf5
from keras_rectifiers.legacy.containers.hdf5_model import LayerWeights
from keras_rectifiers.legacy.containers.saved import Array
from keras_rectifiers.legacy.containers.saved import Weights
from keras_rectifiers.legacy.weights.owners import Owner

_MAX_SHARDS = 10_000
#: Groups in which Keras 0 stored a layer's weights, and a whole Graph's.
_LAYER = re.compile(r"layer_\d+")
_GRAPH = "graph"


@dataclasses.dataclass(frozen=True)
class NamedWeights:
    """Weights by layer, of a model whose layers may have other names.

    Keras itself loads such a file by the order of the layers.

    Attributes:
        stored: Name of a layer of the top model -> its arrays.
    """

    stored: dict[str, list[Array]]

    def find(self, owners: Sequence[Owner]) -> list[list[Array]]:
        """The stored arrays of each layer, in the order of its old variables."""
        expected = list(dict.fromkeys(owner.was[0] for owner in owners if owner.stored))
        filled = [name for name, arrays in self.stored.items() if arrays]
        stored = self.stored
        if set(filled) != set(expected) and len(filled) == len(expected):
            stored = {
                new: self.stored[old] for new, old in zip(expected, filled, strict=True)
            }
        return LayerWeights(stored).find(owners)


@dataclasses.dataclass(frozen=True)
class NumberedWeights:
    """Weights of Keras 0, which had no names: one layer's after the other's.

    Attributes:
        path: The file.
        stored: All arrays, in the order of the layers.
    """

    path: Path
    stored: Sequence[Array]

    def find(self, owners: Sequence[Owner]) -> list[list[Array]]:
        """The stored arrays of each layer, in the order of its old variables."""
        expected = sum(len(owner.stored) for owner in owners)
        if expected != len(self.stored):
            raise ArchiveError(
                "Weights must have the same number of arrays as the model. Received: "
                f"{len(self.stored)} arrays in {str(self.path)!r} for a model with "
                f"{expected}. The weights may belong to another model."
            )
        left = iter(self.stored)
        return [[next(left) for _ in owner.stored] for owner in owners]


def read(reader: Reader, document: Entry) -> Weights:
    """The weights in an HDF5 file, for an architecture.

    Args:
        reader: The open file: weights alone, or a whole model.
        document: The architecture, as it was written.

    Raises:
        ArchiveError: It is damaged, or holds no weights.
    """
    root = reader.file
    with reader.reading():
        attributes, groups = set(root.attrs), set(root)
        whole = root.get(hdf5_model.WEIGHTS)
    if isinstance(whole, h5py.Group):
        return NamedWeights(hdf5_model.by_layer(reader, whole))
    if attributes & {"layer_names", "layer_names0"}:
        return NamedWeights(hdf5_model.by_layer(reader, root))
    if "nb_layers" in attributes or groups == {_GRAPH}:
        return _numbered(reader)
    if any(name.replace("\\", "/").split("/")[0] in _ROOTS for name in groups):
        return GroupedWeights(tree_of(reader), document)
    raise ArchiveError(
        "A weights file must be one that Keras wrote. Received: "
        f"{str(reader.path)!r}, an HDF5 file that holds "
        f"{', '.join(sorted(groups)[:5]) or 'nothing'}. Pass the file that "
        "model.save_weights() wrote."
    )


_ROOTS = ("layers", EARLY, "vars")


def is_weights(reader: Reader) -> bool:
    """Whether an HDF5 file looks like one of weights alone."""
    with reader.reading():
        names = {*reader.file.attrs, *reader.file}
    known = {"layer_names", "layer_names0", "nb_layers", _GRAPH, *_ROOTS}
    return bool(names & known)


@contextlib.contextmanager
def read_shards(file: BinaryIO, path: Path, document: Entry) -> Iterator[Weights]:
    """The weights in the shards that a `.weights.json` names.

    Args:
        file: Its bytes, from the beginning.
        path: Where it is; the shards are in the same folder.
        document: The architecture, as it was written.

    Raises:
        ArchiveError: It is damaged, or a shard is missing or elsewhere.
    """
    value = architecture.read_json(file, path)
    shards = value.get("weight_map") if isinstance(value, dict) else None
    if not isinstance(shards, dict):
        raise ArchiveError(
            f"A weights JSON must have a 'weight_map'. Received: {str(path)!r}, which "
            "has none. Pass the file that model.save_weights() wrote."
        )
    tree = Tree(path, {}, {})
    with contextlib.ExitStack() as stack:
        for name in _shard_names(shards, path):
            shard = path.parent / name
            opened = stack.enter_context(members.open_file(shard))
            size = shard.stat().st_size
            tree.add(stack.enter_context(open_hdf5(opened, shard, size)))
        yield GroupedWeights(tree, document)


def _shard_names(shards: dict[str, Any], path: Path) -> list[str]:
    names: dict[str, None] = {}
    for value in shards.values():
        for name in value if isinstance(value, list) else [value]:
            plain = isinstance(name, str) and name == Path(name).name
            if not plain or "\\" in name or "\0" in name or name in ("", ".", ".."):
                raise ArchiveError(
                    "A shard must be a file in the same folder as the JSON that lists "
                    f"it. Received: {str(name)[:80]!r} in {str(path)!r}. The file was "
                    "not written by Keras."
                )
            names[name] = None
    if len(names) > _MAX_SHARDS:
        raise ArchiveError(
            f"Weights must be in {_MAX_SHARDS} shards at most. Received: {len(names)} "
            f"in {str(path)!r}. The file was not written by Keras."
        )
    return list(names)


def _numbered(reader: Reader) -> NumberedWeights:
    """Weights of Keras 0: a group for each layer, or one for a whole Graph."""
    found: list[Array] = []
    with reader.reading():
        count = sum(_LAYER.fullmatch(name) is not None for name in reader.file)
        names = [f"layer_{k}" for k in range(count)] or [_GRAPH]
        for name in names:
            group = reader.file[name]
            keys = sorted(group, key=_by_number)
            found += [reader.array(group[key], f"{name}/{key}") for key in keys]
    return NumberedWeights(reader.path, found)


def _by_number(name: str) -> tuple[int, str]:
    return len(name), name
