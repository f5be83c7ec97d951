"""What the documents say is run, so that it cannot rot."""

import re
import runpy
from pathlib import Path

import keras
import pytest
from click.testing import CliRunner

from keras_rectifiers.cli.main import main
from tests.pages import demo_files
from tests.pages import run_python

_ROOT = Path(__file__).resolve().parents[1]
_README = (_ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that the README speaks of."""
    demo_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_of_the_readme_run(folder):
    """Each command on the reader's model does what the README says."""
    written = r"^\$ keras-rectifiers (.*)$|`keras-rectifiers (upgrade .*?)`"
    commands = ["".join(each) for each in re.findall(written, _README, re.MULTILINE)]
    assert len(commands) == 5
    keras.saving.load_model(folder / "model.keras").save(folder / "old.h5")

    runner = CliRunner()
    codes = [runner.invoke(main, command.split()).exit_code for command in commands]

    # The demo's model has more dead units than the threshold of `diagnose`.
    assert codes == [0, 0, 1, 0, 0]
    assert (folder / "model_prelu.keras").is_file()
    assert keras.saving.load_model(folder / "new.keras").count_params() > 0
    assert (folder / "better.keras").is_file()


def test_the_python_example_of_the_readme_runs(folder, capsys):
    """The example prints a plan, a proof and a diagnosis."""
    (code,) = re.findall(r"```python\n(.*?)```", _README, re.DOTALL)

    run_python(code, "README.md")

    printed = capsys.readouterr().out
    assert "6 of 6 rectifiers to replace" in printed
    assert "bit-equal" in printed
    assert "of 224 units are dead" in printed


def test_the_examples_about_watching_run(folder, capsys):
    """The page's examples run one after the other, and show units coming back."""
    page = (_ROOT / "docs" / "watching.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))

    names = run_python(code, "watching.md")

    silent = names["history"].history["silent_fraction"]
    assert names["history"].history["dead_fraction"][-1] == 0
    assert silent[-1] < names["diagnosis"].dead_fraction
    assert 0 < len(names["plan"].steps) < 6
    assert len(names["table"]) == 224


_RUN = [
    "report",
    "explain",
    "estimate",
    "calibration",
    "any-model",
    "revert",
    "export",
]


@pytest.mark.parametrize("name", _RUN)
def test_the_examples_of_other_pages_run(folder, capsys, name):
    """What a page shows in Python runs, and prints or writes something."""
    page = (_ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))

    run_python(code, f"{name}.md")

    assert capsys.readouterr().out or (folder / "run.html").is_file()


def test_the_commands_about_the_way_back_do_what_they_say(folder):
    """Each console line of the page, and what it prints."""
    page = (_ROOT / "docs" / "revert.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    commands = re.findall(r"^\$ keras-rectifiers (.*)$", first, re.MULTILINE)

    runner = CliRunner()
    results = [runner.invoke(main, command.split()) for command in commands]
    model = keras.saving.load_model(folder / "converted.keras")
    model.get_layer("hidden_1").activation.weights[0].assign([0.1] * 64)
    model.save(folder / "trained.keras")
    trained = ["trained.keras", "b.keras", "--manifest", "plan.json"]
    refused = runner.invoke(main, ["revert", *trained])

    assert [result.exit_code for result in (*results, refused)] == [0, 0, 0, 2]
    shown = results[1].stdout + results[2].stdout
    lines = [line for line in first.splitlines() if not line.startswith("$")]
    assert all(line in shown for line in lines if line.strip() != "...")
    beginning, _, _ = second.partition("whose 64 slopes started at 0")
    assert beginning.rpartition("Error: ")[2] in refused.stderr


def test_every_command_stands_in_the_documents():
    """docs/commands.md is what its maker writes today."""
    maker = runpy.run_path(str(_ROOT / "docs" / "make_commands.py"))

    written = (_ROOT / "docs" / "commands.md").read_text(encoding="utf-8")

    assert written == maker["page"](), "run: python docs/make_commands.py"
    assert all(f"## {name}" in written for name in ("inspect", "convert", "demo"))


@pytest.mark.parametrize(
    "path",
    ["README.md", "CONTRIBUTING.md", *sorted(map(str, (_ROOT / "docs").glob("*.md")))],
)
def test_links_between_documents_lead_somewhere(path):
    """No relative link is broken."""
    text = (_ROOT / path).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)

    missing = [t for t in targets if not ((_ROOT / path).parent / t).exists()]

    assert missing == []


def test_every_rule_stands_in_the_documents():
    """The table of rules in docs/upgrade.md is what its maker writes today."""
    maker = runpy.run_path(str(_ROOT / "docs" / "make_rules.py"))

    written = (_ROOT / "docs" / "upgrade.md").read_text(encoding="utf-8")

    assert written == maker["page"](), "run: python docs/make_rules.py"
