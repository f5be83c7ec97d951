"""Read a folder of images as arrays of the size that a model takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from keras_rectifiers import installing
from keras_rectifiers.errors import DataError

Shape = tuple[int | None, ...]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")

#: Channels of the input -> mode of Pillow.
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def load_folder(
    folder: Path, inputs: Mapping[str, Shape], limit: int | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Read the images of a folder, resized to a model's input.

    Args:
        folder: Has one folder for each class (labels are their order by name), or
            the images themselves (no labels).
        inputs: Name and shape of the model's one input, `(batch, height, width,
            channels)`; empty for the first image's own size and RGB.
        limit: At most this many images, evenly spaced over the classes.

    Returns:
        Images, uint8 in 0..255, `(samples, height, width, channels)`, and labels,
        int64, `(samples,)`, or None.

    Raises:
        DataError: Pillow is missing, the folder has no image, an image cannot be
            read, or the input is not an image.
    """
    try:
        from PIL import Image  # noqa: PLC0415 (an extra)
    except ImportError:
        raise DataError(
            "Reading images requires Pillow. Install it with "
            f"`{installing.command('images')}`."
        ) from None
    files, labels = _files(folder)
    if limit is not None and limit < len(files):
        index = np.linspace(0, len(files) - 1, limit).astype(int)
        files = [files[i] for i in index]
        labels = None if labels is None else labels[index]
    size, mode = _size_and_mode(folder, inputs)
    arrays = []
    for file in files:
        try:
            with Image.open(file) as image:
                size = size or image.size
                fitted = image.convert(mode)
                if fitted.size != size:
                    fitted = fitted.resize(size, Image.Resampling.BILINEAR)
                arrays.append(np.asarray(fitted))
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(
                f"The image {str(file)!r} cannot be read ({error}). Repair or "
                "remove it."
            ) from error
    x = np.stack(arrays)
    return (x[..., None] if mode == "L" else x), labels


def _files(folder: Path) -> tuple[list[Path], np.ndarray | None]:
    """Image files in the order of their names, and labels from the folders."""
    classes = sorted(
        each for each in folder.iterdir() if each.is_dir() and each.name[0] != "."
    )
    by_class = [_images_in(each) for each in classes]
    if any(by_class):
        counts = [len(files) for files in by_class]
        return (
            [file for files in by_class for file in files],
            np.repeat(np.arange(len(classes)), counts),
        )
    files = _images_in(folder)
    if not files:
        raise DataError(
            f"The folder {str(folder)!r} has no images ({', '.join(_SUFFIXES)}), "
            "either directly or in one folder per class."
        )
    return files, None


def _images_in(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.suffix.lower() in _SUFFIXES)


def _size_and_mode(
    folder: Path, inputs: Mapping[str, Shape]
) -> tuple[tuple[int, int] | None, str]:
    if not inputs:
        return None, "RGB"
    shape = next(iter(inputs.values()))
    if len(inputs) > 1 or len(shape) != 4 or shape[-1] not in _MODES:  # noqa: PLR2004
        raise DataError(
            "A folder of images needs a model with one input of height x width x 1, 3 "
            f"or 4. Received: {str(folder)!r} for inputs "
            f"{', '.join(f'{name}: {shape}' for name, shape in inputs.items())}."
        )
    height, width = shape[1], shape[2]
    size = None if height is None or width is None else (width, height)
    return size, _MODES[shape[-1] or 1]
