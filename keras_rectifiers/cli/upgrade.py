"""`keras-rectifiers upgrade`: an old saved model as Keras 3 writes it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from keras_rectifiers.cli.options import code_options
from keras_rectifiers.cli.options import force_option
from keras_rectifiers.cli.options import input_shape_option
from keras_rectifiers.cli.options import json_option
from keras_rectifiers.cli.options import keep_state_option
from keras_rectifiers.cli.options import weights_option
from keras_rectifiers.cli.own_code import OwnCode
from keras_rectifiers.cli.places import Command
from keras_rectifiers.cli.places import SourcePath
from keras_rectifiers.cli.places import TargetPath


@click.command(
    "upgrade", cls=Command, short_help="Write an old saved model as Keras 3 does."
)
@click.argument("source", metavar="OLD", type=SourcePath())
@click.argument("target", metavar="NEW", type=TargetPath())
@weights_option
@input_shape_option
@click.option(
    "--verify",
    "verified",
    is_flag=True,
    help="Let Keras open the new file before it is put in place: it must hold every "
    "array, byte for byte.",
)
@keep_state_option
@force_option
@code_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    source: Path,
    target: Path,
    weights: Path | None,
    input_shape: tuple[int | None, ...] | None,
    verified: bool,
    keep_training_state: bool,
    force: bool,
    code: OwnCode,
    as_json: bool,
) -> None:
    """Write OLD as NEW.keras, which Keras 3 opens, and convert nothing.

    OLD is a .keras or .h5 file of Keras 1, 2 or 3, whatever its name, a SavedModel
    folder of Keras 2, or the JSON of an architecture (alone it becomes a NEW.json).
    Nothing in it is run or imported. Every repair is listed, and every stored array
    is used exactly once, or nothing is written. OLD is never changed.
    """
    from keras_rectifiers.cli.models import custom_classes
    from keras_rectifiers.cli.models import own_objects
    from keras_rectifiers.cli.screen import show
    from keras_rectifiers.cli.screen import show_json
    from keras_rectifiers.cli.screen import written

    objects = own_objects(code)
    ctx.with_resource(custom_classes(objects))
    options = {
        "weights": weights,
        "input_shape": input_shape,
        "custom_objects": objects,
        "keep_training_state": keep_training_state,
    }
    made, proof = _upgraded(source, target, options, force=force, verified=verified)
    kept = proof is None or proof.holds
    if as_json:
        result = made.to_dict()
        result["target"] = str(target) if kept else None
        result["proof"] = proof and dataclasses.asdict(proof)
        show_json(result)
    else:
        lines = [] if proof is None else [str(proof)]
        lines += written(target, option=False) if kept else ["Nothing was written."]
        show([made, *lines])
    if not kept:
        ctx.exit(1)


def _upgraded(
    source: Path,
    target: Path,
    options: dict[str, Any],
    *,
    force: bool,
    verified: bool,
) -> tuple[Any, Any]:
    """Upgrade; with `verified`, put the target in place only if Keras agrees."""
    from keras_rectifiers.conversion.upgrade import upgrade_file

    if not verified:
        return upgrade_file(source, target, overwrite=force, **options), None
    from keras_rectifiers.cli.backend import prepare_backend
    from keras_rectifiers.files.leftovers import new_folder
    from keras_rectifiers.files.writing import check_model_target
    from keras_rectifiers.files.writing import put_in_place

    check_model_target(source, target, overwrite=force)
    with new_folder(target) as folder:
        trial = folder / "trial.keras"
        made = upgrade_file(source, trial, **options)
        prepare_backend()
        from keras_rectifiers.conversion.proof import prove

        proof = prove(trial, source, options["custom_objects"])
        if proof.holds:
            put_in_place(trial, target, overwrite=force)
    return made, proof
