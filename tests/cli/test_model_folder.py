"""`convert` of a folder of models."""

import json
import shutil
import zipfile

import keras
import numpy as np
import pytest

from tests import fresh

_CRASHING = """
import os
import keras

class Fragile(keras.layers.Layer):
    def call(self, x):
        return x

    @classmethod
    def from_config(cls, config):
        os.abort()
"""
_WITHOUT_KERAS = """
import json, sys
from click.testing import CliRunner
from keras_rectifiers.cli.main import main
from keras_rectifiers.cli import model_folder

def here(function, items, jobs):
    return enumerate(map(function, items))

if sys.argv[1] == "here":
    model_folder.results = here
if __name__ == "__main__":
    done = CliRunner().invoke(main, ["convert", *sys.argv[2:]])
    assert done.exit_code == 0, done.output
    print(json.dumps("keras" in sys.modules))
"""


@pytest.fixture
def folder(made, tmp_path):
    """A folder with models of several kinds in several places."""
    models = tmp_path / "models"
    (models / "old" / "deep").mkdir(parents=True)
    shutil.copy(made / "model.keras", models)
    shutil.copy(made / "plain.keras", models / "old")
    shutil.copy(made / "legacy.h5", models / "old" / "deep")
    shutil.copy(made / "only.weights.h5", models)
    (models / "notes.txt").write_text("no model")
    (models / ".hidden.keras").write_text("no model")
    return models


def _files(place):
    return sorted(
        each.relative_to(place).as_posix()
        for each in place.rglob("*")
        if each.is_file()
    )


def test_each_model_is_converted_to_its_place(run, folder, made, tmp_path):
    """Relative paths are kept; a model without rectifiers is copied."""
    result = run("convert", folder, "out", "--jobs", "2")

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("model.keras: 2 of 2 rectifiers replaced")
    assert lines[1].startswith("old/deep/legacy.h5: 2 of 2 rectifiers replaced")
    assert lines[2] == "old/plain.keras: no rectifier found. Copied."
    assert lines[3] == (
        "3 models: 2 converted, 1 with nothing to replace (copied), 0 failed."
    )
    assert _files(tmp_path / "out") == [
        "model.keras",
        "old/deep/legacy.keras",
        "old/plain.keras",
    ]
    x = np.load(made / "inputs.npy")
    before = keras.saving.load_model(made / "model.keras").predict(x, verbose=0)
    after = keras.saving.load_model(tmp_path / "out" / "model.keras")
    np.testing.assert_array_equal(before, after.predict(x, verbose=0))


def test_a_folder_that_is_a_model_becomes_a_file(run, made, tmp_path):
    """An unpacked model in the folder is one model, named after its folder."""
    with zipfile.ZipFile(made / "model.keras") as archive:
        archive.extractall(tmp_path / "models" / "deep" / "net.v2")

    result = run("convert", "models", "out")

    assert result.exit_code == 0, result.output
    assert "deep/net.v2: 2 of 2 rectifiers replaced" in result.stdout
    assert _files(tmp_path / "out") == ["deep/net.v2.keras"]


def test_a_folder_is_as_its_models_one_by_one(run, folder, tmp_path):
    """What is written is what `convert` of the one file writes, byte for byte."""
    run("convert", folder, "out", "--to", "leaky_relu", "--negative-slope", "0.2")
    run(
        *("convert", folder / "model.keras", "one.keras"),
        *("--to", "leaky_relu", "--negative-slope", "0.2"),
    )

    one = (tmp_path / "one.keras").read_bytes()
    assert (tmp_path / "out" / "model.keras").read_bytes() == one


def test_each_model_is_verified_in_words(run, folder):
    """Whoever asks for it sees it beside each model."""
    result = run("convert", folder, "out", "--verify")

    lines = result.output.splitlines()
    verified = [line for line in lines if "Verified: " in line]
    assert len(verified) == 3
    assert all("bit-equal" in line for line in verified)


def test_a_damaged_model_costs_itself(run, folder, made, tmp_path):
    """The others are converted; the exit code is 1, and nothing half made is left."""
    shutil.copy(made / "cut.keras", folder / "broken.keras")
    (folder / "alone").mkdir()
    shutil.copy(made / "text.keras", folder / "alone")

    result = run("convert", folder, "out")

    assert result.exit_code == 1
    assert "broken.keras: failed: A .keras file must be a whole zip" in result.stdout
    assert "5 models: 2 converted, 1 with nothing to replace" in result.stdout
    assert "2 failed." in result.stdout
    assert "Traceback" not in result.output
    assert len(_files(tmp_path / "out")) == 3
    assert not (tmp_path / "out" / "alone").exists()


def test_where_all_fail_no_folder_is_made(run, made, tmp_path):
    """A folder of damaged models leaves no output folder behind."""
    (tmp_path / "models").mkdir()
    shutil.copy(made / "text.keras", tmp_path / "models")

    result = run("convert", "models", "out/deep")

    assert result.exit_code == 1
    assert "Nothing was written." in result.stdout
    assert not (tmp_path / "out").exists()


def test_json_has_one_object_for_each_model(run, folder, made):
    """`--json` has the models in order, each with its plan or error, and the sums."""
    shutil.copy(made / "cut.keras", folder / "broken.keras")

    result = run("convert", folder, "out", "--json")

    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [each["outcome"] for each in found["models"]] == [
        "failed",
        "converted",
        "converted",
        "unchanged",
    ]
    assert found["models"][0]["plan"] is None
    assert "whole zip archive" in found["models"][0]["error"]
    assert found["models"][0]["target"] is None
    assert len(found["models"][1]["plan"]["steps"]) == 2
    assert found["models"][1]["target"] == "out/model.keras"
    assert found["summary"] == {
        "models": 4,
        "converted": 2,
        "unchanged": 1,
        "failed": 1,
    }


def test_files_that_are_there_stay(run, folder, tmp_path):
    """Without --force a second run replaces nothing; with it, everything."""
    assert run("convert", folder, "out").exit_code == 0
    (tmp_path / "out" / "model.keras").write_text("mine")
    (tmp_path / "out" / "old" / "plain.keras").unlink()

    again = run("convert", folder, "out")

    assert again.exit_code == 1
    assert (tmp_path / "out" / "model.keras").read_text() == "mine"
    assert (tmp_path / "out" / "old" / "plain.keras").is_file()
    assert run("convert", folder, "out", "--force").exit_code == 0
    assert (tmp_path / "out" / "model.keras").read_bytes()[:2] == b"PK"


def test_a_dry_run_of_a_folder_writes_nothing(run, folder, tmp_path):
    """--dry-run shows what would be done, and needs no target."""
    result = run("convert", folder, "--dry-run")

    assert result.exit_code == 0, result.output
    assert "model.keras: 2 of 2 rectifiers to replace" in result.stdout
    assert "3 models: 2 to convert, 1 with nothing to replace" in result.stdout
    assert [each.name for each in tmp_path.iterdir()] == ["models"]


def test_two_models_never_become_one_file(run, folder, made):
    """`a.keras` wins over `a.h5`, and the other one is named."""
    shutil.copy(made / "legacy.h5", folder / "model.h5")

    result = run("convert", folder, "out")

    assert result.exit_code == 1
    assert "model.h5: failed: Two models must not become the same" in result.stdout
    assert "model.keras: 2 of 2 rectifiers replaced" in result.stdout


def test_the_output_is_no_input(run, folder, tmp_path):
    """An output folder inside the input folder is not converted again."""
    for _ in range(2):
        result = run("convert", folder, folder / "out", "--force")

    assert "3 models: 2 converted" in result.stdout
    assert len(_files(folder / "out")) == 3


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("models", "models"), "must not be the source folder"),
        (("empty", "out"), "holds none"),
        (("models", "models/notes.txt"), "must be converted into a folder"),
        (("models", "out.keras"), "the name of a file"),
        (("models", "out", "--manifest", "m.json"), "--manifest can only be used"),
        (("models/model.keras", "out.keras", "--jobs", "2"), "--jobs can only"),
    ],
)
def test_what_a_folder_cannot_be(run, folder, tmp_path, arguments, part):
    """Each is one sentence, and exit code 2."""
    (tmp_path / "empty").mkdir()

    result = run("convert", *arguments)

    assert result.exit_code == 2
    assert part in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_keras_is_not_imported(folder, tmp_path, where):
    """Neither the command line nor the processes need Keras for files of today."""
    (folder / "old" / "deep" / "legacy.h5").unlink()
    script = tmp_path / "script.py"
    script.write_text(_WITHOUT_KERAS)
    code = "import runpy, sys; sys.argv = sys.argv[1:]; "
    code += "runpy.run_path(sys.argv[0], run_name='__main__')"

    assert not fresh.run(tmp_path, code, script, where, folder, "out")


@pytest.mark.slow
def test_a_crash_in_a_model_costs_that_model(run, folder, tmp_path, monkeypatch):
    """Code of a model that aborts ends its process; the other models are verified."""
    (tmp_path / "crashing.py").write_text(_CRASHING)

    @keras.saving.register_keras_serializable("crashing", "Fragile")
    class Fragile(keras.layers.Layer):
        def call(self, x):
            return x

    layers = [keras.Input((4,)), Fragile(), keras.layers.Dense(2, activation="relu")]
    keras.Sequential(layers).save(folder / "fragile.keras")

    result = run("convert", folder, "out", "--verify", "--import", "crashing.py")

    assert result.exit_code == 1
    assert "fragile.keras: failed: The process that converted it crashed (SIGABRT)" in (
        result.stdout
    )
    assert "4 models: 2 converted, 1 with nothing to replace" in result.stdout
    assert len(_files(tmp_path / "out")) == 3
