"""The options that several commands share, with the same words everywhere."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import click

from keras_rectifiers.cli.own_code import CustomObject
from keras_rectifiers.cli.own_code import OwnCode
from keras_rectifiers.cli.places import SourcePath

#: Roles of a rectifier that can be selected.
ROLES = ("hidden", "gate", "output", "guard", "recurrent", "custom")
#: Kinds of rectifier that can be replaced.
KINDS = ("relu", "leaky_relu", "prelu")
#: What a rectifier can be replaced by.
TARGETS = ("leaky_relu", "prelu")
#: The options that name the user's code: modules, and single objects of them.
IMPORT = "--import"
CUSTOM_OBJECT = "--custom-object"
#: Definitions of a dead unit, the default first.
CRITERIA = ("never_positive", "redo", "sagemaker", "autotrainer", "apoz")

Decorated = Callable[..., Any]


class Finite(click.ParamType[float]):
    """A number that is neither infinite nor NaN, with optional bounds."""

    name = "number"

    def __init__(self, minimum: float | None = None, *, above: bool = False) -> None:
        self.minimum = minimum
        self.above = above

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse, and refuse what is not a finite number in the bounds."""
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number.", param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        if self.minimum is not None and (
            number < self.minimum or (self.above and number == self.minimum)
        ):
            relation = "greater than" if self.above else "at least"
            self.fail(f"{value!r} is not {relation} {self.minimum:g}.", param, ctx)
        return number


class Share(click.ParamType[float]):
    """A share of a whole: a number from 0 to 1, or a percentage such as 20%."""

    name = "share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse, and refuse what is not a share."""
        text = str(value).strip()
        try:
            number = float(text.removesuffix("%"))
        except ValueError:
            number = math.nan
        share = number / 100 if text.endswith("%") else number
        if not 0 <= share <= 1:
            hint = f" For {text} percent write {text}%." if 1 < number <= 100 else ""  # noqa: PLR2004
            self.fail(
                f"{value!r} is not a share: a number from 0 to 1, or a percentage "
                f"such as 20%.{hint}",
                param,
                ctx,
            )
        return share


class InputShape(click.ParamType[tuple[int | None, ...]]):
    """Lengths of axes, the batch axis first, with commas between them."""

    name = "shape"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | None, ...]:
        """Parse, and refuse what is not a shape."""
        words = [word.strip() for word in str(value).strip("()[], ").split(",")]
        told = all(word == "None" or word.isdecimal() for word in words)
        shape = [None if word == "None" else word for word in words]
        if len(words) < 2 or not told or any(each and not int(each) for each in shape):  # noqa: PLR2004
            self.fail(
                f"{value!r} is not a shape: the batch axis, then a length above 0 or "
                "None for each axis, with commas between them, such as None,16,1.",
                param,
                ctx,
            )
        return tuple(None if each is None else int(each) for each in shape)


def json_option(function: Decorated) -> Decorated:
    """`--json`."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print the result as JSON on stdout; messages go to stderr.",
    )(function)


def force_option(function: Decorated) -> Decorated:
    """`--force`."""
    return click.option(
        "--force", is_flag=True, help="Replace files that exist already."
    )(function)


def keep_state_option(function: Decorated) -> Decorated:
    """`--keep-training-state`."""
    return click.option(
        "--keep-training-state",
        is_flag=True,
        help="Stop with an error where the optimizer's state cannot be kept exactly "
        "(default: it is dropped then, and the list of repairs says so).",
    )(function)


def code_options(function: Decorated) -> Decorated:
    """`--import`, `--custom-object`, which the command gets as one `code`."""

    @functools.wraps(function)
    def command(
        *args: Any, modules: tuple[str, ...], objects: tuple[Any, ...], **kwargs: Any
    ) -> Any:
        return function(*args, code=OwnCode(modules, objects), **kwargs)

    command = click.option(
        CUSTOM_OBJECT,
        "objects",
        multiple=True,
        type=CustomObject(),
        metavar="NAME=MODULE:CLASS",
        help="Class or function for a name in the file, where --import does not find "
        "it by that name. Repeatable.",
    )(command)
    return click.option(
        IMPORT,
        "modules",
        multiple=True,
        metavar="MODULE",
        help="Python module, or .py file, to import first: it has the model's own "
        "classes, losses and metrics, registered or not, or functions for its "
        "lambdas. Repeatable.",
    )(command)


def path_options(verb: str) -> Decorated:
    """`--include`, `--exclude`."""

    def decorate(function: Decorated) -> Decorated:
        include = click.option(
            "--include",
            multiple=True,
            metavar="GLOB",
            help=f"{verb} only rectifiers whose path matches. Repeatable.",
        )
        exclude = click.option(
            "--exclude",
            multiple=True,
            metavar="GLOB",
            help="Leave rectifiers whose path matches. Repeatable.",
        )
        return include(exclude(function))

    return decorate


def selection_options(function: Decorated) -> Decorated:
    """`--of`, `--include`, `--exclude`, `--role`."""
    for option in (
        click.option(
            "--role",
            "roles",
            multiple=True,
            type=click.Choice(ROLES),
            help="Role of the rectifiers to select (default: hidden). Repeatable.",
        ),
        path_options("Select"),
        click.option(
            "--of",
            multiple=True,
            type=click.Choice(KINDS),
            help="Kind of rectifier to replace (default: relu). Repeatable.",
        ),
    ):
        function = option(function)
    return function


def slope_options(function: Decorated) -> Decorated:
    """`--negative-slope`, `--alpha`."""
    for option in (
        click.option(
            "--alpha",
            type=Finite(),
            help="First slope of each channel of a PReLU (default: 0, which keeps "
            "the model's function bit for bit).",
        ),
        click.option(
            "--negative-slope",
            type=Finite(),
            help="Slope of a Leaky ReLU for x < 0 (default: 0.01).",
        ),
    ):
        function = option(function)
    return function


def scale_option(text: str, default: float | None = 1.0) -> Decorated:
    """`--scale`; where it can stand without its data, its default is None."""
    return click.option(
        "--scale", type=Finite(0, above=True), default=default, help=text
    )


def compared_data_options(use: str) -> Decorated:
    """`--data` and `--scale` of a command that compares models on data, if given."""

    def decorate(function: Decorated) -> Decorated:
        data = click.option("--data", "spec", metavar="DATA", help=use)
        scale = scale_option("Multiply the inputs of --data by this (default: 1).")
        return data(scale(function))

    return decorate


def limit_option(text: str, default: int | None = None) -> Decorated:
    """`--limit`."""
    return click.option(
        "--limit",
        type=click.IntRange(min=1),
        default=default,
        show_default=default is not None,
        help=text,
    )


def input_range_option(text: str) -> Decorated:
    """`--input-range`."""
    return click.option(
        "--input-range",
        type=(Finite(), Finite()),
        metavar="LO HI",
        help=text,
        callback=_ordered,
    )


def _ordered(
    ctx: click.Context, param: click.Parameter, value: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Refuse a range whose ends are the wrong way round."""
    if value is not None and value[0] > value[1]:
        raise click.BadParameter(
            f"must be LO HI with LO <= HI. Received: {value[0]:g} {value[1]:g}.",
            ctx,
            param,
        )
    return value


def portable_option(text: str) -> Decorated:
    """`--portable`."""
    return click.option("--portable", is_flag=True, help=text)


def data_options(function: Decorated) -> Decorated:
    """`--data`, `--scale`, `--batch-size`."""
    for option in (
        click.option(
            "--batch-size",
            type=click.IntRange(min=1),
            default=32,
            show_default=True,
            help="Samples in each step.",
        ),
        scale_option(
            "Multiply the inputs by this, such as 0.00392157 for images in "
            "0..255 where the model expects 0..1 (default: 1)."
        ),
        click.option(
            "--data",
            "spec",
            required=True,
            metavar="DATA",
            help=".npz (x, y or x_train, y_train, x_test, y_test), .npy, a folder of "
            "images, or package.module:function that returns a data set.",
        ),
    ):
        function = option(function)
    return function


def weights_option(function: Decorated) -> Decorated:
    """`--weights`."""
    return click.option(
        "--weights",
        type=SourcePath(),
        metavar="FILE",
        help="File of the weights (.h5, .weights.h5, .weights.json), where the model "
        "is the JSON of an architecture.",
    )(function)


def input_shape_option(function: Decorated) -> Decorated:
    """`--input-shape`."""
    return click.option(
        "--input-shape",
        type=InputShape(),
        metavar="SHAPE",
        help="Shape that a Sequential takes, the batch axis first, such as None,16,1, "
        "where it cannot be inferred from its file or its weights.",
    )(function)


def selection(
    of: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    roles: tuple[str, ...],
) -> dict[str, Any]:
    """The selection as arguments of `plan`, without what was not given."""
    given = {"of": of, "include": include, "exclude": exclude, "roles": roles}
    return {name: list(value) for name, value in given.items() if value}


def slopes(
    to: str, negative_slope: float | None, alpha: float | None
) -> dict[str, float]:
    """The slopes as arguments of `plan`; a slope of the other kind is an error."""
    if alpha is not None and to != "prelu":
        raise click.UsageError(
            "--alpha is the first slope of a PReLU: use it with --to prelu, or "
            "--negative-slope with --to leaky_relu."
        )
    if negative_slope is not None and to != "leaky_relu":
        raise click.UsageError(
            "--negative-slope is the slope of a Leaky ReLU: use it with --to "
            "leaky_relu, or --alpha with --to prelu."
        )
    given = {"negative_slope": negative_slope, "alpha": alpha}
    return {name: value for name, value in given.items() if value is not None}
