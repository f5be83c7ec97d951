"""Vocabularies of lookup layers, which a `.keras` file stores outside its config.

Keras writes a vocabulary to a separate text file, one word per line, when a layer
learned it from data. It is put into the config, where every version of Keras 3 reads
it. A file is asked for by the name that the model's own layers give it; what an archive
calls its members is never used as a path.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Collection
from pathlib import Path
from typing import Any

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.legacy.containers.groups import GroupedWeights
from keras_rectifiers.legacy.containers.saved import Saved
from keras_rectifiers.repairs import Repair

#: The most bytes that the vocabularies of a model may have together.
MAX_BYTES = 64 << 20
#: Layers that look words up -> groups in which their files may be, below their own.
LOOKUPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "IntegerLookup": ((),),
    "StringLookup": ((),),
    "TextVectorization": (("_lookup_layer",), ()),
}
ASSETS = "assets"
_FILE = "vocabulary.txt"
_LARGEST = 1 << 63

#: Returns the bytes of a file, up to this many.
Read = Callable[[str, int], bytes]


def lacks(entry: Entry) -> bool:
    """Whether an entry is a lookup layer whose config has no vocabulary."""
    return (
        entry.get("class_name") in LOOKUPS
        and not entry.get("registered_name")
        and config_of(entry).get("vocabulary") is None
    )


def filled(
    saved: Saved, weights: GroupedWeights, names: Collection[str], read: Read
) -> Saved:
    """A saved model whose lookup layers have their vocabularies in the config.

    Args:
        saved: The model; its document is changed.
        weights: Its weights, whose groups the files follow.
        names: The files that are there, each below `assets/`.
        read: Gives the bytes of one of them.

    Returns:
        The model, with the names of the files that no layer of Keras asks for.

    Raises:
        ArchiveError: A vocabulary is damaged, or too large.
    """
    repairs, left, asked = [], MAX_BYTES, set()
    for entry, path, group in weights.layers() if names else ():
        files = [name for name in _files(entry, group) if name in names]
        asked.update(files)
        if not files or not lacks(entry):
            continue
        data, where = read(files[0], left), "/".join(path)
        left -= len(data)
        words = _words(entry, data, where, weights.tree.path)
        entry["config"]["vocabulary"] = words
        text = f"{len(words):,} words from {ASSETS}/ → vocabulary in the config"
        repairs.append(Repair("vocabulary", where, text))
    others = tuple(name for name in names if name not in asked)
    return dataclasses.replace(
        saved, weights=weights, assets=others, repairs=(*saved.repairs, *repairs)
    )


def too_large(path: Path) -> ArchiveError:
    """The error for vocabularies that take too many bytes."""
    return ArchiveError(
        f"The vocabularies of a model must take at most {MAX_BYTES >> 20} MiB "
        f"together. Received: {str(path)!r}, where they take more. Build the layers "
        "again with their vocabularies."
    )


def _files(entry: Entry, group: tuple[str, ...]) -> list[str]:
    """The files in which the vocabulary of a layer may be."""
    below = LOOKUPS.get(str(entry.get("class_name")), ())
    return ["/".join((ASSETS, *group, *each, _FILE)) for each in below]


def _words(entry: Entry, data: bytes, where: str, path: Path) -> list[Any]:
    """The words in a file, of the number that the layer's config states."""
    words: list[Any]
    try:
        text = data.decode("utf-8")
        if text.count("\r\n") == text.count("\n"):  # written on Windows
            text = text.replace("\r\n", "\n")
        words = text.split("\n")
        if entry["class_name"] == "IntegerLookup":
            words = [_number(each) for each in words]
    except ValueError as error:
        raise _damaged(f"it cannot be read ({error})", where, path) from error
    size = config_of(entry).get("vocabulary_size")
    if isinstance(size, int) and size != len(words):
        problem = f"it has {len(words):,} words, but the config states {size:,}"
        raise _damaged(problem, where, path)
    return words


def _number(word: str) -> int:
    number = int(word)
    if not -_LARGEST <= number < _LARGEST:
        msg = f"{word} takes more than 64 bits"
        raise ValueError(msg)
    return number


def _damaged(problem: str, where: str, path: Path) -> ArchiveError:
    return ArchiveError(
        "A vocabulary must be stored as its layer wrote it. Received: the vocabulary "
        f"of {where!r} in {str(path)!r}, but {problem}. The file is damaged, or a "
        "word contains a line break; build the layer again with its vocabulary."
    )
