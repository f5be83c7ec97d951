"""The plan of a conversion: what is replaced by what, what is skipped, and why.

A plan is plain data without tensors. It prints as a table, can be stored as JSON, and
applies to a live model or a file. Keras is never imported to make one.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import ClassVar
from typing import Protocol

import numpy as np

from keras_rectifiers.errors import PlanMismatchError
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.graph.unseen import Unseen
from keras_rectifiers.graph.unseen import counted
from keras_rectifiers.repairs import Repair
from keras_rectifiers.results import Result
from keras_rectifiers.specs import Cannot
from keras_rectifiers.specs import Replacement
from keras_rectifiers.surgery import plan_data
from keras_rectifiers.surgery import plan_text
from keras_rectifiers.surgery.replacements import Target
from keras_rectifiers.surgery.selection import Selection
from keras_rectifiers.tables import Part

_FORMAT = 2


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
    """One site that is skipped."""

    site: Site
    #: One word, as `specs.Cannot` has it.
    reason: str
    #: The same in words.
    detail: str

    @classmethod
    def because(cls, site: Site, why: Cannot) -> Skip:
        """A site that is skipped for a reason."""
        return cls(site, why.reason, why.detail)


@dataclasses.dataclass(frozen=True, repr=False)
class Plan(Result):
    """What a conversion does to each rectifier of a model. It prints as tables."""

    COLUMNS: ClassVar[tuple[str, ...]] = (
        *("path", "form", "role", "shape", "replaced_by", "parameters"),
        *("reason", "detail"),
    )

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
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each rectifier, those that are replaced first.

        `replaced_by` is empty for a skipped rectifier; `reason` and `detail` are empty,
        except for a note, for a replaced one. `shape` is text, without the batch.
        """
        texts = plan_text.replacement_text
        made: list[tuple[Site, tuple[Any, ...]]] = [
            (step.site, (texts(step.replacement), step.parameters, "", step.note))
            for step in self.steps
        ]
        made += [(skip.site, ("", 0, skip.reason, skip.detail)) for skip in self.skips]
        return [
            self._row(
                *(site.path, site.spelling, site.role),
                *(plan_text.shape_text(site.shapes), *cells),
            )
            for site, cells in made
        ]

    @property
    def parameters(self) -> int:
        """Number of parameters that the whole plan adds."""
        return sum(step.parameters for step in self.steps)

    def apply(self, model: Any) -> Any:
        """Convert a live model. The original is unchanged: use the return value.

        Args:
            model: The `keras.Model` that the plan was made for, or an equal one.

        Raises:
            PlanMismatchError: The model's rectifiers are not those of the plan.
        """
        from keras_rectifiers.surgery.live import LiveModel  # noqa: PLC0415 (Keras)
        from keras_rectifiers.surgery.live_way_back import applied  # noqa: PLC0415

        return applied(LiveModel(model), self)

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain data; `to_json()` as Python values."""
        data: dict[str, Any] = json.loads(self.to_json(indent=None))
        return data

    def to_json(self, *, indent: int | None = 2) -> str:
        """The plan as JSON text; `from_json` gives an equal plan.

        Args:
            indent: As in `json.dumps`.
        """
        data = {"format": _FORMAT, **_fields(self)}
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
                "A plan must be JSON written by Plan.to_json. Received: text that is "
                f"not a valid plan ({type(error).__name__}: {error})."
            ) from error
        return made

    def parts(self, *, done: bool = False) -> list[Part]:
        """The lines and tables of its display.

        Args:
            done: Whether it was applied. Default False.
        """
        return plan_text.parts(self, done=done)

    @property
    def summary(self) -> str:
        """One line about what was done: what is replaced by what, what is skipped."""
        return self._sentence("replaced", "added")

    @property
    def intent(self) -> str:
        """The same line about what will be done."""
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
        """The parts that cannot be inspected."""

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
        make = target.in_place_of_ours if found.is_ours else target.replacement
        made = make(alone, lambda: source.read_alpha(found))
        if isinstance(made, Cannot):
            return made
        replacements.append(made[0])
        note = note or made[1]
    refused = _one_rank(found, replacements)
    if refused is not None:
        return refused
    if replacements[0].weights and not found.one_axis:
        return Cannot("channels", "its calls have their channels on different axes")
    if not replacements[0].weights:
        return Step(found.site, tuple(replacements[:1]), note)
    if len(replacements) > 1 and not found.divisible:
        widths = " and ".join(str(each) for each in dict.fromkeys(found.site.widths))
        return Cannot("channels", f"one object is called with {widths} channels")
    if len(replacements) > 1:
        note = "; ".join(filter(None, (note, f"becomes {len(replacements)} layers")))
    return Step(found.site, tuple(replacements), note)


def _one_rank(found: Any, replacements: Sequence[Replacement]) -> Cannot | None:
    """Why a stock layer cannot have an upper bound: its calls differ in rank."""
    if replacements[0].cap is None:
        return None
    shapes = found.site.shapes
    uses = found.uses if replacements[0].weights else (0,) * len(shapes)
    ranks = {
        (use, None if shape is None else len(shape))
        for use, shape in zip(uses, shapes, strict=True)
    }
    if len(ranks) == len(set(uses)):
        return None
    return Cannot(
        "portable",
        "stock layers with an upper bound need inputs of one rank, but it is called "
        "with several",
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if dataclasses.is_dataclass(value):
        return _fields(value)
    raise TypeError(f"{type(value).__name__} does not belong in a plan.")


def _fields(value: Any) -> dict[str, Any]:
    """The values of a dataclass; `asdict` would copy each of them first."""
    return {
        field.name: getattr(value, field.name) for field in dataclasses.fields(value)
    }


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
