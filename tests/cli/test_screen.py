import io
import json
import math
import warnings

import numpy as np
import pytest
from rich.console import Console

from keras_rectifiers.cli import screen
from keras_rectifiers.tables import Table


def test_numbers_that_json_lacks_become_null(capsys):
    """NaN, infinities and numpy numbers come out as plain JSON."""
    screen.show_json({"a": math.nan, "b": [math.inf, np.float32(0.5)], "c": (1, None)})

    assert json.loads(capsys.readouterr().out) == {
        "a": None,
        "b": [None, 0.5],
        "c": [1, None],
    }


def test_lines_are_whole_outside_a_terminal(capsys):
    """A table that goes into a pipe has no frame, and no line is cut."""
    table = Table.of(("name",), [("x" * 300,)])

    screen.show([table, "[not markup]"])

    lines = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in lines] == ["name", "x" * 300, "[not markup]"]


def test_wrapped_lines_stay_indented_and_commands_stay_whole(monkeypatch):
    """A command that was broken into two lines could not be copied."""
    out = io.StringIO()
    narrow = Console(file=out, width=24, highlight=False)
    monkeypatch.setattr(screen, "console", lambda: narrow)
    command = "   keras-rectifiers inspect some/folder/model.keras"

    screen.show([f"1. a cause\n   with evidence that is long\n{command}"])

    assert out.getvalue().splitlines() == [
        "1. a cause",
        "   with evidence that is",
        "   long",
        command,
    ]


def test_warnings_are_one_line(capsys, monkeypatch):
    """A warning is shown in one line; those for developers are not."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        screen.tame_warnings()
        warnings.warn("two\n lines", UserWarning, stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    assert capsys.readouterr().err == "Warning: two lines\n"


@pytest.mark.parametrize("value", ['{"a": 1}', {"a": 1}])
def test_json_text_passes(capsys, value):
    """JSON text is printed as the value that it stands for."""
    screen.show_json(value)

    assert json.loads(capsys.readouterr().out) == {"a": 1}


def test_an_optimizer_without_state_is_no_warning(capsys, monkeypatch):
    """A model that was compiled and never trained is loaded without a word."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    text = "it has 14 variables whereas the saved optimizer has {} variables. "
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        screen.tame_warnings()
        warnings.warn(text.format(2), UserWarning, stacklevel=1)
        warnings.warn(text.format(9), UserWarning, stacklevel=1)

    assert capsys.readouterr().err.count("Warning") == 1
