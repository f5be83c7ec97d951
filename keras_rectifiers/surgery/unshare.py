"""Split a layer that is called several times into one layer for each use."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.graph import nodes_of


def split_calls(model: Entry, entry: Entry, which: Sequence[int]) -> list[Entry]:
    """Divide the calls of one entry of a Functional model; changes the model.

    Args:
        model: The model that holds the entry.
        entry: The entry; it keeps the calls of the first use, and its name.
        which: For each call, the number of its use.

    Returns:
        The new entries, one for each further use, in the order of first calls.
    """
    name, nodes = name_of(entry), nodes_of(entry)
    entries = model["config"]["layers"]
    taken = {name_of(each) for each in entries}
    uses = list(dict.fromkeys(which))
    renamed: dict[int, tuple[str, int]] = {}
    made: list[Entry] = []
    for use in uses:
        calls = [call for call, each in enumerate(which) if each == use]
        new_name = name if use == uses[0] else _free(name, taken)
        renamed |= {call: (new_name, index) for index, call in enumerate(calls)}
        if use != uses[0]:
            made.append(_copy(entry, new_name, [nodes[call] for call in calls]))
    entry["inbound_nodes"] = [
        node for node, use in zip(nodes, which, strict=True) if use == uses[0]
    ]
    position = next(i for i, each in enumerate(entries) if each is entry)
    entries[position + 1 : position + 1] = made
    redirect(model, name, renamed)
    return made


def redirect(model: Entry, name: str, renamed: dict[int, tuple[str, int]]) -> None:
    """Point every tensor of one layer to other calls; changes the model.

    Args:
        model: The model that holds the layer.
        name: The layer's name.
        renamed: For each of its calls, the layer and the call in its place.
    """
    for each in layers_of(model):
        for node in nodes_of(each):
            _redirect(node, name, renamed)
    if is_functional(model):
        config = model["config"]
        for key in ("input_layers", "output_layers"):
            config[key] = _redirect_ends(config[key], name, renamed)


def _free(name: str, taken: set[str]) -> str:
    number = 1
    while f"{name}_{number}" in taken:
        number += 1
    taken.add(f"{name}_{number}")
    return f"{name}_{number}"


def _copy(entry: Entry, name: str, nodes: list[dict[str, Any]]) -> Entry:
    new = copy.deepcopy({k: v for k, v in entry.items() if k != "inbound_nodes"})
    new["name"] = new["config"]["name"] = name
    new["inbound_nodes"] = nodes
    new.pop("shared_object_id", None)
    return new


def _redirect(value: Any, name: str, renamed: dict[int, tuple[str, int]]) -> None:
    """Point every tensor of the split layer to the layer that makes it now."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            history = value["config"]["keras_history"]
            if history[0] == name:
                history[:2] = renamed[history[1]]
            return
        for item in value.values():
            _redirect(item, name, renamed)
    elif isinstance(value, list):
        for item in value:
            _redirect(item, name, renamed)


def _redirect_ends(value: Any, name: str, renamed: dict[int, tuple[str, int]]) -> Any:
    if isinstance(value, dict):
        return {k: _redirect_ends(v, name, renamed) for k, v in value.items()}
    if isinstance(value, list):
        if len(value) == 3 and value[0] == name:  # noqa: PLR2004
            return [*renamed[value[1]], value[2]]
        if len(value) == 3 and isinstance(value[0], str):  # noqa: PLR2004
            return value
        return [_redirect_ends(item, name, renamed) for item in value]
    return value
