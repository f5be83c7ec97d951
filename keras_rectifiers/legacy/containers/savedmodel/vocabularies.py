"""Vocabularies of lookup layers, which Keras leaves out of a SavedModel's config.

They are constants of the graph, from which a table is filled when the model is
loaded. The constants are found by the table that they are for, and read; nothing of
the graph is run.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.wellformed import reading
from keras_rectifiers.legacy.containers.savedmodel import files
from keras_rectifiers.legacy.containers.savedmodel.layers import LayerObjects
from keras_rectifiers.legacy.containers.savedmodel.metadata import GRAPH
from keras_rectifiers.legacy.containers.savedmodel.metadata import MAX_GRAPH
from keras_rectifiers.legacy.containers.savedmodel.objects import ObjectGraph
from keras_rectifiers.legacy.containers.savedmodel.wire import Message
from keras_rectifiers.legacy.containers.vocabularies import LOOKUPS

#: The attribute of a layer that looks words up, or of the one inside it.
_TABLE = "lookup_table"
#: What fills a table.
_FILL = "_initialize"
#: TensorFlow's numbers for text and for whole numbers.
_STRING, _INT64 = 7, 9

Words = list[Any]


def filled(
    document: Entry, folder: Path, graph: ObjectGraph, layers: LayerObjects
) -> Entry:
    """The model's config with the vocabularies that Keras left out.

    Args:
        document: The config; not changed.
        folder: The SavedModel.
        graph: The objects of its checkpoint.
        layers: Which of them is which layer.

    Raises:
        ArchiveError: The graph is damaged.
        UnsupportedModelError: A vocabulary is nowhere in it.
    """
    with reading(folder, "model config"):
        lacking = [
            place.names
            for place in walk(document)
            if place.entry["class_name"] in LOOKUPS
            and place.config.get("vocabulary") is None
        ]
    if not lacking:
        return document
    document = copy.deepcopy(document)
    data = files.read(folder, GRAPH, MAX_GRAPH)
    with reading(folder, GRAPH):
        paths = graph.reached([0])
        constants = _Constants(data)
        for place in walk(document):
            if place.names not in lacking:
                continue
            class_name = place.entry["class_name"]
            number = layers.find(place.names)
            words = None
            if number is not None:
                table = (*paths[number], *LOOKUPS[class_name][0], _TABLE)
                invert = bool(place.config.get("invert"))
                words = constants.vocabulary(table, invert=invert)
            if words is None:
                raise _unknown(place.path, class_name, folder)
            place.entry["config"]["vocabulary"] = words
    return document


class _Constants:
    """The constants of a graph, by the tables that are filled from them.

    Args:
        data: A `SavedModel` message.
    """

    def __init__(self, data: bytes) -> None:
        self._graph = next(Message(data).messages(2), Message(b""))
        self._objects = self._graph.message(7)
        self._nodes = self._objects.all_bytes(1)
        self._tables = ObjectGraph(self._graph.bytes(7))

    def vocabulary(self, path: Iterable[str], *, invert: bool) -> Words | None:
        """The words of a table in the order of their numbers; None without any.

        Args:
            path: Attributes that lead to the table.
            invert: Whether the table leads from numbers to words.
        """
        number = self._tables.follow(0, (*path, _FILL))
        if number is None:
            return None
        # What fills a table is given the table, its keys and its values.
        given = self._given(self._node(number).message(6).text(1))
        tensors = [
            self._tensor(self._node(each).message(9).text(1)) for each in given[1:]
        ]
        if len(tensors) != 2 or None in tensors:  # noqa: PLR2004
            return None
        words, numbers = tensors[::-1] if invert else tensors
        if not words or not numbers or len(words) != len(numbers):
            return None
        pairs = sorted(zip(numbers, words, strict=True))
        first = pairs[0][0]
        if [number for number, _ in pairs] != list(range(first, first + len(pairs))):
            return None
        return [word for _, word in pairs]

    def _node(self, number: int) -> Message:
        if not 0 <= number < len(self._nodes):
            msg = "an object that refers to a missing object"
            raise ValueError(msg)
        return Message(self._nodes[number])

    def _given(self, function: str) -> list[int]:
        """Numbers of the objects that a function is given."""
        for each in self._objects.messages(2):
            if each.text(1) == function:
                return each.message(2).numbers(2)
        return []

    def _tensor(self, name: str) -> list[Any] | None:
        """Values of a constant with one axis, text or whole numbers."""
        for node in self._graph.message(2).messages(1):
            if node.text(1) != name or node.text(2) != "Const":
                continue
            for attribute in node.messages(5):
                if attribute.text(1) == "value":
                    return _values(attribute.message(2).message(8))
        return None


def _values(tensor: Message) -> list[Any] | None:
    if tensor.number(1) == _STRING:
        return [str(each, "utf-8") for each in tensor.all_bytes(8)]
    if tensor.number(1) != _INT64:
        return None
    kept = tensor.bytes(4)
    if len(kept):
        return [int(each) for each in np.frombuffer(kept, "<i8")]
    return tensor.numbers(10)


def _unknown(path: str, class_name: str, folder: Path) -> UnsupportedModelError:
    return UnsupportedModelError(
        "The vocabulary of a layer must be in its config, or a constant of the graph. "
        f"Received: {path!r} ({class_name}) in {str(folder)!r}, whose vocabulary is "
        "in neither. Build the layer again with its vocabulary, and copy the weights "
        "of the other layers."
    )
