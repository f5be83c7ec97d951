"""`.keras` files of Keras 2 and 3."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import BinaryIO

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.files import members
from keras_rectifiers.files import zipcopy
from keras_rectifiers.files.members import WEIGHTS
from keras_rectifiers.graph import wellformed
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.layout import stored
from keras_rectifiers.legacy.containers import vocabularies
from keras_rectifiers.legacy.containers.groups import GroupedWeights
from keras_rectifiers.legacy.containers.groups import tree_of
from keras_rectifiers.legacy.containers.hdf5_arrays import Reader
from keras_rectifiers.legacy.containers.hdf5_arrays import open_hdf5
from keras_rectifiers.legacy.containers.saved import MODERN
from keras_rectifiers.legacy.containers.saved import Saved

_EARLY = "early .keras"


@contextlib.contextmanager
def read(file: BinaryIO, path: Path) -> Iterator[Saved]:
    """Read a `.keras` file.

    Args:
        file: Its bytes, from the beginning.
        path: Where it is.

    Raises:
        ArchiveError: It is damaged, or Keras did not write it.
        UnsupportedModelError: It stores its weights in an unsupported way.
    """
    with members.open_zip(file, path) as zipped:
        infos, document, metadata = members.texts_of(zipped, path)
        with _reader(file, infos, path) as reader:
            weights = GroupedWeights(tree_of(reader), document)
            made = saved(weights, metadata, path)
            yield _with_vocabularies(made, weights, zipped, infos)


@contextlib.contextmanager
def read_weights(file: BinaryIO, path: Path, made: Saved) -> Iterator[Saved]:
    """An architecture with the weights in a `.keras` file.

    Args:
        file: Its bytes, from the beginning.
        path: Where it is.
        made: The architecture.

    Raises:
        ArchiveError: It is damaged, or Keras did not write it.
        UnsupportedModelError: It stores its weights in an unsupported way.
    """
    with members.open_zip(file, path) as zipped:
        infos = members.members_of(zipped, path)
        with _reader(file, infos, path) as reader:
            weights = GroupedWeights(tree_of(reader), made.document)
            made = weights.filled(made)
            yield _with_vocabularies(made, weights, zipped, infos)


def lacks_shapes(file: BinaryIO, path: Path, document: Entry) -> bool:
    """Whether layers have weights, but no `build_config` from which Keras creates them.

    Args:
        file: Its bytes, from the beginning.
        path: Where it is.
        document: A model that does not state its input, as Keras 3 writes it.
    """
    with members.open_zip(file, path) as zipped:
        infos = members.members_of(zipped, path)
        with _reader(file, infos, path) as reader:
            arrays = set(GroupedWeights(tree_of(reader), {}).of_layers)
    for place in stored(document):
        for entry, group in ((place.entry, place.group), _slot(place)):
            if group and entry.get("build_config"):
                arrays = {each for each in arrays if each[: len(group)] != group}
    return bool(arrays)


def _slot(place: Place) -> tuple[Entry, tuple[str, ...]]:
    """The layer in a layer's `activation`, and its group."""
    inner = place.config.get("activation")
    entry = inner if isinstance(inner, dict) else {}
    return entry, (*place.group, "activation")


def saved(weights: GroupedWeights, metadata: dict[str, Any], path: Path) -> Saved:
    """What the three parts of a `.keras` file say.

    Args:
        weights: The weights, and the config.
        metadata: The metadata; may be empty.
        path: The file or folder that has them.
    """
    document = weights.document
    version = str(metadata.get("keras_version") or "")
    training = document.pop("compile_config", None)
    if training is not None and not isinstance(training, dict):
        raise ArchiveError(
            "A compile_config must be a JSON object. Received: a "
            f"{type(training).__name__} in {str(path)!r}. The file was not written by "
            "Keras."
        )
    early = version.partition(".")[0] == "2"
    made = Saved(
        path=path,
        container=_EARLY if early else MODERN,
        document=document,
        training=training or None,  # empty where it was not compiled
        version=version,
        backend="tensorflow" if early else "",
        weights=weights,
        slots=weights.tree.slots(),
    )
    return weights.filled(made)


def _with_vocabularies(
    made: Saved,
    weights: GroupedWeights,
    zipped: zipfile.ZipFile,
    infos: members.Members,
) -> Saved:
    """What layers store in addition to their weights: vocabularies, images."""
    assets = {
        info.filename.replace("\\", "/"): info for info in infos if info.file_size
    }

    def read_file(name: str, limit: int) -> bytes:
        if assets[name].file_size > limit:
            raise vocabularies.too_large(weights.tree.path)
        try:
            with zipped.open(assets[name]) as member:
                return member.read(limit + 1)
        except members.UNREADABLE as error:
            raise ArchiveError(
                "Every member of a .keras file must be readable. Received: "
                f"{str(weights.tree.path)!r}, where {name!r} cannot be read "
                f"({error}). The file is damaged."
            ) from error

    names = [name for name in assets if name.startswith(f"{vocabularies.ASSETS}/")]
    return vocabularies.filled(made, weights, names, read_file)


@contextlib.contextmanager
def _reader(file: BinaryIO, infos: members.Members, path: Path) -> Iterator[Reader]:
    info = _weights(infos, path)
    with contextlib.ExitStack() as stack:
        with wellformed.reading(path, WEIGHTS):
            unpacked = stack.enter_context(zipcopy.unpacked(file, info))
            _check_sum(file, info, path)
        yield stack.enter_context(open_hdf5(unpacked, path, info.file_size))


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
            f"A .keras file must store its weights as {WEIGHTS}. Received: {other!r} "
            f"in {str(path)!r}. Open it with the version of Keras that wrote it, and "
            "save it again."
        )
    raise ArchiveError(
        f"A .keras file must contain {WEIGHTS!r}. Received: {str(path)!r}, which "
        "lacks it. The file is truncated; use another copy of it."
    )


def _check_sum(file: BinaryIO, info: zipfile.ZipInfo, path: Path) -> None:
    """Check the bytes of a member that is read in place against their checksum."""
    if info.compress_type != zipfile.ZIP_STORED:
        return  # unpacked members were checked on the way
    start = zipcopy.data_offset(file, info)
    if zipcopy.check_sum(file, start, info.file_size) != info.CRC:
        raise ArchiveError(
            "A member must match the checksum in the archive. Received: "
            f"{info.filename!r} of {str(path)!r}, which does not match. The file is "
            "damaged."
        )
