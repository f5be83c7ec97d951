"""From a rectifier to the weights that take its units up."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.graph import end_refs
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.units import rules
from keras_rectifiers.graph.units.parts import Consumer
from keras_rectifiers.graph.units.rules import State
from keras_rectifiers.graph.units.rules import UnsafeError
from keras_rectifiers.graph.units.spots import Spot
from keras_rectifiers.graph.units.spots import Spots
from keras_rectifiers.graph.view import View

#: Most members that are visited for one rectifier.
_MOST = 5_000


@dataclasses.dataclass(eq=False)
class _Taker:
    """A layer that takes units up, at the calls at which it was reached."""

    place: Place
    through: tuple[Any, ...]
    reached: dict[Any, list[list[rules.Piece]]]


class Forward:
    """The way from one rectifier onward.

    Args:
        view: The document.
        found: The rectifier.
    """

    def __init__(self, view: View, found: Found) -> None:
        self._spots = Spots(view)
        self._found = found
        self._takers: dict[Any, _Taker] = {}
        self._visited = 0

    def consumers(self) -> tuple[Consumer, ...]:
        """Every weight that the units' outputs are multiplied with.

        Raises:
            UnsafeError: If there is no safe answer.
        """
        start = self._spots.start(self._found)
        for place in self._found.places:
            timed = self._spots.wrapped_in_time(place)
            state = dataclasses.replace(start, axis=start.axis + timed)
            for spot in self._spots.of(place):
                self._leave(spot, 0, state)
        if not self._takers:
            raise UnsafeError("its output is not used")
        return tuple(
            part for taker in self._takers.values() for part in self._of(taker)
        )

    def _of(self, taker: _Taker) -> list[Consumer]:
        place = taker.place
        if frozenset(taker.reached) != self._spots.of_layer(place):
            raise UnsafeError(
                f"{place.path!r} is shared and takes other values by the same weights"
            )
        per_call = [_united(pieces) for pieces in taker.reached.values()]
        first = per_call[0]
        for other in per_call[1:]:
            for (_, _, mine), (_, _, theirs) in zip(first, other, strict=True):
                if not all(map(np.array_equal, mine, theirs)):
                    raise UnsafeError(
                        f"{place.path!r} is shared and takes units at other positions"
                    )
        class_name = str(place.entry["class_name"])
        return [
            Consumer(
                self._spots.canonical(place),
                class_name,
                weight,
                axes,
                indices,
                place.config,
                taker.through,
            )
            for weight, axes, indices in first
        ]

    def _leave(self, spot: Spot, tensor: int, state: State) -> None:
        """Follow the output of a call."""
        self._visited += 1
        if self._visited > _MOST:
            raise UnsafeError("its output goes further than can be followed")
        model = spot.member.parent
        if model is None:
            return
        for position, output in enumerate(self._spots.outputs(model)):
            if output == (spot.name, spot.call, tensor):
                self._leave_model(spot, model, position, state)
        graph = self._spots.view.graph(model)
        for name, call in dict.fromkeys(graph.consumers(spot.name, spot.call)):
            following = Spot(self._spots.child(model, name), call, spot.around)
            for position, ref in enumerate(graph.inputs(name, call)):
                if (ref.source, ref.tensor) == ((spot.name, spot.call), tensor):
                    self._enter(following, position, state)

    def _leave_model(
        self, spot: Spot, model: Place, position: int, state: State
    ) -> None:
        outside = self._spots.around(spot)
        if outside is None:
            raise UnsafeError("it is an output of the model")
        timed = self._spots.wrapped_in_time(model)
        state = dataclasses.replace(state, axis=state.axis + timed)
        self._leave(outside, position, state)

    def _enter(self, spot: Spot, position: int, state: State) -> None:
        """Follow a tensor into a call."""
        place, shape = spot.member, self._spots.input_shape(spot, position)
        timed = place.entry["class_name"] == "TimeDistributed"
        if timed:
            if state.axis < 2:  # noqa: PLR2004 - batch and time
                raise UnsafeError(f"{place.path!r} runs over the axis of the units")
            place = self._spots.inner(place)
            state = dataclasses.replace(state, axis=state.axis - 1)
            shape = None if shape is None else (shape[0], *shape[2:])
        if is_model(place.entry):
            self._enter_model(place, spot, position, state)
            return
        after = self._after(place, spot, position, state, shape)
        if after is not None:
            record = self._spots.passed(place, state.indices)
            after = dataclasses.replace(
                after, axis=after.axis + timed, through=(*state.through, record)
            )
            self._leave(spot, 0, after)

    def _enter_model(
        self, model: Place, spot: Spot, position: int, state: State
    ) -> None:
        around = (*spot.around, spot.call)
        if is_functional(model.entry):
            refs = list(end_refs(model.entry, "input_layers"))
            first = self._spots.child(model, refs[position].name)
        else:
            names = iter(self._spots.view.graph(model).entries)
            first = self._spots.child(model, next(names))
        if first.entry["class_name"] == "InputLayer":
            self._leave(Spot(first, 0, around), 0, state)
        elif is_functional(model.entry):
            raise UnsafeError(f"{model.path!r} begins in the middle of another model")
        else:
            self._enter(Spot(first, 0, around), 0, state)

    def _after(
        self,
        place: Place,
        spot: Spot,
        position: int,
        state: State,
        shape: Any,
    ) -> State | None:
        """The state after a plain layer; None where it takes the units up."""
        entry, class_name = place.entry, str(place.entry["class_name"])
        model = spot.member.parent
        if model is None:
            return None
        refs = self._spots.view.graph(model).inputs(spot.name, spot.call)
        if class_name == "Concatenate":
            shapes = [self._spots.input_shape(spot, i) for i in range(len(refs))]
            return rules.concatenated(entry, state, position, shapes)
        if class_name == "Bidirectional" or len(refs) != 1:
            raise UnsafeError(_why(place, len(refs)))
        after = rules.keeps_apart(entry, state, shape)
        if after is not None:
            return after
        pieces = rules.taken_up(entry, state, shape)
        if not pieces:
            raise UnsafeError(_why(place, 1))
        taker = self._takers.setdefault(
            place.identity, _Taker(place, state.through, {})
        )
        taker.reached.setdefault(spot.key, []).append(pieces)
        return None


def _united(arrivals: list[list[rules.Piece]]) -> list[rules.Piece]:
    """The pieces of one call, at which the units may arrive more than once."""
    first = arrivals[0]
    for other in arrivals[1:]:
        joined: list[rules.Piece] = []
        for (weight, axes, mine), (_, _, theirs) in zip(first, other, strict=True):
            if len(axes) != 1:
                raise UnsafeError("it reaches a grouped convolution twice")
            joined.append((weight, axes, (np.hstack([mine[0], theirs[0]]),)))
        first = joined
    return first


def _why(place: Place, tensors: int) -> str:
    """Why the way ends at a layer."""
    class_name, path = str(place.entry["class_name"]), place.path
    if not forms.is_keras(place.entry):
        return f"the custom layer {path!r} ({class_name}) may do anything with it"
    if class_name in ("Add", "Subtract", "Average") and tensors > 1:
        return f"it is added to another value in {path!r} ({class_name})"
    if class_name == "Multiply" and tensors > 1:
        return f"it is multiplied with another value in {path!r}"
    if "Attention" in class_name:
        return f"attention in {path!r} ({class_name}) mixes it with other values"
    if "Normalization" in class_name:
        return f"{path!r} ({class_name}) mixes units with each other"
    return f"{path!r} ({class_name}) is no layer through which units can be followed"
