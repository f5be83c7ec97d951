"""`keras-rectifiers export`."""

import json

import keras
import pytest

import keras_rectifiers

BACKEND = keras.config.backend()


@pytest.fixture(scope="module")
def prelus(made, tmp_path_factory):
    """The model as PReLU with slopes."""
    model = keras.saving.load_model(made / "model.keras")
    converted = keras_rectifiers.convert(model, alpha=0.2)
    path = tmp_path_factory.mktemp("prelus") / "prelus.keras"
    converted.save(path)
    return path


def test_a_file_is_written_and_told(run, prelus, made, tmp_path):
    """Operations, differences, the twin, and where it went."""
    result = run("export", prelus, "out.tflite", "--data", made / "data.npz")

    assert result.exit_code == 0, result.output
    assert "as litert (float32)" in result.stdout
    assert "PRELU" in result.stdout
    assert "ReLU twin" in result.stdout
    assert "accuracy in the file" in result.stdout
    assert "Written: out.tflite" in result.stdout
    assert (tmp_path / "out.tflite").is_file()


def test_past_the_tolerance_is_exit_code_1(run, prelus, tmp_path):
    """With the figures, as JSON too, and no file."""
    arguments = ("--format", "savedmodel", "--tolerance", "0", "--no-twin", "--json")
    range_of = ("--input-range", "0", "100")
    result = run("export", prelus, "served", "--dynamic", *arguments)
    assert result.exit_code == 2
    assert "dynamic is only available for" in result.stderr

    result = run("export", prelus, "out.tflite", "--dynamic", *arguments[2:], *range_of)

    assert result.exit_code == 1, result.output
    found = json.loads(result.stdout)
    assert found["holds"] is False
    assert found["target"] is None
    assert "uniform in 0 to 100" in found["inputs"]
    assert not (tmp_path / "out.tflite").exists()


def test_errors_are_one_sentence(fails, prelus, made, tmp_path):
    """Exit code 2, before a process is started where that can be told."""
    (tmp_path / "taken.tflite").write_text("mine")

    assert "must not exist" in fails("export", prelus, "taken.tflite")
    assert "no-such.keras" in fails("export", "no-such.keras", "a.tflite")
    assert "ending" in fails("export", prelus, "a.bin")
    assert "calibrated" in fails("export", prelus, "a.tflite", "--int8")
    assert "no folder" in fails("export", prelus, "nowhere/a.tflite")
    assert "--format" in fails("export", prelus, "a.tflite", "--format", "coreml")
    assert "text.keras" in fails("export", made / "text.keras", "a.tflite")
    assert (tmp_path / "taken.tflite").read_text() == "mine"
