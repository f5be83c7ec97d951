"""`keras-rectifiers revert`: the model that a conversion began with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from keras_rectifiers.cli.options import code_options
from keras_rectifiers.cli.options import force_option
from keras_rectifiers.cli.options import json_option
from keras_rectifiers.cli.options import keep_state_option
from keras_rectifiers.cli.own_code import OwnCode
from keras_rectifiers.cli.places import Command
from keras_rectifiers.cli.places import SourcePath
from keras_rectifiers.cli.places import TargetPath


@click.command(
    "revert", cls=Command, short_help="Undo the conversion of a saved model."
)
@click.argument("source", metavar="CONVERTED", type=SourcePath())
@click.argument("target", metavar="OUT", type=TargetPath())
@click.option(
    "--manifest",
    type=SourcePath(),
    metavar="FILE",
    help="The plan that convert --manifest wrote. Needed where Keras saved the model "
    "since, which leaves out the plan that is in the file.",
)
@keep_state_option
@force_option
@code_options
@json_option
def command(
    source: Path,
    target: Path,
    manifest: Path | None,
    keep_training_state: bool,
    force: bool,
    code: OwnCode,
    as_json: bool,
) -> None:
    """Undo the last conversion of CONVERTED and write the result to OUT.

    Every rectifier is again what it was, in the same spelling, and each weight that
    is not a slope has the bytes that it has in CONVERTED. Where slopes were trained
    since, nothing is written: fold them first. CONVERTED is never changed; it is
    loaded only where Python code makes its layers, for which --import names the
    module.
    """
    from keras_rectifiers.cli.models import custom_classes
    from keras_rectifiers.cli.models import own_objects
    from keras_rectifiers.cli.screen import show
    from keras_rectifiers.cli.screen import show_json
    from keras_rectifiers.cli.screen import written
    from keras_rectifiers.conversion import kept_plans
    from keras_rectifiers.conversion.revert import made_by_code
    from keras_rectifiers.conversion.revert import revert_file

    plan = None if manifest is None else kept_plans.of_manifest(manifest)
    if code and made_by_code(source):
        result = _loaded(source, target, plan, code, force=force)
    else:
        objects = own_objects(code)
        click.get_current_context().with_resource(custom_classes(objects))
        result = revert_file(
            source,
            target,
            plan,
            custom_objects=objects,
            overwrite=force,
            keep_training_state=keep_training_state,
        )
    if as_json:
        show_json({**result.to_dict(), "target": str(target)})
    else:
        show([result, *written(target, option=False)])


def _loaded(
    source: Path, target: Path, plan: Any, code: OwnCode, *, force: bool
) -> Any:
    """Revert a model that Keras has to open."""
    from keras_rectifiers.cli.backend import prepare_backend
    from keras_rectifiers.files.writing import check_model_target

    check_model_target(source, target, overwrite=force)
    prepare_backend()
    from keras_rectifiers.cli.models import load_model
    from keras_rectifiers.conversion.revert import result_of
    from keras_rectifiers.conversion.revert import revert
    from keras_rectifiers.surgery import loading

    model = load_model(source, code)
    new = revert(model, plan)
    loading.save(new, target, overwrite=force)
    return result_of(model, new)
