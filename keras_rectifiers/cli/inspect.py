"""`keras-rectifiers inspect`: which rectifiers a file holds, without Keras."""

from __future__ import annotations

from pathlib import Path

import click

from keras_rectifiers.cli.options import json_option
from keras_rectifiers.cli.options import selection
from keras_rectifiers.cli.options import selection_options


@click.command("inspect", short_help="List the rectifiers of a saved model.")
@click.argument("model", type=click.Path(path_type=Path))
@selection_options
@json_option
def command(
    model: Path,
    of: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    roles: tuple[str, ...],
    as_json: bool,
) -> None:
    """List the rectifiers of MODEL, their roles, and what `convert` would do.

    Only the file's description of the model is read: it is neither loaded nor
    run, and Keras is not imported (but for a legacy .h5, which only Keras reads).
    """
    from keras_rectifiers.cli.models import plan_file
    from keras_rectifiers.cli.screen import show
    from keras_rectifiers.cli.screen import show_json
    from keras_rectifiers.report.tables import plan_tables

    found = plan_file(model, "prelu", **selection(of, include, exclude, roles))
    if as_json:
        show_json(found.to_json())
    else:
        show(plan_tables(found))
