"""The axis of the channels at each place of a document, worked out once for all.

A model is read forward, as it runs. What it does to the axes of what it is given
is remembered, so that a model that is called often is read once.
"""

from __future__ import annotations

from collections.abc import Sequence

from keras_rectifiers.graph import forms
from keras_rectifiers.graph import traits
from keras_rectifiers.graph.document import Address
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.graph import Graph
from keras_rectifiers.graph.graph import Node
from keras_rectifiers.graph.graph import end_refs
from keras_rectifiers.graph.shapes import built_shape
from keras_rectifiers.graph.traits import Tensor
from keras_rectifiers.graph.view import View

_TIME = "TimeDistributed"
_UNKNOWN: list[Tensor] = [(None, None)]


class Axes:
    """The axes of the channels in a document.

    Args:
        view: The document.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._seen: dict[Address, list[Tensor]] = {}
        self._models: dict[tuple[Address, tuple[Tensor, ...]], list[Tensor]] = {}
        self._model(view.places[0], [])

    def of(self, places: Sequence[Place]) -> tuple[int, bool]:
        """The axis of the channels of a rectifier, and whether all calls have it.

        Args:
            places: Where it stands; several for a shared layer.
        """
        calls = [call for place in places for call in self._calls(place)]
        return traits.agreed(calls)

    def _calls(self, place: Place) -> list[Tensor]:
        seen = self._seen.get(place.address)
        if seen is None:  # it is in a wrapper that runs it in a way of its own
            made = _after(place.entry, _UNKNOWN, None)
            seen = [(_inside(place.entry, made), None)]
        return seen

    def _model(self, model: Place, given: Sequence[Tensor]) -> list[Tensor]:
        """What a model puts out."""
        key = model.address, tuple(given)
        if key not in self._models:
            graph = self._view.graph(model)
            read = self._functional if graph.functional else self._chain
            self._models[key] = read(model, graph, given)
        return self._models[key]

    def _functional(
        self, model: Place, graph: Graph, given: Sequence[Tensor]
    ) -> list[Tensor]:
        values: dict[Node, list[Tensor]] = {}
        for ref, tensor in zip(
            end_refs(model.entry, "input_layers"), given, strict=False
        ):
            values[ref.source] = [tensor]
        for node in graph.order:
            if node in values or node[0] not in graph.entries:
                continue
            refs = graph.inputs(*node)
            takes = []
            for ref in refs:
                made = values.get(ref.source, _UNKNOWN)
                axis, _ = made[min(ref.tensor, len(made) - 1)]
                takes.append((axis, None if ref.shape is None else len(ref.shape)))
            known = graph.output(*node)
            shape = known.shape if known else None
            rank = None if shape is None else len(shape)
            place = self._view.child(model, node[0])
            values[node] = self._call(place, takes or _UNKNOWN, rank)
        ends = []
        for ref in end_refs(model.entry, "output_layers"):
            made = values.get(ref.source, _UNKNOWN)
            ends.append(made[min(ref.tensor, len(made) - 1)])
        return ends

    def _chain(
        self, model: Place, graph: Graph, given: Sequence[Tensor]
    ) -> list[Tensor]:
        values = list(given) or _UNKNOWN
        following = [*graph.chain[1:], None]
        for (name, _), entry, after in zip(
            graph.order, graph.chain, following, strict=True
        ):
            if entry["class_name"] == "InputLayer" and given:
                continue
            before, behind = _rank(entry), None if after is None else _rank(after)
            takes = [(axis, before or rank) for axis, rank in values]
            values = self._call(self._view.child(model, name), takes, behind)
        return values

    def _call(
        self, place: Place, takes: Sequence[Tensor], rank: int | None
    ) -> list[Tensor]:
        """What one call of a member puts out; notes the axis there."""
        entry = place.entry
        if is_model(entry):
            return self._model(place, takes)
        inner = self._view.below(place)
        plain = forms.is_keras_module(entry.get("module"))
        if inner is not None and plain and not _runs_in_a_loop(entry):
            return self._wrapped(place, inner, takes, rank)
        axis = _after(entry, takes, rank)
        noted = (_inside(entry, axis), rank)
        self._seen.setdefault(place.address, []).append(noted)
        return [(axis, rank)]

    def _wrapped(
        self, wrapper: Place, inner: Place, takes: Sequence[Tensor], rank: int | None
    ) -> list[Tensor]:
        timed = wrapper.entry["class_name"] == _TIME
        if not timed:
            return self._call(inner, takes, rank)
        steps = [
            (traits.into_step(axis), None if before is None else before - 1)
            for axis, before in takes
        ]
        made = self._call(inner, steps, None if rank is None else rank - 1)
        return [(traits.out_of_step(axis), rank) for axis, _ in made]


def _after(entry: Entry, takes: Sequence[Tensor], rank: int | None) -> traits.Axis:
    config = entry.get("config")
    argument = config.get if isinstance(config, dict) else _nothing
    return traits.after(traits.of_entry(entry), argument, takes, rank)


def _inside(entry: Entry, axis: traits.Axis) -> traits.Axis:
    config = entry.get("config")
    argument = config.get if isinstance(config, dict) else _nothing
    return traits.inside(traits.of_entry(entry), argument, axis)


def _nothing(_: str) -> None:
    return None


def _runs_in_a_loop(entry: Entry) -> bool:
    return entry["class_name"] in ("Bidirectional", "RNN")


def _rank(entry: Entry) -> int | None:
    shape = built_shape(entry)
    return None if shape is None else len(shape)
