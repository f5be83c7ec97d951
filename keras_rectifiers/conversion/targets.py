"""What a model may be written as, by what it was."""

from __future__ import annotations

from pathlib import Path

from keras_rectifiers.conversion.modern import StrPath
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.files.writing import check_target

ARCHITECTURE = (".json",)
MODEL = (".keras",)
HDF5 = (".h5", ".hdf5")


def check_target_for(
    source: StrPath,
    target: StrPath,
    forms: tuple[str, ...] = MODEL,
    *,
    overwrite: bool,
) -> None:
    """Refuse, before any work, a target that cannot be written or misleads Keras.

    Args:
        source: What is read.
        target: What is to be written.
        forms: Endings of a model with weights.
        overwrite: Whether an existing target may be replaced.

    Raises:
        ArchiveError: Says what to name instead.
    """
    check_target(source, target, overwrite=overwrite)
    if Path(target).suffix not in ARCHITECTURE:
        check_form(target, forms, weights=True)


def check_form(
    target: StrPath, forms: tuple[str, ...] = MODEL, *, weights: bool
) -> None:
    """Refuse a target whose name says something else than what it will be.

    Args:
        target: What is to be written.
        forms: Endings of a model with weights.
        weights: Whether there are weights to write.

    Raises:
        ArchiveError: Says what to name instead.
    """
    suffix = Path(target).suffix
    if not weights and suffix not in ARCHITECTURE:
        raise ArchiveError(
            "An architecture without weights must be written as .json. Received: the "
            f"target {str(target)!r}. Choose a file name that ends in .json, or pass "
            "the weights file (--weights FILE)."
        )
    if weights and suffix not in forms:
        raise ArchiveError(
            f"A model must be written as {' or '.join(forms[:2])}. Received: the "
            f"target {str(target)!r}. Choose a file name that ends in .keras."
        )
