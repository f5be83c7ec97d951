"""`keras-rectifiers fold`."""

import json
import zipfile

import keras
import numpy as np
import pytest

import keras_rectifiers


@pytest.fixture(scope="module")
def slopes(made, tmp_path_factory):
    """The model as PReLU: slopes of 0 in one layer, different ones in the other."""
    folder = tmp_path_factory.mktemp("slopes")
    model = keras.saving.load_model(made / "model.keras")
    converted = keras_rectifiers.convert(model)
    converted.get_layer("rectified").weights[0].assign(np.linspace(0.01, 0.03, 6))
    converted.save(folder / "slopes.keras")
    return folder / "slopes.keras"


def test_what_is_exact_is_folded_and_the_rest_named(run, slopes, tmp_path):
    """By default nothing that the model computes changes."""
    result = run("fold", slopes, "plain.keras")

    assert result.exit_code == 0, result.output
    assert "1 of 2 rectifiers with slopes folded; the function is the same" in (
        result.stdout
    )
    assert "first Dense(activation=PReLU()) relu" in " ".join(result.stdout.split())
    assert "its slopes are between 0.01 and 0.03" in result.stdout
    assert "Written: plain.keras\nIt holds PReLU of keras_rectifiers: Keras opens " in (
        result.stdout
    )
    model = keras.saving.load_model(tmp_path / "plain.keras")
    assert model.get_layer("first").activation is keras.activations.relu


def test_a_tolerance_is_bounded_and_measured(run, slopes, made):
    """The change is told three ways: of slopes, proved, and measured."""
    arguments = ("--tolerance", "0.01", "--input-range", "-5", "5")
    data = ("--data", made / "inputs.npy", "--json")
    result = run("fold", slopes, "plain.keras", *arguments, *data)

    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    first, second = found["sites"]
    assert (first["after"], first["distance"], first["bound"]) == ("relu", 0, 0)
    assert second["after"] == "leaky_relu"
    assert second["distance"] == pytest.approx(0.01)
    assert 0 < found["measured"]["sites"]["rectified"] <= second["bound"]
    assert found["measured"]["samples"] == 90
    assert found["target"] == "plain.keras"


def test_errors_are_one_sentence(fails, slopes, made):
    """Nothing is written when something is wrong."""
    assert "negative" in fails("fold", slopes, "b.keras", "--include", "negative")
    assert "at least 0" in fails("fold", slopes, "b.keras", "--tolerance", "-1")
    assert "no-such" in fails("fold", "no-such.keras", "b.keras")
    assert "cut.keras" in fails("fold", made / "cut.keras", "b.keras")
    wide = ("--data", made / "wide.npz")
    assert "wide.npz" in fails("fold", slopes, "b.keras", *wide)


def test_a_state_can_be_required(run, slopes, tmp_path):
    """A fold that takes slots away says which state goes, or stops."""
    unnamed = tmp_path / "unnamed.keras"
    with zipfile.ZipFile(slopes) as old, zipfile.ZipFile(unnamed, "w") as new:
        for member in old.infolist():
            content = old.read(member)
            if member.filename == "config.json":
                config = json.loads(content)
                config["compile_config"].pop("optimizer")
                content = json.dumps(config).encode()
            new.writestr(member, content)

    told = run("fold", unnamed, "told.keras", "--json")
    refused = run("fold", unnamed, "kept.keras", "--keep-training-state")

    assert told.exit_code == 0
    (repair,) = json.loads(told.stdout)["repairs"]
    assert "state of an optimizer dropped" in repair["text"]
    assert refused.exit_code == 2
    assert "training state must be kept" in refused.stderr
    assert not (tmp_path / "kept.keras").exists()
