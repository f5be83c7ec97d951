"""Rewrite a document by a plan: each planned site replaced exactly once.

A fused rectifier is replaced in its attribute, so that no edge of the graph moves; a
layer keeps its name; an operation becomes a layer of the same name. The document
that comes in is not changed.
"""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Any

from keras_rectifiers import specs
from keras_rectifiers.errors import PlanMismatchError
from keras_rectifiers.graph import capped
from keras_rectifiers.graph.document import Address
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import at
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.graph import layer_order
from keras_rectifiers.graph.graph import nodes_of
from keras_rectifiers.graph.sites import ATTRIBUTE
from keras_rectifiers.graph.sites import FUSED
from keras_rectifiers.graph.sites import OPERATION
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.specs import NewWeight
from keras_rectifiers.specs import Replacement
from keras_rectifiers.surgery import relus
from keras_rectifiers.surgery import slope_precision
from keras_rectifiers.surgery.marks import MARK
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.plan import Step
from keras_rectifiers.surgery.unshare import split_calls

#: What a layer of any class may have in its config, beside name, dtype and trainable.
_REGULARIZER = "activity_regularizer"

#: Path of a layer, and the attribute of it that holds a rectifier (or `""`).
Holder = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Rewritten:
    """A new document and what became of the weights around it."""

    document: Entry
    #: Every layer (and attribute) that is a replacement now, and the weights it needs.
    replaced: dict[Holder, tuple[NewWeight, ...]]
    #: Rectifiers whose old weights are gone.
    removed: frozenset[Holder]


@dataclasses.dataclass(frozen=True)
class _Job:
    """One place to change; `which` names the replacement for each of its calls."""

    place: Place
    found: Found
    step: Step
    which: tuple[int, ...]


def rewrite(survey: Survey, plan: Plan) -> Rewritten:
    """Put a plan's replacements into a document.

    Args:
        survey: The document; not changed.
        plan: A plan made for this document, or for its equal.

    Returns:
        The new document, the weights that it needs and those that it lost.

    Raises:
        PlanMismatchError: A planned site is not there, or differs.
    """
    jobs = list(_jobs(survey, plan))
    new = copy.deepcopy(survey.document)
    replaced: dict[Holder, tuple[NewWeight, ...]] = {}
    removed = {
        (job.place.path, job.found.attribute)
        for job in jobs
        if job.found.site.kind == specs.PRELU
    }
    models: dict[Address, None] = {}
    for job in jobs:
        holders = _do(new, job)
        if job.place in job.found.own_places:  # what is shared is stored once
            replaced |= holders
        around = job.place.parent
        if around and around.address not in models and is_model(around.entry):
            models[around.address] = None
    for address in models:
        _tidy(at(new, address))
    _check(new, jobs)
    return Rewritten(new, replaced, frozenset(removed))


def _jobs(survey: Survey, plan: Plan) -> Iterator[_Job]:
    """Every place that the plan changes, last place first.

    A split inserts entries, which moves only what follows it.
    """
    found = {each.site.path: each for each in survey.found}
    twice = [
        path for path, n in Counter(s.site.path for s in plan.steps).items() if n > 1
    ]
    if twice:
        raise PlanMismatchError(
            "A plan must name each site once. Received: several steps for "
            f"{twice[0]!r}. Make the plan again from this model."
        )
    order = {place.address: index for index, place in enumerate(survey.view.places)}
    jobs = []
    for step in plan.steps:
        here = found.get(step.site.path)
        if here is None or _key(here) != (
            step.site.form,
            step.site.kind,
            step.site.widths,
        ):
            there = "no rectifier" if here is None else here.site.spelling
            raise PlanMismatchError(
                f"A plan must be applied to the model that it was made for. "
                f"Received: {step.site.spelling} at {step.site.path!r} in the plan, "
                f"{there} in the model. Make the plan again from this model."
            )
        for replacement in step.replacements:  # a plan may come from a file
            slope_precision.checked(replacement, "", here.site, said=True)
        several = len(step.replacements) > 1
        which = here.uses if several else (0,) * len(here.uses)
        start = 0
        for place, calls in zip(here.places, here.calls, strict=True):
            jobs.append(_Job(place, here, step, which[start : start + calls]))
            start += calls
    return iter(sorted(jobs, key=lambda job: -order[job.place.address]))


def _key(found: Found) -> tuple[str, str, tuple[int | None, ...]]:
    return found.site.form, found.site.kind, found.site.widths


def _attribute(found: Found) -> str:
    return ATTRIBUTE if found.site.form == FUSED else ""


def _do(new: Entry, job: _Job) -> dict[Holder, tuple[NewWeight, ...]]:
    """Change one place; returns the weights that each holder needs."""
    place, site = job.place, job.found.site
    entry = at(new, place.address)
    replacements = [job.step.replacements[index] for index in job.which]
    if site.form == FUSED:
        _fill(entry, replacements[0], site.dtype)
        return {(place.path, ATTRIBUTE): replacements[0].weights}
    if site.form == OPERATION:
        _keep_operand(entry, job.found.operand)
    # What shared the old object, in a layer or in another model, has not got the new.
    entry.pop(MARK, None)
    entries = [entry]
    if len(set(job.which)) > 1 and place.parent is not None:
        entries += split_calls(at(new, place.parent.address), entry, job.which)
    holders = {}
    used = dict.fromkeys(job.which)
    for each, index in zip(entries, used, strict=True):
        replacement = job.step.replacements[index]
        _become(each, replacement, site.dtype)
        path = "/".join((*place.names[:-1], name_of(each)))
        holders[path, ""] = replacement.weights
    return holders


def _fill(host: Entry, replacement: Replacement, dtype: str) -> None:
    """Put the replacement into a layer, with what a layer there was given."""
    old, trainable = host["config"][ATTRIBUTE], host["config"].get("trainable", True)
    before = config_of(old) if isinstance(old, dict) else {}
    regularizer = before.get(_REGULARIZER)
    name = None if regularizer else relus.activation(replacement)
    host["config"][ATTRIBUTE] = name or layer_entry(
        replacement,
        before.get("name", ATTRIBUTE),
        dtype,
        trainable=trainable and before.get("trainable", True),
        regularizer=regularizer,
    )


def _become(entry: Entry, replacement: Replacement, dtype: str) -> None:
    """Turn a layer or an operation into the replacement, name and calls kept."""
    before = config_of(entry)
    layer = layer_entry(
        replacement,
        name_of(entry),
        dtype,
        trainable=before.get("trainable", True),
        regularizer=before.get(_REGULARIZER),
    )
    entry.pop("build_config", None)
    entry.update(layer)


def layer_entry(
    replacement: Replacement,
    name: str,
    dtype: str,
    *,
    trainable: bool,
    regularizer: Any = None,
) -> Entry:
    """A replacement as Keras writes a layer.

    Args:
        replacement: The replacement.
        name: Name of the layer.
        dtype: Name of its dtype policy.
        trainable: Whether its weights learn.
        regularizer: Serialized activity regularizer of what was there; default None.
    """
    layer: Entry = {
        "module": replacement.module,
        "class_name": replacement.class_name,
        "config": {
            "name": name,
            "trainable": trainable,
            "dtype": {
                "module": "keras",
                "class_name": "DTypePolicy",
                "config": {"name": dtype},
                "registered_name": None,
            },
            **copy.deepcopy(dict(replacement.config)),
        },
        "registered_name": replacement.registered_name,
    }
    if replacement.build_shape is not None:
        # Without it the weights would appear at the first call only, after the
        # optimizer was built.
        layer["build_config"] = {"input_shape": list(replacement.build_shape)}
    if replacement.cap is not None and replacement.build_shape is not None:
        layer = capped.entry(layer, replacement.cap, replacement.build_shape, dtype)
    if regularizer is not None and layer["config"].get(_REGULARIZER) is None:
        layer["config"][_REGULARIZER] = copy.deepcopy(regularizer)
    return layer


def _keep_operand(entry: Entry, operand: int) -> None:
    """Leave an operation's calls only the tensor that it rectifies."""
    for node in nodes_of(entry):
        node["args"] = [node["args"][operand]]
        node["kwargs"] = {}


def _tidy(model: Entry) -> None:
    """Order a model's entries as Keras would, and drop what nothing uses."""
    if not is_functional(model):
        return
    entries = {name_of(entry): entry for entry in layers_of(model)}
    model["config"]["layers"] = [entries[name] for name in layer_order(model)]


def _check(new: Entry, jobs: list[_Job]) -> None:
    """Each planned place holds its replacement now: neither none nor another."""
    places = {place.path: place for place in walk(new)}
    for job in jobs:
        place = places.get(job.place.path)
        entry: Any = place.entry if place is not None else {}
        wanted = {replacement.class_name for replacement in job.step.replacements}
        if _attribute(job.found):
            entry = entry.get("config", {}).get(ATTRIBUTE, {})
            wanted |= {relus.activation(each) or "" for each in job.step.replacements}
        entry = capped.rectifier(entry)
        there = entry if isinstance(entry, str) else entry.get("class_name")
        if there not in wanted:
            raise PlanMismatchError(
                f"Each planned site must be replaced exactly once. Received: "
                f"{there!r} at {job.place.path!r} after the rewrite. "
                "Please report this model."
            )
