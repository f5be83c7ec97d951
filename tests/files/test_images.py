import sys

import numpy as np
import pytest

from keras_rectifiers.errors import DataError
from keras_rectifiers.files.images import load_folder

image = pytest.importorskip("PIL.Image")


def _save(path, color, size=(10, 6)):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.new("RGB", size, color).save(path)


@pytest.fixture
def classes(tmp_path):
    for name, color in (("cat", "red"), ("dog", "blue")):
        for number in range(3):
            _save(tmp_path / name / f"{number}.png", color)
    return tmp_path


def test_folders_are_classes(classes):
    """One folder for each class gives labels in the order of the names."""
    x, y = load_folder(classes, {"image": (None, 4, 5, 3)})

    assert x.shape == (6, 4, 5, 3)
    assert y.tolist() == [0, 0, 0, 1, 1, 1]
    assert x[0, 0, 0].tolist() == [255, 0, 0]


def test_gray_models_get_gray_images(classes):
    """A model with one channel gets one channel."""
    x, _ = load_folder(classes, {"image": (None, 4, 5, 1)})

    assert x.shape == (6, 4, 5, 1)


def test_flat_folders_have_no_labels(tmp_path):
    """Images beside each other are inputs only, of their own size if it is free."""
    _save(tmp_path / "a.png", "red")

    x, y = load_folder(tmp_path, {"image": (None, None, None, 3)})

    assert x.shape == (1, 6, 10, 3)
    assert y is None


def test_a_limit_keeps_all_classes(classes):
    """A limit takes images from the first class to the last."""
    x, y = load_folder(classes, {}, limit=2)

    assert len(x) == 2
    assert y.tolist() == [0, 1]


def test_an_empty_folder_is_refused(tmp_path):
    """A folder without images says which files it looked for."""
    with pytest.raises(DataError, match=r"has no images.*\.png"):
        load_folder(tmp_path, {})


def test_a_broken_image_is_named(classes):
    """A file that is not an image is named."""
    (classes / "dog" / "x.png").write_bytes(b"no image")

    with pytest.raises(DataError, match=r"x\.png"):
        load_folder(classes, {})


def test_only_image_models_take_folders(classes):
    """A model whose input is not an image refuses a folder, with its shape."""
    with pytest.raises(DataError, match=r"\(None, 7\)"):
        load_folder(classes, {"features": (None, 7)})


def test_pillow_is_asked_for(classes, monkeypatch):
    """Without Pillow the message has the line that installs it."""
    monkeypatch.setitem(sys.modules, "PIL", None)

    with pytest.raises(DataError, match="`pip install pillow`"):
        load_folder(classes, {})


def test_images_are_uint8(classes):
    """Pixels are 0..255 as in the file."""
    x, _ = load_folder(classes, {})

    assert np.uint8 == x.dtype
