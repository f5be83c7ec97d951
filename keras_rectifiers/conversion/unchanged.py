"""Whether a converted model still has the slopes that its conversion gave it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_rectifiers import specs
from keras_rectifiers.errors import PlanMismatchError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph.sites import SCALE
from keras_rectifiers.surgery.plan import OpenModel
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.plan import Step
from keras_rectifiers.surgery.way_back import Undo

#: Slopes that are stored divided are rounded twice.
_ROUNDING = 1e-5


@dataclasses.dataclass(frozen=True)
class Moved:
    """Slopes that are others than a conversion gave."""

    #: Path of the rectifier.
    path: str
    #: Where they started: one number, or one for each.
    start: Any
    #: Where they are.
    now: Any


def moved(path: str, start: Any, now: Any, *, scaled: bool = False) -> Moved | None:
    """What became of slopes; None where they are what they were.

    Args:
        path: Path of the rectifier.
        start: Where they started, as they act: one number, or one for each.
        now: Where they are.
        scaled: Whether they are stored in another unit.
    """
    values = np.asarray(now)
    wanted = np.broadcast_to(np.asarray(start), values.shape).astype(values.dtype)
    if np.array_equal(values, wanted):
        return None
    if scaled and np.allclose(
        values.astype("float64"), wanted.astype("float64"), rtol=_ROUNDING, atol=0
    ):
        return None
    return Moved(path, np.asarray(start, "float64"), values.astype("float64"))


def check(source: OpenModel, plan: Plan, *, weights: bool = True) -> None:
    """Refuse a model whose slopes are others than a plan gave it.

    A rectifier may also have been folded to what it was before the plan.

    Args:
        source: The converted model.
        plan: The plan that made it.
        weights: Whether the model has weights. Default True.

    Raises:
        PlanMismatchError: It was made by another plan.
        UnsupportedModelError: Slopes were trained.
    """
    read = source.read_alpha if weights else None
    now = {each.site.path: each for each in source.found}
    refuse([each for step in plan.steps for each in _of_step(now, plan, step, read)])


def refuse(found: Iterable[Moved]) -> None:
    """Say which slopes were trained first, and what to do.

    Raises:
        UnsupportedModelError: There are some.
    """
    trained = list(found)
    if not trained:
        return
    first = trained[0]
    began = "at different values"
    if np.unique(first.start).size == 1:
        began = f"at {first.start.flat[0]:g}"
    most = max(float(np.abs(each.now).max()) for each in trained)
    tolerance = f"{_rounded_up(most):g}" if math.isfinite(most) else "T"
    if first.now.size == 1:
        now = f"whose slope started {began} and is {first.now.flat[0]:.4g} now"
    else:
        now = (
            f"whose {first.now.size} slopes started {began} and are between "
            f"{first.now.min():.4g} and {first.now.max():.4g} now"
        )
    raise UnsupportedModelError(
        "A conversion can only be undone if no slope was trained since, so that the "
        f"function stays the same. Received: {first.path!r}, {now}. Fold the slopes "
        f"first (keras-rectifiers fold --tolerance {tolerance}, or "
        "keras_rectifiers.fold), then revert the result."
    )


def start_of(config: dict[str, Any]) -> Any:
    """Where the slopes of a PReLU start, as its config says; None where it does not.

    Args:
        config: The config of the layer.
    """
    initializer = config.get("alpha_initializer")
    name = initializer if isinstance(initializer, str) else ""
    if isinstance(initializer, dict):
        name = str(initializer.get("class_name"))
    if name.lower() == "zeros":
        return 0.0
    if name == "Constant" and isinstance(initializer, dict):
        return initializer["config"]["value"]
    return None


def _of_step(
    now: dict[str, Any], plan: Plan, step: Step, read: Callable[[Any], Any] | None
) -> Iterator[Moved]:
    """What became of the slopes of one step, at each layer that it made."""
    path = step.site.path
    if path not in now:
        if step.replacement.weights:
            raise PlanMismatchError(_not_there(step))
        return  # by a class that is not a rectifier of ours or of Keras
    for here, replacement in zip(
        _split(now, plan, step), step.replacements, strict=False
    ):
        site = here.site
        if site.kind == specs.PRELU and replacement.weights:
            if read is None:
                continue
            weight = replacement.weights[0]
            scale = float(replacement.config.get(SCALE) or 1.0)
            start = np.asarray(weight.value, "float64") * scale
            found = moved(site.path, start, read(here), scaled=scale != 1.0)
        else:
            given = replacement.config.get("negative_slope", 0.0)
            known = {step.site.negative_slope, given}
            if site.kind == specs.PRELU or site.max_value != step.site.max_value:
                raise PlanMismatchError(_not_there(step, site.spelling))
            slope = site.negative_slope
            found = None if slope in known else moved(site.path, given, [slope])
        if found is not None:
            yield found


def _split(now: dict[str, Any], plan: Plan, step: Step) -> list[Any]:
    """The rectifiers that a step made, in the order of its replacements."""
    path = step.site.path
    others = {each.site.path for each in plan.steps}
    others |= {each.site.path for each in plan.skips}
    numbers = sorted(
        int(each[len(path) + 1 :])
        for each in now
        if each.startswith(f"{path}_")
        and each[len(path) + 1 :].isdecimal()
        and each not in others
    )
    made = [f"{path}_{number}" for number in numbers]
    return [now[each] for each in (path, *made)][: len(step.replacements)]


def _rounded_up(value: float) -> float:
    """A number of two digits that is not below another."""
    if not value:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.ceil(value / unit) * unit


def _not_there(step: Step, there: str = "no rectifier") -> str:
    return (
        "The plan must belong to the conversion that made this model. Received: "
        f"{there} at {step.site.path!r}, where the plan put "
        f"{step.replacement.class_name}. Pass the plan of that conversion."
    )


def undo_of(plan: Plan | None, shown_as: str, name: str) -> Undo:
    """The way back from a plan.

    Args:
        plan: The plan that made a model; None where it is not known.
        shown_as: The name of the model in errors.
        name: Its name.

    Raises:
        UnsupportedModelError: It is not known, or does not say how it is undone.
    """
    if plan is None:
        raise UnsupportedModelError(
            f"The plan of a conversion must be known to undo it. Received: {shown_as}, "
            "which has no plan (Keras drops it when it saves a model). Pass the plan "
            "(--manifest FILE, as written by convert --manifest; plan= in Python), or "
            "fold the slopes (keras-rectifiers fold)."
        )
    if plan.back is None:
        raise UnsupportedModelError(
            "A plan must contain the steps to undo it. Received: a plan for "
            f"{plan.model!r} without them, because it removes slopes or a Python "
            "function, or was made by an earlier version. Start from the original "
            "model."
        )
    return Undo(name, "revert", (), (), difference=plan.back)
