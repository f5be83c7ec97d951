"""Prove that Keras reads an upgraded file as it was meant: array by array."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from keras_rectifiers.files import hdf5
from keras_rectifiers.files import members
from keras_rectifiers.files.leftovers import new_folder

#: Where a weights file has an optimizer's state.
_OPTIMIZER = "/optimizer/"


@dataclasses.dataclass(frozen=True)
class Proof:
    """What Keras made of a file.

    Attributes:
        arrays: How many arrays the file holds, of the model and its optimizer.
        lost: Names of those that Keras did not take over, byte for byte.
        added: Names of those that Keras created because the file lacks them.
    """

    arrays: int
    lost: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether Keras has exactly the arrays of the file."""
        return not self.lost and not self.added

    def __str__(self) -> str:
        if self.holds:
            return f"Keras opens it and has all {self.arrays:,} arrays, byte for byte."
        parts = []
        if self.lost:
            parts.append(f"{len(self.lost)} arrays are lost ({self.lost[0]})")
        if self.added:
            parts.append(f"{len(self.added)} are newly created ({self.added[0]})")
        return f"Keras opens it, but {' and '.join(parts)}."


def prove(
    path: Path, shown_as: Path, custom_objects: Mapping[str, Any] | None = None
) -> Proof:
    """Let Keras load a `.keras` file and save it again, and compare the arrays.

    Args:
        path: The file.
        shown_as: Its name in errors.
        custom_objects: As Keras takes them.

    Raises:
        ArchiveError: Keras does not open it.
        UnknownClassError: It names a class that is not registered.
    """
    from keras_rectifiers.surgery import loading  # noqa: PLC0415 (Keras)

    model = loading.load(path, shown_as, custom_objects)
    with new_folder(path) as folder:
        again = folder / "again.keras"
        model.save(again)
        written, read = _arrays(path), _arrays(again)
    lost = [
        name
        for name, values in written.items()
        if name not in read or not _same(name, values, read[name])
    ]
    # An optimizer that the file has no state of is built as Keras opens it.
    added = [n for n in read if n not in written and not n.startswith(_OPTIMIZER)]
    return Proof(len(written), tuple(lost), tuple(added))


def _arrays(path: Path) -> dict[str, Any]:
    """Every array of a `.keras` file, those of its optimizer among them."""
    with (
        zipfile.ZipFile(path) as zipped,
        h5py.File(io.BytesIO(zipped.read(members.WEIGHTS))) as file,
    ):
        return {str(each.name): each[()] for each in hdf5.datasets(file)}


def _same(name: str, one: Any, other: Any) -> bool:
    a, b = np.asarray(one), np.asarray(other)
    if name.startswith(_OPTIMIZER) and a.dtype.kind in "iu":
        a = a.astype(b.dtype)  # JAX counts steps in 32 bits, TensorFlow in 64
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
