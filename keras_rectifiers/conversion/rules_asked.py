"""Ask the rules for old formats whether a `.keras` file needs a repair."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from keras_rectifiers.conversion.untouched import COMPILED
from keras_rectifiers.conversion.untouched import KERAS_3
from keras_rectifiers.files import members
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import give_names
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.legacy.compile import moved
from keras_rectifiers.legacy.containers import archive as container
from keras_rectifiers.legacy.dialects import keras3
from keras_rectifiers.legacy.dialects.modernize import modernize
from keras_rectifiers.legacy.dialects.registry import Origin
from keras_rectifiers.legacy.dialects.structure import lacks_input
from keras_rectifiers.surgery import marks
from keras_rectifiers.surgery.handed import Functions


def needs_none(
    file: BinaryIO,
    path: Path,
    document: Entry,
    version: tuple[int, ...],
    functions: Functions,
) -> bool:
    """Whether no rule repairs anything, and the weights leave nothing to repair.

    The weights are looked at only where the config leaves something open.

    Args:
        file: The open file.
        path: Where it is.
        document: Its config; changed.
        version: Of the Keras that wrote it.
        functions: As for `is_modern`.

    Raises:
        RectifierError: It cannot be read, or not be repaired.
    """
    bare = lacks_input(document) and _lacks_shapes(file, path, document)
    compiled = document.pop(COMPILED, None)
    give_names(document)
    if version < KERAS_3 or moved.is_moved(compiled, version):
        return False
    marks.complete(document)
    if bare or modernize(document, Origin(version), functions).repairs:
        return False
    if not is_model(document):
        return True  # Keras opens it, and sees to its optimizer
    if moved.is_of_torch(compiled):
        return False
    if keras3.any_open(document) or moved.may_be_scaled(compiled, document):
        return _says_all(path)
    return True


def _lacks_shapes(file: BinaryIO, path: Path, document: Entry) -> bool:
    """Whether there are weights that Keras has no shape to make."""
    file.seek(0)
    return container.lacks_shapes(file, path, document)


def _says_all(path: Path) -> bool:
    """Whether the weights of a file add nothing that its config leaves open."""
    with members.open_file(path) as file, container.read(file, path) as saved:
        rms_scaled = any(each.rule == keras3.RMS_SCALING for each in saved.repairs)
        return not rms_scaled and not getattr(saved.slots, "scaled", False)
