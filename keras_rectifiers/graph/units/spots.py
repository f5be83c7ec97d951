"""Places in a model that runs: a layer, and which of its calls.

A model inside a model is called once or more, and its layers with it. A spot is one
call of one layer, told apart by the calls of the models around it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_rectifiers.graph import shapes
from keras_rectifiers.graph.document import Address
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.graph import Ref
from keras_rectifiers.graph.graph import end_refs
from keras_rectifiers.graph.sites import FUSED
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.units.parts import Indices
from keras_rectifiers.graph.units.parts import Passed
from keras_rectifiers.graph.units.rules import State
from keras_rectifiers.graph.units.rules import UnsafeError
from keras_rectifiers.graph.view import View
from keras_rectifiers.specs import Shape


@dataclasses.dataclass(frozen=True)
class Spot:
    """One call of a member of a graph."""

    #: The member (a layer, an operation, a wrapper or a model).
    member: Place
    #: Which call of it, from 0.
    call: int
    #: Calls of the models around it, outermost first.
    around: tuple[int, ...]

    @property
    def name(self) -> str:
        """Name of the member in its graph."""
        return self.member.names[-1]

    @property
    def key(self) -> tuple[Address, int, tuple[int, ...]]:
        """Equal for equal spots."""
        return self.member.address, self.call, self.around


class Spots:
    """A document as spots.

    Args:
        view: The document.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self._identities: dict[tuple[Any, ...], list[Place]] = {}
        for place in view.places[1:]:
            self._identities.setdefault(place.identity, []).append(place)

    def child(self, parent: Place, name: str) -> Place:
        """A member of a model, by name."""
        return self.view.child(parent, name)

    def inner(self, wrapper: Place) -> Place:
        """The layer inside a TimeDistributed."""
        place = self.view.below(wrapper)
        if place is not None:
            return place
        raise UnsafeError(f"the layer inside {wrapper.path!r} cannot be read")

    def of(self, place: Place) -> Iterator[Spot]:
        """Every call of a layer, at one place."""
        member = self.view.member(place)
        model = member.parent
        if model is None:
            return
        around: list[tuple[int, ...]] = [()]
        if model.parent is not None:
            around = [(*spot.around, spot.call) for spot in self.of(model)]
        for calls in around:
            for call in range(self.view.graph(model).calls(member.names[-1])):
                yield Spot(member, call, calls)

    def canonical(self, place: Place) -> str:
        """Path of the first place of a layer, by which a live model knows it."""
        return self._identities[place.identity][0].path

    def of_layer(self, place: Place) -> frozenset[Any]:
        """Keys of every call of a layer, wherever it is shared."""
        places = self._identities[place.identity]
        return frozenset(spot.key for each in places for spot in self.of(each))

    def passed(self, place: Place, indices: Indices) -> Passed:
        """A record of a member on the way."""
        return Passed(
            self.canonical(place),
            str(place.entry["class_name"]),
            place.config,
            indices,
            len(self.of_layer(place)) == 1,
        )

    def around(self, spot: Spot) -> Spot | None:
        """The call of the model that holds a spot; None in the top model."""
        model = spot.member.parent
        if model is None or model.parent is None:
            return None
        return Spot(self.view.member(model), spot.around[-1], spot.around[:-1])

    def outputs(self, model: Place) -> list[tuple[str, int, int]]:
        """What a model gives back: name, call and tensor, in Keras' order."""
        graph = self.view.graph(model)
        if not graph.functional:
            return [(name, node, 0) for name, node in graph.outputs]
        return [
            (ref.name, ref.node, ref.tensor)
            for ref in end_refs(model.entry, "output_layers")
        ]

    def input_shape(self, spot: Spot, position: int) -> Shape | None:
        """Shape of a tensor that a call takes; None where unknown."""
        model = spot.member.parent
        if model is None:
            return None
        graph = self.view.graph(model)
        refs = graph.inputs(spot.name, spot.call)
        if graph.functional:
            return refs[position].shape if position < len(refs) else None
        built = spot.member.entry.get("build_config")
        shape = built.get("input_shape") if isinstance(built, dict) else None
        if isinstance(shape, list) and not any(isinstance(x, list) for x in shape):
            return tuple(shape)
        return self._shape_of(model, refs[0]) if refs else None

    def _shape_of(self, model: Place, ref: Ref) -> Shape | None:
        before = self.child(model, ref.name)
        return shapes.output_shapes(before, self.view, fused=True)[0]

    def start(self, found: Found) -> State:
        """The units of a rectifier on the axes of its own output.

        Raises:
            UnsafeError: If its channels are not known.
        """
        known = [shape for shape in found.site.shapes if shape is not None]
        units = found.site.channels
        ranks = {len(shape) for shape in known}
        if units is None or len(ranks) != 1:
            raise UnsafeError(
                f"the channels of {found.site.path!r} are unknown or not the same "
                "at each call"
            )
        rank = ranks.pop()
        place = found.places[0]
        if found.site.form == FUSED and place.entry["class_name"] == "Dense":
            built = place.entry.get("build_config")
            shape = built.get("input_shape") if isinstance(built, dict) else None
            rank = len(shape) if isinstance(shape, list) else rank
        axis = found.site.channel_axis % rank
        return State(axis, np.arange(units)[:, None], ())

    def wrapped_in_time(self, place: Place) -> bool:
        """Whether a layer or model stands in a TimeDistributed.

        Raises:
            UnsafeError: If it stands in another wrapper or in a cell.
        """
        member = self.view.member(place)
        if member is place:
            return False
        if place.parent is member and member.entry["class_name"] == "TimeDistributed":
            return True
        raise UnsafeError(f"it stands inside {member.path!r}, which is no plain layer")
