"""Names of layers that Keras 3 refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import free_name
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.document import wrapped
from keras_rectifiers.legacy.dialects.registry import WAS
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import model_rule

#: A tensor is written as layer, call and output, and what goes with it.
_REFERENCE = 3


@model_rule("names", "`/` in layer names → `_`, wherever the names are used")
def name_layers(entry: Entry, context: Context) -> None:
    """Give each layer of a model a name that Keras 3 takes, and that is its own."""
    if not entry[WAS]["path"] and "/" in name_of(entry):
        _rename(entry, name_of(entry).replace("/", "_"), context)
    new_names = _rename_members(layers_of(entry), context)
    if not new_names:
        return
    for layer in layers_of(entry):
        if "inbound_nodes" in layer:
            layer["inbound_nodes"] = _renamed(layer["inbound_nodes"], new_names)
    config = entry["config"]
    for key in ("input_layers", "output_layers"):
        if key in config:
            config[key] = _renamed(config[key], new_names)


def _rename_members(layers: list[Entry], context: Context) -> dict[str, str]:
    """Rename what must be; old name -> new name of those that others refer to."""
    taken = {name_of(layer) for layer in layers}
    seen: set[str] = set()
    new_names = {}
    for layer in layers:
        old = name_of(layer)
        if "/" in old or old in seen:
            new = free_name(old.replace("/", "_"), taken)
            if old not in seen:
                new_names[old] = new
            _rename(layer, new, context)
            taken.add(new)
        seen.add(old)
        for inner in _wrapped(layer):
            if "/" in name_of(inner):
                _rename(inner, name_of(inner).replace("/", "_"), context)
    return new_names


def _rename(entry: Entry, name: str, context: Context) -> None:
    context.repaired(entry, f"name {name_of(entry)} → {name}")
    if "name" in entry:
        entry["name"] = name
    config = entry.get("config")
    if isinstance(config, dict) and ("name" in config or "name" not in entry):
        config["name"] = name


def _wrapped(entry: Entry) -> Iterator[Entry]:
    """The layers and cells inside a wrapper of Keras' own, however deep."""
    if not forms.is_keras(entry):
        return
    for _, child in wrapped(entry):
        yield child
        yield from _wrapped(child)


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """References to layers, in calls of any version, under their new names."""
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    if _is_reference(value) and value[0] in names:
        return [names[value[0]], *(_renamed(item, names) for item in value[1:])]
    return [_renamed(item, names) for item in value]


def _is_reference(value: list[Any]) -> bool:
    whole = len(value) >= _REFERENCE and isinstance(value[0], str)
    return whole and all(isinstance(index, int) for index in value[1:_REFERENCE])
