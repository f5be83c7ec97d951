"""From a rectifier back to the weights that make its units."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_rectifiers.graph import traits
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.graph import Ref
from keras_rectifiers.graph.graph import end_refs
from keras_rectifiers.graph.sites import FUSED
from keras_rectifiers.graph.sites import OPERATION
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.units import rules
from keras_rectifiers.graph.units.parts import Producer
from keras_rectifiers.graph.units.rules import State
from keras_rectifiers.graph.units.rules import UnsafeError
from keras_rectifiers.graph.units.spots import Spot
from keras_rectifiers.graph.units.spots import Spots
from keras_rectifiers.graph.view import View

#: Layers that leave the axis of the channels where it is, for the way back.
_STAYS = (*traits.POOLING, *traits.RESIZING)


@dataclasses.dataclass(eq=False)
class _Maker:
    """A layer with weights that make units, and the calls at which it was met."""

    place: Place
    pieces: list[tuple[str, rules.Piece]]
    met: set[Any]


class Backward:
    """The way from one rectifier back.

    Args:
        view: The document.
        found: The rectifier.
    """

    def __init__(self, view: View, found: Found) -> None:
        self._spots = Spots(view)
        self._found = found
        self._makers: dict[Any, _Maker] = {}
        self._norms: dict[Any, _Maker] = {}

    def producers(self) -> tuple[Producer, ...]:
        """Every weight that makes the units.

        Raises:
            UnsafeError: If there is no safe answer.
        """
        start = self._spots.start(self._found)
        try:
            self._walk(start)
            self._check(self._makers)
        except UnsafeError:
            # A normalisation has weights for each unit, whatever comes before it.
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

    def _walk(self, start: State) -> None:
        failed: UnsafeError | None = None
        for place in self._found.places:
            timed = self._spots.wrapped_in_time(place)
            state = dataclasses.replace(start, axis=start.axis + timed)
            for spot in self._spots.of(place):
                try:
                    if self._found.site.form == FUSED:
                        self._make(place, spot, start)
                    else:
                        self._before(spot, self._found_operand(), state)
                except UnsafeError as error:
                    failed = error
        if failed is not None:
            # Every call has been seen, so that the norms are known at all of them.
            raise failed

    def _found_operand(self) -> int:
        return self._found.operand if self._found.site.form == OPERATION else 0

    def _check(self, makers: dict[Any, _Maker]) -> None:
        for maker in makers.values():
            if frozenset(maker.met) != self._spots.of_layer(maker.place):
                raise UnsafeError(
                    f"{maker.place.path!r} is shared and makes other values by the "
                    "same weights"
                )

    def _before(self, spot: Spot, operand: int, state: State) -> None:
        """Go to what a call takes."""
        model = spot.member.parent
        if model is None:
            raise UnsafeError("nothing comes before it")
        graph = self._spots.view.graph(model)
        arguments = graph.arguments(spot.name, spot.call)
        refs = [value for value in arguments if isinstance(value, Ref)]
        if spot.member.entry["class_name"] == "InputLayer" or not graph.inputs(
            spot.name, spot.call
        ):
            self._outside(spot, model, state)
            return
        ref = arguments[operand] if operand < len(arguments) else None
        if not isinstance(ref, Ref):
            if len(refs) != 1:
                raise UnsafeError(f"what {spot.member.path!r} takes cannot be read")
            ref = refs[0]
        source = Spot(self._spots.child(model, ref.name), ref.node, spot.around)
        self._only_here(source, ref.tensor, spot)
        self._at(source, ref.tensor, state)

    def _outside(self, spot: Spot, model: Place, state: State) -> None:
        """Go from the input of a model to what it is called with."""
        outside = self._spots.around(spot)
        if outside is None:
            raise UnsafeError("it rectifies an input of the model")
        position = 0
        if is_functional(model.entry):
            names = [ref.name for ref in end_refs(model.entry, "input_layers")]
            position = names.index(spot.name)
        timed = self._spots.wrapped_in_time(model)
        parent = outside.member.parent
        if parent is None:
            raise UnsafeError("nothing comes before it")
        refs = self._spots.view.graph(parent).inputs(outside.name, outside.call)
        state = dataclasses.replace(state, axis=state.axis + timed)
        if not refs:
            self._before(outside, 0, state)
            return
        ref = refs[position]
        source = Spot(self._spots.child(parent, ref.name), ref.node, outside.around)
        self._only_here(source, ref.tensor, outside)
        self._at(source, ref.tensor, state)

    def _only_here(self, source: Spot, tensor: int, spot: Spot) -> None:
        """Refuse where the value before a call is used anywhere else."""
        model = source.member.parent
        if model is None:
            return
        graph = self._spots.view.graph(model)
        users = [
            user
            for user in dict.fromkeys(graph.consumers(source.name, source.call))
            for ref in graph.inputs(*user)
            if (ref.source, ref.tensor) == ((source.name, source.call), tensor)
        ]
        ends = (source.name, source.call, tensor) in self._spots.outputs(model)
        if users != [(spot.name, spot.call)] or ends:
            raise UnsafeError(
                f"what {source.member.path!r} puts out is used elsewhere, too"
            )

    def _at(self, spot: Spot, tensor: int, state: State) -> None:
        """Go through the call that made a value."""
        place = spot.member
        timed = place.entry["class_name"] == "TimeDistributed"
        inner = state
        if timed:
            if state.axis < 2:  # noqa: PLR2004 - batch and time
                raise UnsafeError(f"{place.path!r} runs over the axis of the units")
            place = self._spots.inner(place)
            inner = dataclasses.replace(state, axis=state.axis - 1)
        if is_model(place.entry):
            self._into(place, spot, tensor, inner)
            return
        entry, class_name = place.entry, str(place.entry["class_name"])
        if class_name == "InputLayer":
            self._before(spot, 0, state)
        elif class_name in traits.NORMALIZATIONS:
            self._norm(place, spot, inner)
            if class_name != "BatchNormalization":
                raise UnsafeError(f"{place.path!r} mixes units with each other")
            self._before(spot, 0, state)
        elif rules.is_elementwise(entry) or class_name == "AlphaDropout":
            self._before(spot, 0, state)
        elif class_name.startswith(_STAYS):
            shape = self._input_shape(spot, place)
            rules.keeps_apart(entry, inner, shape)  # refuses other axes
            self._before(spot, 0, state)
        else:
            self._make(place, spot, inner)

    def _into(self, model: Place, spot: Spot, tensor: int, state: State) -> None:
        name, call, inside = self._spots.outputs(model)[tensor]
        around = (*spot.around, spot.call)
        last = Spot(self._spots.child(model, name), call, around)
        graph = self._spots.view.graph(model)
        ends = self._spots.outputs(model).count((name, call, inside))
        if graph.consumers(name, call) or ends > 1:
            raise UnsafeError(f"what {last.member.path!r} puts out is used elsewhere")
        self._at(last, inside, state)

    def _norm(self, place: Place, spot: Spot, state: State) -> None:
        config, class_name = place.config, str(place.entry["class_name"])
        shape = self._input_shape(spot, place)
        if shape is None:
            raise UnsafeError(f"the shape that {place.path!r} takes is unknown")
        axis = config.get("axis", -1)
        axes = axis if isinstance(axis, list) else [axis]
        if [each % len(shape) for each in axes] != [state.axis]:
            raise UnsafeError(
                f"{place.path!r} works on another axis than that of the units"
            )
        present = {
            "gamma": config.get("scale", True),
            "beta": config.get("center", class_name != "RMSNormalization"),
            "moving_mean": class_name == "BatchNormalization",
            "moving_variance": class_name == "BatchNormalization",
        }
        if class_name == "RMSNormalization":
            present = {"scale": True}
        pieces: list[tuple[str, rules.Piece]] = [
            ("gamma" if name == "scale" else name, (name, (-1,), (state.indices,)))
            for name, there in present.items()
            if there
        ]
        self._met(self._norms, place, spot, pieces)

    def _make(self, place: Place, spot: Spot, state: State) -> None:
        if rules.mixes_output(place.entry):
            raise UnsafeError(f"the activation of {place.path!r} mixes units")
        found = rules.made_by(place.entry, state, self._input_shape(spot, place))
        if not found:
            raise UnsafeError(
                f"{place.path!r} ({place.entry['class_name']}) has no weights of "
                "which some make one unit alone"
            )
        pieces = [
            ("bias" if piece[0] == "bias" else "kernel", piece) for piece in found
        ]
        self._met(self._makers, place, spot, pieces)

    def _met(
        self,
        makers: dict[Any, _Maker],
        place: Place,
        spot: Spot,
        pieces: list[tuple[str, rules.Piece]],
    ) -> None:
        maker = makers.setdefault(place.identity, _Maker(place, pieces, set()))
        for (_, mine), (_, theirs) in zip(maker.pieces, pieces, strict=True):
            if not all(map(np.array_equal, mine[2], theirs[2])):
                raise UnsafeError(
                    f"{place.path!r} is shared and makes units at other positions"
                )
        maker.met.add(spot.key)

    def _input_shape(self, spot: Spot, place: Place) -> Any:
        shape = self._spots.input_shape(spot, 0)
        if place is not spot.member and shape is not None:
            shape = (shape[0], *shape[2:])
        return shape

    def _parts(self, makers: dict[Any, _Maker], *, moving: bool) -> list[Producer]:
        return [
            Producer(
                self._spots.canonical(maker.place),
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
