"""An explanation: likely causes of dead units, the likeliest first. Plain data."""

from __future__ import annotations

import dataclasses
from typing import Any
from typing import ClassVar

from keras_rectifiers.diagnosis import calls
from keras_rectifiers.results import Result
from keras_rectifiers.tables import Part
from keras_rectifiers.tables import Table

#: Most layers that are named on one line.
_NAMED = 4


@dataclasses.dataclass(frozen=True)
class Cause:
    """One likely cause of dead units."""

    #: `"lagging_statistics"`, `"dead_output"`, `"collapsed_upstream"`,
    #: `"learning_rate"`, `"input_scale"`, `"initialization"`, `"bias_shift"`,
    #: `"batch_norm"`, `"not_finite"` or `"unknown"`.
    kind: str
    #: Paths of the rectifiers whose units it explains, in the order of the model. For
    #: `"collapsed_upstream"` the first is the layer in which it began, and for
    #: `"not_finite"` that whose weights are not finite, where some are not.
    layers: tuple[str, ...]
    #: Units that it explains.
    units: int
    #: Share of the units to be explained that it explains, each weighted by how
    #: strongly the evidence speaks for it, 0..1.
    score: float
    #: Sentences with the numbers that speak for it.
    evidence: tuple[str, ...]
    #: What to do.
    remedy: str
    #: Where the threshold or the remedy comes from; empty where nowhere.
    reference: str = ""
    #: The remedy as lines of Python, with `model`, `x` and `y` as names; the mended
    #: model is `model` afterwards. Empty where nothing can be run.
    code: str = ""
    #: The one call that matters in `code`; empty where it is none of this package.
    call: str = ""

    def __str__(self) -> str:
        return self.text()

    def text(self, *, command_line: bool = False) -> str:
        """The cause, its evidence and its remedy, one line each.

        Args:
            command_line: Whether it is read on the command line: then the remedy
                is a command where there is one.
        """
        where = named(self.layers)
        head = f"{self.kind}: {self.units} units of {where}, score {self.score:.2f}"
        lines = [head, *(f"   {sentence}" for sentence in self.evidence)]
        remedy, code = self.remedy, self.code
        if command_line:
            command = calls.on_command_line(self.call)
            remedy = calls.shortened(remedy)
            code = code if command == self.call else command
        lines.append(f"   Remedy: {remedy}")
        lines += [f"      {line}".rstrip() for line in code.splitlines()]
        if self.reference:
            lines.append(f"   See: {self.reference}")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True, repr=False)
class Explanation(Result):
    """Why the units of a model are dead; it prints as text."""

    COLUMNS: ClassVar[tuple[str, ...]] = (
        *("cause", "score", "units", "layers", "evidence", "remedy", "reference"),
        "code",
    )

    #: Name of the model.
    model: str
    #: What there is to explain, in one sentence.
    headline: str
    #: The likeliest first; empty where nothing is to be explained.
    causes: tuple[Cause, ...] = ()
    #: What could not be looked at, one sentence each.
    missing: tuple[str, ...] = ()

    @property
    def first(self) -> Cause | None:
        """The likeliest cause; None where nothing is to be explained."""
        return self.causes[0] if self.causes else None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each cause, the likeliest first."""
        return [
            self._row(
                *(each.kind, each.score, each.units, list(each.layers)),
                *(list(each.evidence), each.remedy, each.reference, each.code),
            )
            for each in self.causes
        ]

    def parts(self, *, command_line: bool = False) -> list[Part]:
        """The lines and tables that it is shown as.

        Args:
            command_line: Whether it is read on the command line, where remedies are
                commands.
        """
        made: list[Part] = [self.headline]
        if len(self.causes) > 1:
            rows = (
                (each.kind, f"{each.score:.2f}", f"{each.units:,}", named(each.layers))
                for each in self.causes
            )
            head = ("likely cause", "score", "units", "of")
            made.append(Table.of(head, rows, numbers=("score", "units")))
        for place, cause in enumerate(self.causes, 1):
            made += ["", f"{place}. {cause.text(command_line=command_line)}"]
        return [*made, *([""] if self.missing else []), *self.missing]


def named(layers: tuple[str, ...]) -> str:
    """The first few layers by name, and how many more there are."""
    first = ", ".join(layers[:_NAMED])
    more = len(layers) - _NAMED
    return f"{first} and {more} more" if more > 0 else first
