"""Where the units of a rectifier are in a tensor, from call to call."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_rectifiers.graph.calls import Call
from keras_rectifiers.graph.calls import Calls
from keras_rectifiers.graph.document import built_shape
from keras_rectifiers.graph.sites import FUSED
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.units.parts import Indices
from keras_rectifiers.graph.units.parts import Passed
from keras_rectifiers.specs import CannotError


@dataclasses.dataclass(frozen=True, eq=False)
class UnitState:
    """Where the units are in a tensor."""

    #: Axis of the channels, batch axis included, from 0.
    axis: int
    #: Positions of each unit on that axis, shape `(units, k)`.
    indices: Indices
    #: What was passed so far.
    through: tuple[Passed, ...]

    def between(self, source: Call, target: Call) -> UnitState:
        """The same units as another call sees them.

        Args:
            source: The call on whose axes they are.
            target: The other one; there may be other `TimeDistributed` around it.

        Raises:
            CannotError: It runs over the axis of the units.
        """
        axis = self.axis + source.steps - target.steps
        if axis < 1:
            calls = (*target.around, target)
            outer = next(call for call in calls if call.steps > source.steps)
            raise CannotError(f"{outer.member.path!r} runs over the axis of the units")
        return dataclasses.replace(self, axis=axis)


def start(calls: Calls, found: Found) -> tuple[list[Call], UnitState]:
    """The units of a rectifier in its own outputs.

    Args:
        calls: The calls of the model.
        found: The rectifier.

    Returns:
        The calls of the rectifier, and where the units are at each of them.

    Raises:
        CannotError: If its channels are not known, or it is in a wrapper.
    """
    known = [shape for shape in found.site.shapes if shape is not None]
    units = found.site.channels
    ranks = {len(shape) for shape in known}
    if units is None or len(ranks) != 1:
        raise CannotError(
            f"the channels of {found.site.path!r} are unknown or not the same "
            "at each call"
        )
    rank, place = ranks.pop(), found.places[0]
    if found.site.form == FUSED and place.entry["class_name"] == "Dense":
        rank = len(built_shape(place.entry) or [None] * rank)
    own = [call for each in found.places for call in calls.of(each)]
    for call in own:
        if call.place not in found.places:
            raise CannotError(
                f"it is inside {call.member.path!r}, which is not a plain layer"
            )
    axis = found.site.channel_axis % rank
    return own, UnitState(axis, np.arange(units)[:, None], ())
