"""The plan of a conversion: what is replaced by what, and what is left, and why.

A plan is plain data without tensors. It prints as a table, travels as JSON, and
serves a live model and a file alike. Keras is never imported to make one.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Protocol

import numpy as np

from keras_rectifiers import specs
from keras_rectifiers.errors import PlanMismatchError
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.graph.unseen import Unseen
from keras_rectifiers.graph.unseen import counted
from keras_rectifiers.repairs import Repair
from keras_rectifiers.repairs import grouped
from keras_rectifiers.repairs import where_text
from keras_rectifiers.specs import Cannot
from keras_rectifiers.specs import Replacement
from keras_rectifiers.surgery import plan_data
from keras_rectifiers.surgery.replacements import Target
from keras_rectifiers.surgery.selection import Selection

_FORMAT = 2

#: Columns of what could not be looked into.
UNSEEN_HEAD = ("not seen", "class", "layers", "reason", "why")


@dataclasses.dataclass(frozen=True)
class Step:
    """One site and what replaces it."""

    site: Site
    #: One replacement for each use: a PReLU for each width at which the site is
    #: called. Without weights one serves all.
    replacements: tuple[Replacement, ...]
    #: What is worth knowing about this step; often empty.
    note: str = ""

    @property
    def replacement(self) -> Replacement:
        """The replacement at the first call."""
        return self.replacements[0]

    @property
    def parameters(self) -> int:
        """Number of parameters that this step adds."""
        return sum(each.parameters for each in self.replacements)


@dataclasses.dataclass(frozen=True)
class Skip:
    """One site that is left as it is."""

    site: Site
    #: One word, as `specs.Cannot` has it.
    reason: str
    #: The same in words.
    detail: str

    @classmethod
    def because(cls, site: Site, why: Cannot) -> Skip:
        """A site that is left for a reason."""
        return cls(site, why.reason, why.detail)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a conversion does to each rectifier of a model."""

    #: Name of the model.
    model: str
    #: The target: `"leaky_relu"`, `"prelu"` or the name of a template.
    to: str
    steps: tuple[Step, ...]
    skips: tuple[Skip, ...]
    #: What an old file needed before anything could be replaced; often nothing.
    repairs: tuple[Repair, ...] = ()
    #: What could not be looked into, or may hide a rectifier; often nothing.
    unseen: tuple[Unseen, ...] = ()
    #: What turns the config that the plan makes into the original's again, as
    #: `surgery.way_back` reads it; None where nothing does.
    back: Mapping[str, Any] | None = dataclasses.field(
        default=None, compare=False, repr=False
    )

    @property
    def parameters(self) -> int:
        """Number of parameters that the whole plan adds."""
        return sum(step.parameters for step in self.steps)

    def apply(self, model: Any) -> Any:
        """Convert a live model; the original is unchanged, use the return value.

        Args:
            model: The `keras.Model` that the plan was made for, or its equal.

        Raises:
            PlanMismatchError: The model's rectifiers are not those of the plan.
        """
        from keras_rectifiers.surgery.live import LiveModel  # noqa: PLC0415 (Keras)
        from keras_rectifiers.surgery.live_way_back import applied  # noqa: PLC0415

        return applied(LiveModel(model), self)

    def to_json(self, *, indent: int | None = 2) -> str:
        """The plan as JSON text; `from_json` gives an equal plan.

        Args:
            indent: As in `json.dumps`.
        """
        data = {"format": _FORMAT, **dataclasses.asdict(self)}
        return json.dumps(data, default=_plain, indent=indent)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that `to_json` wrote.

        Raises:
            PlanMismatchError: The text is not such a plan.
        """
        try:
            data = json.loads(text)
            if data["format"] != _FORMAT:
                raise PlanMismatchError(
                    f"A plan must have format {_FORMAT}. Received: format "
                    f"{data['format']!r}. Make the plan again with this version."
                )
            back = data.get("back")
            made: Plan = plan_data.made(
                cls,
                {"model": data["model"], "to": data["to"]},
                steps=tuple(map(_step, data["steps"])),
                skips=tuple(map(_skip, data["skips"])),
                repairs=tuple(plan_data.made(Repair, e) for e in data["repairs"]),
                unseen=tuple(plan_data.made(Unseen, each) for each in data["unseen"]),
                back=None if back is None else dict(back),
            )
        except (
            ArithmeticError,
            AttributeError,
            KeyError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            raise PlanMismatchError(
                f"A plan must be JSON written by Plan.to_json. Received: text that "
                f"does not fit ({type(error).__name__}: {error})."
            ) from error
        return made

    def __str__(self) -> str:
        lines = [f"Plan for {self.model!r}: {self.intent}"]
        if self.steps:
            head = ("path", "form", "role", "shape", "replaced by", "parameters")
            rows = [
                (
                    step.site.path,
                    step.site.spelling,
                    step.site.role,
                    shape_text(step.site.shapes),
                    replacement_text(step.replacement),
                    f"+{step.parameters:,}" if step.parameters else "",
                )
                for step in self.steps
            ]
            lines += ["", *_table(head, rows)]
            lines += [
                f"  {step.site.path}: {step.note}" for step in self.steps if step.note
            ]
        if self.skips:
            heads = ("left as it is", "form", "reason", "why")
            left = [
                (skip.site.path, skip.site.spelling, skip.reason, skip.detail)
                for skip in self.skips
            ]
            lines += ["", *_table(heads, left)]
        if self.unseen:
            lines += ["", *_table(UNSEEN_HEAD, map(unseen_row, self.unseen))]
        if self.repairs:
            made = [
                (first.rule, first.text, where_text(first, count))
                for first, count in grouped(self.repairs)
            ]
            lines += ["", *_table(("repaired", "what", "where"), made)]
        return "\n".join(lines)

    @property
    def summary(self) -> str:
        """One line of what was done: how many are replaced, by what, what is left."""
        return self._sentence("replaced", "added")

    @property
    def intent(self) -> str:
        """The same line of what is still to be done."""
        return self._sentence("to replace", "to add")

    def _sentence(self, replaced: str, added: str) -> str:
        more = counted(self.unseen)
        if not self.steps and not self.skips:
            return f"no rectifier found.{more}"
        names = Counter(step.replacement.class_name for step in self.steps)
        made = ", ".join(f"{count} by {name}" for name, count in names.items())
        left = Counter(skip.reason for skip in self.skips)
        kept = ", ".join(f"{count} {reason}" for reason, count in left.items())
        return (
            f"{len(self.steps)} of {len(self.steps) + len(self.skips)} rectifiers "
            f"{replaced}{f' ({made})' if made else ''}, "
            f"{self.parameters:,} parameters {added}"
            f"{f'; left: {kept}' if kept else ''}.{more}"
        )


class OpenModel(Protocol):
    """A model, live or saved, as a plan is made for it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def found(self) -> Sequence[Any]:
        """Its rectifiers: `Found`, or what has their fields and `uses`."""

    @property
    def unseen(self) -> tuple[Unseen, ...]:
        """What of it cannot be looked into."""

    def read_alpha(self, found: Any) -> Any:
        """The slopes of a PReLU, as they act."""


def make_plan(source: OpenModel, target: Target, selection: Selection) -> Plan:
    """Plan the conversion of an open model.

    Args:
        source: The model.
        target: What replaces the rectifiers.
        selection: Which ones.

    Raises:
        SelectionError: The selection matches nothing.
    """
    selection.check([each.site for each in source.found])
    steps: list[Step] = []
    skips: list[Skip] = []
    for each in source.found:
        made = selection.skips(each.site) or _step_for(each, target, source)
        if isinstance(made, Cannot):
            skips.append(Skip.because(each.site, made))
        else:
            steps.append(made)
    return Plan(
        source.name,
        target.label,
        tuple(steps),
        tuple(skips),
        unseen=source.unseen,
    )


def _step_for(found: Any, target: Target, source: OpenModel) -> Step | Cannot:
    replacements: list[Replacement] = []
    note = ""
    first = {use: call for call, use in reversed(list(enumerate(found.uses)))}
    for _, call in sorted(first.items()):
        alone = dataclasses.replace(found.site, shapes=(found.site.shapes[call],))
        made = target.replacement(alone, lambda: source.read_alpha(found))
        if isinstance(made, Cannot):
            return made
        replacements.append(made[0])
        note = note or made[1]
    if replacements[0].weights and not found.one_axis:
        return Cannot("channels", "its calls have their channels on different axes")
    if not replacements[0].weights:
        return Step(found.site, tuple(replacements[:1]), note)
    if len(replacements) > 1 and not found.divisible:
        widths = " and ".join(str(each) for each in dict.fromkeys(found.site.widths))
        return Cannot("channels", f"{widths} channels pass through one object")
    if len(replacements) > 1:
        note = "; ".join(filter(None, (note, f"becomes {len(replacements)} layers")))
    return Step(found.site, tuple(replacements), note)


def unseen_row(each: Unseen) -> tuple[str, ...]:
    """What could not be looked into, for people: one cell for each column."""
    layers = "?" if each.layers is None else f"{each.layers:,}"
    return each.path, each.class_name, layers, each.reason, each.detail


def shape_text(shapes: Sequence[specs.Shape | None]) -> str:
    """Shapes for people: `?` for a free axis, the batch left out."""
    texts = dict.fromkeys(
        "unknown"
        if shape is None
        else "×".join("?" if axis is None else str(axis) for axis in shape[1:])  # noqa: RUF001
        for shape in shapes
    )
    return " and ".join(texts)


def replacement_text(replacement: Replacement) -> str:
    """A replacement for people: its class and what is not a default."""
    config = replacement.config
    parts = []
    if "negative_slope" in config:
        parts.append(f"{config['negative_slope']:g}")
    for weight in replacement.weights:
        start = np.asarray(weight.value)
        shown = f"{start:g}" if start.ndim == 0 else _some(config, start)
        parts.append(f"{weight.name}={shown}")
    if config.get("max_value") is not None:
        parts.append(f"max_value={config['max_value']:g}")
    if config.get("trainable") is False:
        parts.append("fixed")
    stock = "keras." if replacement.module.startswith("keras.") else ""
    return f"{stock}{replacement.class_name}({', '.join(parts)})"


def _some(config: Mapping[str, Any], start: np.ndarray) -> str:
    """Slopes of several channels for people: one number, where the rest are 0."""
    values = np.unique(start[start != 0])
    if len(values) != 1:
        return "own"
    count = len(config.get("trained_channels") or np.flatnonzero(start))
    scale = config.get("learning_rate_multiplier", 1.0)
    return f"{values[0] * scale:g} for {count} of {start.size}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    rows = list(rows)
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in (head, *rows)
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} does not belong in a plan.")


def _step(data: dict[str, Any]) -> Step:
    replacements = tuple(map(plan_data.replacement, data["replacements"]))
    if not replacements:
        raise ValueError("a step without a replacement")
    found: Step = plan_data.made(
        Step, data, site=plan_data.site(data["site"]), replacements=replacements
    )
    return found


def _skip(data: dict[str, Any]) -> Skip:
    found: Skip = plan_data.made(Skip, data, site=plan_data.site(data["site"]))
    return found
