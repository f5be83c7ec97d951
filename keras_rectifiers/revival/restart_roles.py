"""What a new start makes of each layer: by what it takes and by what follows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence

from keras_rectifiers.graph import forms
from keras_rectifiers.graph import sites
from keras_rectifiers.graph import traits
from keras_rectifiers.graph.calls import Call
from keras_rectifiers.graph.calls import Calls
from keras_rectifiers.graph.document import Address
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.roles import HIDDEN
from keras_rectifiers.graph.roles import OUTPUT as AT_OUTPUT
from keras_rectifiers.graph.survey import Survey

#: Makes rectified units out of rectified units, which it hands on.
PASSED = "passed"
#: Makes rectified units out of anything else, in pairs `w` and `-w`.
MIRRORED = "mirrored"
#: Makes an output of the model.
OUTPUT = "output"
#: Makes rectified units in another way: its own initialiser, and no bias.
UNITS = "units"
#: Everything else: the layer's own initialisers.
OWN = "own"

#: What may follow a layer.
_RECTIFIED = "rectified"
_NORMED = "normed and rectified"
_NOTHING = "nothing"
_OTHER = "other"

_MAKERS = frozenset({"Dense", "Conv1D", "Conv2D", "Conv3D"})
#: They leave channels where they are, and make nothing negative of what is not.
_KEEPS_CHANNELS = (
    *traits.POOLING,
    *traits.RESIZING,
    traits.GLOBAL_POOLING,
)
#: They may stand between a layer and the output that it makes.
_AT_THE_END = frozenset(
    {
        *("Activation", "Softmax", "Reshape", "Flatten", "Identity", "Rescaling"),
        *("Sigmoid", "Tanh", "Cast", "Squeeze"),
    }
)


def roles(survey: Survey) -> dict[str, str]:
    """What to make of each layer that a document shows.

    Args:
        survey: The document.

    Returns:
        `PASSED`, `MIRRORED`, `OUTPUT`, `UNITS` or `OWN`, for each layer that makes
        units by a kernel, by the path of its first place. A layer that is called
        several times has the first three only if it has the same at each call.
    """
    calls = survey.calls
    found = {
        place.address: each.site
        for each in survey.found
        if each.site.role in (HIDDEN, AT_OUTPUT)
        for place in each.places
    }
    first: dict[object, str] = {}
    for place in survey.view.places[1:]:
        first.setdefault(place.identity, place.path)
    reading = _Reading(calls, found)
    said: dict[str, set[str]] = {}
    for number, call in enumerate(calls):
        if _makes_units(call.place.entry) and not call.steps:
            path = first[call.place.identity]
            said.setdefault(path, set()).add(reading.role(number))
    return {path: _agreed(roles) for path, roles in said.items()}


def _agreed(roles: set[str]) -> str:
    if len(roles) == 1:
        return next(iter(roles))
    return OWN if roles & {OWN, OUTPUT} else UNITS


@dataclasses.dataclass(frozen=True)
class _Units:
    """Where rectified units lie in a tensor."""

    #: -1, or 1 for channels first.
    axis: int


class _Reading:
    """Calls, read forward (what is rectified) and backward (what follows)."""

    def __init__(self, calls: Calls, found: Mapping[Address, sites.Site]) -> None:
        self._calls = calls
        self._sites = found
        self._ends = frozenset(end.call for end in calls.ends)
        self._units: list[_Units | None] = []
        for call in calls:
            self._units.append(self._made(call))
        self._behind = [_OTHER] * len(calls)
        for call in reversed(calls):
            self._behind[call.number] = self._following(call)
        self._in_branches = _in_branches(calls)

    def role(self, number: int) -> str:
        """The role of a layer that makes units, at one call."""
        call = self._calls[number]
        behind = self._follows(number)
        if behind == _OTHER:
            return OWN
        branch = self._in_branches >> number & 1
        if branch or call.place.entry["class_name"] not in _MAKERS:
            return OWN if behind == _NOTHING else UNITS
        if behind == _NOTHING:
            return OUTPUT
        if behind == _NORMED:
            return UNITS
        units = self._units[call.takes[0].call] if len(call.takes) == 1 else None
        return PASSED if units and units.axis == _axis(call.place) else MIRRORED

    def _follows(self, number: int) -> str:
        """What follows the kernel of a layer: its own activation comes first."""
        call, behind = self._calls[number], self._behind[number]
        if self._is_rectifier(call):
            return _RECTIFIED
        linear = call.place.config.get("activation") in (None, "linear")
        return behind if linear or behind == _NOTHING else _OTHER

    def _is_rectifier(self, call: Call) -> bool:
        # What runs at each step of a sequence is left to its own initializers.
        return call.place.address in self._sites and not call.steps

    def _made(self, call: Call) -> _Units | None:
        """Where rectified units lie in what a call makes; None if there are none."""
        entry = call.place.entry
        class_name = str(entry["class_name"])
        if self._is_rectifier(call):
            return _Units(self._sites[call.place.address].channel_axis)
        taken = [self._units[source.call] for source in call.takes]
        if (
            call.steps
            or not taken
            or taken[0] is None
            or any(each != taken[0] for each in taken)
        ):
            return None
        units = taken[0]
        if class_name in ("Concatenate", "Add"):
            return units if class_name == "Add" or self._joins(call, units) else None
        if len(taken) > 1 or not _keras_own(entry):
            return None
        if _keeps_values_apart(entry):
            return units
        if class_name.startswith(_KEEPS_CHANNELS) and _axis(call.place) == units.axis:
            keeps = call.place.config.get("keepdims")
            flat = class_name.startswith("Global") and not keeps
            return _Units(-1) if flat else units
        return None

    def _joins(self, call: Call, units: _Units) -> bool:
        """Whether a concatenation is along the channels."""
        axis = call.place.config.get("axis", -1)
        shape = self._calls.stated(call.takes[0]).shape
        last = shape is not None and axis == len(shape) - 1
        return axis == units.axis or (units.axis == -1 and last)

    def _following(self, call: Call) -> str:
        """What follows the output of a call, on all ways the same or `_OTHER`."""
        ways = {
            self._way(taker, taker.number)
            for output in self._calls.outputs(call)
            for taker, _ in self._calls.takers(output)
        }
        if call.number in self._ends:
            ways.add(_NOTHING)
        return ways.pop() if len(ways) == 1 else _OTHER

    def _way(self, taker: Call, number: int) -> str:
        entry, class_name = taker.place.entry, str(taker.place.entry["class_name"])
        if self._is_rectifier(taker) and not _makes_units(entry):
            return _RECTIFIED if len(taker.takes) == 1 else _OTHER
        if taker.steps or not _keras_own(entry) or len(taker.takes) > 1:
            return _OTHER
        behind = self._behind[number]
        if class_name == "BatchNormalization":
            return _NORMED if behind in (_RECTIFIED, _NORMED) else _OTHER
        if _keeps_values_apart(entry) or class_name.startswith(_KEEPS_CHANNELS):
            return behind
        return _NOTHING if class_name in _AT_THE_END and behind == _NOTHING else _OTHER


def _in_branches(calls: Sequence[Call]) -> int:
    """Calls with a way around them, as the bits of a number.

    Where values meet (a sum, a product, attention), a call is in a branch if it
    comes before some of them and not before all. What is set side by side
    (`Concatenate`) is no way around.
    """
    before: list[int] = []
    branches = 0
    for number, call in enumerate(calls):
        taken = [before[source.call] for source in call.takes]
        some, every = 0, -1
        for each in taken:
            some |= each
            every &= each
        if len(taken) > 1 and call.place.entry["class_name"] != "Concatenate":
            branches |= some & ~every
        before.append(some | 1 << number)
    return branches


def _makes_units(entry: Entry) -> bool:
    name = str(entry["class_name"])
    makes = name in ("Dense", "EinsumDense") or ("Conv" in name and "LSTM" not in name)
    return makes and _keras_own(entry)


def _keras_own(entry: Entry) -> bool:
    return forms.is_ours(entry) or forms.is_keras(entry)


def _axis(place: Place) -> int:
    return traits.format_axis(place.config.get("data_format"))


def _keeps_values_apart(entry: Entry) -> bool:
    """Whether each value stays alone, 0 stays 0, and nothing becomes negative."""
    row = traits.of_entry(entry)
    return row.elementwise and row.keeps_zero and row.keeps_sign
