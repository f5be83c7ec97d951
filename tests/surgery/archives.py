"""Archives for tests: a good one that Keras wrote, and bad ones made from it."""

import functools
import io
import json
import tempfile
import zipfile
from pathlib import Path

import h5py
import keras
import pytest
from keras import layers
from keras import ops

import keras_rectifiers
from keras_rectifiers.errors import ArchiveError

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"


def _model():
    keras.backend.clear_session()  # operations are named by number
    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [keras.Input((5,)), layers.Dense(5, activation="relu"), layers.ReLU()],
        name="inner",
    )
    x = keras.Input((4,), name="x")
    shared = layers.ReLU(name="shared")
    y = shared(layers.Dense(5, name="a")(x))
    y = inner(ops.where(y > 0, y, 0.0)) + ops.maximum(0, y)
    y = layers.PReLU(alpha_initializer="ones", name="slopes")(shared(y))
    model = keras.Model(x, layers.Dense(2, name="head")(y), name="good")
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


@functools.cache
def _good():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "good.keras")
        _model().save(path)
        return read(path)


def good():
    """The members of a model that Keras saved: name -> bytes."""
    return dict(_good())


def document():
    """The config of that model, a fresh copy."""
    return json.loads(good()[CONFIG])


def read(path):
    """The members of an archive, in their order."""
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def pack(path, members, compression=zipfile.ZIP_STORED):
    """Write an archive; give its path."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def with_config(path, config):
    """The good archive with another config: text, bytes or a document."""
    if not isinstance(config, str | bytes):
        config = json.dumps(config)
    return pack(path, good() | {CONFIG: config})


def with_weights(path, edit):
    """The good archive with its weights changed by `edit(file)`."""
    buffer = io.BytesIO(good()[WEIGHTS])
    with h5py.File(buffer, "r+") as file:
        edit(file)
    return pack(path, good() | {WEIGHTS: buffer.getvalue()})


def refused(source, match, *, to="prelu", error=ArchiveError, **options):
    """Converting `source` is refused in one sentence, and leaves nothing behind.

    Returns:
        The message.
    """
    folder = source.parent
    before = {path: _state(path) for path in folder.rglob("*")}
    with pytest.raises(error, match=match) as caught:
        keras_rectifiers.convert_file(source, folder / "out.keras", to, **options)

    message = str(caught.value)
    assert {path: _state(path) for path in folder.rglob("*")} == before
    assert "\n" not in message
    assert message.endswith(".")
    return message


def _state(path):
    status = path.lstat()
    content = path.read_bytes() if path.is_file() else None
    return content, status.st_mtime_ns, status.st_mode
