"""`keras-rectifiers export`: a saved model for another runtime, verified there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from keras_rectifiers.cli.options import Finite
from keras_rectifiers.cli.options import code_options
from keras_rectifiers.cli.options import compared_data_options
from keras_rectifiers.cli.options import input_range_option
from keras_rectifiers.cli.options import input_shape_option
from keras_rectifiers.cli.options import json_option
from keras_rectifiers.cli.options import limit_option
from keras_rectifiers.cli.options import weights_option
from keras_rectifiers.cli.own_code import OwnCode
from keras_rectifiers.cli.places import Command
from keras_rectifiers.cli.places import SourcePath
from keras_rectifiers.cli.places import TargetPath
from keras_rectifiers.exporting.formats import FORMATS
from keras_rectifiers.exporting.targets import TARGETS


@click.command(
    "export", cls=Command, short_help="Write a model for another runtime, verified."
)
@click.argument("model", type=SourcePath())
@click.argument("target", type=TargetPath())
@click.option(
    "--format",
    "name",
    type=click.Choice(tuple(FORMATS)),
    help="What to write (default: by the ending of TARGET: .tflite, .onnx, .xml for "
    "openvino, .pt2 for torch).",
)
@click.option(
    "--int8",
    is_flag=True,
    help="Store weights and activations in 8 bits, calibrated on --data (litert, "
    "onnx).",
)
@click.option(
    "--float16", is_flag=True, help="Store weights in 16 bits (litert, openvino)."
)
@click.option(
    "--dynamic", is_flag=True, help="Store weights alone in 8 bits (litert, onnx)."
)
@click.option(
    "--opset",
    type=click.IntRange(min=1),
    metavar="N",
    help="Version of the operations of ONNX (default: the exporter's own).",
)
@click.option(
    "--arithmetic",
    is_flag=True,
    help="Write each PReLU as a sum of plain operations, which ONNX Runtime computes "
    "faster on CPUs than its PRelu (onnx).",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    metavar="N",
    help="Samples in each run (default: any number; 1 for recurrent layers in litert).",
)
@compared_data_options(
    "Compare on this (x_test if it has that), and calibrate --int8 by its x or "
    "x_train: .npz, .npy, a folder of images, or package.module:function (default: "
    "16 random samples)."
)
@limit_option("Use at most this many samples of --data, evenly spaced.", default=500)
@input_range_option("Range of made-up samples (default: normal numbers).")
@click.option(
    "--tolerance",
    type=Finite(0),
    help="Greatest difference of outputs, as a share of the largest output (default: "
    "1e-4; 0.01 with --float16; 0.05 of the mean difference with --int8 and "
    "--dynamic).",
)
@click.option(
    "--no-twin",
    is_flag=True,
    help="Do not compare with the same model with plain ReLUs.",
)
@click.option(
    "--target",
    "device",
    type=click.Choice(tuple(TARGETS)),
    help="Check that each operation of a LiteRT file is one that this device is "
    "documented to run.",
)
@click.option(
    "--timeout",
    type=Finite(0, above=True),
    default=1200.0,
    metavar="SECONDS",
    help="End the process that exports after this time (default: 1200).",
)
@click.option(
    "--force",
    is_flag=True,
    help="Replace files that exist already, and keep a file whose outputs are past "
    "the tolerance or that the device of --target does not run.",
)
@weights_option
@input_shape_option
@code_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    model: Path,
    target: Path,
    name: str | None,
    int8: bool,
    float16: bool,
    dynamic: bool,
    opset: int | None,
    arithmetic: bool,
    batch: int | None,
    spec: str | None,
    scale: float,
    limit: int,
    input_range: tuple[float, float] | None,
    tolerance: float | None,
    no_twin: bool,
    device: str | None,
    timeout: float,
    force: bool,
    weights: Path | None,
    input_shape: tuple[int | None, ...] | None,
    code: OwnCode,
    as_json: bool,
) -> None:
    """Write MODEL to TARGET for another runtime, run it there, and compare.

    Each rectifier becomes the operation that the runtime has for it. A converter
    that crashes or hangs leaves nothing behind but one sentence.

    Exit code 1: the outputs are past the tolerance, or the device of --target does
    not run the file; nothing is written without --force.
    """
    from keras_rectifiers.cli.backend import choose_backend
    from keras_rectifiers.cli.models import check_model_file
    from keras_rectifiers.cli.models import own_objects
    from keras_rectifiers.errors import ExportVerificationError
    from keras_rectifiers.exporting.export import export

    objects = own_objects(code)
    if weights is None and model.exists():
        check_model_file(model, input_shape, objects)
    choose_backend()
    try:
        result = export(
            model,
            target,
            name,
            data=spec,
            int8=int8,
            float16=float16,
            dynamic=dynamic,
            opset=opset,
            arithmetic=arithmetic,
            batch=batch,
            tolerance=tolerance,
            input_range=input_range,
            scale=scale,
            limit=limit,
            twin=not no_twin,
            device=device,
            weights=weights,
            input_shape=input_shape,
            custom_objects=objects,
            overwrite=force,
            force=force,
            timeout=timeout,
        )
    except ExportVerificationError as error:
        _show(error.result, as_json=as_json)
        ctx.exit(1)
    _show(result, as_json=as_json)
    if not result.holds or result.refusal:
        ctx.exit(1)


def _show(result: Any, *, as_json: bool) -> None:
    from keras_rectifiers.cli.screen import show
    from keras_rectifiers.cli.screen import show_json

    if as_json:
        show_json(result.to_dict())
    else:
        written = (
            f"Written: {result.target}" if result.target else "Nothing was written."
        )
        show([result, written])
