"""Whole-model `.h5` files, read without Keras: config and weights of any version."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.surgery import members
from keras_rectifiers.surgery import wellformed
from keras_rectifiers.surgery.archive import open_weights
from keras_rectifiers.surgery.document import Entry
from keras_rectifiers.surgery.document import is_functional
from keras_rectifiers.surgery.document import is_model
from keras_rectifiers.surgery.document import layers_of
from keras_rectifiers.surgery.document import name_of

CONFIG = "model_config"
WEIGHTS = "model_weights"


@contextlib.contextmanager
def read(path: Path) -> Iterator[tuple[Entry, Any]]:
    """Open a whole-model `.h5` file: its document, and its group of weights.

    Args:
        path: The file.

    Raises:
        ArchiveError: It is damaged, holds weights only, or no model that is known.
    """
    with members.open_file(path) as raw, open_weights(raw, path, "r") as file:
        with wellformed.reading(path, CONFIG):
            config, weights = file.attrs.get(CONFIG), file.get(WEIGHTS)
            size = 0 if config is None else len(config)
        if config is None or weights is None:
            raise ArchiveError(
                "A model file must hold the model's config and its weights. Received: "
                f"{str(path)!r}, which holds weights only. Load them into their "
                "model, and save that."
            )
        if size > members.MAX_CONFIG_BYTES:
            raise ArchiveError(
                f"{CONFIG} must be at most {members.MAX_CONFIG_BYTES} bytes. Received: "
                f"{size} in {str(path)!r}. The file is not one that Keras wrote."
            )
        with wellformed.reading(path, CONFIG):
            document = modern(json.loads(config))
        if not is_model(document):
            raise ArchiveError(
                "A model's layers must stand in its config. Received: "
                f"{document.get('class_name')!r} in {str(path)!r}, whose layers are "
                "made in Python code. Load it, and use diagnose."
            )
        wellformed.check(document, path)
        yield document, weights


def modern(entry: Mapping[str, Any]) -> Entry:
    """An entry of any version of Keras in the form that Keras 3 writes.

    Keras 2 states a call as a list of `[name, call, tensor, keywords]`, and a
    Sequential's config as the bare list of its layers.

    Args:
        entry: A model's or a layer's entry; not changed.
    """
    result = dict(entry)
    config = result.get("config")
    if result.get("class_name") == "Sequential" and isinstance(config, list):
        config = {"name": "sequential", "layers": config}
    if not isinstance(config, dict):
        return result
    config = dict(config)
    for key in ("layer", "backward_layer"):
        if isinstance(config.get(key), dict):
            config[key] = modern(config[key])
    result["config"] = config
    if not is_model(result):
        operation = "trainable" not in config and "module" not in result
        if operation and result.get("class_name") != "InputLayer":
            result["module"] = "keras.ops"  # Keras 3 leaves it out in these files
        return result
    config["layers"] = [modern(layer) for layer in config["layers"]]
    if is_functional(result):
        _modernise_calls(result)
    return result


def _modernise_calls(model: Entry) -> None:
    """Calls of a Functional model, in place; nothing happens to modern ones."""
    entries = layers_of(model)
    if any(isinstance(n, dict) for each in entries for n in _nodes(each)):
        return
    calls = {
        name_of(entry): [_references(node) for node in _nodes(entry)]
        for entry in entries
    }
    # Keras 2 counts the calls of a nested model from 1.
    first = {name_of(entry): int(is_model(entry)) for entry in entries}
    for entry in entries:
        entry["inbound_nodes"] = [
            {
                "args": [_argument([_tensor(ref, first) for ref in references])],
                "kwargs": {
                    key: value
                    for key, value in _keywords(references).items()
                    if key == "training"
                },
            }
            for references in calls[name_of(entry)]
        ]
    for key in ("input_layers", "output_layers"):
        ends = model["config"][key]
        plain = ends and isinstance(ends[0], str)
        model["config"][key] = [
            # end_refs counts a nested Functional from 1, as Keras 3 does.
            [name, node - first[name] + int(_is_nested(name, entries)), tensor]
            for name, node, tensor in ([ends] if plain else ends)
        ]


def _nodes(entry: Entry) -> list[Any]:
    nodes = entry.get("inbound_nodes")
    return nodes if isinstance(nodes, list) else []


def _references(node: list[Any]) -> list[list[Any]]:
    return [node] if node and isinstance(node[0], str) else node


def _keywords(references: list[list[Any]]) -> dict[str, Any]:
    with_keywords = 4
    if references and len(references[0]) == with_keywords:
        return dict(references[0][3])
    return {}


def _argument(tensors: list[Entry]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors


def _tensor(reference: list[Any], first: dict[str, int]) -> Entry:
    name, node, tensor = reference[:3]
    history = [name, node - first[name], tensor]
    config = {"shape": None, "dtype": None, "keras_history": history}
    return {"class_name": "__keras_tensor__", "config": config}


def _is_nested(name: str, entries: list[Entry]) -> bool:
    return any(name_of(entry) == name and is_functional(entry) for entry in entries)
