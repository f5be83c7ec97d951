"""The axis of the channels at each place of a document, worked out once for all."""

from __future__ import annotations

from collections.abc import Sequence

from keras_rectifiers.graph import traits
from keras_rectifiers.graph.calls import Call
from keras_rectifiers.graph.calls import Calls
from keras_rectifiers.graph.calls import Tensor
from keras_rectifiers.graph.document import Address
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.passes import Forward

_UNKNOWN: list[traits.AxisRank] = [(None, None)]


class Axes(Forward[traits.Axis]):
    """The axis of the channels in each tensor, counted as `traits` counts it.

    Args:
        calls: The calls of a model.
    """

    def __init__(self, calls: Calls) -> None:
        super().__init__(calls, None)
        self._seen: dict[Address, list[traits.AxisRank]] = {}
        self.run()

    def made(self, call: Call, taken: Sequence[traits.Axis]) -> Sequence[traits.Axis]:
        """The axis in the outputs of a call; notes it for the place that runs."""
        takes = [
            self._seen_from(call, tensor, axis)
            for tensor, axis in zip(call.takes, taken, strict=True)
        ]
        place, inner = call.place, self.calls.view.below(call.place)
        while inner is not None and not _runs_in_a_loop(place.entry):
            place, inner = inner, self.calls.view.below(inner)
        rank = self._rank(Tensor(call.number, 0), call.steps)
        row = call.traits if place is call.place else traits.of_entry(place.entry)
        axis = traits.after(row, place.config.get, takes or _UNKNOWN, rank)
        noted = (traits.inside(row, place.config.get, axis), rank)
        self._seen.setdefault(place.address, []).append(noted)
        return [axis]

    def of_places(self, places: Sequence[Place]) -> tuple[int, bool]:
        """The axis of the channels of a rectifier, and whether all calls have it.

        Args:
            places: Its place; several for a shared layer.
        """
        return traits.agreed(each for place in places for each in self._noted(place))

    def _noted(self, place: Place) -> list[traits.AxisRank]:
        seen = self._seen.get(place.address)
        if seen is None:  # it is in a wrapper that runs it in a special way
            row, argument = traits.of_entry(place.entry), place.config.get
            axis = traits.after(row, argument, _UNKNOWN, None)
            seen = [(traits.inside(row, argument, axis), None)]
        return seen

    def _seen_from(
        self, call: Call, tensor: Tensor, axis: traits.Axis
    ) -> traits.AxisRank:
        """Axis and number of axes of a tensor, in one step of the call's."""
        deeper = call.steps - self.calls[tensor.call].steps
        for _ in range(abs(deeper)):
            axis = traits.into_step(axis) if deeper > 0 else traits.out_of_step(axis)
        return axis, self._rank(tensor, call.steps)

    def _rank(self, tensor: Tensor, steps: int) -> int | None:
        shape = self.calls.stated(tensor, steps).shape
        return None if shape is None else len(shape)


def _runs_in_a_loop(entry: Entry) -> bool:
    return entry["class_name"] in ("Bidirectional", "RNN")
