"""The Keras metadata of a SavedModel: class names and configs, as JSON.

Since TensorFlow 2.5 it is in `keras_metadata.pb`; before, in `saved_model.pb`,
whose graphs are passed over unread.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph.wellformed import reading
from keras_rectifiers.legacy.containers.savedmodel import files
from keras_rectifiers.legacy.containers.savedmodel.objects import ObjectGraph
from keras_rectifiers.legacy.containers.savedmodel.wire import Message

METADATA = "keras_metadata.pb"
GRAPH = "saved_model.pb"
#: What the identifier of every object of Keras begins with.
_KERAS = "_tf_keras_"
METRIC = "_tf_keras_metric"
_ROOT = "root"
#: Most bytes of each; protobuf itself allows no message of 2 GiB.
_MAX_METADATA = 1 << 28
MAX_GRAPH = (1 << 31) - 1


@dataclasses.dataclass(frozen=True)
class Described:
    """What Keras says of one of its objects.

    Attributes:
        path: Attributes that lead to it from the model.
        identifier: What it is: `"_tf_keras_layer"`, `"_tf_keras_metric"`, ...
        data: Its class, name and config.
    """

    path: tuple[str, ...]
    identifier: str
    data: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What Keras says of a model's objects.

    Attributes:
        root: Of the model.
        others: Of everything in it.
    """

    root: Described
    others: tuple[Described, ...]


def read(folder: Path) -> Metadata:
    """Read what Keras says of a model.

    Args:
        folder: The SavedModel.

    Raises:
        ArchiveError: A file is missing or damaged.
        UnsupportedModelError: The folder holds a graph only, or one of
            TensorFlow 1.
    """
    if files.has(folder, METADATA):
        data = files.read(folder, METADATA, _MAX_METADATA)
        with reading(folder, METADATA):
            found = list(_separate(Message(data)))
    else:
        data = files.read(folder, GRAPH, MAX_GRAPH)
        with reading(folder, GRAPH):
            graphs = list(Message(data).messages(2))
            objects = [objects for each in graphs for objects in each.all_bytes(7)]
            found = list(_inside(objects[0])) if objects else []
        if not objects:
            raise UnsupportedModelError(
                f"A SavedModel must hold a Keras model. Received: {str(folder)!r}, "
                "which TensorFlow 1 wrote: it holds a graph, without the layers that "
                "it was made from. Use the Keras file (.h5) that the model was "
                "exported from."
            )
    root = next((each for each in found if not each.path), None)
    if root is None:
        raise UnsupportedModelError(
            "A SavedModel must hold a Keras model, as written by model.save(). "
            f"Received: {str(folder)!r}, which holds only a graph, as written by "
            "tf.saved_model.save() and model.export(). Save the model that it was "
            "made from with model.save()."
        )
    return Metadata(root, tuple(each for each in found if each.path))


def _separate(message: Message) -> Iterator[Described]:
    """The objects of a `keras_metadata.pb`."""
    for node in message.messages(1):
        first, *path = node.text(3).split(".")
        if first == _ROOT and node.text(4).startswith(_KERAS):
            yield _described(tuple(path), node.text(4), node.text(5))


def _inside(data: memoryview) -> Iterator[Described]:
    """The objects of Keras in the object graph of a `saved_model.pb`."""
    nodes = Message(data).all_bytes(1)
    for number, path in ObjectGraph(data).reached([0]).items() if nodes else ():
        user = Message(Message(nodes[number]).bytes(4))
        if user.text(1).startswith(_KERAS) and len(user.bytes(3)):
            yield _described(path, user.text(1), user.text(3))


def _described(path: tuple[str, ...], identifier: str, text: str) -> Described:
    data = json.loads(text)
    if not isinstance(data, dict):
        msg = f"its entry for {'.'.join(path) or 'the model'} is not an object"
        raise ValueError(msg)  # noqa: TRY004 (the file's fault, not the caller's)
    return Described(path, identifier, plain(data))


def plain(value: Any) -> Any:
    """JSON of a SavedModel as other files have it: tuples and shapes are lists."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") in {"__tuple__", "TensorShape"}:
        items = value.get("items")
        if isinstance(items, list):
            return [plain(each) for each in items]
    return {key: plain(each) for key, each in value.items()}
