"""Architectures: the text that `model.to_json()` of any version makes."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any
from typing import BinaryIO

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.files import members
from keras_rectifiers.graph import wellformed
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import walk
from keras_rectifiers.legacy.containers.saved import Saved

_WHAT = "the JSON of an architecture"
#: What Keras 0 called its two kinds of models, without saying that it is a class.
_KERAS_0 = ("Sequential", "Graph")


def read(file: BinaryIO, path: Path) -> Saved:
    """Read an architecture; it has no weights.

    Args:
        file: Its bytes, from the beginning.
        path: Where it is.

    Raises:
        ArchiveError: It is damaged, or not an architecture.
        UnsupportedModelError: It is a model of another tool.
    """
    value = read_json(file, path)
    document = _document(value, path)
    training = document.pop("compile_config", None)
    version, backend = (
        str(document.pop(key, None) or "") for key in ("keras_version", "backend")
    )
    return Saved(
        path=path,
        container="architecture JSON",
        document=document,
        training=training if isinstance(training, dict) and training else None,
        version=version or _told_by(document),
        backend=backend,
        weights=None,
    )


def read_json(file: BinaryIO, path: Path) -> Any:
    """The value in a file of JSON text.

    Raises:
        ArchiveError: It is too large, or damaged.
    """
    text = file.read(members.MAX_CONFIG_BYTES + 1)
    if len(text) > members.MAX_CONFIG_BYTES:
        raise ArchiveError(
            f"{_WHAT} must be at most {members.MAX_CONFIG_BYTES} bytes. Received: "
            f"{str(path)!r}, which has more. The file was not written by Keras."
        )
    with wellformed.reading(path, _WHAT):
        value = json.loads(text.decode("utf-8-sig"))
        if isinstance(value, str):  # json.dump(model.to_json(), file)
            value = json.loads(value)
    return value


def _document(value: Any, path: Path) -> Entry:
    """The entry of a model in what a file holds."""
    if isinstance(value, list) and value:  # get_config() of an early Sequential
        return {"class_name": "Sequential", "config": value}
    if isinstance(value, dict):
        if "class_name" in value and isinstance(value.get("config"), dict | list):
            return value
        if value.get("name") in _KERAS_0 and _has_no_classes(value):
            return value
        if isinstance(value.get("layers"), list):  # get_config()
            kind = "Functional" if "output_layers" in value else "Sequential"
            return {"class_name": kind, "config": value}
        if "modelTopology" in value:
            raise UnsupportedModelError(
                f"A model must be one that Keras saved. Received: {str(path)!r}, "
                "which is a TensorFlow.js model. Convert it back with "
                "tensorflowjs_converter, or use the model that it was made from."
            )
        if "weight_map" in value:
            raise ArchiveError(without_architecture(path))
    raise ArchiveError(
        "The JSON of an architecture must have 'class_name' and 'config'. Received: "
        f"{str(path)!r}, which lacks them. Save it with model.to_json()."
    )


def _told_by(document: Entry) -> str:
    """The version of Keras, inferred from the form of its layers if nothing states it.

    Keras 3 does not write a version into an architecture. Its first releases write
    dtypes as Keras 2 does, as strings, but the shape of an input as only Keras 3 does.
    """
    entries: list[Entry] = []
    with contextlib.suppress(*wellformed.MALFORMED):  # the rules say what is wrong
        entries = [place.entry for place in walk(document)][1:]
    inputs = any(
        each["class_name"] == "InputLayer" and "batch_shape" in config_of(each)
        for each in entries
    )
    policies = any(isinstance(config_of(each).get("dtype"), dict) for each in entries)
    return "3" if inputs and not policies else ""


def _has_no_classes(value: Entry) -> bool:
    """Whether it is a model of Keras 0, whose layers have names only."""
    layers = value.get("layers")
    plain = isinstance(layers, list) and any(
        isinstance(each, dict) and "class_name" not in each for each in layers
    )
    return plain or "node_config" in value


def without_architecture(path: Path) -> str:
    """The error message for weights without a model."""
    return (
        f"Weights must be given together with their model. Received: {str(path)!r}, "
        "which holds weights only. Pass the JSON of the architecture as the model, "
        f"and this file as its weights (--weights {path.name})."
    )
