"""An explanation: likely causes of dead units, the likeliest first. Plain data."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

#: Most layers that are named on one line.
_NAMED = 4


@dataclasses.dataclass(frozen=True)
class Cause:
    """One likely cause of dead units."""

    #: `"lagging_statistics"`, `"dead_output"`, `"collapsed_upstream"`,
    #: `"learning_rate"`, `"input_scale"`, `"initialisation"`, `"bias_shift"`,
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

    def __str__(self) -> str:
        named = ", ".join(self.layers[:_NAMED])
        if len(self.layers) > _NAMED:
            named += f" and {len(self.layers) - _NAMED} more"
        head = f"{self.kind} ({self.score:.2f}): {self.units} units of {named}"
        lines = [head, *(f"   {sentence}" for sentence in self.evidence)]
        lines.append(f"   Remedy: {self.remedy}")
        lines += [f"      {line}".rstrip() for line in self.code.splitlines()]
        if self.reference:
            lines.append(f"   See: {self.reference}")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Why the units of a model are dead; it prints as text."""

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

    def to_json(self, *, indent: int | None = 2) -> str:
        """The explanation as JSON.

        Args:
            indent: As in `json.dumps`.
        """
        data: dict[str, Any] = dataclasses.asdict(self)
        return json.dumps(data, indent=indent, allow_nan=False)

    def __str__(self) -> str:
        lines = [self.headline]
        for place, cause in enumerate(self.causes, 1):
            lines += ["", f"{place}. {cause}"]
        if self.missing:
            lines += ["", *self.missing]
        return "\n".join(lines)
