"""`keras-rectifiers diagnose`: which units of a model are dead on some data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from keras_rectifiers.cli.options import Finite
from keras_rectifiers.cli.options import data_options
from keras_rectifiers.cli.options import import_option
from keras_rectifiers.cli.options import json_option


@click.command("diagnose", short_help="Find the dead units of a model on your data.")
@click.argument("model", type=click.Path(path_type=Path))
@data_options
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Use at most so many samples, evenly spaced (of a data set object: the "
    "first batches).",
)
@click.option(
    "--fail-above",
    type=Finite(0),
    metavar="F",
    help="Exit with 1 if more than this share (0..1) of the units is dead.",
)
@import_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    model: Path,
    spec: str,
    scale: float,
    batch_size: int,
    limit: int | None,
    fail_above: float | None,
    imports: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run DATA through MODEL and tell which units of its rectifiers are dead.

    A unit is dead if it is never positive and has no slope below zero: no gradient
    reaches it. If it has a slope it is leaking, and can come back.
    """
    from keras_rectifiers.cli.backend import prepare_backend
    from keras_rectifiers.cli.models import check_model_file

    check_model_file(model)
    prepare_backend()
    from keras_rectifiers import data as data_sets
    from keras_rectifiers.activity.diagnose import diagnose
    from keras_rectifiers.cli.models import load_model
    from keras_rectifiers.cli.progress import counted
    from keras_rectifiers.cli.screen import show
    from keras_rectifiers.cli.screen import show_json
    from keras_rectifiers.report.tables import diagnosis_tables

    loaded = load_model(model, imports)
    data = data_sets.load(spec, loaded, scale=scale, limit=limit)
    steps = None if limit is None else -(-limit // batch_size)
    with counted(_batches(data, batch_size), _steps(data, batch_size)) as batches:
        found = diagnose(loaded, batches, steps=steps if data.is_stream else None)
    exceeded = fail_above is not None and found.dead_fraction > fail_above
    if as_json:
        show_json(found.to_json())
    else:
        show(diagnosis_tables(found))
        if exceeded:
            show([f"More than the share of {fail_above:g} is dead (--fail-above)."])
    if exceeded:
        ctx.exit(1)


def _batches(data: Any, batch_size: int) -> Any:
    """What `diagnose` iterates: batches of arrays, or the data set object."""
    if data.is_stream:
        return data.x
    return (
        (data.part(start, start + batch_size),)
        for start in range(0, data.samples, batch_size)
    )


def _steps(data: Any, batch_size: int) -> int | None:
    return None if data.is_stream else -(-data.samples // batch_size)
