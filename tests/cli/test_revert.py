"""`keras-rectifiers revert`."""

import json
import zipfile

import keras
import numpy as np
import pytest

import keras_rectifiers

_MODULE = """
import keras

@keras.saving.register_keras_serializable("revert_cli")
class Small(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = keras.layers.Dense(4)
        self.act = keras.layers.ReLU()

    def call(self, x):
        return self.act(self.first(x))
"""


def _config(path):
    with zipfile.ZipFile(path) as file:
        return json.loads(file.read("config.json"))


@pytest.fixture
def converted(run, made, tmp_path):
    """A converted file, and its plan."""
    done = run("convert", made / "model.keras", "c.keras", "--manifest", "plan.json")
    assert done.exit_code == 0, done.output
    return tmp_path / "c.keras"


def test_the_original_comes_back(run, made, converted, tmp_path):
    """Config and weights are those of the original; each rectifier is named."""
    result = run("revert", converted, "back.keras")

    assert result.exit_code == 0, result.output
    assert "small: 2 rectifiers are as before the conversion." in result.stdout
    assert "first PReLU(alpha=0) Dense(activation='relu')" in " ".join(
        result.stdout.split()
    )
    assert "Written: back.keras\nKeras opens it without keras_rectifiers." in (
        result.stdout
    )
    assert _config(tmp_path / "back.keras") == _config(made / "model.keras")
    assert run("diff", made / "model.keras", "back.keras").exit_code == 0


def test_a_manifest_helps_where_keras_saved_the_model(run, fails, converted, tmp_path):
    """Without it the sentence says what to give; JSON says what was done."""
    keras.saving.load_model(converted).save(tmp_path / "again.keras")

    told = fails("revert", "again.keras", "back.keras")
    done = run("revert", "again.keras", "b.keras", "--manifest", "plan.json", "--json")

    assert "--manifest FILE" in told
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["target"] == "b.keras"
    assert [each["path"] for each in found["sites"]] == ["first", "rectified"]
    assert found["left"] == 0


def test_errors_are_one_sentence(fails, made, converted, tmp_path):
    """Nothing is written when something is wrong."""
    model = keras.saving.load_model(converted)
    model.get_layer("rectified").weights[0].assign(np.linspace(0.0, 0.5, 6))
    model.save(tmp_path / "trained.keras")
    plan = ("--manifest", "plan.json")

    told = fails("revert", "trained.keras", "b.keras", *plan)
    assert "'rectified', whose 6 slopes started at 0 and are between 0 and 0.5" in told
    assert "keras-rectifiers fold --tolerance 0.5" in told
    assert "no-such" in fails("revert", "no-such.keras", "b.keras")
    assert "cut.keras" in fails("revert", made / "cut.keras", "b.keras")
    assert "plan of a conversion" in fails("revert", made / "model.keras", "b.keras")
    wrong = ("--manifest", made / "model.keras")
    assert "not a text file" in fails("revert", converted, "b.keras", *wrong)
    missing = ("--manifest", "no-such.json")
    assert "no-such.json" in fails("revert", converted, "b.keras", *missing)
    assert "must not exist" in fails("revert", converted, "plan.json")


def test_a_file_stays_unless_it_is_forced(run, fails, converted, tmp_path):
    """`--force` replaces OUT."""
    (tmp_path / "b.keras").write_text("mine")

    assert "exist" in fails("revert", converted, "b.keras")
    assert (tmp_path / "b.keras").read_text() == "mine"
    assert run("revert", converted, "b.keras", "--force").exit_code == 0
    assert zipfile.is_zipfile(tmp_path / "b.keras")


def test_layers_that_python_makes_need_their_module(run, fails, tmp_path, monkeypatch):
    """Without --import one sentence asks for it; with it the file is reverted."""
    (tmp_path / "small_net.py").write_text(_MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    import small_net

    model = small_net.Small(name="net")
    model(np.ones((2, 3)))
    roles = ("hidden", "output", "custom")
    keras_rectifiers.convert(model, roles=roles).save(tmp_path / "c.keras")

    told = fails("revert", "c.keras", "b.keras")
    done = run("revert", "c.keras", "b.keras", "--import", "small_net")

    assert "creates the layers of 'Small'" in told
    assert done.exit_code == 0, done.output
    assert "1 rectifier is as before the conversion." in done.stdout
    assert "PReLU() ReLU()" in " ".join(done.stdout.split())
    back = keras.saving.load_model(tmp_path / "b.keras")
    assert type(back) is small_net.Small
    assert keras_rectifiers.verify(model, back, np.ones((2, 3))).bit_equal


def test_keras_stays_away(fresh, converted, tmp_path):
    """The work is done on the files alone."""
    code = (
        "import sys, json, keras_rectifiers as k; "
        f"k.revert_file({str(converted)!r}, {str(tmp_path / 'b.keras')!r}); "
        f"k.diff({str(converted)!r}, {str(tmp_path / 'b.keras')!r}); "
        "print(json.dumps('keras' in sys.modules))"
    )
    assert fresh(code) is False
