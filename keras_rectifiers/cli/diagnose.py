"""`keras-rectifiers diagnose`: which units of models are dead on some data."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import click

from keras_rectifiers.cli.failures import DEBUG_VARIABLE
from keras_rectifiers.cli.failures import sentence
from keras_rectifiers.cli.options import CRITERIA
from keras_rectifiers.cli.options import Share
from keras_rectifiers.cli.options import code_options
from keras_rectifiers.cli.options import data_options
from keras_rectifiers.cli.options import force_option
from keras_rectifiers.cli.options import input_shape_option
from keras_rectifiers.cli.options import json_option
from keras_rectifiers.cli.options import limit_option
from keras_rectifiers.cli.own_code import OwnCode
from keras_rectifiers.cli.places import Command
from keras_rectifiers.cli.places import SourcePath
from keras_rectifiers.cli.places import TargetPath
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.shares import percent

if TYPE_CHECKING:
    from keras_rectifiers.diagnosis.ci_gate import Gate
    from keras_rectifiers.diagnosis.document import Entry


@click.command(
    "diagnose", cls=Command, short_help="Find the dead units of a model on your data."
)
@click.argument(
    "models",
    metavar="MODEL...",
    nargs=-1,
    required=True,
    type=SourcePath(),
)
@data_options
@limit_option(
    "Use at most this many samples, evenly spaced (of a data set object: the "
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
    type=TargetPath(),
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
@click.option(
    "--fail-layer-above",
    type=Share(),
    metavar="SHARE",
    help="Exit with 1 if more than this share of the units of any one layer is dead, "
    "or if something is NaN or infinite.",
)
@input_shape_option
@code_options
@json_option
@click.option("--units", is_flag=True, help="Add one row for each unit to --json.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    models: tuple[Path, ...],
    fail_above: float | None,
    fail_layer_above: float | None,
    report: Path | None,
    force: bool,
    as_json: bool,
    units: bool,
    **options: Any,
) -> None:
    """Run DATA through each MODEL and tell which units of its rectifiers are dead.

    A unit is dead if it is never positive and has no slope below zero: no gradient
    reaches it. If it has a slope it is leaking, and can come back.

    Of several models each has its own report, and the exit code is the highest: 2 if
    one cannot be diagnosed, else 1 if one is above a threshold.
    """
    from keras_rectifiers.cli.models import own_objects
    from keras_rectifiers.cli.screen import show_json
    from keras_rectifiers.diagnosis import document
    from keras_rectifiers.diagnosis.ci_gate import Gate

    asked = _Asked(report=report, force=force, **options)
    if units and not as_json:
        raise click.UsageError("--units adds rows to --json: use both.")
    if report is not None:
        if len(models) > 1:
            raise click.UsageError(
                "--report writes the page of one model. Received: "
                f"{len(models)} models. Run diagnose for each."
            )
        _check_report(report, force=force)
    own_objects(asked.code)  # what is wrong with it is so for every model
    gate = Gate(fail_above, fail_layer_above)
    entries = []
    for model in models:
        entry = _entry(ctx, model, asked, gate, keep_errors=as_json or len(models) > 1)
        entries.append(entry)
        if not as_json:
            _show(entry, asked, titled=len(models) > 1)
    if as_json:
        show_json(
            document.document(
                *(entries, gate),
                data=asked.spec,
                criterion=asked.criterion,
                rows=units,
            )
        )
    elif len(entries) > 1:
        _show_all(entries)
    ctx.exit({"error": 2, "failed": 1}.get(document.outcome(entries), 0))


@dataclasses.dataclass(frozen=True)
class _Asked:
    """The options of the command that every model has in common."""

    spec: str
    scale: float
    batch_size: int
    limit: int | None
    criterion: str
    report: Path | None
    explained: bool
    force: bool
    input_shape: tuple[int | None, ...] | None
    code: OwnCode


def _entry(
    ctx: click.Context, model: Path, asked: _Asked, gate: Gate, *, keep_errors: bool
) -> Entry:
    """Diagnose one model; with `keep_errors`, an error does not end the command."""
    from keras_rectifiers.diagnosis.document import Entry

    try:
        found, explanation = _diagnosed(model, asked)
    except Exception as error:
        if not keep_errors or os.environ.get(DEBUG_VARIABLE):
            raise
        from keras_rectifiers.cli.screen import say

        told = sentence(error, ctx)
        say(f"Error: {told}")
        return Entry.of_error(str(model), told)
    judgement = gate.judge(found)
    shown = explanation if asked.explained else None
    return Entry(str(model), judgement, found, shown)


def _diagnosed(path: Path, asked: _Asked) -> tuple[Any, Any]:
    """Diagnose one model, explain it if that is asked for, and write its report."""
    from keras_rectifiers.cli.backend import prepare_backend
    from keras_rectifiers.cli.models import check_model_file
    from keras_rectifiers.cli.models import own_objects

    check_model_file(path, asked.input_shape, own_objects(asked.code))
    prepare_backend()
    from keras_rectifiers.cli.models import load_model
    from keras_rectifiers.diagnosis.causes.explain import explain

    model = load_model(path, asked.code, input_shape=asked.input_shape)
    found = _run(model, asked)
    if asked.report is None:
        return found, explain(found) if asked.explained else None
    from keras_rectifiers.report.html import write_report

    explanation = explain(found)
    write_report(found, asked.report, explanation=explanation, overwrite=asked.force)
    return found, explanation


def _show(entry: Entry, asked: _Asked, *, titled: bool) -> None:
    """Print what was found of one model, and what the thresholds say."""
    from keras_rectifiers.cli.screen import show

    if entry.diagnosis is None:
        return
    if titled:
        show([f"== {entry.file}"])
    show(entry.diagnosis.parts(command_line=True))
    if entry.explanation is not None:
        show(entry.explanation.parts(command_line=True))
    if asked.report is not None:
        from keras_rectifiers.cli.screen import say

        say(f"Report: {asked.report}")
    word = entry.judgement.outcome.capitalize()
    show([f"{word}: {reason}" for reason in entry.judgement.reasons])
    if titled:
        show([""])


def _show_all(entries: list[Entry]) -> None:
    """Print one line for each of several models."""
    from keras_rectifiers.cli.screen import show
    from keras_rectifiers.tables import Table

    rows = [
        (
            each.file,
            "-" if each.diagnosis is None else f"{each.diagnosis.units:,}",
            "-" if each.diagnosis is None else percent(each.diagnosis.dead_fraction),
            each.judgement.outcome,
        )
        for each in entries
    ]
    head = ("model", "units", "dead share", "outcome")
    show([Table.of(head, rows, numbers=("units", "dead share"))])


def _check_report(report: Path, *, force: bool) -> None:
    """Refuse a target that cannot be written before the model is loaded."""
    from keras_rectifiers.report.html import check_report_target

    try:
        check_report_target(report, overwrite=force)
    except ImportError as error:
        raise RectifierError(str(error)) from error


def _run(model: Any, asked: _Asked) -> Any:
    """Load the data and diagnose the model on them, under a progress bar."""
    from keras_rectifiers.cli.progress import counted
    from keras_rectifiers.diagnosis.criteria import CRITERIA as KNOWN
    from keras_rectifiers.diagnosis.diagnose import diagnose
    from keras_rectifiers.files import data as data_sets

    criterion, limit, batch_size = asked.criterion, asked.limit, asked.batch_size
    labels = KNOWN[criterion].needs_gradients
    if labels and not model.compiled:
        raise UnsupportedModelError(
            f"The criterion {criterion!r} takes gradients of the model's loss. "
            f"Received: {model.name!r}, which was saved without one. Compile it and "
            "save it again, or choose another --criterion."
        )
    data = data_sets.load(
        asked.spec, model, scale=asked.scale, limit=limit, labels=labels
    )
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
