"""Put a layer between the input of a document and all that takes it."""

from __future__ import annotations

from typing import Any

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import name_of

_INPUT = "InputLayer"


def inserted(document: Entry, entry: Entry) -> Entry:
    """A document with one layer more, which takes the model's input.

    Args:
        document: Of a Sequential model or a Functional one with one input; it is
            changed.
        entry: The serialized layer. It has no weights, and keeps the shape of what it
            takes.

    Raises:
        UnsupportedModelError: The document lists no layers, or has several inputs.
    """
    entries = document.get("config", {}).get("layers")
    if not isinstance(entries, list):
        raise _refused(document, "whose layers are called by Python code")
    inputs = [each for each in entries if each.get("class_name") == _INPUT]
    if not is_functional(document):
        entries.insert(len(inputs[:1]), entry)
        return document
    if len(inputs) != 1:
        raise _refused(document, f"which has {len(inputs)}")
    begin, end = name_of(inputs[0]), name_of(entry)
    for each in entries:
        each["inbound_nodes"] = _led_past(each.get("inbound_nodes", []), begin, end)
    tensor = {"shape": inputs[0]["config"].get("batch_shape"), "dtype": "float32"}
    history = {"keras_history": [begin, 0, 0]}
    taken = {"class_name": "__keras_tensor__", "config": {**tensor, **history}}
    entry["name"] = end
    entry["inbound_nodes"] = [{"args": [taken], "kwargs": {}}]
    entries.append(entry)
    return document


def _led_past(value: Any, begin: str, end: str) -> Any:
    """The calls of a layer, which take another layer's tensor."""
    if isinstance(value, list):
        return [_led_past(each, begin, end) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("keras_history") == [begin, 0, 0]:
        return {**value, "keras_history": [end, 0, 0]}
    return {key: _led_past(each, begin, end) for key, each in value.items()}


def _refused(document: Entry, why: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        "A layer can be put in front of a Sequential model, or of a Functional one "
        f"with one input. Received: {name_of(document)!r}, {why}."
    )
