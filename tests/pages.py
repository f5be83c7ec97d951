"""Follows a page as a reader does: runs its blocks in order, in an empty folder.

- `python` runs in one namespace for the page; with `title="FILE"` it is written there.
- `console`: each line that begins with `$ ` is a command; what stands below it must be
  in what it prints. Its exit code must be 0, unless `$ echo $?` comes next.
- `text` must be in what the block before it printed, line by line.
- A block below `<!-- not run: REASON -->` is for the reader only.

`...` stands for lines that are left out.
"""

import contextlib
import dataclasses
import io
import re
import shlex
import shutil
import warnings
from importlib import resources
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from keras_rectifiers.cli.main import main

_BLOCK = re.compile(
    r"^(?P<skip><!-- not run: .+ -->\n)?"
    r"```(?P<kind>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_LEFT_OUT = "..."
#: Warnings that a page speaks of; all others are errors.
_EXPECTED = ("Training stops: ", r"[\d.]+% of the units died again: ")
#: What Keras says of classes that other tests make on purpose, and no page should.
_REFUSED = r"`build\(\)` was called on layer"


def demo_files(folder):
    """Put what `keras-rectifiers demo` leaves behind into a folder, by short names."""
    demo = resources.files("keras_rectifiers.demo")
    shutil.copy(str(demo / "dying_digits.keras"), folder / "model.keras")
    shutil.copy(str(demo / "digits.npz"), folder / "data.npz")


@contextlib.contextmanager
def _closing():
    """Names for a page's code; files that it leaves open are closed at the end.

    Else they are closed whenever garbage is collected, and another test is blamed.
    """
    names = {}
    try:
        yield names
    finally:
        for value in names.values():
            if isinstance(value, np.lib.npyio.NpzFile):
                value.close()


def run_python(text, page):
    """Run a page's code, and give its names."""
    with _closing() as names:
        exec(compile(text, page, "exec"), names)
    return names


@dataclasses.dataclass
class Reader:
    """One reader of one page."""

    page: str
    names: dict = dataclasses.field(default_factory=dict)
    printed: str = ""
    code: int = 0

    def follow(self, text):
        """Run each block of the page, and compare what it shows."""
        with _closing() as self.names:
            for block in _BLOCK.finditer(text):
                follow = getattr(self, f"_{block['kind']}", None)
                if follow and not block["skip"]:
                    follow(block["text"], block["title"])

    def _python(self, text, title):
        if title:
            Path(title).write_text(text, encoding="utf-8")
            return
        printed = io.StringIO()
        with (
            contextlib.redirect_stdout(printed),
            warnings.catch_warnings(record=True),
        ):
            for message in _EXPECTED:
                warnings.filterwarnings("always", message)
            warnings.filterwarnings("error", _REFUSED)
            exec(compile(text, self.page, "exec"), self.names)
        self.printed = printed.getvalue()

    def _text(self, text, _):
        self._compare(text.splitlines())

    def _console(self, text, _):
        parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
        commands = [part.partition("\n")[::2] for part in parts]
        followed_by = [command for command, _ in commands[1:]] + [""]
        for (command, shown), following in zip(commands, followed_by, strict=True):
            self._run(command)
            self._compare(shown.splitlines())
            expected = self.code == 0 or following == "echo $?"
            assert expected, f"{self.page}: {command}: {self.printed}"

    def _run(self, command):
        program, *arguments = shlex.split(command, comments=True)
        if program == "echo":
            assert arguments == ["$?"]
            self.printed, self.code = str(self.code), 0
        elif program == "cp":
            shutil.copy(*arguments)
            self.printed = ""
        elif program == "keras-rectifiers":
            result = CliRunner().invoke(main, arguments)
            self.printed, self.code = result.output, result.exit_code
        else:
            assert program == "pip", f"{self.page}: {command}"

    def _compare(self, lines):
        printed = {_words(line) for line in self.printed.splitlines()}
        for line in lines:
            shown = line.strip() in {"", _LEFT_OUT} or _words(line) in printed
            assert shown, f"{self.page} shows {line!r}, printed was:\n{self.printed}"


def _words(line):
    return " ".join(line.split())
