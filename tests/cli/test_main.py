import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from keras_rectifiers._version import __version__
from keras_rectifiers.cli.main import COMMANDS
from keras_rectifiers.cli.main import Commands
from keras_rectifiers.cli.main import main
from keras_rectifiers.errors import DataError

ROOT = Path(__file__).parents[2]


def test_help_lists_every_command_and_the_exit_codes(run):
    """The help of the group names each command and what the exit codes mean."""
    result = run("--help")

    assert result.exit_code == 0
    assert all(name in result.stdout for name in COMMANDS)
    assert "Exit codes: 0 done; 1 a finding" in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(run, name):
    """Each command describes itself, each of its options and the exit codes."""
    result = run(name, "--help")

    command = main.get_command(click.Context(main), name)
    assert result.exit_code == 0
    assert "Exit codes: 0 done" in result.stdout
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.opts[0] in result.stdout


def test_version(run):
    """--version tells the version of the package."""
    assert run("--version").stdout == f"keras-rectifiers, version {__version__}\n"


def test_an_unknown_command_names_the_nearest(run):
    """A mistyped command is a usage error with the command that was meant."""
    result = run("inspekt", "model.keras")

    assert result.exit_code == 2
    assert "Did you mean 'inspect'?" in result.stderr


def test_an_unknown_option_names_the_nearest(run):
    """A mistyped option is a usage error with the option that was meant."""
    result = run("inspect", "--jsom", "model.keras")

    assert result.exit_code == 2
    assert "--json" in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (DataError("One rule.\n  A remedy."), 2, "Error: One rule. A remedy.\n"),
        (PermissionError(13, "Permission denied", "/x"), 2, "Permission denied: '/x'"),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (RuntimeError("odd"), 2, "KERAS_RECTIFIERS_DEBUG=1"),
    ],
)
def test_errors_are_one_line(run, monkeypatch, error, code, text):
    """Whatever a command raises becomes one line on stderr and an exit code."""

    def raising(*_):
        raise error

    monkeypatch.setattr(click.Group, "invoke", raising)
    result = run("inspect", "model.keras")

    assert result.exit_code == code
    assert text in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_debugging_shows_where(run, monkeypatch):
    """With the debugging variable set, the error itself comes out."""
    monkeypatch.setenv("KERAS_RECTIFIERS_DEBUG", "1")

    def raising(*_):
        raise DataError("one")

    monkeypatch.setattr(click.Group, "invoke", raising)

    assert isinstance(run("inspect", "x").exception, DataError)


def test_commands_are_modules():
    """Each command names a module that exists and is imported only when used."""
    assert all(importlib.util.find_spec(module) for module in COMMANDS.values())
    assert Commands(name="x").get_command(click.Context(main), "nothing") is None


_LOADED = """
import json, sys
from keras_rectifiers.cli.main import main
loaded = []
for arguments in {commands!r}:
    try:
        main(arguments)
    except SystemExit as end:
        assert not end.code, end.code
    found = set(name.partition(".")[0] for name in sys.modules)
    heavy = {{"keras", "tensorflow", "jax", "torch", "pandas"}}
    loaded.append(sorted(found & heavy))
print(json.dumps(loaded))
"""


def test_nothing_heavy_is_imported_before_it_is_needed(fresh, made, tmp_path):
    """Help, inspect and a dry run never import Keras; nor does a conversion."""
    model, target = str(made / "model.keras"), str(tmp_path / "out.keras")
    commands = [
        ["--help"],
        ["finetune", "--help"],
        ["inspect", model],
        ["inspect", model, "--json"],
        ["convert", model, "--dry-run"],
        ["convert", model, target],
    ]

    loaded = fresh(_LOADED.format(commands=commands))

    assert loaded == [[]] * len(commands)
    assert (tmp_path / "out.keras").exists()


def test_json_is_the_only_thing_on_stdout(run, made):
    """With --json stdout is one JSON document."""
    result = run("inspect", made / "model.keras", "--json")

    assert json.loads(result.stdout)["model"] == "small"


def test_a_character_that_the_screen_lacks_ends_nothing(made, tmp_path):
    """With ASCII output a name of other letters is shown in escapes, exit code 0."""
    model = tmp_path / "modèle.keras"
    model.write_bytes((made / "model.keras").read_bytes())

    done = subprocess.run(
        [sys.executable, "-m", "keras_rectifiers", "convert", model, "übung.keras"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)},
    )

    assert done.returncode == 0, done.stderr
    assert r"Written: \xfcbung.keras" in done.stdout
    assert (tmp_path / "übung.keras").exists()
