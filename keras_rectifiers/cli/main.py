"""The command `keras-rectifiers`: its sub-commands, and how errors end it.

A sub-command is imported when it is run, and imports what it needs when it
works, so that `--help` and `inspect` never load Keras.
"""

from __future__ import annotations

import difflib
import importlib
import io
import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any

import click

from keras_rectifiers._version import __version__
from keras_rectifiers.cli.options import CUSTOM_OBJECT
from keras_rectifiers.cli.options import IMPORT
from keras_rectifiers.errors import HiddenLayersError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.errors import UnknownClassError

#: Command -> the module that defines it, in the order of a first use.
COMMANDS = {
    "demo": "keras_rectifiers.cli.demo",
    "inspect": "keras_rectifiers.cli.inspect",
    "diagnose": "keras_rectifiers.cli.diagnose",
    "convert": "keras_rectifiers.cli.convert",
    "upgrade": "keras_rectifiers.cli.upgrade",
    "finetune": "keras_rectifiers.cli.finetune",
    "fold": "keras_rectifiers.cli.fold",
    "export": "keras_rectifiers.cli.export",
    "revert": "keras_rectifiers.cli.revert",
    "diff": "keras_rectifiers.cli.diff",
}

#: Set to anything to see the traceback of an error.
DEBUG_VARIABLE = "KERAS_RECTIFIERS_DEBUG"

#: Where a context keeps the words of the command line.
_GIVEN = "keras_rectifiers.given"

EXIT_CODES = (
    "Exit codes: 0 done; 1 a finding over the threshold that was asked for "
    "(diagnose --fail-above, convert --verify), a difference (diff, export), or a run "
    "that did not help (finetune); 2 an error, told in one sentence."
)


class Failure(click.ClickException):
    """An error shown as one line on stderr; the command exits with 2."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class Interruption(Failure):
    """Ctrl-C."""

    exit_code = 130  # 128 + SIGINT, as shells report it


class Commands(click.Group):
    """A group that imports a sub-command only when it is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands in the order in which help lists them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        command.epilog = EXIT_CODES
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest one in a usage error."""
        name = args[0]
        ctx.meta[_GIVEN] = list(args)
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; every error becomes one line and exit code 2."""
        if os.environ.get(DEBUG_VARIABLE):
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except (HiddenLayersError, UnknownClassError) as error:
            hint = _with_code(ctx.meta[_GIVEN], error.name)
            raise Failure(f"{error.fact} {hint}") from None
        except RectifierError as error:
            raise Failure(str(error)) from None
        except (KeyboardInterrupt, click.Abort):
            raise Interruption("Interrupted.") from None
        except OSError as error:
            name = f": {error.filename!r}" if error.filename else ""
            raise Failure(f"{error.strerror or error}{name}.") from None
        except Exception as error:  # noqa: BLE001 - no traceback on the screen
            raise Failure(
                f"Unexpected {type(error).__name__}: {error} "
                f"(set {DEBUG_VARIABLE}=1 to see where)"
            ) from None


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


@click.group(
    cls=Commands,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="keras-rectifiers")
def main() -> None:
    """Replace ReLU in saved Keras models, and watch for dead units.

    Start with `keras-rectifiers demo`: a classifier with dying ReLUs is
    diagnosed, converted to PReLU, verified and fine-tuned, on real images.
    """
    for stream in (sys.stdout, sys.stderr):
        # A character that a terminal cannot show must not end a command whose work
        # is done.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
