"""Containers: each file and folder in which Keras ever saved a model."""

import json
import shutil
import zipfile

import keras
import numpy as np

from tests.legacy.aged import IMAGE
from tests.legacy.aged import aged
from tests.legacy.aged import convolutions
from tests.legacy.aged import graph
from tests.legacy.aged import h5
from tests.legacy.aged import layers
from tests.legacy.aged import line


def _new_model():
    """A model of Keras 3 itself."""
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(5, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(2),
        ]
    )
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.2, 1, w.shape) for w in model.weights])
    return model


@aged("`.keras` of Keras 3")
def new(folder):
    model = _new_model()
    model.save(folder / "model.keras")
    return model, folder / "model.keras", None


@aged("`.keras` of Keras 2")
def keras_2(folder):
    model = graph(*convolutions(), shape=IMAGE)
    model.save(folder / "model.keras", save_format="keras")
    return model, _renamed_modules(folder / "model.keras"), None


def _renamed_modules(path):
    """As Keras 2.13 wrote it, when it was not yet called tf_keras."""
    other = path.with_name("as_2_13.keras")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new_file:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                data = data.replace(b'"tf_keras', b'"keras')
            if name == "metadata.json":
                data = json.dumps({**json.loads(data), "keras_version": "2.13.1"})
            new_file.writestr(name, data)
    return other


@aged("whole-model `.h5`, Functional")
def whole_h5(folder):
    model = graph(*convolutions(), shape=IMAGE)
    return model, h5(model, folder), None


@aged("whole-model `.h5`, Sequential")
def whole_h5_sequential(folder):
    model = line(*convolutions(), shape=IMAGE)
    return model, h5(model, folder), None


@aged("`.h5` with lists of names over 64 KB (`layer_names0`, …)")
def chunked(folder):
    many = [layers.Activation("relu", name=f"{'x' * 700}{i}") for i in range(100)]
    model = line(layers.Dense(4), *many, layers.Dense(3))
    return model, h5(model, folder), None


@aged("SavedModel folder of Keras 2")
def saved_model(folder):
    model = graph(*convolutions(), shape=IMAGE)
    model.save(folder / "saved", save_format="tf")
    return model, folder / "saved", None


@aged("architecture JSON of Keras 2 and weights `.h5`")
def json_h5(folder):
    model = graph(*convolutions(), shape=IMAGE)
    (folder / "model.json").write_text(model.to_json())
    model.save_weights(folder / "weights_of.h5", save_format="h5")
    return model, folder / "model.json", folder / "weights_of.h5"


@aged("architecture JSON and `.weights.h5` of Keras 2")
def json_weights_h5(folder):
    model = graph(*convolutions(), shape=IMAGE)
    (folder / "model.json").write_text(model.to_json())
    model.save_weights(folder / "model.weights.h5")
    return model, folder / "model.json", folder / "model.weights.h5"


@aged("architecture JSON and `.weights.h5` of Keras 3")
def json_weights_h5_new(folder):
    model = _new_model()
    (folder / "model.json").write_text(model.to_json())
    model.save_weights(folder / "model.weights.h5")
    return model, folder / "model.json", folder / "model.weights.h5"


@aged("architecture JSON and sharded `.weights.json` of Keras 3")
def json_sharded(folder):
    model = _new_model()
    (folder / "model.json").write_text(model.to_json())
    model.save_weights(folder / "model.weights.json", max_shard_size=1e-6)
    return model, folder / "model.json", folder / "model.weights.json"


@aged("architecture JSON alone")
def json_alone(folder):
    model = graph(*convolutions(), shape=IMAGE)
    (folder / "model.json").write_text(model.to_json())
    return model, folder / "model.json", None


@aged("HDF5 called `.keras`")
def h5_called_keras(folder):
    model = graph(*convolutions(), shape=IMAGE)
    return model, h5(model, folder, name="model.keras"), None


@aged("HDF5 called `.model`")
def h5_called_model(folder):
    model = graph(*convolutions(), shape=IMAGE)
    return model, h5(model, folder, name="best.model"), None


@aged("HDF5 without any extension")
def h5_called_nothing(folder):
    model = graph(*convolutions(), shape=IMAGE)
    return model, h5(model, folder, name="weights-improvement"), None


@aged("`.keras` of Keras 3 called `.h5`")
def zip_called_h5(folder):
    model = _new_model()
    model.save(folder / "model.keras")
    shutil.move(folder / "model.keras", folder / "model.h5")
    return model, folder / "model.h5", None


@aged("architecture YAML", refused="YAML")
def yaml(folder):
    model = line(layers.Dense(3, activation="relu"))
    (folder / "model.yaml").write_text(
        "backend: tensorflow\nclass_name: Sequential\nconfig:\n  name: sequential\n"
        "  layers:\n  - class_name: Dense\n    config:\n      units: 3\n"
        "keras_version: 2.2.4\n"
    )
    return model, folder / "model.yaml", None
