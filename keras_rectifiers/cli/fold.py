"""`keras-rectifiers fold`: plain rectifiers where a saved model's slopes allow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from keras_rectifiers.cli.options import Finite
from keras_rectifiers.cli.options import code_options
from keras_rectifiers.cli.options import compared_data_options
from keras_rectifiers.cli.options import force_option
from keras_rectifiers.cli.options import input_range_option
from keras_rectifiers.cli.options import json_option
from keras_rectifiers.cli.options import keep_state_option
from keras_rectifiers.cli.options import path_options
from keras_rectifiers.cli.options import portable_option
from keras_rectifiers.cli.options import weights_option
from keras_rectifiers.cli.own_code import OwnCode
from keras_rectifiers.cli.places import Command
from keras_rectifiers.cli.places import SourcePath
from keras_rectifiers.cli.places import TargetPath

_BATCH = 32


@click.command(
    "fold", cls=Command, short_help="Give a saved model its plain ReLUs back."
)
@click.argument("source", metavar="SRC", type=SourcePath())
@click.argument("target", metavar="DST", type=TargetPath())
@click.option(
    "--tolerance",
    type=Finite(0),
    default=0.0,
    help="How far a slope may move (default: 0, fold only what stays bit for bit "
    "the same).",
)
@input_range_option(
    "Range of the inputs, for which the change is bounded, such as 0 1."
)
@path_options("Fold")
@portable_option("Use stock Keras layers where they can express the rectifier.")
@compared_data_options(
    "Run both models on this and measure the change: .npz, .npy, a folder of "
    "images, or package.module:function."
)
@keep_state_option
@weights_option
@force_option
@code_options
@json_option
def command(
    source: Path,
    target: Path,
    tolerance: float,
    input_range: tuple[float, float] | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    portable: bool,
    spec: str | None,
    scale: float,
    keep_training_state: bool,
    weights: Path | None,
    force: bool,
    code: OwnCode,
    as_json: bool,
) -> None:
    """Write SRC to DST with plain ReLUs where slopes are 0.

    A PReLU or Leaky ReLU whose slopes are all 0 becomes a ReLU; a PReLU whose slopes
    are all equal becomes a Leaky ReLU, and its weights are dropped. The function
    stays what it was, bit for bit, unless --tolerance lets slopes move. SRC is never
    changed; it is loaded by --data only.
    """
    from keras_rectifiers.cli.models import custom_classes
    from keras_rectifiers.cli.models import own_objects
    from keras_rectifiers.cli.screen import show
    from keras_rectifiers.cli.screen import show_json
    from keras_rectifiers.cli.screen import written
    from keras_rectifiers.folding.fold import fold_file

    objects = own_objects(code)
    click.get_current_context().with_resource(custom_classes(objects))
    data = None if spec is None else _data(source, spec, scale, weights, code)
    result = fold_file(
        source,
        target,
        tolerance=tolerance,
        input_range=input_range,
        include=include,
        exclude=exclude,
        portable=portable,
        data=data,
        weights=weights,
        custom_objects=objects,
        overwrite=force,
        keep_training_state=keep_training_state,
    )
    if as_json:
        show_json({**result.to_dict(), "target": str(target)})
    else:
        show([result, *written(target)])


def _data(
    source: Path,
    spec: str,
    scale: float,
    weights: Path | None,
    code: OwnCode,
) -> Any:
    """Batches of inputs that fit the model."""
    from keras_rectifiers.cli.backend import prepare_backend

    prepare_backend()
    from keras_rectifiers.cli.models import load_model
    from keras_rectifiers.files import data as data_sets

    model = load_model(source, code, weights)
    data = data_sets.load(spec, model, scale=scale, limit=None, labels=False)
    if data.is_stream:
        return data.x
    starts = range(0, data.samples or 0, _BATCH)
    return ((data.part(start, start + _BATCH),) for start in starts)
