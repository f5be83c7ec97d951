"""What a new start makes of each layer: by what it takes and by what follows it."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from collections.abc import Sequence

from keras_rectifiers.graph import traits
from keras_rectifiers.graph.calls import Call
from keras_rectifiers.graph.calls import Calls
from keras_rectifiers.graph.document import Address
from keras_rectifiers.graph.passes import Backward
from keras_rectifiers.graph.passes import Forward
from keras_rectifiers.graph.roles import HIDDEN
from keras_rectifiers.graph.roles import OUTPUT as AT_OUTPUT
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.graph.survey import Survey

#: Makes rectified units out of rectified units, which it hands on.
PASSED = "passed"
#: Makes rectified units out of anything else, in pairs `w` and `-w`.
MIRRORED = "mirrored"
#: Makes an output of the model.
OUTPUT = "output"
#: Makes rectified units in another way: its own initializer, and no bias.
UNITS = "units"
#: Everything else: the layer's own initializers.
OWN = "own"

#: What may follow a layer.
_RECTIFIED = "rectified"
_NORMED = "normed and rectified"
_NOTHING = "nothing"
_OTHER = "other"

#: The rectifiers of a model, by the addresses of their places.
_Sites = Mapping[Address, Site]


def roles(survey: Survey) -> dict[str, str]:
    """What to make of each layer that a document shows.

    Args:
        survey: The document.

    Returns:
        `PASSED`, `MIRRORED`, `OUTPUT`, `UNITS` or `OWN`, for each layer that makes
        units by a kernel, by the path of its first place. A layer that is called
        several times has the first three only if it has the same at each call.
    """
    found = {
        place.address: each.site
        for each in survey.found
        if each.site.role in (HIDDEN, AT_OUTPUT)
        for place in each.places
    }
    reading = _Reading(survey.calls, found)
    said: dict[str, set[str]] = {}
    for call in survey.calls:
        if _has_kernel(call) and not call.steps:
            path = survey.view.shared(call.place)[0].path
            said.setdefault(path, set()).add(reading.role(call))
    return {path: _agreed(roles) for path, roles in said.items()}


def _agreed(roles: set[str]) -> str:
    if len(roles) == 1:
        return next(iter(roles))
    return OWN if roles & {OWN, OUTPUT} else UNITS


class _Reading:
    """What every pass says, and the role that follows."""

    def __init__(self, calls: Calls, sites: _Sites) -> None:
        self._sites = sites
        self._units = _Rectified(calls, sites)
        self._behind = _Behind(calls, sites)
        self._ways = _Branches(calls)
        for each in (self._units, self._behind, self._ways):
            each.run()

    def role(self, call: Call) -> str:
        """The role of a layer that makes units, at one call."""
        behind = self._follows(call)
        if behind == _OTHER:
            return OWN
        if not call.traits.plain_kernel or self._ways.branches >> call.number & 1:
            return OWN if behind == _NOTHING else UNITS
        if behind == _NOTHING:
            return OUTPUT
        if behind == _NORMED:
            return UNITS
        axis = self._units.of(call.takes[0]) if len(call.takes) == 1 else None
        return PASSED if axis == _axis(call) else MIRRORED

    def _follows(self, call: Call) -> str:
        """What follows the kernel of a layer: its own activation comes first."""
        behind = self._behind.of(call)
        if _rectifier(call, self._sites) is not None:
            return _RECTIFIED
        linear = call.config.get("activation") in (None, "linear")
        return behind if linear or behind == _NOTHING else _OTHER


class _Rectified(Forward[int | None]):
    """The axis of rectified units in a tensor, -1 or 1; None where there are none."""

    def __init__(self, calls: Calls, sites: _Sites) -> None:
        super().__init__(calls, unknown=None)
        self._sites = sites

    def made(self, call: Call, taken: Sequence[int | None]) -> Sequence[int | None]:
        """The axis in what a call makes."""
        site = _rectifier(call, self._sites)
        if site is not None:
            return (site.channel_axis,)
        axis, row = taken[0] if taken else None, call.traits
        if call.steps or axis is None or any(each != axis for each in taken):
            return ()
        if row.joins:
            return (axis,) if self._joins(call, axis) else ()
        if (call.class_name == "Add" and row.merges) or (
            len(taken) == 1 and _keeps_apart(row)
        ):
            return (axis,)
        if len(taken) == 1 and _moves_positions(row) and _axis(call) == axis:
            flat = row.global_pool and not call.config.get("keepdims")
            return (-1,) if flat else (axis,)
        return ()

    def _joins(self, call: Call, units: int) -> bool:
        """Whether a concatenation is along the channels."""
        axis = call.config.get("axis", -1)
        shape = self.calls.stated(call.takes[0]).shape
        last = shape is not None and axis == len(shape) - 1
        return axis == units or (units == -1 and last)


class _Behind(Backward[str]):
    """What follows the output of a call, on all ways the same or `_OTHER`."""

    def __init__(self, calls: Calls, sites: _Sites) -> None:
        super().__init__(calls)
        self._sites = sites

    def value(self, call: Call, takers: Sequence[Call]) -> str:
        """What follows one call."""
        ways = set(map(self._way, takers))
        if self.ends(call):
            ways.add(_NOTHING)
        return ways.pop() if len(ways) == 1 else _OTHER

    def _way(self, taker: Call) -> str:
        """What a value that a call takes comes to."""
        row, behind = taker.traits, self.of(taker)
        if _rectifier(taker, self._sites) is not None and not _has_kernel(taker):
            return _RECTIFIED if len(taker.takes) == 1 else _OTHER
        if taker.steps or len(taker.takes) > 1:
            return _OTHER
        if row.normalizes and not row.mixes:
            return _NORMED if behind in (_RECTIFIED, _NORMED) else _OTHER
        if _keeps_apart(row) or _moves_positions(row):
            return behind
        at_the_end = row.reorders or (row.keeps_shape and not row.normalizes)
        return _NOTHING if at_the_end and behind == _NOTHING else _OTHER


class _Branches(Forward[int]):
    """The calls before a tensor, as the bits of a number.

    Where values meet (a sum, a product, attention), a call is in a branch if it comes
    before some of them and not before all. What is concatenated is not a bypass.

    Attributes:
        branches: Calls with a way around them, as bits.
    """

    def __init__(self, calls: Calls) -> None:
        super().__init__(calls, unknown=0)
        self.branches = 0

    def made(self, call: Call, taken: Sequence[int]) -> Sequence[int]:
        """The calls before what a call makes, and itself."""
        some = functools.reduce(operator.or_, taken, 0)
        every = functools.reduce(operator.and_, taken, -1)
        if len(taken) > 1 and not call.traits.joins:
            self.branches |= some & ~every
        return (some | 1 << call.number,)


def _rectifier(call: Call, sites: _Sites) -> Site | None:
    """The rectifier at a call; what runs at each step of a sequence is left out."""
    return None if call.steps else sites.get(call.place.address)


def _has_kernel(call: Call) -> bool:
    return bool(call.traits.makes and call.traits.reads)


def _axis(call: Call) -> int:
    return traits.format_axis(call.config.get("data_format"))


def _keeps_apart(row: traits.Traits) -> bool:
    """Whether each value stays alone, 0 stays 0, and nothing becomes negative."""
    return row.elementwise and row.keeps_zero and row.keeps_sign


def _moves_positions(row: traits.Traits) -> bool:
    """Whether channels stay where they are, and nothing becomes negative."""
    return row.pools or row.resizes or row.global_pool
