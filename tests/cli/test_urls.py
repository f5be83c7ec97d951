"""URLs on the command line."""

import json
import shutil

import fsspec
import pytest


@pytest.fixture
def memory(made):
    """`memory://` with models and data."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    for name in ("model.keras", "plain.keras", "legacy.h5", "data.npz", "inputs.npy"):
        system.pipe_file(f"/in/{name}", (made / name).read_bytes())
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def test_commands_take_urls(run, memory, tmp_path):
    """Models, data and targets may be URLs on every command; nothing is left here."""
    at = "memory://out/"
    data = ("--data", "memory://in/data.npz")
    calls = [
        ("convert", "memory://in/model.keras", f"{at}converted.keras", "--verify"),
        ("inspect", f"{at}converted.keras", "--of", "prelu"),
        ("diagnose", "memory://in/model.keras", "--data", "memory://in/inputs.npy"),
        ("upgrade", "memory://in/legacy.h5", f"{at}new.keras"),
        ("revert", f"{at}converted.keras", f"{at}back.keras"),
        ("diff", "memory://in/model.keras", f"{at}back.keras"),
        ("fold", f"{at}converted.keras", f"{at}folded.keras"),
        (
            *("finetune", "memory://in/model.keras", *data, "--epochs", "1"),
            *("--out", f"{at}tuned.keras", "--treatment", "none"),
        ),
    ]
    for call in calls:
        result = run(*call)
        assert result.exit_code in (0, 1 if call[0] == "finetune" else 0), result.output
        assert "keras-rectifiers-" not in result.output, result.output

    written = {name for name in memory.store if name.startswith("/out/")}
    assert {f"/out/{name}.keras" for name in ("converted", "new", "back")} <= written
    assert not any(name.endswith(".tmp") for name in memory.store)
    assert list(tmp_path.iterdir()) == []


def test_results_name_the_url(run, memory):
    """What is shown and what is JSON has the URL for the file."""
    call = ("convert", "memory://in/model.keras", "memory://out.keras")

    shown = run(*call)
    as_json = run(*call, "--force", "--json")

    assert "Written: memory://out.keras" in shown.stdout
    assert "Downloading memory://in/model.keras (" in shown.stderr
    assert json.loads(as_json.stdout)["target"] == "memory://out.keras"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("memory://none.keras", "o.keras"), "must name an existing file"),
        (("memory://in/model.keras", "memory://in/plain.keras"), "must not exist"),
        (("memory://in/model.keras", "memory://in/model.keras"), "not be the source"),
        (("memory://in/model.keras", "https://h/o.keras"), "which is only read"),
        (("nowhere://in/model.keras", "o.keras"), "nowhere"),
    ],
)
def test_what_cannot_be_is_one_sentence(fails, memory, arguments, part):
    """Exit code 2, and nothing is written."""
    before = dict(memory.store)

    assert part in fails("convert", *arguments)
    assert dict(memory.store) == before


def test_a_missing_package_is_one_sentence(fails, monkeypatch):
    """A protocol whose package is not installed says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "gcsfs", None)

    assert "gcsfs" in fails("inspect", "gs://bucket/model.keras")


def test_a_folder_of_models_at_a_url(run, memory, made, tmp_path):
    """A folder of models is converted into a folder at a URL, with its places."""
    (tmp_path / "models" / "deep").mkdir(parents=True)
    shutil.copy(made / "model.keras", tmp_path / "models" / "deep")
    shutil.copy(made / "cut.keras", tmp_path / "models")

    there = run("convert", tmp_path / "models", "memory://there")
    again = run("convert", tmp_path / "models", "memory://there")
    back = run("convert", "memory://in", "here")

    assert there.exit_code == again.exit_code == 1
    assert "Written to: memory://there" in there.stdout
    assert "must not exist. Received: 'memory://there/deep/" in again.stdout
    found = {name for name in memory.store if name.startswith("/there")}
    assert found == {"/there/deep/model.keras"}
    assert back.exit_code == 0, back.output
    assert len(list((tmp_path / "here").iterdir())) == 3


def test_a_report_is_written_to_a_url(run, memory):
    """Files next to the result go to URLs, too."""
    pytest.importorskip("jinja2")
    call = ("diagnose", "memory://in/model.keras", "--data", "memory://in/data.npz")

    result = run(*call, "--report", "memory://out.html")

    assert result.exit_code == 0, result.output
    assert b"<html" in memory.cat("/out.html")


def test_a_state_is_kept_here_alone(run, memory):
    """A folder that is written after each epoch cannot be a URL."""
    call = ("finetune", "memory://in/model.keras", "--data", "memory://in/data.npz")

    result = run(*call, "--out", "o.keras", "--resume", "memory://state")

    assert result.exit_code == 2
    assert "must be a local folder" in result.stderr


def test_data_at_a_url_are_the_data(run, memory, made):
    """Both have the same dead units."""
    here, there = (
        json.loads(
            run("diagnose", made / "model.keras", "--data", data, "--json").stdout
        )
        for data in (made / "inputs.npy", "memory://in/inputs.npy")
    )

    assert here["models"] == there["models"]
