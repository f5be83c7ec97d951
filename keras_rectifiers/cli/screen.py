"""What the commands put on the screen: results on stdout, the rest on stderr."""

from __future__ import annotations

import json
import re
import sys
import textwrap
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from keras_rectifiers.files import remote
from keras_rectifiers.json_values import plain
from keras_rectifiers.results import Result
from keras_rectifiers.tables import Part
from keras_rectifiers.tables import Table

#: Columns of output that does not go to a terminal: a line is never cut there.
_PLAIN_WIDTH = 10_000

#: Begins a command to copy; the terminal wraps it, so that it stays one line.
_COMMAND = "keras-rectifiers "

#: What Keras says of an optimizer that was saved before its first step, and so
#: had no state (two variables: the steps and the learning rate) to lose.
_NOTHING_LOST = re.compile(r"whereas the saved optimizer has [012] variables")


def console(*, stderr: bool = False) -> Console:
    """A console that is plain text where its stream is not a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    if stream.isatty():
        return Console(file=stream, highlight=False)
    return Console(file=stream, highlight=False, width=_PLAIN_WIDTH, color_system=None)


def show(parts: Iterable[Part | Result]) -> None:
    """Print lines, tables and results; tables lose their frame outside a terminal.

    Args:
        parts: What results are made of, and results themselves.
    """
    out = console()
    for part in parts:
        if isinstance(part, Result):
            show(part.parts())
        elif isinstance(part, Table):
            out.print(part.rich(framed=out.is_terminal))
        else:
            _show_text(out, remote.named(part))


def _show_text(out: Console, text: str) -> None:
    """Print lines; what is wrapped stays indented, and a command can be copied."""
    for line in text.splitlines() or [""]:
        indent = line[: len(line) - len(line.lstrip())]
        if _COMMAND in line:
            out.print(line, markup=False, soft_wrap=True)
        elif indent and len(line) > out.width:
            parts = textwrap.wrap(
                line,
                out.width,
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
            out.print("\n".join(parts), markup=False, soft_wrap=True)
        else:
            out.print(line, markup=False)


def written(target: Path, what: str = "", *, option: bool = True) -> list[str]:
    """Which file was written, and where it opens.

    Args:
        target: The file.
        option: Whether the command has the option `--portable`.
        what: What it holds, in a few words, where that is not clear.
    """
    from keras_rectifiers.conversion.where_it_opens import opens

    return [
        f"Written: {target}{f' ({what})' if what else ''}",
        opens(target, option=option),
    ]


def show_json(value: Any) -> None:
    """Print a value as JSON on stdout; numbers that JSON lacks become null.

    Args:
        value: Plain data, or a JSON text.
    """
    if isinstance(value, str):
        value = json.loads(value)
    text = json.dumps(plain(value), indent=2, allow_nan=False, default=str)
    click.echo(remote.named(text))


def say(message: str) -> None:
    """Tell something that is not the result: one line on stderr."""
    click.echo(remote.named(message), err=True)


def tame_warnings() -> None:
    """Show each Python warning as one line on stderr, without its source line."""

    def show_warning(message: Any, category: Any, *_: Any, **__: Any) -> None:
        text = " ".join(str(message).split())
        developers = issubclass(category, (DeprecationWarning, FutureWarning))
        if not developers and not _NOTHING_LOST.search(text):
            say(f"Warning: {text}")

    warnings.showwarning = show_warning
