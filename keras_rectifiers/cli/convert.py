"""`keras-rectifiers convert`: replace the rectifiers of a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from keras_rectifiers.cli.calibrated import calibrated
from keras_rectifiers.cli.calibrated import calibration_options
from keras_rectifiers.cli.calibrated import check_options
from keras_rectifiers.cli.options import TARGETS
from keras_rectifiers.cli.options import code_options
from keras_rectifiers.cli.options import force_option
from keras_rectifiers.cli.options import input_shape_option
from keras_rectifiers.cli.options import json_option
from keras_rectifiers.cli.options import keep_state_option
from keras_rectifiers.cli.options import portable_option
from keras_rectifiers.cli.options import selection
from keras_rectifiers.cli.options import selection_options
from keras_rectifiers.cli.options import slope_options
from keras_rectifiers.cli.options import slopes
from keras_rectifiers.cli.options import weights_option
from keras_rectifiers.cli.own_code import OwnCode
from keras_rectifiers.repairs import OPTIMIZER_STATE


@click.command("convert", short_help="Replace ReLU in a saved model.")
@click.argument("source", metavar="SRC", type=click.Path(path_type=Path))
@click.argument(
    "target", metavar="DST", type=click.Path(path_type=Path), required=False
)
@click.option(
    "--to",
    type=click.Choice(TARGETS),
    default="prelu",
    show_default=True,
    help="What takes the rectifiers' place.",
)
@slope_options
@selection_options
@calibration_options
@portable_option(
    "Use stock Keras layers where they can express the rectifier, so that the "
    "file opens without this package."
)
@click.option(
    "--as-functional",
    is_flag=True,
    help="Write a plain Functional model in place of one whose class hides its "
    "layers, so that the file opens without the class; the plan lists what that "
    "gives up.",
)
@click.option(
    "--manifest",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the plan as JSON to FILE.",
)
@click.option(
    "--dry-run", is_flag=True, help="Show the plan and write nothing (but --manifest)."
)
@click.option(
    "--verify",
    "verified",
    is_flag=True,
    help="Run both models on the same inputs before DST is put in place: every "
    "weight must be the same, and with a slope of 0 every output, bit for bit.",
)
@keep_state_option
@weights_option
@input_shape_option
@force_option
@code_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    source: Path,
    target: Path | None,
    to: str,
    negative_slope: float | None,
    alpha: float | None,
    of: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    roles: tuple[str, ...],
    spec: str | None,
    budget_change: float | None,
    scale: float | None,
    portable: bool,
    as_functional: bool,
    manifest: Path | None,
    dry_run: bool,
    verified: bool,
    keep_training_state: bool,
    weights: Path | None,
    input_shape: tuple[int | None, ...] | None,
    force: bool,
    code: OwnCode,
    as_json: bool,
) -> None:
    """Replace the ReLUs of SRC and write the result to DST.

    SRC is a .keras or .h5 file of any Keras, a SavedModel folder, or the JSON of an
    architecture; DST a .keras file (.json for an architecture alone; .h5, where SRC
    is one that Keras 3 opens). The work is done on the file: the model is neither
    loaded nor run (but by --verify and --calibrate), and its weights are copied as
    they are. What an old SRC needs is repaired first, and listed. SRC is never
    changed.

    Where the layers of SRC are made in Python code, --import names the module of
    their classes: Keras then loads SRC and saves DST, whose classes stay the same.
    """
    from keras_rectifiers.cli.backend import prepare_backend
    from keras_rectifiers.cli.models import custom_classes
    from keras_rectifiers.cli.models import own_objects
    from keras_rectifiers.conversion.verbs import plan
    from keras_rectifiers.files.writing import check_target
    from keras_rectifiers.files.writing import replacing
    from keras_rectifiers.surgery.training_state import check_kept

    if target is None and not dry_run:
        raise click.UsageError("Missing argument 'DST' (or use --dry-run).")
    if dry_run and verified:
        raise click.UsageError("--verify needs the file that --dry-run does not write.")
    check_options(
        spec,
        {"--budget-change": budget_change, "--scale": scale},
        {
            "--negative-slope": negative_slope,
            "--alpha": alpha,
            "--of": of,
            "--portable": portable,
            "--as-functional": as_functional,
            "--verify": verified,
            "--keep-training-state": keep_training_state,
        },
    )
    objects = own_objects(code)
    ctx.with_resource(custom_classes(objects))
    if as_functional:
        prepare_backend()
    selected = selection(of, include, exclude, roles)
    choice = {
        **selected,
        **slopes(to, negative_slope, alpha),
        "portable": portable,
        "weights": weights,
        "input_shape": input_shape,
        "custom_objects": objects,
        "as_functional": as_functional,
    }
    if manifest is not None:
        check_target(source, manifest, overwrite=force)
    verification = calibration = None
    if spec is not None:
        calibration = calibrated(
            source,
            None if dry_run else target,
            spec,
            to=to,
            budget=budget_change,
            scale=scale,
            force=force,
            code=code,
            weights=weights,
            input_shape=input_shape,
            **selected,
        )
        made = calibration.plan
    elif target is None or dry_run:
        made = plan(source, to, **choice)
        if keep_training_state:
            check_kept(made.repairs, source)
    else:
        made, verification = _convert(
            source,
            target,
            to,
            {**choice, "keep_training_state": keep_training_state},
            force=force,
            verified=verified,
            code=code,
        )
    kept = verification is None or promise_kept(verification, made, choice)
    kept = kept and (calibration is None or calibration.fits)
    if manifest is not None and (kept or calibration is None):
        with replacing(manifest, overwrite=force) as temporary:
            temporary.write_text(made.to_json(), encoding="utf-8")
    written = None if dry_run or not kept else target
    _show(made, verification, calibration, written, as_json=as_json)
    if not kept:
        ctx.exit(1)


def _convert(
    source: Path,
    target: Path,
    to: str,
    choice: dict[str, Any],
    *,
    force: bool,
    verified: bool,
    code: OwnCode,
) -> tuple[Any, Any]:
    """Convert; with `verified`, put the target in place only if it is right."""
    from keras_rectifiers.conversion.verbs import convert_file
    from keras_rectifiers.files.leftovers import new_folder
    from keras_rectifiers.files.writing import check_model_target
    from keras_rectifiers.files.writing import put_in_place

    if not verified:
        return convert_file(source, target, to, overwrite=force, **choice), None
    check_model_target(source, target, overwrite=force)
    from keras_rectifiers.cli.backend import prepare_backend

    prepare_backend()
    from keras_rectifiers.cli.models import load_model
    from keras_rectifiers.surgery.verify import verify

    original = load_model(source, code, choice["weights"], choice["input_shape"])
    with new_folder(target) as folder:
        trial = folder / "trial.keras"
        made = convert_file(source, trial, to, **choice)
        verification = verify(original, trial, custom_objects=choice["custom_objects"])
        if promise_kept(verification, made, choice):
            put_in_place(trial, target, overwrite=force)
    return made, verification


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


def _show(
    plan: Any,
    verification: Any,
    calibration: Any,
    target: Path | None,
    *,
    as_json: bool,
) -> None:
    from keras_rectifiers.cli.screen import show
    from keras_rectifiers.cli.screen import show_json
    from keras_rectifiers.cli.screen import written

    if as_json:
        result = {
            "plan": plan.to_dict(),
            "target": None if target is None else str(target),
            "verification": verification and verification.to_dict(),
        }
        if calibration is not None:
            result["calibration"] = calibration.to_dict()
        show_json(result)
        return
    lines = [each for each in (verification, calibration) if each is not None]
    if target is not None:
        lines += written(target)
    elif verification is not None:
        lines.append("Verification failed. Nothing was written.")
    elif calibration is not None and not calibration.fits:
        lines.append("The change is above --budget-change. Nothing was written.")
    else:
        lines.append("Nothing was written (--dry-run).")
    show([*plan.parts(done=target is not None), *lines])
