"""What a model may be written as, by what it was."""

from __future__ import annotations

from pathlib import Path

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.saved.modern import StrPath
from keras_rectifiers.surgery.files import check_target

ARCHITECTURE = (".json",)
MODEL = (".keras",)
HDF5 = (".h5", ".hdf5")


def check_target_for(
    source: StrPath,
    target: StrPath,
    forms: tuple[str, ...] = MODEL,
    *,
    overwrite: bool,
    weights: bool | None = None,
) -> None:
    """Refuse a target that cannot be written, or whose name would mislead Keras.

    Args:
        source: What is read.
        target: What is to be written.
        forms: Endings of a model with weights.
        overwrite: Whether an existing target may be replaced.
        weights: Whether there are weights to write; None before that is known.

    Raises:
        ArchiveError: Says what to name instead.
    """
    check_target(source, target, overwrite=overwrite)
    suffix = Path(target).suffix
    if weights is None and suffix in forms + ARCHITECTURE:
        return
    if weights is False and suffix not in ARCHITECTURE:
        raise ArchiveError(
            "An architecture without weights is written as .json. Received: the "
            f"target {str(target)!r}. Name a file that ends in .json, or give the file "
            "of the weights (--weights FILE)."
        )
    if weights is not False and suffix not in forms:
        raise ArchiveError(
            f"A model is written as {' or '.join(forms[:2])}. Received: the target "
            f"{str(target)!r}. Name a file that ends in .keras."
        )
