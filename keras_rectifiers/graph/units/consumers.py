"""From a rectifier to the weights that take its units up."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rectifiers.graph import forms
from keras_rectifiers.graph.calls import Call
from keras_rectifiers.graph.calls import Tensor
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.inference.shapes import Shapes
from keras_rectifiers.graph.passes import Forward
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.units import rules
from keras_rectifiers.graph.units.parts import Consumer
from keras_rectifiers.graph.units.parts import Passed
from keras_rectifiers.graph.units.state import UnitState
from keras_rectifiers.graph.units.state import start
from keras_rectifiers.specs import CannotError

#: Most ways that are followed from one rectifier.
_MOST = 5_000


@dataclasses.dataclass(eq=False)
class _Taker:
    """A layer that takes units up, at the calls at which it was reached."""

    place: Place
    through: tuple[Passed, ...]
    reached: dict[int, list[list[rules.Piece]]]


class Consumers(Forward[Sequence[UnitState]]):
    """The ways from one rectifier onward, to the weights that take its units up.

    Args:
        shapes: The calls of the model, and the shapes of their tensors.
        found: The rectifier.

    Raises:
        CannotError: If there is no safe answer.
    """

    def __init__(self, shapes: Shapes, found: Found) -> None:
        super().__init__(shapes.calls, ())
        self._shapes = shapes
        own, self._start = start(shapes.calls, found)
        self._own = {call.number for call in own}
        self._takers: dict[tuple[Any, ...], _Taker] = {}
        self._ways = 0
        self.run(own)

    def parts(self) -> tuple[Consumer, ...]:
        """Every weight that the units' outputs are multiplied with.

        Raises:
            CannotError: If there is no safe answer.
        """
        if not self._takers:
            raise CannotError("its output is not used")
        return tuple(
            part for taker in self._takers.values() for part in self._of(taker)
        )

    def made(
        self, call: Call, taken: Sequence[Sequence[UnitState]]
    ) -> Sequence[Sequence[UnitState]]:
        """Where the units are after a call, which they may reach more than once."""
        states: list[UnitState] = []
        for position, (tensor, arriving) in enumerate(
            zip(call.takes, taken, strict=True)
        ):
            for state in arriving:
                seen = state.between(self.calls[tensor.call], call)
                after = self._after(call, position, seen)
                if after is not None:
                    states.append(after)
        if call.number in self._own:
            states.append(self._start)
        self._ways += len(states)
        if self._ways > _MOST:
            raise CannotError("its output goes further than can be followed")
        if states and Tensor(call.number, 0) in self.calls.ends:
            raise CannotError("it is an output of the model")
        return [states] if states else []

    def _after(self, call: Call, position: int, state: UnitState) -> UnitState | None:
        """The units after a call; None where it takes them up."""
        place, entry = call.place, call.place.entry
        shape = self._shapes.taken(call, position)
        if call.traits.joins:
            shapes = [self._shapes.taken(call, each) for each in range(position + 1)]
            after: UnitState | None = rules.concatenated(entry, state, position, shapes)
        elif len(call.takes) != 1 or call.class_name == "Bidirectional":
            raise CannotError(_why(call))
        else:
            after = rules.keeps_apart(entry, state, shape)
        if after is None:
            pieces = rules.taken_up(entry, state, shape)
            if not pieces:
                raise CannotError(_why(call))
            taker = self._takers.setdefault(
                place.identity, _Taker(place, state.through, {})
            )
            taker.reached.setdefault(call.number, []).append(pieces)
            return None
        record = Passed(
            self.calls.view.shared(place)[0].path,
            call.class_name,
            place.config,
            state.indices,
            once=len(self.calls.of_layer(place)) == 1,
        )
        return dataclasses.replace(after, through=(*state.through, record))

    def _of(self, taker: _Taker) -> list[Consumer]:
        place = taker.place
        if taker.reached.keys() != {call.number for call in self.calls.of_layer(place)}:
            raise CannotError(
                f"{place.path!r} is shared and applies the same weights to other values"
            )
        per_call = [_united(pieces) for pieces in taker.reached.values()]
        first = per_call[0]
        for other in per_call[1:]:
            for (_, _, mine), (_, _, theirs) in zip(first, other, strict=True):
                if not all(map(np.array_equal, mine, theirs)):
                    raise CannotError(
                        f"{place.path!r} is shared and takes units at other positions"
                    )
        return [
            Consumer(
                self.calls.view.shared(place)[0].path,
                str(place.entry["class_name"]),
                weight,
                axes,
                indices,
                place.config,
                taker.through,
            )
            for weight, axes, indices in first
        ]


def _united(arrivals: list[list[rules.Piece]]) -> list[rules.Piece]:
    """The pieces of one call, at which the units may arrive more than once."""
    first = arrivals[0]
    for other in arrivals[1:]:
        joined: list[rules.Piece] = []
        for (weight, axes, mine), (_, _, theirs) in zip(first, other, strict=True):
            if len(axes) != 1:
                raise CannotError("it reaches a grouped convolution twice")
            joined.append((weight, axes, (np.hstack([mine[0], theirs[0]]),)))
        first = joined
    return first


def _why(call: Call) -> str:
    """Why the way ends at a layer."""
    place, class_name, several = call.place, call.class_name, len(call.takes) > 1
    row, path = call.traits, place.path
    if not forms.is_keras(place.entry):
        return f"the custom layer {path!r} ({class_name}) may process it in any way"
    if class_name in ("Add", "Subtract", "Average") and several:
        return f"it is added to another value in {path!r} ({class_name})"
    if class_name == "Multiply" and several:
        return f"it is multiplied with another value in {path!r}"
    if row.attends:
        return f"attention in {path!r} ({class_name}) mixes it with other values"
    if class_name.endswith("Normalization"):
        return f"{path!r} ({class_name}) mixes units with each other"
    return f"{path!r} ({class_name}): units cannot be traced through this layer"
