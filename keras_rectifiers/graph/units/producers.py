"""From a rectifier back to the weights that make its units."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_rectifiers.graph.calls import Call
from keras_rectifiers.graph.calls import Tensor
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.inference.shapes import Shapes
from keras_rectifiers.graph.sites import FUSED
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.units import rules
from keras_rectifiers.graph.units.parts import Producer
from keras_rectifiers.graph.units.state import UnitState
from keras_rectifiers.graph.units.state import start
from keras_rectifiers.specs import CannotError


@dataclasses.dataclass(eq=False)
class _Maker:
    """A layer with weights that make units, and the calls at which it was met."""

    place: Place
    pieces: list[tuple[str, rules.Piece]]
    met: set[int]


#: By the identity of their layer.
_Makers = dict[tuple[Any, ...], _Maker]


class Producers:
    """The ways from one rectifier back, to the weights that make its units.

    Args:
        shapes: The calls of the model, and the shapes of their tensors.
        found: The rectifier.
    """

    def __init__(self, shapes: Shapes, found: Found) -> None:
        self._calls, self._shapes = shapes.calls, shapes
        self._found = found
        self._makers: _Makers = {}
        self._norms: _Makers = {}

    def parts(self) -> tuple[Producer, ...]:
        """Every weight that makes the units.

        Raises:
            CannotError: If there is no safe answer.
        """
        own, state = start(self._calls, self._found)
        try:
            self._walk(own, state)
            self._check(self._makers)
        except CannotError:
            # A normalization has weights for each unit, whatever comes before it.
            self._check(self._norms)
            if not self._norms:
                raise
            return tuple(self._parts(self._norms, moving=False))
        self._check(self._norms)
        if not self._makers:
            return tuple(self._parts(self._norms, moving=False))
        return (
            *self._parts(self._norms, moving=True),
            *self._parts(self._makers, moving=True),
        )

    def _walk(self, own: list[Call], state: UnitState) -> None:
        failed: CannotError | None = None
        for call in own:
            try:
                if self._found.site.form == FUSED:
                    self._make(call, state)
                else:
                    self._back(call, state)
            except CannotError as error:
                failed = error
        if failed is not None:
            # Every call has been seen, so that the norms are known at all of them.
            raise failed

    def _check(self, makers: _Makers) -> None:
        for maker in makers.values():
            calls = self._calls.of_layer(maker.place)
            if maker.met != {call.number for call in calls}:
                raise CannotError(
                    f"{maker.place.path!r} is shared and computes other values with "
                    "the same weights"
                )

    def _back(self, call: Call, state: UnitState) -> None:
        """Go from a call to the one that makes the units."""
        before, after = self._maker(call, self._found.operand), call
        while True:
            state = state.between(after, before)
            entry, row = before.place.entry, before.traits
            if row.normalizes:
                self._norm(before, state)
                if row.mixes:
                    raise CannotError(
                        f"{before.place.path!r} mixes units with each other"
                    )
            elif row.pools or (row.resizes and row.spatial):
                # It refuses other axes.
                rules.keeps_apart(entry, state, self._shapes.taken(before))
            elif not (rules.is_elementwise(entry) or row.passes or _begins(before)):
                self._make(before, state)
                return
            before, after = self._maker(before), before

    def _maker(self, call: Call, operand: int = 0) -> Call:
        """The call that computes an operand of another call and nothing else uses."""
        if not call.takes:
            raise CannotError("it rectifies an input of the model")
        tensors = [value for value in call.args if isinstance(value, Tensor)]
        taken = call.args[operand] if operand < len(call.args) else None
        if not isinstance(taken, Tensor):
            if len(tensors) != 1:
                raise CannotError(f"the input of {call.member.path!r} cannot be read")
            taken = tensors[0]
        maker = self._calls[taken.call]
        takers = [taker for taker, _ in self._calls.takers(taken)]
        if takers != [call] or taken in self._calls.ends:
            inside = (
                each for each in (*maker.around, maker) if each not in call.around
            )
            raise CannotError(
                f"the output of {next(inside).member.path!r} is also used elsewhere"
            )
        return maker

    def _norm(self, call: Call, state: UnitState) -> None:
        config, place = call.config, call.place
        shape = self._shapes.taken(call)
        if shape is None:
            raise CannotError(f"the input shape of {place.path!r} is unknown")
        axis = config.get("axis", -1)
        axes = axis if isinstance(axis, list) else [axis]
        if [each % len(shape) for each in axes] != [state.axis]:
            raise CannotError(
                f"{place.path!r} works on an axis other than that of the units"
            )
        switched = {
            "gamma": config.get("scale", True),
            "beta": config.get("center", True),
        }
        pieces: list[tuple[str, rules.Piece]] = [
            ("gamma" if name == "scale" else name, (name, (-1,), (state.indices,)))
            for name in call.traits.per_unit
            if switched.get(name, True)
        ]
        self._met(self._norms, call, pieces)

    def _make(self, call: Call, state: UnitState) -> None:
        place = call.place
        if rules.mixes_output(place.entry):
            raise CannotError(f"the activation of {place.path!r} mixes units")
        found = rules.made_by(place.entry, state, self._shapes.taken(call))
        if not found:
            raise CannotError(
                f"{place.path!r} ({call.class_name}) has no weights that belong to a "
                "single unit"
            )
        pieces = [
            ("bias" if piece[0] == "bias" else "kernel", piece) for piece in found
        ]
        self._met(self._makers, call, pieces)

    def _met(
        self,
        makers: _Makers,
        call: Call,
        pieces: list[tuple[str, rules.Piece]],
    ) -> None:
        place = call.place
        maker = makers.setdefault(place.identity, _Maker(place, pieces, set()))
        for (_, mine), (_, theirs) in zip(maker.pieces, pieces, strict=True):
            if not all(map(np.array_equal, mine[2], theirs[2])):
                raise CannotError(
                    f"{place.path!r} is shared and computes units at other positions"
                )
        maker.met.add(call.number)

    def _parts(self, makers: _Makers, *, moving: bool) -> list[Producer]:
        return [
            Producer(
                self._calls.view.shared(maker.place)[0].path,
                str(maker.place.entry["class_name"]),
                weight,
                axes,
                indices,
                role,
            )
            for maker in makers.values()
            for role, (weight, axes, indices) in maker.pieces
            if moving or not role.startswith("moving")
        ]


def _begins(call: Call) -> bool:
    """Whether a call is an input of the model."""
    return call.class_name == "InputLayer"
