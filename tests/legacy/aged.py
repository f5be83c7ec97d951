"""Files as older versions of Keras wrote them, made from files of `tf_keras`.

Each is the file of a model whose outputs are known, with its config and weights
brought into the old form, key by key as the old version wrote them.
"""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.legacy.corpus import random_inputs
from tests.legacy.corpus import randomize
from tests.legacy.corpus import tf_keras

layers = tf_keras.layers
Input = tf_keras.Input
Model = tf_keras.Model
Sequential = tf_keras.Sequential

#: What it is, in words -> the case, in the order of the table.
AGED: dict[str, "Aged"] = {}


@dataclasses.dataclass(frozen=True)
class Aged:
    """An old file.

    Attributes:
        about: The case, as a row of the table says it.
        make: (folder) -> (the model whose file it is, file, file of weights or None).
        opening: Arguments with which Keras opens the result.
        refused: What the error says, where it cannot be carried over.
        tolerance: Largest difference of outputs, relative to their scale.
        inputs: (generator) -> inputs; by default random ones of its own shapes.
    """

    about: str
    make: Callable[[Path], tuple[Any, Path, Path | None]]
    opening: Callable[[], dict[str, Any]] = dict
    refused: str = ""
    tolerance: float = 1e-5
    inputs: Callable[[np.random.Generator], Any] | None = None


def aged(about, **arguments):
    """Register a maker of an old file."""

    def register(make):
        assert about not in AGED, about
        AGED[about] = Aged(about, make, **arguments)
        return make

    return register


def inputs_of(case, model):
    """The inputs on which a case is compared."""
    rng = np.random.default_rng(1)
    return case.inputs(rng) if case.inputs else random_inputs(model, rng)


# --------------------------------------------------------------------------
# Tools


def ready(model):
    """A model with weights of which no two are alike."""
    randomize(model, np.random.default_rng(0))
    return model


def line(*rest, shape=(6,), name=None):
    """A Sequential model with random weights."""
    return ready(Sequential([Input(shape), *rest], name=name))


def graph(*rest, shape=(6,), name=None):
    """The same as a Functional model."""
    x = inputs = Input(shape, name="input_1")
    for layer in rest:
        x = layer(x)
    return ready(Model(inputs, x, name=name))


def h5(model, folder, change=None, name="model.h5", **attributes):
    """A whole-model `.h5`, with its config changed in place."""
    path = folder / name
    model.save(folder / "written.h5", save_format="h5")
    shutil.move(folder / "written.h5", path)
    with h5py.File(path, "r+") as file:
        if change:
            config = json.loads(file.attrs["model_config"])
            config = change(config) or config
            file.attrs["model_config"] = json.dumps(config).encode()
        for key, value in attributes.items():
            for place in (file, file["model_weights"]):
                place.attrs[key] = value.encode()
    return path


def replace_weights(path, new):
    """Replace the arrays of layers in a whole-model `.h5`.

    Args:
        path: The file.
        new: Name of a layer -> its (name, array) pairs.
    """
    with h5py.File(path, "r+") as file:
        for layer, arrays in new.items():
            group = file["model_weights"][layer]
            group.clear()
            group.attrs["weight_names"] = [name.encode() for name, _ in arrays]
            for name, array in arrays:
                group[name] = array


def stored(path, layer):
    """The arrays of a layer in a whole-model `.h5`, in stored order."""
    with h5py.File(path) as file:
        group = file["model_weights"][layer]
        return [group[name][()] for name in group.attrs["weight_names"]]


def entries(config):
    """Every layer in a model's config, also those in models and wrappers."""
    found = config["config"]
    for entry in found["layers"] if isinstance(found, dict) else found:
        yield entry
        inside = entry["config"]
        if isinstance(inside, list) or "layers" in inside:
            yield from entries(entry)
        elif isinstance(inside.get("layer"), dict):
            yield inside["layer"]


def of_class(config, *names):
    """The configs of layers of a class."""
    return [e["config"] for e in entries(config) if e["class_name"] in names]


def convolutions():
    """Layers of a small image model, named as old tutorials had them."""
    return [
        layers.Conv2D(4, 3, activation="relu", name="conv"),
        layers.MaxPooling2D(2, name="pool"),
        layers.BatchNormalization(name="norm"),
        layers.Flatten(name="flat"),
        layers.Dense(5, activation="relu", name="hidden"),
        layers.Dropout(0.5, name="drop"),
        layers.Dense(2, activation="softmax", name="out"),
    ]


IMAGE = (10, 10, 3)
