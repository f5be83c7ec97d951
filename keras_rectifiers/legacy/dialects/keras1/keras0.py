"""Documents before Keras 1: no classes but names, and models called Graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph.document import MAX_DEPTH
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.legacy.dialects.keras1.branches import BranchGraph
from keras_rectifiers.legacy.dialects.keras1.branches import Reference
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import entry_rule

#: What Keras 0 wrote next to the layers of a model, for training.
_TRAINING = frozenset(
    {
        *("class_mode", "loss", "optimizer", "sample_weight_mode", "theano_mode"),
        *("loss_weights", "sample_weight_modes"),
    }
)
_Namer = Callable[[dict[str, Any]], str]


@entry_rule("keras0_entries", "Layers without `class_name` → class, config and name")
def entries(entry: Entry, context: Context) -> None:
    """Bring a whole document of Keras 0 into the form of Keras 1."""
    if "class_name" in entry or not isinstance(entry.get("name"), str):
        return
    if "layers" not in entry and "nodes" not in entry:
        return
    new = _entry(entry, _namer(), 0)
    for key in [key for key in entry if not key.startswith("__")]:
        del entry[key]
    entry.update(new)
    context.repaired(entry, f"layers of Keras 0 → {new['class_name']} of Keras 1")


def _entry(old: dict[str, Any], name_for: _Namer, depth: int) -> Entry:
    if depth > MAX_DEPTH or not isinstance(old, dict):
        raise ArchiveError(
            f"Layers must have the form of Keras 0. Received: {type(old).__name__}, "
            f"{depth} deep. The file was not written by Keras."
        )
    class_name = str(old["name"])
    config = {
        key: value
        for key, value in old.items()
        if key not in _TRAINING and key not in ("name", "custom_name")
    }
    config["name"] = name_for(old)
    for key in ("layers", "nodes"):
        inner = config.get(key)
        if isinstance(inner, list):
            config[key] = [_entry(each, name_for, depth + 1) for each in inner]
        elif isinstance(inner, dict):
            config[key] = {
                name: _named(_entry(each, name_for, depth + 1), name)
                for name, each in inner.items()
            }
    if isinstance(config.get("layer"), dict):
        config["layer"] = _entry(config["layer"], name_for, depth + 1)
    _state_input(class_name, config)
    return {"class_name": class_name, "config": config}


def _named(entry: Entry, name: str) -> Entry:
    config_of(entry)["name"] = name
    return entry


def _namer() -> _Namer:
    """Unique names: Keras 0 gave all layers of a class the same name, or none."""
    used: dict[str, int] = {}

    def name_for(old: dict[str, Any]) -> str:
        name = str(old.get("custom_name") or old["name"]).lower()
        used[name] = used.get(name, 0) + 1
        return f"{name}_{used[name]}"

    return name_for


def _state_input(class_name: str, config: dict[str, Any]) -> None:
    """Write the shape of a layer's input as Keras 1 does, with the batch."""
    if "batch_input_shape" in config:
        return
    shape, size = config.pop("input_shape", None), config.get("input_dim")
    length = config.get("input_length")
    if shape is None and class_name == "Embedding":
        shape = [length]
    elif shape is None and isinstance(size, int):
        sequence = "input_length" in config
        shape = [length, size] if sequence else [size]
    if shape is not None:
        config["batch_input_shape"] = [None, *shape]


@entry_rule("keras0_graph", "Graph of Keras 0 → Functional")
def graph(entry: Entry, context: Context) -> None:
    """Write a Graph as a Functional model, with the same names."""
    config = config_of(entry)
    if entry.get("class_name") != "Graph" or "node_config" not in config:
        return
    made = BranchGraph(context, entry)
    known: dict[str, Reference] = {}
    for each in config["input_config"]:
        name = each["name"]
        shape = each.get("batch_input_shape") or [None, *each["input_shape"]]
        dtype = "int32" if each.get("dtype") == "int" else "float32"
        known[name] = made.add_input(name, list(shape), dtype)
    for node in config["node_config"]:
        name, layer = node["name"], config["nodes"][node["name"]]
        if layer["class_name"] in ("Siamese", "SiameseHead") or node.get("outputs"):
            raise context.refuse(
                entry,
                f"a Graph with a shared node, {name!r}",
                "Build the model again with Keras 3 layers",
            )
        known[name] = made.add_layer(layer, _inputs(node, made, known))
    ends = []
    for output in config["output_config"]:
        merged = {**output, "name": f"{output['name']}_output"}
        ends.extend(_inputs(merged, made, known))
    entry["class_name"] = "Model"
    entry["config"] = made.config(str(config.get("name", "graph")), ends)
    context.repaired(entry, "Graph → Functional")


def _inputs(
    node: dict[str, Any], made: BranchGraph, known: dict[str, Reference]
) -> list[Reference]:
    """What a node is called on: one tensor, merged first if there are several."""
    names = [node["input"]] if node.get("input") else list(node.get("inputs") or ())
    references = [known[name] for name in names]
    if len(references) < 2:  # noqa: PLR2004
        return references
    config = {
        "name": f"{node['name']}_merge",
        "mode": node.get("merge_mode", "concat"),
        "concat_axis": node.get("concat_axis", -1),
        "dot_axes": node.get("dot_axes", -1),
    }
    return [made.add_layer({"class_name": "Merge", "config": config}, references)]
