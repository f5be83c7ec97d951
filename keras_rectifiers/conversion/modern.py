"""Distinguish a Keras 3 file from one that must be upgraded, cheaply."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from keras_rectifiers.conversion import untouched
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.files import members
from keras_rectifiers.graph import wellformed
from keras_rectifiers.surgery.handed import NO_FUNCTIONS
from keras_rectifiers.surgery.handed import Functions
from keras_rectifiers.surgery.handed import Handed

StrPath = str | os.PathLike[str]


def is_modern(path: StrPath, functions: Functions = NO_FUNCTIONS) -> bool:
    """Whether a path is a `.keras` file in which nothing is to be repaired.

    The rules for old formats are loaded only where the config may need one. A file
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
            version = version_numbers(str(metadata.get("keras_version")))
            if not functions and untouched.is_untouched(document, version):
                return True
            from keras_rectifiers.conversion import rules_asked  # noqa: PLC0415 (slow)

            with wellformed.reading(path, members.CONFIG):
                given = dict(functions)
                return rules_asked.needs_none(file, path, document, version, given)
    except (RectifierError, OSError):
        return False


def version_numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version: `"2.4.0-tf"` becomes `(2, 4, 0)`."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits or len(digits) > 6:  # noqa: PLR2004 (no version is that long)
            break
        numbers.append(int(digits))
    return tuple(numbers)
