"""`diagnose --json`: real documents against the schema that the docs hold."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

_SCHEMA = Path(__file__).parents[2] / "docs" / "diagnose.schema.json"

jsonschema = pytest.importorskip("jsonschema")


@pytest.fixture
def documented(run, made):
    """Run `diagnose --json` and give its document, held against the schema."""
    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)

    def call(*arguments, code):
        result = run("diagnose", *arguments, "--data", made / "data.npz", "--json")
        assert result.exit_code == code, result.output
        found = json.loads(result.stdout)
        assert [each.message for each in validator.iter_errors(found)] == []
        return found

    return call


def test_one_model_without_a_threshold(documented, made):
    """There is a summary, no outcome, and no row for a unit."""
    found = documented(made / "model.keras", code=0)

    assert found["format"] == 1
    assert found["outcome"] == "none"
    (model,) = found["models"]
    assert model["file"] == str(made / "model.keras")
    assert model["reasons"] == []
    assert model["summary"]["samples"] == 90
    assert model["summary"]["dead_fraction"] == pytest.approx(5 / 14)
    assert "rows" not in model


def test_everything_that_can_be_asked_for(documented, made):
    """Rows, causes and thresholds are in the schema, too."""
    found = documented(
        *(made / "model.keras", "--units", "--explain"),
        *("--fail-above", "20%", "--fail-layer-above", "0.4"),
        code=1,
    )

    (model,) = found["models"]
    assert (found["fail_above"], found["fail_layer_above"]) == (0.2, 0.4)
    assert found["outcome"] == model["outcome"] == "failed"
    assert "35.7% of the units are dead, more than 20%" in model["reasons"][0]
    assert "'first' (50.0%)" in model["reasons"][1]
    assert [row["verdict"] for row in model["rows"]].count("dead") == 5
    assert model["explanation"]["causes"]


def test_several_models_and_one_that_cannot_be_opened(documented, made):
    """The others are reported; the exit code is that of the error."""
    files = [made / name for name in ("model.keras", "cut.keras", "plain.keras")]

    found = documented(*files, "--fail-above", "0.99", code=2)

    assert [each["outcome"] for each in found["models"]] == [
        "passed",
        "error",
        "passed",
    ]
    assert found["outcome"] == "error"
    assert "cut.keras" in found["models"][1]["reasons"][0]
    assert found["models"][1]["summary"] is None
    assert found["models"][2]["summary"]["samples"] == 0


def test_values_that_are_not_finite(documented, made, tmp_path):
    """NaN becomes null, and what it is stands in the summary."""
    model = keras.saving.load_model(made / "model.keras")
    model.layers[0].bias.assign(np.full(8, np.nan, "float32"))
    model.save(tmp_path / "broken.keras")

    found = documented(tmp_path / "broken.keras", "--units", "--fail-above=1", code=1)

    (entry,) = found["models"]
    assert entry["summary"]["not_finite"]["weights"][0]["count"] == 8
    assert entry["rows"][0]["mean_abs"] is None
    assert "NaN or infinity was found" in entry["reasons"][0]


@pytest.mark.parametrize("name", ["redo", "sagemaker", "autotrainer", "apoz"])
def test_every_criterion(documented, made, name):
    """The document names it."""
    found = documented(made / "model.keras", "--criterion", name, code=0)

    assert found["criterion"] == name
    assert found["models"][0]["summary"]["layers"][0]["criterion"] == name
