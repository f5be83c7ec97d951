"""`keras-rectifiers convert`: replace the rectifiers of a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from keras_rectifiers.cli.calibrated import calibration_options
from keras_rectifiers.cli.calibrated import check_options
from keras_rectifiers.cli.converting import Asked
from keras_rectifiers.cli.converting import Done
from keras_rectifiers.cli.converting import carry_out
from keras_rectifiers.cli.options import TARGETS
from keras_rectifiers.cli.options import code_options
from keras_rectifiers.cli.options import force_option
from keras_rectifiers.cli.options import input_shape_option
from keras_rectifiers.cli.options import json_option
from keras_rectifiers.cli.options import keep_state_option
from keras_rectifiers.cli.options import portable_option
from keras_rectifiers.cli.options import selection_options
from keras_rectifiers.cli.options import slope_options
from keras_rectifiers.cli.options import weights_option
from keras_rectifiers.cli.places import Command
from keras_rectifiers.cli.places import SourcePath
from keras_rectifiers.cli.places import TargetPath


@click.command("convert", cls=Command, short_help="Replace ReLU in a saved model.")
@click.argument("source", metavar="SRC", type=SourcePath())
@click.argument("target", metavar="DST", type=TargetPath(), required=False)
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
    type=TargetPath(),
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
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Convert this many models of a folder at the same time (default: 1).",
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
    /,
    source: Path,
    target: Path | None,
    manifest: Path | None,
    dry_run: bool,
    verified: bool,
    force: bool,
    jobs: int | None,
    as_json: bool,
    spec: str | None,
    budget_change: float | None,
    scale: float | None,
    **options: Any,
) -> None:
    """Replace the ReLUs of SRC and write the result to DST.

    SRC is a .keras or .h5 file of any Keras, a SavedModel folder, or the JSON of an
    architecture; DST a .keras file (.json for an architecture alone; .h5, where SRC
    is one that Keras 3 opens). The work is done on the file: the model is neither
    loaded nor run (but by --verify and --calibrate), and its weights are copied as
    they are. What an old SRC needs is repaired first, and listed. SRC is never
    changed.

    Where SRC is a folder of models, all .keras and .h5 files and SavedModels in it
    and in its folders are converted, each in a separate process, to the same places
    under the folder DST, as .keras files. Models without a rectifier are copied, so
    that DST is complete. A model that fails costs only itself; the exit code is then
    1.

    Where the layers of SRC are made in Python code, --import names the module of
    their classes: Keras then loads SRC and saves DST, whose classes stay the same.
    """
    from keras_rectifiers.conversion.model_folder import is_folder_of_models

    if target is None and not dry_run:
        raise click.UsageError("Missing argument 'DST' (or use --dry-run).")
    if dry_run and verified:
        raise click.UsageError("--verify needs the file that --dry-run does not write.")
    check_options(
        spec,
        {"--budget-change": budget_change, "--scale": scale},
        {
            "--negative-slope": options["negative_slope"],
            "--alpha": options["alpha"],
            "--of": options["of"],
            "--portable": options["portable"],
            "--as-functional": options["as_functional"],
            "--verify": verified,
            "--keep-training-state": options["keep_training_state"],
        },
    )
    asked = Asked(
        spec=spec,
        budget_change=budget_change,
        scale=scale,
        verified=verified,
        force=force,
        **options,
    )
    if is_folder_of_models(source):
        single = {"--manifest": manifest, "--weights": asked.weights}
        _check_folder([name for name, value in single.items() if value is not None])
        from keras_rectifiers.cli.model_folder import convert_folder

        written = None if dry_run else target
        if not convert_folder(
            ctx, source, written, asked, jobs=jobs or 1, as_json=as_json
        ):
            ctx.exit(1)
        return
    if jobs is not None:
        raise click.UsageError("--jobs can only be used with a folder of models.")
    _convert_one(
        source, None if dry_run else target, asked, manifest=manifest, as_json=as_json
    )


def _check_folder(single: list[str]) -> None:
    if single:
        raise click.UsageError(
            f"{' and '.join(single)} can only be used with one model, not with a "
            "folder of models (--json has the plan of each)."
        )


def _convert_one(
    source: Path,
    target: Path | None,
    asked: Asked,
    *,
    manifest: Path | None,
    as_json: bool,
) -> None:
    from keras_rectifiers.cli.screen import show_json
    from keras_rectifiers.files.writing import check_target
    from keras_rectifiers.files.writing import replacing

    if manifest is not None:
        check_target(source, manifest, overwrite=asked.force)
    done = carry_out(source, target, asked)
    if manifest is not None and (not done.refusal or done.calibration is None):
        with replacing(manifest, overwrite=asked.force) as temporary:
            temporary.write_text(done.plan.to_json(), encoding="utf-8")
    if as_json:
        show_json(done.to_dict())
    else:
        _show(done)
    if done.refusal:
        click.get_current_context().exit(1)


def _show(done: Done) -> None:
    from keras_rectifiers.cli.screen import show
    from keras_rectifiers.cli.screen import written

    lines = [each for each in (done.verification, done.calibration) if each is not None]
    if done.target is not None:
        lines += written(done.target)
    else:
        lines.append(done.refusal or "Nothing was written (--dry-run).")
    show([*done.plan.parts(done=done.target is not None), *lines])
