"""Errors as sentences of the command line."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import click

from keras_rectifiers.cli.options import CUSTOM_OBJECT
from keras_rectifiers.cli.options import IMPORT
from keras_rectifiers.errors import HiddenLayersError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.errors import UnknownClassError

#: Set to anything to see the traceback of an error.
DEBUG_VARIABLE = "KERAS_RECTIFIERS_DEBUG"

#: Where a context keeps the words of the command line.
GIVEN = "keras_rectifiers.given"


class Failure(click.ClickException):
    """An error shown as one line on stderr; the command exits with 2."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class Interruption(Failure):
    """Ctrl-C."""

    exit_code = 130  # 128 + SIGINT, as shells report it


def sentence(error: Exception, ctx: click.Context) -> str:
    """What is wrong, and what to do, on one line.

    Args:
        error: What ended the work.
        ctx: The context of the command.
    """
    if isinstance(error, HiddenLayersError | UnknownClassError):
        told = f"{error.fact} {_with_code(ctx.meta[GIVEN], error.name)}"
    elif isinstance(error, RectifierError):
        told = str(error)
    elif isinstance(error, OSError):
        name = f": {error.filename!r}" if error.filename else ""
        told = f"{error.strerror or error}{name}."
    else:
        told = (
            f"Unexpected {type(error).__name__}: {error} "
            f"(set {DEBUG_VARIABLE}=1 to see where)"
        )
    return " ".join(told.split())


def _with_code(given: Sequence[str], name: str) -> str:
    """What to run where code is not known: the same command, with that code.

    Args:
        given: The words of the command line.
        name: What the file calls the class or function.
    """
    if any(each.split("=", maxsplit=1)[0] in (IMPORT, CUSTOM_OBJECT) for each in given):
        short = name.rpartition(">")[2]
        return (
            f"The modules that were given have nothing of this name, or two different "
            f"objects. Name it: {CUSTOM_OBJECT} "
            f"{shlex.quote(f'{name}=MODULE:{short}')}"
        )
    return f"Run: keras-rectifiers {shlex.join(given)} {IMPORT} MODULE"
