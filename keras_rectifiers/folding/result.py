"""What a fold did, as plain data that prints as a table."""

from __future__ import annotations

import dataclasses
from typing import Any
from typing import ClassVar

from keras_rectifiers.folding.effect import Change
from keras_rectifiers.json_values import plain
from keras_rectifiers.results import Result
from keras_rectifiers.shares import percent
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.plan_text import repairs
from keras_rectifiers.tables import Part
from keras_rectifiers.tables import Table


@dataclasses.dataclass(frozen=True)
class FoldedSite:
    """One rectifier that was folded."""

    #: Its path in the model.
    path: str
    #: How it was written, such as `Conv2D(activation=PReLU())`.
    before: str
    #: `"relu"` or `"leaky_relu"`.
    after: str
    #: The one slope that it has now.
    slope: float
    #: How far its furthest slope moved; 0: the same function, bit for bit.
    distance: float
    #: The most that its own output can move, for every input in the stated range
    #: and the same input to the rectifier; None where nothing bounds it.
    bound: float | None
    #: What kept a bound from being known; empty where there is one.
    blocked: str = ""


@dataclasses.dataclass(frozen=True, repr=False)
class FoldResult(Result):
    """A folded model, and how far it is from the one that was trained."""

    COLUMNS: ClassVar[tuple[str, ...]] = (
        *("path", "before", "after", "slope", "distance", "bound", "why"),
    )

    #: The live model; None where a file was folded.
    model: Any
    #: What was replaced by what; the skips say what stays, and why.
    plan: Plan
    sites: tuple[FoldedSite, ...]
    #: The range of inputs that the bounds hold for, in words; empty for any input.
    inputs: str = ""
    #: What data said; None without data.
    measured: Change | None = None

    @property
    def exact(self) -> bool:
        """Whether no slope changed: the model computes the same, bit for bit."""
        return all(site.distance == 0 for site in self.sites)

    def summary(self) -> dict[str, Any]:
        """Everything but the model, as plain data."""
        return {
            "model": self.plan.model,
            "exact": self.exact,
            "inputs": self.inputs,
            "sites": [dataclasses.asdict(site) for site in self.sites],
            "left": [
                {"path": skip.site.path, "reason": skip.reason, "detail": skip.detail}
                for skip in self.plan.skips
            ],
            "repairs": [dataclasses.asdict(repair) for repair in self.plan.repairs],
            "measured": self.measured and dataclasses.asdict(self.measured),
        }

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each rectifier with slopes, those that were folded first.

        `after` is None for one that stays; `why` says why it does, or what kept a
        bound from being known.
        """
        folded = (
            self._row(
                *(site.path, site.before, site.after, site.slope, site.distance),
                *(site.bound, site.blocked),
            )
            for site in self.sites
        )
        left = (
            self._row(skip.site.path, skip.site.spelling, *4 * (None,), skip.detail)
            for skip in self.plan.skips
        )
        return [*folded, *left]

    def to_dict(self) -> dict[str, Any]:
        """The summary: everything but the model, as plain data."""
        return plain(self.summary())

    @property
    def headline(self) -> str:
        """What was folded, and what that changes, in one or two sentences."""
        total = len(self.sites) + len(self.plan.skips)
        said = f"{len(self.sites)} of {total} rectifiers with slopes folded"
        if self.exact:
            said += "; the function is the same, bit for bit."
        else:
            furthest = max(site.distance for site in self.sites)
            said += f"; slopes changed by up to {furthest:.4g}."
        if self.measured is not None and not self.measured.bit_equal:
            said += (
                f" Outputs on {self.measured.samples} samples changed by up to "
                f"{self.measured.absolute:.4g} ({percent(self.measured.relative)} of "
                "the largest)."
            )
        elif self.measured is not None:
            said += f" Outputs on {self.measured.samples} samples are bit-equal."
        return said

    def parts(self) -> list[Part]:
        """The lines and tables of its display."""
        made: list[Part] = [f"{self.plan.model}: {self.headline}"]
        if self.sites:
            rows = [(site.path, site.before, _after(site)) for site in self.sites]
            made.append(Table.of(("path", "before", "after"), rows))
        if self.plan.skips:
            left = [
                (skip.site.path, skip.site.spelling, skip.detail)
                for skip in self.plan.skips
            ]
            made.append(Table.of(("left as it is", "form", "why"), left))
        return [*made, *repairs(self.plan.repairs)]


def _after(site: FoldedSite) -> str:
    text = site.after if not site.slope else f"{site.after}({site.slope:g})"
    if site.distance == 0:
        return text
    if site.bound is None:
        reason = f" ({site.blocked})" if site.blocked else ""
        return f"{text}, slopes changed by {site.distance:.4g}; not bounded{reason}"
    return (
        f"{text}, slopes changed by {site.distance:.4g}, its output by at most "
        f"{site.bound:.4g}"
    )
