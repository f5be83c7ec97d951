"""Open whatever Keras ever saved a model as: the bytes decide, never the name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from keras_rectifiers.surgery import members
from keras_rectifiers.upgrade.containers import hdf5_model
from keras_rectifiers.upgrade.containers.hdf5_arrays import open_hdf5
from keras_rectifiers.upgrade.containers.saved import Saved


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
    with members.open_file(path) as file:
        size = path.stat().st_size
        with open_hdf5(file, path, size) as reader:
            yield hdf5_model.read(reader, path)
