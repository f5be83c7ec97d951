"""Which object of a checkpoint is which layer of the model's config."""

from __future__ import annotations

from keras_rectifiers.graph.document import WRAPPED
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import attribute_of
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.document import wrapped
from keras_rectifiers.legacy.containers.savedmodel.metadata import METRIC
from keras_rectifiers.legacy.containers.savedmodel.metadata import Metadata
from keras_rectifiers.legacy.containers.savedmodel.objects import ObjectGraph

#: Under which a model holds its layers, before their numbers.
_LAYER = "layer-"


class LayerObjects:
    """The objects of layers, found by the names that lead to them.

    Args:
        document: The model's config, as it was written.
        metadata: What Keras says of the objects.
        graph: The objects.
    """

    def __init__(self, document: Entry, metadata: Metadata, graph: ObjectGraph) -> None:
        self._document = document
        self._graph = graph
        self._members_of: dict[int, dict[str, int]] = {}
        #: Number of a layer's object -> the layer's name.
        self.names: dict[int, str] = {}
        #: Numbers of metrics.
        self.metrics: set[int] = set()
        for each in metadata.others:
            number = graph.follow(0, each.path)
            if number is None:
                continue
            if each.identifier == METRIC:
                self.metrics.add(number)
            elif isinstance(each.data.get("name"), str):
                self.names[number] = each.data["name"]

    def find(self, was: tuple[str, ...], keys: tuple[str, ...] = ()) -> int | None:
        """The object of a layer; None where there is none.

        Args:
            was: Its old name, after those of the models and wrappers around it.
            keys: For each name, the key of the wrapper's config that holds it, or `""`;
                default: by the names alone.
        """
        at, entry = 0, self._document
        for name, key in zip(was, keys or ("",) * len(was), strict=True):
            if is_model(entry):
                number = self._members(at, entry).get(name)
                inner = (each for each in layers_of(entry) if name_of(each) == name)
                entry = next(inner, {})
            else:
                number = self._inner(at, entry, name, key)
                entry = _inner_entry(entry, name, key)
            if number is None:
                return None
            at = number
        return at

    def _members(self, model: int, entry: Entry) -> dict[str, int]:
        """Name of each layer of a model -> its object."""
        if model not in self._members_of:
            objects = self._numbered(model)
            entries = layers_of(entry)
            if len(objects) < len(entries) and not is_functional(entry):
                # A Sequential does not count its input layer.
                entries = [e for e in entries if e.get("class_name") != "InputLayer"]
            found = {self.names[each]: each for each in objects if each in self.names}
            if len(objects) == len(entries):
                # The metadata of an object is more reliable than its position, but not
                # every object has metadata, and not every config has a name.
                for one, number in zip(entries, objects, strict=True):
                    if number not in self.names or not _has_name(one):
                        found.setdefault(name_of(one), number)
            self._members_of[model] = found
        return self._members_of[model]

    def _numbered(self, model: int) -> list[int]:
        """The objects of a model's layers, in its order."""
        numbered = {}
        for name, number in self._graph[model].children.items():
            index = name.removeprefix(_LAYER)
            if index != name and index.isdecimal():
                numbered[int(index)] = number
        return [number for _, number in sorted(numbered.items())]

    def _inner(self, at: int, entry: Entry, name: str, key: str) -> int | None:
        """A layer inside a wrapper, or a cell inside a recurrent layer."""
        if key.isdecimal():
            return self._graph.follow(at, ("cells", key))
        key = attribute_of(entry, key)
        children = self._graph[at].children
        if key in children:
            return children[key]
        inner = [children[each] for each in WRAPPED if each in children]
        if "cells" in children:
            inner += self._graph.listed(children["cells"])
        same = {each for each in inner if self.names.get(each) == name}
        return same.pop() if len(same) == 1 else None


def _has_name(entry: Entry) -> bool:
    """Whether an entry is named; a custom class may have said nothing of itself."""
    return "name" in entry or "name" in config_of(entry)


def _inner_entry(entry: Entry, name: str, key: str) -> Entry:
    """Config of the layer inside a wrapper; empty where the config has none."""
    inner = config_of(entry).get(key)
    if isinstance(inner, dict):
        return inner
    return next((each for _, each in wrapped(entry) if name_of(each) == name), {})
