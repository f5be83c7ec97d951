"""Find the saved models in a folder, and name what each becomes in another folder."""

from __future__ import annotations

import os
from pathlib import Path

from keras_rectifiers.conversion.targets import HDF5
from keras_rectifiers.conversion.targets import MODEL
from keras_rectifiers.errors import ArchiveError

#: How Keras names files that hold weights alone.
_WEIGHTS_ALONE = ".weights.h5"


def is_folder_of_models(path: Path) -> bool:
    """Whether a path is a folder that is not one model itself.

    Args:
        path: A file, a folder, or nothing.
    """
    if not os.path.isdir(path):  # noqa: PTH112 (which raises nothing)
        return False
    from keras_rectifiers.legacy.containers.open import is_model_folder  # noqa: PLC0415 (h5py)

    return not is_model_folder(path)


def models_in(folder: Path, leave_out: Path | None = None) -> list[Path]:
    """The `.keras` and `.h5` files and SavedModels in a folder and in its folders.

    Names that begin with a dot, and files of weights alone (`.weights.h5`), are left
    out. Links to folders are not followed.

    Args:
        folder: The folder.
        leave_out: A folder that is not looked into.

    Returns:
        Their paths in the folder, sorted.

    Raises:
        ArchiveError: There is no model.
        OSError: A folder cannot be read.
    """
    from keras_rectifiers.legacy.containers.open import is_model_folder  # noqa: PLC0415 (h5py)

    def failed(error: OSError) -> None:
        raise error

    found: list[Path] = []
    for name, folders, files in os.walk(folder, onerror=failed):
        here = Path(name)
        entered = []
        for each in folders:
            inner = here / each
            if each.startswith(".") or _same(inner, leave_out):
                continue
            if is_model_folder(inner):
                found.append(inner)
            else:
                entered.append(each)
        folders[:] = entered
        found += [here / each for each in files if _is_model(each)]
    if not found:
        raise ArchiveError(
            "A folder of models must hold .keras or .h5 files or SavedModels. "
            f"Received: {str(folder)!r}, which holds none. Pass the folder that holds "
            "them."
        )
    return sorted(each.relative_to(folder) for each in found)


def name_of_target(model: Path) -> Path:
    """What a model is named in the folder of the converted ones.

    Args:
        model: Its path in its folder, as `models_in` gives it.
    """
    if model.suffix.lower() in (*MODEL, *HDF5):
        return model.with_suffix(MODEL[0])
    return model.with_name(f"{model.name}{MODEL[0]}")


def _is_model(name: str) -> bool:
    lower = name.lower()
    hidden = lower.startswith(".") or lower.endswith(_WEIGHTS_ALONE)
    return lower.endswith((*MODEL, *HDF5)) and not hidden


def _same(folder: Path, other: Path | None) -> bool:
    return other is not None and other.exists() and folder.samefile(other)
