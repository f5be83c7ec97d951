"""Convert one saved model as the options of `convert` say."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from keras_rectifiers.cli.calibrated import calibrated
from keras_rectifiers.cli.options import selection
from keras_rectifiers.cli.options import slopes
from keras_rectifiers.cli.own_code import OwnCode
from keras_rectifiers.repairs import OPTIMIZER_STATE

BROKEN_PROMISE = "Verification failed. Nothing was written."
OVER_BUDGET = "The change is above --budget-change. Nothing was written."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be done, the same for each model."""

    to: str
    negative_slope: float | None
    alpha: float | None
    of: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    roles: tuple[str, ...]
    spec: str | None
    budget_change: float | None
    scale: float | None
    portable: bool
    as_functional: bool
    verified: bool
    keep_training_state: bool
    weights: Path | None
    input_shape: tuple[int | None, ...] | None
    force: bool
    code: OwnCode


@dataclasses.dataclass(frozen=True)
class Done:
    """What became of one model."""

    plan: Any
    #: What `verify` found, where it was asked for.
    verification: Any
    #: The `Calibration`, where it was asked for.
    calibration: Any
    #: The file that was written, or None.
    target: Path | None
    #: Why nothing was written that was asked for; empty where all is well.
    refusal: str

    def to_dict(self) -> dict[str, Any]:
        """The object that `convert --json` prints."""
        result = {
            "plan": self.plan.to_dict(),
            "target": None if self.target is None else str(self.target),
            "verification": self.verification and self.verification.to_dict(),
        }
        if self.calibration is not None:
            result["calibration"] = self.calibration.to_dict()
        return result


def carry_out(source: Path, target: Path | None, asked: Asked) -> Done:
    """Plan the conversion of a model, and write it where there is a target.

    Args:
        source: A saved model.
        target: The file to write; None for the plan alone.
        asked: What is to be done.

    Raises:
        RectifierError: It cannot be done; nothing was written.
    """
    from keras_rectifiers.cli.backend import prepare_backend
    from keras_rectifiers.cli.models import custom_classes
    from keras_rectifiers.cli.models import own_objects
    from keras_rectifiers.conversion.verbs import plan
    from keras_rectifiers.surgery.training_state import check_kept

    objects = own_objects(asked.code)
    with custom_classes(objects):
        if asked.as_functional:
            prepare_backend()
        selected = selection(asked.of, asked.include, asked.exclude, asked.roles)
        choice = {
            **selected,
            **slopes(asked.to, asked.negative_slope, asked.alpha),
            "portable": asked.portable,
            "weights": asked.weights,
            "input_shape": asked.input_shape,
            "custom_objects": objects,
            "as_functional": asked.as_functional,
        }
        verification = calibration = None
        refusal = ""
        if asked.spec is not None:
            calibration = _calibrated(source, target, asked, selected)
            made = calibration.plan
            if not calibration.fits:
                refusal = OVER_BUDGET
        elif target is None:
            made = plan(source, asked.to, **choice)
            if asked.keep_training_state:
                check_kept(made.repairs, source)
        else:
            given = {**choice, "keep_training_state": asked.keep_training_state}
            made, verification, kept = _convert(source, target, asked, given)
            if not kept:
                refusal = BROKEN_PROMISE
        written = None if refusal else target
        return Done(made, verification, calibration, written, refusal)


def _calibrated(
    source: Path, target: Path | None, asked: Asked, selected: dict[str, Any]
) -> Any:
    return calibrated(
        source,
        target,
        asked.spec or "",
        to=asked.to,
        budget=asked.budget_change,
        scale=asked.scale,
        force=asked.force,
        code=asked.code,
        weights=asked.weights,
        input_shape=asked.input_shape,
        **selected,
    )


def _convert(
    source: Path,
    target: Path,
    asked: Asked,
    choice: dict[str, Any],
) -> tuple[Any, Any, bool]:
    """Convert; with `--verify`, put the target in place only if it is right.

    Returns:
        The plan, what `verify` found or None, and whether the file is there.
    """
    from keras_rectifiers.conversion.verbs import convert_file
    from keras_rectifiers.files.leftovers import new_folder
    from keras_rectifiers.files.writing import check_model_target
    from keras_rectifiers.files.writing import put_in_place

    force = asked.force
    if not asked.verified:
        made = convert_file(source, target, asked.to, overwrite=force, **choice)
        return made, None, True
    check_model_target(source, target, overwrite=force)
    from keras_rectifiers.cli.backend import prepare_backend

    prepare_backend()
    from keras_rectifiers.cli.models import load_model
    from keras_rectifiers.surgery.verify import verify

    original = load_model(source, asked.code, choice["weights"], choice["input_shape"])
    with new_folder(target) as folder:
        trial = folder / "trial.keras"
        made = convert_file(source, trial, asked.to, **choice)
        verification = verify(original, trial, custom_objects=choice["custom_objects"])
        kept = promise_kept(verification, made, choice)
        if kept:
            put_in_place(trial, target, overwrite=force)
    return made, verification, kept


def promise_kept(verification: Any, plan: Any, choice: dict[str, Any]) -> bool:
    """Whether a conversion kept what it promises.

    Every weight must be kept, and the state of the optimizer, unless the plan
    says that it is dropped. Outputs must be bit-equal, and penalties equal, where
    the replacements compute the function of what they replace: slopes of 0 in place
    of ReLU.

    Args:
        verification: What `verify` found.
        plan: The plan that was applied.
        choice: The arguments of that plan.
    """
    dropped = any(each.rule == OPTIMIZER_STATE for each in plan.repairs)
    if not verification.variables_kept or (
        verification.slots_differing and not dropped
    ):
        return False
    same = verification.bit_equal and verification.losses_equal
    return same or not preserves_function(plan, choice)


def preserves_function(plan: Any, choice: dict[str, Any]) -> bool:
    """Whether a plan promises the same outputs, bit for bit."""
    if not plan.steps:
        return True
    if any(step.site.kind != "relu" for step in plan.steps):
        return False
    if plan.to == "prelu":
        return choice.get("alpha", 0.0) == 0
    return choice.get("negative_slope") == 0
