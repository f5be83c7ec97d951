"""Where a shift of a site's output goes: which layers absorb it, and where it stays.

A forward pass from the calls of the site, until a layer absorbs the shift on every
path. Sums, pooling and concatenation pass a shift on, and so does a linear layer that
does not absorb it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from collections.abc import Sequence

from keras_rectifiers.graph.calls import Call
from keras_rectifiers.graph.passes import Forward
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.graph.variables.table import variables_of


@dataclasses.dataclass(frozen=True)
class Absorption:
    """What becomes of the shift of one site."""

    #: Paths of the layers that absorb it, in running order.
    absorbers: tuple[str, ...]
    #: Why some of it stays; empty where none does.
    stays: str


def absorption(
    survey: Survey, sites: Collection[str], absorbers: Collection[str]
) -> dict[str, Absorption]:
    """What becomes of the shifts of some sites.

    Args:
        survey: The document of the whole model.
        sites: Paths of the sites.
        absorbers: Paths of the layers that can absorb.
    """
    return {
        found.site.path: _absorption(survey, found, sorted(absorbers))
        for found in survey.found
        if found.site.path in sites
    }


def _absorption(survey: Survey, found: Found, absorbers: Sequence[str]) -> Absorption:
    starts = [call for place in found.places for call in survey.calls.of(place)]
    shift = _Shift(survey, frozenset(call.number for call in starts), absorbers)
    shift.run(starts)
    stays = list(shift.stays)
    if any(map(shift.of, survey.calls.ends)):
        stays.append("it reaches the output of the model")
    return Absorption(tuple(shift.absorbed), "; ".join(stays))


class _Shift(Forward[bool]):
    """Whether the shift of a site is in a tensor.

    Attributes:
        absorbed: Paths of the layers that absorb it.
        stays: Why some of it is not absorbed.
    """

    def __init__(
        self, survey: Survey, starts: Collection[int], absorbers: Sequence[str]
    ) -> None:
        super().__init__(survey.calls, unknown=False)
        self._starts = starts
        self._absorbers = absorbers
        self.absorbed: dict[str, None] = {}
        self.stays: dict[str, None] = {}

    def made(self, call: Call, taken: Sequence[bool]) -> Sequence[bool]:
        """Whether what a call makes has the shift."""
        absorbers = self._in(call) if any(taken) else []
        held = _held(call) if any(taken) and not absorbers else ""
        self.absorbed.update(dict.fromkeys(absorbers))
        if held:
            self.stays[held] = None
        if call.number in self._starts:
            return (True,)
        return () if absorbers or held else (True,)

    def _in(self, call: Call) -> list[str]:
        """The absorbers that a call runs, alone or inside a wrapper."""
        path = call.member.path
        return [
            each
            for each in self._absorbers
            if each == path or each.startswith(f"{path}/")
        ]


def _held(call: Call) -> str:
    """Why the shift ends at a call that does not absorb it; empty if it continues."""
    entry, named = call.place.entry, f"{call.class_name} {call.place.path!r}"
    row, weights = call.traits, variables_of(entry)
    if weights is None or call.class_name == "Lambda":
        return f"{named} is not supported"
    linear = row.makes or row.elementwise
    if row.recurrent or (weights and not linear):
        return f"{named} has no bias to absorb it"
    return ""
