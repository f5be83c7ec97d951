"""The command `keras-rectifiers`: its sub-commands, and how errors end it.

A sub-command is imported when it is run, and imports what it needs when it
works, so that `--help` and `inspect` never load Keras.
"""

from __future__ import annotations

import difflib
import importlib
import io
import os
import sys
from typing import Any

import click

from keras_rectifiers._version import __version__
from keras_rectifiers.cli.failures import DEBUG_VARIABLE
from keras_rectifiers.cli.failures import GIVEN
from keras_rectifiers.cli.failures import Failure
from keras_rectifiers.cli.failures import Interruption
from keras_rectifiers.cli.failures import sentence

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

EXIT_CODES = (
    "Exit codes: 0 done; 1 a finding over the threshold that was asked for "
    "(diagnose --fail-above and --fail-layer-above, convert --verify), a difference "
    "(diff, export), or a run that did not help (finetune); 2 an error, shown in one "
    "sentence."
)


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
        ctx.meta[GIVEN] = list(args)
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
        except (KeyboardInterrupt, click.Abort):
            raise Interruption("Interrupted.") from None
        except Exception as error:  # noqa: BLE001 - no traceback on the screen
            raise Failure(sentence(error, ctx)) from None


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
