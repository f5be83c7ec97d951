"""`keras-rectifiers inspect`: which rectifiers a file holds, without Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from keras_rectifiers.cli.options import code_options
from keras_rectifiers.cli.options import input_range_option
from keras_rectifiers.cli.options import input_shape_option
from keras_rectifiers.cli.options import json_option
from keras_rectifiers.cli.options import selection
from keras_rectifiers.cli.options import selection_options
from keras_rectifiers.cli.options import weights_option
from keras_rectifiers.cli.own_code import OwnCode
from keras_rectifiers.cli.places import Command
from keras_rectifiers.cli.places import SourcePath


@click.command(
    "inspect", cls=Command, short_help="List the rectifiers of a saved model."
)
@click.argument("model", type=SourcePath())
@selection_options
@click.option(
    "--estimate",
    "estimated",
    is_flag=True,
    help="Say from the weights alone, without data and without Keras, which units "
    "are dead, and how often the others should fire.",
)
@input_range_option(
    "Range of the model's inputs, for which --estimate proves units dead or "
    "linear (default: any input)."
)
@weights_option
@input_shape_option
@code_options
@json_option
def command(
    model: Path,
    of: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    roles: tuple[str, ...],
    estimated: bool,
    input_range: tuple[float, float] | None,
    weights: Path | None,
    input_shape: tuple[int | None, ...] | None,
    code: OwnCode,
    as_json: bool,
) -> None:
    """List the rectifiers of MODEL, their roles, and what `convert` would do.

    MODEL is a .keras or .h5 file of any Keras, a SavedModel folder, or the JSON of
    an architecture. It is read, but neither loaded nor run, and Keras is not
    imported.

    What cannot be looked into is counted on the first line and listed: layers and
    models of other packages, whose config does not list their layers. So is what may
    hide a rectifier: Lambda layers, Python functions, and operations such as
    x * (x > 0). A Functional model m of such a class can be converted as
    keras.Model(m.inputs, m.outputs).
    """
    from keras_rectifiers.cli.models import own_objects
    from keras_rectifiers.cli.screen import show
    from keras_rectifiers.cli.screen import show_json
    from keras_rectifiers.conversion.verbs import plan

    if input_range is not None and not estimated:
        raise click.UsageError(
            "--input-range is the range that proofs hold for: use it with --estimate."
        )
    choice = selection(of, include, exclude, roles)
    given: dict[str, Any] = {
        "weights": weights,
        "input_shape": input_shape,
        "custom_objects": own_objects(code),
    }
    found = plan(model, "prelu", **given, **choice)
    parts: list[Any] = [found]
    data = found.to_dict()
    if estimated:
        from keras_rectifiers.estimation.estimate import estimate

        made = estimate(model, input_range=input_range, **given)
        parts.append(made)
        data["estimate"] = made.to_dict()
    if as_json:
        show_json(data)
    else:
        show(parts)
