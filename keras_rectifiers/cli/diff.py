"""`keras-rectifiers diff`: what differs between two saved models."""

from __future__ import annotations

from pathlib import Path

import click

from keras_rectifiers.cli.options import code_options
from keras_rectifiers.cli.options import json_option
from keras_rectifiers.cli.own_code import OwnCode
from keras_rectifiers.cli.places import Command
from keras_rectifiers.cli.places import SourcePath


@click.command(
    "diff", cls=Command, short_help="Say what differs between two saved models."
)
@click.argument("a", metavar="A", type=SourcePath())
@click.argument("b", metavar="B", type=SourcePath())
@code_options
@json_option
@click.pass_context
def command(ctx: click.Context, a: Path, b: Path, code: OwnCode, as_json: bool) -> None:
    """Compare A and B: rectifiers, slopes, weights, config and compile state.

    Both may be saved models of any form and age. Weights are equal where their bytes
    are; of those that differ, the norms and that of the difference are shown. Neither
    file is loaded. The exit code is 1 where they differ.
    """
    from keras_rectifiers.cli.models import custom_classes
    from keras_rectifiers.cli.models import own_objects
    from keras_rectifiers.cli.screen import show
    from keras_rectifiers.cli.screen import show_json
    from keras_rectifiers.conversion.diff import diff

    objects = own_objects(code)
    ctx.with_resource(custom_classes(objects))
    found = diff(a, b, custom_objects=objects)
    if as_json:
        show_json(found.to_dict())
    else:
        show([found])
    if not found.same:
        ctx.exit(1)
