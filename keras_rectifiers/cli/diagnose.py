"""`keras-rectifiers diagnose`: which units of a model are dead on some data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from keras_rectifiers.cli.options import CRITERIA
from keras_rectifiers.cli.options import Share
from keras_rectifiers.cli.options import code_options
from keras_rectifiers.cli.options import data_options
from keras_rectifiers.cli.options import force_option
from keras_rectifiers.cli.options import input_shape_option
from keras_rectifiers.cli.options import json_option
from keras_rectifiers.cli.options import limit_option
from keras_rectifiers.cli.own_code import OwnCode
from keras_rectifiers.cli.screen import say
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.errors import UnsupportedModelError


@click.command("diagnose", short_help="Find the dead units of a model on your data.")
@click.argument("model", type=click.Path(path_type=Path))
@data_options
@limit_option(
    "Use at most so many samples, evenly spaced (of a data set object: the "
    "first batches)."
)
@click.option(
    "--criterion",
    type=click.Choice(CRITERIA),
    default=CRITERIA[0],
    show_default=True,
    help="Whose definition of a dead unit counts.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="Write the diagnosis as one self-contained HTML file, too.",
)
@click.option(
    "--explain",
    "explained",
    is_flag=True,
    help="Name the likely causes of silent units, with the evidence and a remedy.",
)
@force_option
@click.option(
    "--fail-above",
    type=Share(),
    metavar="SHARE",
    help="Exit with 1 if more than this share of the units is dead (0.2 or 20%), or "
    "if weights, data or units are NaN or infinite.",
)
@input_shape_option
@code_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    model: Path,
    spec: str,
    scale: float,
    batch_size: int,
    limit: int | None,
    criterion: str,
    report: Path | None,
    explained: bool,
    force: bool,
    fail_above: float | None,
    input_shape: tuple[int | None, ...] | None,
    code: OwnCode,
    as_json: bool,
) -> None:
    """Run DATA through MODEL and tell which units of its rectifiers are dead.

    A unit is dead if it is never positive and has no slope below zero: no gradient
    reaches it. If it has a slope it is leaking, and can come back.
    """
    from keras_rectifiers.cli.backend import prepare_backend
    from keras_rectifiers.cli.models import check_model_file
    from keras_rectifiers.cli.models import own_objects

    check_model_file(model, input_shape, own_objects(code))
    if report is not None:
        _check_report(report, force=force)
    prepare_backend()
    from keras_rectifiers.cli.models import load_model
    from keras_rectifiers.cli.screen import show
    from keras_rectifiers.cli.screen import show_json
    from keras_rectifiers.diagnosis.causes.explain import explain

    loaded = load_model(model, code, input_shape=input_shape)
    found = _diagnosed(loaded, spec, scale, batch_size, limit, criterion)
    explanation = explain(found) if explained or report is not None else None
    if report is not None:
        from keras_rectifiers.report.html import write_report

        write_report(found, report, explanation=explanation, overwrite=force)
    broken = found.not_finite
    asked = fail_above is not None
    exceeded = asked and (bool(broken) or found.dead_fraction > fail_above)
    if as_json:
        result = found.to_dict()
        if explained and explanation is not None:
            result["explanation"] = explanation.to_dict()
        show_json(result)
    else:
        show(found.parts(command_line=True))
        if explained and explanation is not None:
            show([explanation])
        if report is not None:
            say(f"Report: {report}")
        if exceeded:
            what = f"More than {fail_above:.4g} of the units are dead"
            what = "NaN or infinity was found" if broken else what
            show([f"{what} (--fail-above)."])
    if exceeded:
        ctx.exit(1)


def _check_report(report: Path, *, force: bool) -> None:
    """Refuse a target that cannot be written before the model is loaded."""
    from keras_rectifiers.report.html import check_report_target

    try:
        check_report_target(report, overwrite=force)
    except ImportError as error:
        raise RectifierError(str(error)) from error


def _diagnosed(
    model: Any,
    spec: str,
    scale: float,
    batch_size: int,
    limit: int | None,
    criterion: str,
) -> Any:
    """Load the data and diagnose the model on them, under a progress bar."""
    from keras_rectifiers.cli.progress import counted
    from keras_rectifiers.diagnosis.criteria import CRITERIA as KNOWN
    from keras_rectifiers.diagnosis.diagnose import diagnose
    from keras_rectifiers.files import data as data_sets

    labels = KNOWN[criterion].needs_gradients
    if labels and not model.compiled:
        raise UnsupportedModelError(
            f"The criterion {criterion!r} takes gradients of the model's loss. "
            f"Received: {model.name!r}, which was saved without one. Compile it and "
            "save it again, or choose another --criterion."
        )
    data = data_sets.load(spec, model, scale=scale, limit=limit, labels=labels)
    steps = None if limit is None else -(-limit // batch_size)
    with counted(
        _batches(data, batch_size, labels=labels), _steps(data, batch_size)
    ) as batches:
        return diagnose(
            model,
            batches,
            steps=steps if data.is_stream else None,
            criterion=criterion,
        )


def _batches(data: Any, batch_size: int, *, labels: bool) -> Any:
    """What `diagnose` iterates: batches of arrays, or the data set object."""
    if data.is_stream:
        return data.x
    starts = range(0, data.samples, batch_size)
    parts = (data.taken(slice(start, start + batch_size)) for start in starts)
    if labels:
        return ((part.x, part.y) for part in parts)
    return ((part.x,) for part in parts)


def _steps(data: Any, batch_size: int) -> int | None:
    return None if data.is_stream else -(-data.samples // batch_size)
