"""Read a SavedModel folder of Keras 2 as it was saved, without TensorFlow."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.wellformed import reading
from keras_rectifiers.legacy.containers.saved import Array
from keras_rectifiers.legacy.containers.saved import Saved
from keras_rectifiers.legacy.containers.saved import SavedSlot
from keras_rectifiers.legacy.containers.saved import Slots
from keras_rectifiers.legacy.containers.savedmodel import files
from keras_rectifiers.legacy.containers.savedmodel import metadata
from keras_rectifiers.legacy.containers.savedmodel import vocabularies
from keras_rectifiers.legacy.containers.savedmodel.bundle import Bundle
from keras_rectifiers.legacy.containers.savedmodel.layers import LayerObjects
from keras_rectifiers.legacy.containers.savedmodel.objects import OBJECT_GRAPH
from keras_rectifiers.legacy.containers.savedmodel.objects import ObjectGraph
from keras_rectifiers.legacy.containers.savedmodel.weights import CheckpointWeights

_INDEX = "variables/variables.index"
_OPTIMIZER = "optimizer"
#: Where an optimizer that scales the loss holds the one that trains.
_INSIDE = ("inner_optimizer", "_optimizer", "base_optimizer")
#: Where an optimizer of Keras 2.11 or later lists its variables.
_LIST = "_variables"


def is_savedmodel(path: Path) -> bool:
    """Whether a path is a folder that TensorFlow wrote a model in."""
    return path.is_dir() and any(
        files.has(path, name)
        for name in (metadata.METADATA, metadata.GRAPH, "saved_model.pbtxt")
    )


@contextlib.contextmanager
def read(path: Path) -> Iterator[Saved]:
    """Read a SavedModel; its arrays are read while the block lasts.

    Args:
        path: The folder.

    Raises:
        ArchiveError: It is not a SavedModel, or it is damaged.
        UnsupportedModelError: It holds no Keras model whose layers are known.
    """
    if not is_savedmodel(path):
        raise ArchiveError(
            "A folder must be a SavedModel, with saved_model.pb in it. Received: "
            f"{str(path)!r}. Pass the folder that model.save() wrote, or a file."
        )
    described = metadata.read(path)
    root = described.root.data
    document = _document(path, root)
    with contextlib.ExitStack() as stack:
        if not files.has(path, _INDEX):
            raise ArchiveError(
                f"A SavedModel must hold {_INDEX}. Received: {str(path)!r} without "
                "it. Copy the whole folder, with its subfolders."
            )
        bundle = Bundle(path, stack)
        if OBJECT_GRAPH not in bundle:
            raise UnsupportedModelError(
                "The checkpoint of a SavedModel must state which object each array "
                f"belongs to. Received: {str(path)!r}, whose checkpoint TensorFlow 1 "
                "wrote. Use the Keras file (.h5) that it was made from."
            )
        text = bundle.text(OBJECT_GRAPH)
        with reading(path, "checkpoint"):
            graph = ObjectGraph(text)
            layers = LayerObjects(document, described, graph)
            weights = CheckpointWeights(path, layers, graph, bundle)
            state = _slots(graph, weights.array)
        document = vocabularies.filled(document, path, graph, layers)
        training = root.get("training_config")
        version, backend = (
            each if isinstance(each, str) else ""
            for each in (root.get("keras_version"), root.get("backend"))
        )
        yield Saved(
            path=path,
            container="SavedModel",
            document=document,
            training=training if isinstance(training, dict) else None,
            version=version,
            backend=backend or "tensorflow",
            weights=weights,
            slots=state,
        )


def _document(path: Path, root: dict[str, Any]) -> Entry:
    """The model's config, as other files have it."""
    for entry in (root.get("model_config"), root):
        if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
            continue
        document = {"class_name": entry["class_name"], "config": entry.get("config")}
        if is_model(document):
            return _with_shape(document, root)
        if isinstance(document["config"], list):  # Sequential of an early version
            layers = {"name": root.get("name"), "layers": document["config"]}
            if is_model({"config": layers}):
                return {**document, "config": layers}
    raise UnsupportedModelError(
        f"The config of a model must list its layers. Received: {str(path)!r}, whose "
        f"class {str(root.get('class_name'))!r} creates its layers in code that is "
        "not in the file. Build the same model with the functional API, load the old "
        "weights into it, and save that."
    )


def _with_shape(document: Entry, root: dict[str, Any]) -> Entry:
    """A Sequential with the shape that it was built or called with."""
    layers = config_of(document)["layers"]
    stated = not layers or layers[0]["class_name"] == "InputLayer"
    if document["class_name"] != "Sequential" or stated:
        return document
    spec = root.get("save_spec")
    parts = spec.get("serialized") if isinstance(spec, dict) else None
    called = parts[0] if isinstance(parts, list) and parts else None
    shape = root.get("build_input_shape") or called
    config = {"build_input_shape": shape, **config_of(document)}
    return {**document, "config": config} if isinstance(shape, list) else document


def _slots(graph: ObjectGraph, array: Callable[[int], Array]) -> Slots | None:
    """The optimizer's state; None where there is none."""
    optimizers = _optimizers(graph)
    for at in optimizers:
        listed = graph[at].children.get(_LIST)
        if listed is not None:
            members = graph.listed(listed)
            variables = [each for each in members if graph[each].key is not None]
            return Slots("listed", tuple(map(array, variables)))
    numbers = {
        name: array(child)
        for at in optimizers
        for name, child in graph[at].children.items()
        if graph[child].key is not None
    }
    slots = tuple(
        SavedSlot(name, graph[variable].name, array(slot))
        for at in optimizers
        for variable, name, slot in graph[at].slots
        if graph[slot].key is not None
    )
    if not numbers and not slots:
        return None
    arrays = (*numbers.values(), *(slot.array for slot in slots))
    return Slots("slots", arrays, slots=slots, numbers=numbers)


def _optimizers(graph: ObjectGraph) -> list[int]:
    """The model's optimizer, and those inside it."""
    found = [graph[0].children[_OPTIMIZER]] if _OPTIMIZER in graph[0].children else []
    for at in found:
        inside = [graph[at].children.get(name) for name in _INSIDE]
        found += [each for each in inside if each is not None and each not in found]
    return found
