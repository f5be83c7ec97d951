"""A document with the graphs of its models, made once and asked often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_rectifiers.graph.document import Address
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.graph import Graph

#: Keys under which a wrapper has its layer.
_WRAPPED = ("layer", "forward_layer", "cell")


class View:
    """Places and graphs of a document.

    Args:
        document: The config of a whole model; not changed.
    """

    def __init__(self, document: Entry) -> None:
        self.places = tuple(walk(document))
        self._graphs: dict[Address, Graph] = {}
        # Asking an entry means to look at all its layers, so that is done once.
        self._models = {place.address for place in self.places if is_model(place.entry)}
        self._shared: dict[tuple[Any, ...], list[Place]] = {}
        self._members: dict[tuple[Address, str], Place] = {}
        self._inside: dict[Address, Place] = {}
        for place in self.places[1:]:
            self._shared.setdefault(place.identity, []).append(place)
            if place.parent is None:
                continue
            parent = place.parent.address
            if parent in self._models:
                self._members.setdefault((parent, place.names[-1]), place)
            elif place.address[-1] in _WRAPPED:
                self._inside.setdefault(parent, place)

    def graph(self, model: Place) -> Graph:
        """The graph of the model at a place."""
        if model.address not in self._graphs:
            self._graphs[model.address] = Graph(model.entry)
        return self._graphs[model.address]

    def child(self, parent: Place, name: str) -> Place:
        """A member of a model, by name."""
        return self._members[parent.address, name]

    def is_model(self, place: Place) -> bool:
        """Whether a model is at a place."""
        return place.address in self._models

    def shared(self, place: Place) -> Sequence[Place]:
        """All places of the layer at a place; the first is that which Keras knows."""
        return self._shared[place.identity]

    def below(self, wrapper: Place) -> Place | None:
        """The layer inside a wrapper; None where it cannot be read."""
        return self._inside.get(wrapper.address)

    def graph_around(self, place: Place) -> Graph:
        """The graph of a layer or operation."""
        home = self.member(place).parent
        if home is None:
            raise ValueError("The top model is not part of a graph.")
        return self.graph(home)

    def member(self, place: Place) -> Place:
        """The place itself, or the outermost wrapper around it.

        Wrapped layers and cells do not have edges; their wrapper has.
        """
        while place.parent and place.parent.address not in self._models:
            place = place.parent
        return place
