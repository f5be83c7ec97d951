"""Where a shift of a site's output arrives: who absorbs it, and where it stays.

The walk goes forward through the document's graphs from each call of the site until
a layer absorbs on every way. Sums, pooling and concatenation pass a shift on, and
so does a linear layer without a bias.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import keras

from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.graph.view import View

_LINEAR = ("Dense", "EinsumDense", "Conv", "DepthwiseConv", "SeparableConv")


@dataclasses.dataclass(frozen=True)
class Reach:
    """Where the shift of one site arrives."""

    #: Paths of the layers that absorb it, in the order in which they were met.
    absorbers: tuple[str, ...]
    #: Why some of it stays; empty where none does.
    stays: str


def reach(
    survey: Survey,
    sites: Collection[str],
    absorbers: Collection[str],
    layers: Mapping[str, Any],
) -> dict[str, Reach]:
    """Where the shifts of some sites arrive.

    Args:
        survey: The document.
        sites: Paths of the sites.
        absorbers: Paths of the layers that can absorb.
        layers: Every live layer by its path.
    """
    walker = _Walker(survey.view, sorted(absorbers), layers)
    return {
        found.site.path: walker.reach(found)
        for found in survey.found
        if found.site.path in sites
    }


class _Walker:
    def __init__(
        self, view: View, absorbers: list[str], layers: Mapping[str, Any]
    ) -> None:
        self._view = view
        self._absorbers = absorbers
        self._layers = layers
        self._children: dict[tuple[Any, str], Place] = {}
        for place in view.places[1:]:
            if place.parent is not None:
                key = (place.parent.address, place.names[-1])
                self._children.setdefault(key, place)

    def reach(self, found: Found) -> Reach:
        """Walk from every call of a site."""
        met: dict[str, None] = {}
        stays: list[str] = []
        seen: set[tuple[Any, str, int]] = set()
        waiting = [
            (member, call)
            for place in found.places
            for member in [self._view.member(place)]
            for call in range(self._view.graph_around(place).calls(member.names[-1]))
        ]
        while waiting:
            member, call = waiting.pop(0)
            model = member.parent
            if (
                model is None
                or (key := (model.address, member.names[-1], call)) in seen
            ):
                continue
            seen.add(key)
            graph = self._view.graph(model)
            if (member.names[-1], call) in graph.outputs:
                if model.parent is None:
                    stays.append("it reaches the output of the model")
                else:
                    waiting += self._calls(model)
            for name, node in graph.consumers(member.names[-1], call):
                taker = self._children[model.address, name]
                absorbers = self._absorbing(taker)
                if absorbers:
                    met.update(dict.fromkeys(absorbers))
                elif is_model(taker.entry):
                    waiting += self._entrances(taker)
                elif (reason := self._holds(taker)) is not None:
                    stays.append(reason)
                else:
                    waiting.append((taker, node))
        return Reach(tuple(met), "; ".join(dict.fromkeys(stays)))

    def _calls(self, model: Place) -> Iterator[tuple[Place, int]]:
        """Every call of a model inside another."""
        member = self._view.member(model)
        graph = self._view.graph_around(model)
        for call in range(graph.calls(member.names[-1])):
            yield member, call

    def _entrances(self, model: Place) -> Iterator[tuple[Place, int]]:
        """The inputs of a model inside another."""
        graph = self._view.graph(model)
        for name, entry in graph.entries.items():
            if entry.get("class_name") == "InputLayer" or not graph.inputs(name, 0):
                yield self._children[model.address, name], 0

    def _absorbing(self, taker: Place) -> list[str]:
        """The absorbers that a member is, or wraps."""
        if is_model(taker.entry):
            return []
        inside = f"{taker.path}/"
        return [
            path
            for path in self._absorbers
            if path == taker.path or path.startswith(inside)
        ]

    def _holds(self, taker: Place) -> str | None:
        """Why a member keeps the shift to itself; None where it passes it on."""
        name = str(taker.entry.get("class_name"))
        layer = self._layers.get(taker.path)
        # Ours are known, too: a trial has PReLUs in the places of the sites.
        known = layer is None or type(layer).__module__.startswith("keras")
        if not known or isinstance(layer, keras.layers.Lambda):
            return f"{name} {taker.path!r} is not known here"
        weighs = layer is not None and bool(layer.weights)
        passes = name.startswith(_LINEAR) or type(layer).__name__ == "PReLU"
        if weighs and not passes:
            return f"{name} {taker.path!r} has no bias that takes it up"
        return None
