"""Every call of every layer of a model as one flat graph, in the order of running.

Models inside models are opened: what stands inside runs once for each call of them.
Keras is never imported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.graph import Graph
from keras_rectifiers.graph.graph import Node
from keras_rectifiers.graph.graph import end_refs
from keras_rectifiers.graph.view import View


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of one layer, operation or wrapper."""

    place: Place
    #: Numbers of the calls whose outputs it takes; none for an input of the model.
    takes: tuple[int, ...]
    #: Axes of the first tensor it takes, batch axis included; None where unknown.
    rank: int | None


class Flow:
    """The calls of a model.

    Args:
        view: The document.

    Attributes:
        calls: All calls; each comes after those it takes from.
        ends: Numbers of the calls that make the outputs of the model.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self.calls: list[Call] = []
        self.ends = tuple(self._open(view.places[0], ()))

    def takers(self) -> list[list[int]]:
        """For each call, the numbers of the calls that take its output."""
        takers: list[list[int]] = [[] for _ in self.calls]
        for number, call in enumerate(self.calls):
            for source in dict.fromkeys(call.takes):
                takers[source].append(number)
        return takers

    def _open(self, model: Place, given: Sequence[int]) -> list[int]:
        """Add the calls of a model that takes the outputs of `given`."""
        graph = self._view.graph(model)
        values: dict[Node, list[int]] = {}
        if graph.functional:
            for position, ref in enumerate(end_refs(model.entry, "input_layers")):
                if position < len(given):
                    values[ref.source] = [given[position]]
            ends = [
                (ref.source, ref.tensor)
                for ref in end_refs(model.entry, "output_layers")
            ]
        else:
            ends = [(node, 0) for node in graph.outputs]
        for node in _ordered(graph, [source for source, _ in ends]):
            if node not in values:
                values[node] = self._call(model, graph, node, values, given)
        return [
            made[min(tensor, len(made) - 1)]
            for source, tensor in ends
            for made in [values[source]]
        ]

    def _call(
        self,
        model: Place,
        graph: Graph,
        node: Node,
        values: dict[Node, list[int]],
        given: Sequence[int],
    ) -> list[int]:
        place = self._view.child(model, node[0])
        refs = graph.inputs(*node)
        takes = [
            made[min(ref.tensor, len(made) - 1)]
            for ref in refs
            for made in [values[ref.source]]
        ]
        if not refs and not graph.functional:
            takes = list(given)  # a chain begins with what its model takes
        if place.entry["class_name"] == "InputLayer" and takes:
            return takes
        if is_model(place.entry):
            return self._open(place, takes)
        shape = refs[0].shape if refs else None
        rank = None if shape is None else len(shape)
        self.calls.append(Call(place, tuple(takes), rank))
        return [len(self.calls) - 1]


def _ordered(graph: Graph, ends: Sequence[Node]) -> list[Node]:
    """The calls that the ends depend on, each after what it takes."""
    done: dict[Node, None] = {}
    waiting = [(node, False) for node in reversed(ends)]
    while waiting:
        node, ready = waiting.pop()
        if node in done:
            continue
        if ready:
            done[node] = None
            continue
        waiting.append((node, True))
        waiting += [(ref.source, False) for ref in graph.inputs(*node)]
    return list(done)
