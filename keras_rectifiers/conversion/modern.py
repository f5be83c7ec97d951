"""Distinguish a Keras 3 file from one that must be upgraded, cheaply."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import BinaryIO

from keras_rectifiers.errors import RectifierError
from keras_rectifiers.files import members
from keras_rectifiers.graph import wellformed
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import give_names
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.legacy.compile import moved
from keras_rectifiers.legacy.dialects import keras3
from keras_rectifiers.legacy.dialects.modernize import modernize
from keras_rectifiers.legacy.dialects.registry import NO_FUNCTIONS
from keras_rectifiers.legacy.dialects.registry import Functions
from keras_rectifiers.legacy.dialects.registry import Handed
from keras_rectifiers.legacy.dialects.registry import Origin
from keras_rectifiers.legacy.dialects.structure import lacks_input
from keras_rectifiers.surgery import marks

StrPath = str | os.PathLike[str]

#: Where a document has what the model was compiled with.
COMPILED = "compile_config"

_KERAS_3 = (3,)


def is_modern(path: StrPath, functions: Functions = NO_FUNCTIONS) -> bool:
    """Whether a path is a `.keras` file in which nothing is to be repaired.

    Its weights are looked at only where the config leaves something open. A file
    that is not a readable `.keras` file is not modern; opening it raises the error.

    Args:
        path: The path.
        functions: Functions that the user hands over; where one has a place in the
            file, that is a repair.
    """
    path = Path(path)
    try:
        found = path.stat()
    except (OSError, ValueError):
        return False
    stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
    return _looked_at(path, stamp, tuple(functions.items()))


@functools.lru_cache(maxsize=1)
def _looked_at(
    path: Path, stamp: tuple[int, ...], functions: tuple[tuple[str, Handed], ...]
) -> bool:
    """Look once at a file that stays as it is: planning and writing both ask."""
    del stamp
    try:
        with members.open_file(path) as file, members.open_zip(file, path) as zipped:
            _, document, metadata = members.texts_of(zipped, path)
            bare = lacks_input(document) and _lacks_shapes(file, path, document)
        with wellformed.reading(path, members.CONFIG):
            compiled = document.pop(COMPILED, None)
            give_names(document)
            origin = Origin(version_numbers(str(metadata.get("keras_version"))))
            if origin.version < _KERAS_3 or moved.is_moved(compiled, origin.version):
                return False
            marks.complete(document)
            if bare or modernize(document, origin, dict(functions)).repairs:
                return False
            if not is_model(document):
                return True  # Keras opens it, and sees to its optimizer
            if moved.is_of_torch(compiled):
                return False
            if keras3.any_open(document) or moved.may_be_scaled(compiled, document):
                return _says_all(path)
            return True
    except (RectifierError, OSError):
        return False


def _lacks_shapes(file: BinaryIO, path: Path, document: Entry) -> bool:
    """Whether there are weights that Keras has no shape to make."""
    from keras_rectifiers.legacy.containers import archive as container  # noqa: PLC0415

    file.seek(0)
    return container.lacks_shapes(file, path, document)


def _says_all(path: Path) -> bool:
    """Whether the weights of a file add nothing that its config leaves open."""
    from keras_rectifiers.legacy.containers import archive as container  # noqa: PLC0415

    with members.open_file(path) as file, container.read(file, path) as saved:
        rms_scaled = any(each.rule == keras3.RMS_SCALING for each in saved.repairs)
        return not rms_scaled and not getattr(saved.slots, "scaled", False)


def version_numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version: `"2.4.0-tf"` becomes `(2, 4, 0)`."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits or len(digits) > 6:  # noqa: PLR2004 (no version is that long)
            break
        numbers.append(int(digits))
    return tuple(numbers)
