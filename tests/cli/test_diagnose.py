import json

import keras
import numpy as np
import pytest

from keras_rectifiers.cli import options
from keras_rectifiers.diagnosis import criteria


def _layers(result):
    (found,) = json.loads(result.stdout)["models"]
    return found["summary"]["layers"]


def test_it_counts_dead_units(run, made):
    """The table has a line for each layer and the number of dead units."""
    result = run("diagnose", made / "model.keras", "--data", made / "data.npz")

    assert result.exit_code == 0, result.output
    first = next(
        line.split() for line in result.stdout.splitlines() if "first" in line.split()
    )
    assert first[1:3] == ["8", "4"]
    assert "never positive on 90 samples" in result.stdout


def test_json_has_a_row_for_each_unit(run, made):
    """--json gives one row for each unit with --units."""
    result = run(
        *("diagnose", made / "model.keras", "--data", made / "inputs.npy"),
        *("--json", "--units"),
    )

    (found,) = json.loads(result.stdout)["models"]
    assert len(found["rows"]) == 14
    assert [row["verdict"] for row in found["rows"][:4]] == ["dead"] * 4


@pytest.mark.parametrize(
    ("threshold", "code"), [("0.2", 1), ("0.99", 0), ("20%", 1), ("99%", 0)]
)
def test_the_exit_code_tells_a_finding(run, made, threshold, code):
    """--fail-above exits with 1 if more units are dead, with 0 if not."""
    result = run(
        *("diagnose", made / "model.keras", "--data", made / "data.npz"),
        *("--fail-above", threshold),
    )

    assert result.exit_code == code


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_a_finding(run, made, tmp_path, value):
    """--fail-above exits with 1 where no unit is dead, and names the layer."""
    model = keras.saving.load_model(made / "plain.keras")
    bias = model.layers[0].bias
    bias.assign(np.full(bias.shape, value, "float32"))
    model.save(tmp_path / "broken.keras")
    arguments = ("diagnose", tmp_path / "broken.keras", "--data", made / "data.npz")

    result = run(*arguments, "--fail-above", "0.99")

    assert result.exit_code == 1
    named = f"The first layer whose weights are not finite is {model.layers[0].name!r}"
    assert named in result.stdout
    assert "Failed: NaN or infinity was found" in result.stdout
    assert run(*arguments).exit_code == 0


@pytest.mark.parametrize(("threshold", "code"), [("50%", 0), ("0.49", 1)])
def test_a_gate_for_each_layer(run, made, threshold, code):
    """--fail-layer-above exits with 1 and names the layer."""
    result = run(
        *("diagnose", made / "model.keras", "--data", made / "data.npz"),
        *("--fail-above", "99%", "--fail-layer-above", threshold),
    )

    assert result.exit_code == code, result.output
    assert ("Failed: 1 layer has more than 49% of its units" in result.stdout) == code
    assert ("'first' (50.0%)" in result.stdout) == code


def test_several_models_have_a_report_each(run, made):
    """The last table has a line for each; one that is above makes the exit code 1."""
    names = ("model.keras", "uncompiled.keras", "plain.keras")
    files = [made / name for name in names]

    result = run(
        *("diagnose", *files, "--data", made / "data.npz", "--fail-above", "20%"),
    )

    assert result.exit_code == 1, result.output
    assert [line for line in result.stdout.splitlines() if line.startswith("==")] == [
        f"== {each}" for each in files
    ]
    last = [line.split() for line in result.stdout.splitlines()[-3:]]
    assert [line[1:] for line in last] == [
        ["14", "35.7%", "failed"],
        ["14", "7.1%", "passed"],
        ["0", "0.0%", "passed"],
    ]


def test_a_model_that_cannot_be_opened_does_not_stop_the_others(run, made):
    """Its sentence is on stderr, and the exit code is 2."""
    files = [made / name for name in ("missing.keras", "model.keras")]

    result = run(
        *("diagnose", *files, "--data", made / "data.npz", "--fail-above", "20%"),
    )

    assert result.exit_code == 2, result.output
    assert result.stderr.splitlines()[0].startswith("Error: The model file must exist.")
    assert "Failed: 35.7% of the units are dead" in result.stdout
    last = [line.split()[1:] for line in result.stdout.splitlines()[-2:]]
    assert last == [["-", "-", "error"], ["14", "35.7%", "failed"]]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--units"], "--units adds rows to --json"),
        (["model.keras", "--report", "page.html"], "writes the page of one model"),
    ],
)
def test_options_that_do_not_go_together(fails, made, more, told):
    """Both are named before a model is opened."""
    error = fails("diagnose", made / "model.keras", "--data", "nowhere.npz", *more)

    assert told in error


def test_a_limit_takes_fewer_samples(run, made):
    """--limit uses that many samples."""
    result = run(
        *("diagnose", made / "model.keras", "--data", made / "data.npz"),
        *("--limit", "10", "--json"),
    )

    assert _layers(result)[0]["samples"] == 10


def test_a_function_may_give_the_data(run, made, tmp_path, monkeypatch):
    """package.module:function is called for a data set; --limit counts batches."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "streamed_inputs.py").write_text(
        "import keras, numpy as np\n"
        "class Batches(keras.utils.PyDataset):\n"
        "    num_batches = 3\n"
        "    def __getitem__(self, index):\n"
        "        return np.ones((8, 4), 'float32'), np.zeros(8)\n"
    )

    result = run(
        *("diagnose", made / "model.keras", "--data", "streamed_inputs:Batches"),
        *("--limit", "16", "--batch-size", "8", "--json"),
    )

    assert result.exit_code == 0, result.output
    assert _layers(result)[0]["samples"] == 16


def test_a_model_without_relu_is_no_error(run, made):
    """Without a rectifier there are no verdicts, and no error."""
    result = run("diagnose", made / "plain.keras", "--data", made / "data.npz")

    assert result.exit_code == 0
    assert "no rectifier" in result.stdout


@pytest.mark.parametrize(
    ("model", "data", "part"),
    [
        ("missing.keras", "data.npz", "must exist"),
        ("cut.keras", "data.npz", "cut.keras"),
        ("only.weights.h5", "data.npz", "weights only"),
        ("unknown.keras", "data.npz", "'Tripled'"),
        ("model.keras", "missing.npz", "do not exist"),
        ("model.keras", "odd.npz", "'images'"),
        ("model.keras", "wide.npz", "samples of shape 7"),
    ],
)
def test_bad_input_is_explained(fails, made, model, data, part):
    """A model or data that do not serve give one sentence and exit code 2."""
    assert part in fails("diagnose", made / model, "--data", made / data)


@pytest.mark.parametrize("value", ["nan", "-1", "some", "20", "101%"])
def test_the_threshold_must_be_a_share(fails, made, value):
    """A threshold that is no number of 0..1 is refused; 20 may mean 20%."""
    error = fails(
        *("diagnose", made / "model.keras", "--data", made / "data.npz"),
        f"--fail-above={value}",
    )

    assert "such as 20%" in error
    assert ("write 20%" in error) == (value == "20")


def test_report_is_written_with_the_causes(run, made, tmp_path):
    """--report writes one page; --explain names causes, in JSON too."""
    page = tmp_path / "report.html"

    result = run(
        *("diagnose", made / "model.keras", "--data", made / "data.npz"),
        *("--explain", "--json", "--report", page),
    )

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["models"][0]["explanation"]["causes"]
    assert "<html" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "dead"), [("never_positive", 4), ("redo", 4)])
def test_a_criterion_counts(run, made, name, dead):
    """--criterion says what counts as dead, and stands in the result."""
    result = run(
        *("diagnose", made / "model.keras", "--data", made / "data.npz"),
        *("--criterion", name, "--json"),
    )

    layers = _layers(result)
    assert layers[0]["criterion"] == name
    assert layers[0]["dead"] >= dead


def test_the_criteria_of_the_command_are_all_there_are():
    """The command names them without importing what they are made of."""
    assert tuple(criteria.CRITERIA) == options.CRITERIA


def test_autotrainer_takes_gradients(run, fails, made):
    """The criterion by gradients reads the labels, and needs the model's loss."""
    data = ("--data", made / "data.npz", "--criterion", "autotrainer")

    result = run("diagnose", made / "model.keras", *data)

    assert result.exit_code == 0, result.output
    assert "Zhang et al. 2021" in result.stdout
    assert "saved without one" in fails("diagnose", made / "uncompiled.keras", *data)


@pytest.mark.parametrize("name", ["report.txt", "there.html"])
def test_a_report_that_cannot_be_written_is_told_first(fails, made, tmp_path, name):
    """The target is looked at before the model is loaded; nothing is replaced."""
    (tmp_path / "there.html").write_text("mine")

    message = fails(
        *("diagnose", made / "model.keras", "--data", made / "data.npz"),
        *("--report", tmp_path / name),
    )

    assert ".html" in message
    assert (tmp_path / "there.html").read_text() == "mine"
