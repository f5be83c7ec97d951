"""Tell a file of Keras 3 from what has to be brought up to date, cheaply."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from keras_rectifiers.errors import RectifierError
from keras_rectifiers.saved.dialects.modernise import modernise
from keras_rectifiers.saved.dialects.registry import Origin
from keras_rectifiers.surgery import archive
from keras_rectifiers.surgery import members
from keras_rectifiers.surgery import wellformed

StrPath = str | os.PathLike[str]

#: Ending of a file of Keras 3, and the container's name.
MODERN = ".keras"
#: Where a document has what the model was compiled with.
COMPILED = "compile_config"

_KERAS_3 = (3,)


def is_modern(path: StrPath) -> bool:
    """Whether a path is a `.keras` file in which nothing is to be repaired.

    Its weights are not looked at. What is no readable `.keras` file is not modern:
    whoever opens it will say why.
    """
    path = Path(path)
    try:
        found = path.stat()
    except (OSError, ValueError):
        return False
    return _looked_at(path, (found.st_ino, found.st_size, found.st_mtime_ns))


@functools.lru_cache(maxsize=1)
def _looked_at(path: Path, stamp: tuple[int, ...]) -> bool:
    """Look once at a file that stays as it is: planning and writing both ask."""
    del stamp
    try:
        with members.open_file(path) as file, members.open_zip(file, path) as zipped:
            infos = members.members_of(zipped, path)
            document = members.read_json(zipped, infos, archive.CONFIG, path)
            metadata = members.read_json(zipped, infos, archive.METADATA, path)
        with wellformed.reading(path, archive.CONFIG):
            document.pop(COMPILED, None)
            origin = Origin(version_numbers(str(metadata.get("keras_version"))))
            return origin.version >= _KERAS_3 and not (
                modernise(document, origin).repairs
            )
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
