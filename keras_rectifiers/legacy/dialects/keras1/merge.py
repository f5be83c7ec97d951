"""Merge layers: one class for each way, and models that began with one."""

from __future__ import annotations

import itertools
from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.legacy.dialects.keras1.branches import BranchGraph
from keras_rectifiers.legacy.dialects.keras1.names import entries_in
from keras_rectifiers.legacy.dialects.registry import WAS
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import entry_rule

#: How a Merge layer merged -> class in Keras 3.
_CLASSES = {
    "sum": "Add",
    "mul": "Multiply",
    "ave": "Average",
    "max": "Maximum",
    "concat": "Concatenate",
    "dot": "Dot",
    "cos": "Dot",
}
_PAIR = 2


@entry_rule("keras1_nested", "Sequentials inside models, whose names were not saved")
def name_nested(entry: Entry, context: Context) -> None:
    """Name the models inside a model, whose config was a list without a name."""
    if entry[WAS]["path"]:
        return  # done from the top
    inside = list(entries_in(entry))
    taken = {name_of(each) for each in inside}
    names = (f"sequential_{count}" for count in itertools.count(1))
    for each in inside[1:]:
        layers: Any = each.get("config")
        if each["class_name"] == "Sequential" and isinstance(layers, list):
            name = each.get("name") or next(n for n in names if n not in taken)
            each["config"] = {"name": name, "layers": layers}
            context.repaired(each, "model without a name → one with a name")


@entry_rule("keras1_merge_first", "Sequential that begins with a Merge → Functional")
def merge_first(entry: Entry, context: Context) -> None:
    """Write a Sequential whose first layer merges branches as a Functional model.

    Keras 1 stored the weights of all branches' layers side by side, by name, so all
    of them are layers of the new model.
    """
    layers = sequential_layers(entry)
    if not layers or layers[0].get("class_name") != "Merge":
        return
    if not isinstance(config_of(layers[0]).get("layers"), list):
        return
    graph = BranchGraph(context, entry)
    end = graph.add_sequential(layers)
    name = config_of(entry).get("name", "model")
    entry["class_name"] = "Model"
    entry["config"] = graph.config(name, [end])
    context.repaired(entry, "Sequential that begins with a Merge → Functional")


@entry_rule("keras1_merge", "Merge → Add, Multiply, Average, Maximum, Concatenate, Dot")
def merge(entry: Entry, context: Context) -> None:
    """Give a Merge layer the class of the way in which it merged."""
    config = config_of(entry)
    if entry.get("class_name") != "Merge" or "mode" not in config:
        return
    mode = config["mode"]
    known = isinstance(mode, str) and config.get("mode_type", "raw") == "raw"
    if not known or mode not in _CLASSES:
        raise context.refuse(
            entry,
            "a Merge layer with a custom function",
            "Code in a file is never run: build this layer again for Keras 3",
        )
    entry["class_name"] = _CLASSES[mode]
    new = {"name": name_of(entry), "trainable": config.get("trainable", True)}
    if mode == "concat":
        new["axis"] = config.get("concat_axis", -1)
    elif mode in ("dot", "cos"):
        new["axes"] = _axes(entry, context)
        new["normalize"] = mode == "cos"
    entry["config"] = new
    context.repaired(entry, f"Merge({mode!r}) → {entry['class_name']}")
    if mode == "cos":
        text = "result (batch, 1, 1) → (batch, 1): Keras 1 added an axis"
        context.repaired(entry, text, caution=True)


def sequential_layers(entry: Entry) -> list[Entry]:
    """The layers of a Sequential in either form of its config.

    Args:
        entry: Any entry.

    Returns:
        Its layers; empty where it is not a Sequential.
    """
    if entry.get("class_name") != "Sequential":
        return []
    config: Any = entry.get("config")
    layers = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(layers, list):
        return []
    return [each for each in layers if isinstance(each, dict)]


def _axes(entry: Entry, context: Context) -> Any:
    """Axes of a dot product, which Keras 0 wrote as a list for each side."""
    axes = config_of(entry).get("dot_axes", -1)
    if isinstance(axes, int):
        return axes
    flat = []
    for each in axes if isinstance(axes, list) else ():
        single = isinstance(each, list) and len(each) == 1
        flat.append(each[0] if single else each)
    if len(flat) != _PAIR or not all(isinstance(each, int) for each in flat):
        raise context.refuse(
            entry,
            f"a Merge layer with dot_axes={axes!r}",
            "Keras 3 sums over one axis of each input: build this layer again",
        )
    return flat
