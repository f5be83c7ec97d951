"""Fold rectifiers whose slopes no longer matter back into simpler ones."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_rectifiers import specs
from keras_rectifiers.conversion.modern import StrPath
from keras_rectifiers.conversion.options import Options
from keras_rectifiers.conversion.registered import with_registered
from keras_rectifiers.conversion.targets import HDF5
from keras_rectifiers.conversion.targets import MODEL
from keras_rectifiers.conversion.targets import check_target_for
from keras_rectifiers.conversion.verbs import load_model
from keras_rectifiers.conversion.write import write
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.files import remote
from keras_rectifiers.files.leftovers import new_folder
from keras_rectifiers.files.writing import put_in_place
from keras_rectifiers.folding import effect
from keras_rectifiers.folding.decide import Decision
from keras_rectifiers.folding.decide import check_tolerance
from keras_rectifiers.folding.decide import decide
from keras_rectifiers.folding.result import FoldedSite
from keras_rectifiers.folding.result import FoldResult
from keras_rectifiers.graph.roles import CUSTOM
from keras_rectifiers.graph.roles import ROLES
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.specs import Cannot
from keras_rectifiers.surgery.plan import OpenModel
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.plan import Skip
from keras_rectifiers.surgery.plan import Step
from keras_rectifiers.surgery.replacements import Target
from keras_rectifiers.surgery.selection import Names
from keras_rectifiers.surgery.selection import Selection

__all__ = ["FoldResult", "FoldedSite", "fold", "fold_file"]

_Decided = dict[str, tuple[Site, Decision]]
#: What is folded: every rectifier that Keras itself calls.
_ROLES = tuple(role for role in ROLES if role != CUSTOM)
_BATCH = 32


@dataclasses.dataclass(frozen=True)
class _Options:
    """What `fold` and `fold_file` are asked for."""

    tolerance: float
    selection: Selection
    portable: bool
    input_range: Any

    @classmethod
    def checked(
        cls,
        *,
        tolerance: float,
        input_range: Any,
        include: Names,
        exclude: Names,
        portable: bool,
    ) -> _Options:
        kinds = (specs.LEAKY_RELU, specs.PRELU)
        selection = Selection(kinds, include, exclude, None, _ROLES)
        return cls(check_tolerance(tolerance), selection, portable, input_range)


def fold(
    model: Any,
    *,
    tolerance: float = 0.0,
    input_range: Any = None,
    include: Names = (),
    exclude: Names = (),
    portable: bool = False,
    data: Any = None,
) -> FoldResult:
    """Fold the slopes of a live model back into the plainest possible rectifiers.

    A Leaky ReLU or PReLU whose slopes are all 0 becomes a ReLU (the string `"relu"` or
    `"relu6"` in a layer's `activation`), with the upper bound that it had; a PReLU
    whose slopes are all equal becomes a Leaky ReLU, and its weights are dropped. The
    outputs do not change, bit for bit. Everything else is kept: weights, names, compile
    and optimizer state.

    Args:
        model: A Functional or Sequential `keras.Model`; it is not changed.
        tolerance: Largest allowed change of a slope, no unit, default 0: fold only what
            is exact. The slopes of a PReLU move to the middle of their range.
        input_range: `(lo, hi)` of the model's inputs, for which the change is
            bounded, as in `estimate`. Default None: any input.
        include: Globs on paths, as in `plan`; only these are folded.
        exclude: Globs; these are left as they are.
        portable: Write stock Keras layers only. Default False.
        data: Inputs on which to measure the change: arrays, `(x, y)`, or anything
            that gives batches. Default None: nothing is measured.

    Returns:
        The result; `result.model` is the folded model, and `print(result)` says
        what became of each rectifier.

    Raises:
        SelectionError: A pattern matches nothing.
        UnsupportedModelError: Something could not be kept, or a PReLU is not built; the
            message names it.
        TypeError: `tolerance` is not a number.
        ValueError: It is negative or not finite.

    Example:
        >>> import keras, keras_rectifiers
        >>> model = keras.Sequential(
        ...     [
        ...         keras.Input((4,)),
        ...         keras.layers.Dense(8, "relu"),
        ...         keras.layers.Dense(2),
        ...     ]
        ... )
        >>> leaky = keras_rectifiers.convert(model, "leaky_relu", negative_slope=0)
        >>> keras_rectifiers.fold(leaky).model.layers[0].activation.__name__
        'relu'
    """
    from keras_rectifiers.surgery import remembered  # noqa: PLC0415
    from keras_rectifiers.surgery.live import LiveModel  # noqa: PLC0415 (loads Keras)

    asked = _Options.checked(
        tolerance=tolerance,
        input_range=input_range,
        include=include,
        exclude=exclude,
        portable=portable,
    )
    opened = LiveModel(model)
    plan, decided = _planned(opened, asked)
    folded = opened.apply(plan)
    remembered.keep(folded, remembered.plans(model))  # it leads back where this did
    sites, inputs = _sites(model, plan, decided, asked)
    measured = None if data is None else _measured(model, folded, decided, data)
    return FoldResult(folded, plan, sites, inputs, measured)


@remote.urls("source", "weights", targets=("target",))
@with_registered
def fold_file(
    source: StrPath,
    target: StrPath,
    *,
    tolerance: float = 0.0,
    input_range: Any = None,
    include: Names = (),
    exclude: Names = (),
    portable: bool = False,
    data: Any = None,
    weights: StrPath | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    keep_training_state: bool = False,
) -> FoldResult:
    """Fold a saved model into another file.

    Without `data` Keras is not imported, unless layers are made in Python code.

    Args:
        source: A saved model, as `convert_file` takes it; it is not changed.
        target: The file to write, completely or not at all.
        tolerance: As for `fold`; so are the next four.
        input_range: `(lo, hi)` of the model's inputs.
        include: Globs on paths; only these are folded.
        exclude: Globs; these are left as they are.
        portable: Write stock Keras layers only.
        data: As for `fold`; both files are then loaded.
        weights: File of the weights, for an architecture.
        custom_objects: As for `plan`.
        overwrite: Whether an existing target may be replaced.
        keep_training_state: As for `convert_file`.

    Returns:
        The result, without a model.

    Raises:
        ArchiveError: The source is missing, damaged or foreign, or the target
            exists, is the source, or cannot be written.
        SelectionError: A pattern matches nothing.
        UnsupportedModelError: A state that was to be kept cannot be, or the code of
            a class fails.
        ValueError: An option is out of range.
    """
    asked = _Options.checked(
        tolerance=tolerance,
        input_range=input_range,
        include=include,
        exclude=exclude,
        portable=portable,
    )
    check_target_for(source, target, (*MODEL, *HDF5), overwrite=overwrite)
    as_it_is = Path(target).suffix in MODEL
    from keras_rectifiers.conversion.with_code import WithCode  # noqa: PLC0415 (h5py)

    model: Any = source
    given = Options(weights=weights, custom_objects=custom_objects)
    with contextlib.ExitStack() as stack:
        place = target
        if data is not None:  # which may not fit the model: then nothing is written
            folder = stack.enter_context(new_folder(Path(target)))
            place = folder / Path(target).name
        with given.opened(source, as_it_is=as_it_is) as opened:
            plan, decided = _planned(opened, asked)
            plan = write(
                opened,
                place,
                plan,
                overwrite=overwrite,
                keep_training_state=keep_training_state,
            )
            if isinstance(opened, WithCode):
                model = opened.model
        sites, inputs = _sites(model, plan, decided, asked, weights)
        measured = None
        if data is not None:
            model = load_model(source, weights=weights, custom_objects=custom_objects)
            folded = load_model(place, custom_objects=custom_objects)
            measured = _measured(model, folded, decided, data)
            put_in_place(Path(place), target, overwrite=overwrite)
    return FoldResult(None, plan, sites, inputs, measured)


def _planned(source: OpenModel, asked: _Options) -> tuple[Plan, _Decided]:
    """The plan of a fold, and the reason for each of its steps."""
    found = [each for each in source.found if each.site.kind != specs.RELU]
    asked.selection.check([each.site for each in found])
    steps: list[Step] = []
    skips: list[Skip] = []
    decided: _Decided = {}
    for each in found:
        made = asked.selection.skips(each.site) or _decided(each, source, asked)
        if isinstance(made, Cannot):
            skips.append(Skip.because(each.site, made))
            continue
        decision, step = made
        decided[each.site.path] = each.site, decision
        steps.append(step)
    return Plan(source.name, "fold", tuple(steps), tuple(skips)), decided


def _decided(
    found: Found, source: OpenModel, asked: _Options
) -> tuple[Decision, Step] | Cannot:
    site = found.site
    own = source.read_alpha(found) if site.kind == specs.PRELU else site.negative_slope
    decision = decide(site, own, asked.tolerance)
    if isinstance(decision, Cannot):
        return decision
    slope = decision.slope if decision.to == specs.LEAKY_RELU else None
    target = Target(decision.to, negative_slope=slope, portable=asked.portable)
    made = target.replacement(site, lambda: decision.slopes)
    if isinstance(made, Cannot):
        return made
    moved = decision.distance
    note = f"slopes change by up to {moved:.4g}" if moved else ""
    return decision, Step(site, (made[0],), note)


def _sites(
    model: Any,
    plan: Plan,
    decided: Mapping[str, tuple[Site, Decision]],
    asked: _Options,
    weights: StrPath | None = None,
) -> tuple[tuple[FoldedSite, ...], str]:
    """What was folded, with bounds where slopes moved; and the range of inputs."""
    moves = any(decision.distance for _, decision in decided.values())
    estimated = _estimated(model, asked, weights) if moves else None
    sites = []
    for step in plan.steps:
        site, decision = decided[step.site.path]
        bound, blocked = 0.0, ""
        if decision.distance:
            bound, blocked = _bound(site, decision, estimated)
        sites.append(
            FoldedSite(
                site.path,
                site.spelling,
                decision.to,
                decision.slope,
                decision.distance,
                bound if np.isfinite(bound) else None,
                blocked,
            )
        )
    return tuple(sites), "" if estimated is None else estimated.inputs


def _estimated(model: Any, asked: _Options, weights: StrPath | None) -> Any:
    """What weights alone prove; None where Python code calls the layers of a model."""
    from keras_rectifiers.estimation.estimate import estimate  # noqa: PLC0415

    try:
        return estimate(model, input_range=asked.input_range, weights=weights)
    except UnsupportedModelError:
        if isinstance(model, str | os.PathLike):
            raise
        return None


def _bound(site: Site, decision: Decision, estimated: Any) -> tuple[float, str]:
    """The most that a fold moves the output of a rectifier, or why it is not known."""
    known = () if estimated is None else estimated.layers
    layer = next((each for each in known if each.layer == site.path), None)
    if layer is None:
        return np.inf, "Python code calls it"
    bound = effect.bound(site, decision, layer.lower)
    return bound, "" if np.isfinite(bound) else layer.blocked


def _measured(model: Any, folded: Any, decided: _Decided, data: Any) -> effect.Change:
    from keras_rectifiers.diagnosis import data as feed  # noqa: PLC0415 (loads Keras)

    batches = feed.batches(data, batch_size=_BATCH, steps=None)
    return effect.measure(model, folded, decided, _fitting(model, batches))


def _fitting(model: Any, batches: Iterator[Any]) -> Iterator[Any]:
    """The batches, each held against what the model takes."""
    from keras_rectifiers.diagnosis import data as feed  # noqa: PLC0415 (loads Keras)

    for batch in batches:
        feed.check_fits(model, batch)
        yield batch
