"""A document with the graphs of its models, made once and asked often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_rectifiers.graph.document import Address
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.graph import Graph


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
        for place in self.places[1:]:
            self._shared.setdefault(place.identity, []).append(place)
            if place.parent is not None:
                key = (place.parent.address, place.names[-1])
                self._members.setdefault(key, place)

    def graph(self, model: Place) -> Graph:
        """The graph of the model at a place."""
        if model.address not in self._graphs:
            self._graphs[model.address] = Graph(model.entry)
        return self._graphs[model.address]

    def child(self, parent: Place, name: str) -> Place:
        """A member of a model, by name."""
        return self._members[parent.address, name]

    def shared(self, place: Place) -> Sequence[Place]:
        """All places of the layer at a place; the first is that which Keras knows."""
        return self._shared[place.identity]

    def below(self, wrapper: Place) -> Place | None:
        """The layer inside a wrapper; None where it cannot be read."""
        for key in ("layer", "forward_layer", "cell"):
            entry = wrapper.config.get(key)
            if isinstance(entry, dict):
                return self._members.get((wrapper.address, name_of(entry)))
        return None

    def graph_around(self, place: Place) -> Graph:
        """The graph in which a layer or operation stands."""
        home = self.member(place).parent
        if home is None:
            raise ValueError("The top model stands in no graph.")
        return self.graph(home)

    def member(self, place: Place) -> Place:
        """The place itself, or the outermost wrapper around it.

        Wrapped layers and cells have no edges of their own: their wrapper has.
        """
        while place.parent and place.parent.address not in self._models:
            place = place.parent
        return place
