import dataclasses
import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_rectifiers.cli.converting import preserves_function
from keras_rectifiers.cli.converting import promise_kept
from keras_rectifiers.conversion.verbs import plan
from keras_rectifiers.repairs import OPTIMIZER_STATE
from keras_rectifiers.repairs import Repair


def _predictions(path, x):
    return keras.saving.load_model(path).predict(x, verbose=0)


def test_the_converted_file_is_the_same_function(run, made, tmp_path):
    """With alpha 0 the new file computes what the old one did, bit for bit."""
    result = run("convert", made / "model.keras", "out.keras", "--verify")

    x = np.load(made / "inputs.npy")
    assert result.exit_code == 0, result.output
    assert "bit-equal" in result.stdout
    before = _predictions(made / "model.keras", x)
    np.testing.assert_array_equal(before, _predictions(tmp_path / "out.keras", x))


def test_a_slope_is_verified_by_its_weights(run, made, tmp_path):
    """A slope changes the outputs: then only the weights are promised."""
    arguments = ("--to", "leaky_relu", "--negative-slope", "0.3", "--verify")
    result = run("convert", made / "model.keras", "out.keras", *arguments, "--json")

    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert found["verification"]["weights_equal"]
    assert not found["verification"]["bit_equal"]
    assert found["target"] == "out.keras"
    layer = keras.saving.load_model(tmp_path / "out.keras").get_layer("rectified")
    assert layer.negative_slope == pytest.approx(0.3)


def test_a_dry_run_writes_nothing(run, made, tmp_path):
    """--dry-run shows the plan, and needs no target."""
    result = run("convert", made / "model.keras", "--dry-run")

    assert result.exit_code == 0
    assert "Nothing was written" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_is_the_plan(run, made, tmp_path):
    """--manifest writes the plan that was carried out."""
    run("convert", made / "model.keras", "out.keras", "--manifest", "plan.json")

    manifest = json.loads((tmp_path / "plan.json").read_text())
    assert [step["site"]["path"] for step in manifest["steps"]] == [
        "first",
        "rectified",
    ]


def test_force_replaces_a_file(run, made, tmp_path):
    """--force replaces an existing target."""
    (tmp_path / "out.keras").write_text("old")

    assert run("convert", made / "model.keras", "out.keras", "--force").exit_code == 0
    assert keras.saving.load_model(tmp_path / "out.keras").name == "small"


def test_unknown_classes_pass_through(run, made, tmp_path):
    """A file with a class that is not known here is converted all the same."""
    assert run("convert", made / "unknown.keras", "out.keras").exit_code == 0
    assert (tmp_path / "out.keras").exists()


def test_a_model_without_relu_is_copied(run, made, tmp_path):
    """Nothing to replace is no error; the copy is the model."""
    result = run("convert", made / "plain.keras", "out.keras", "--verify")

    assert result.exit_code == 0, result.output
    assert "no rectifier found" in result.stdout
    assert (tmp_path / "out.keras").exists()


def test_a_broken_promise_writes_nothing(run, made, tmp_path, monkeypatch):
    """If verification fails, the exit code is 1 and an old target stays."""
    (tmp_path / "out.keras").write_text("old")
    monkeypatch.setattr(
        "keras_rectifiers.cli.converting.promise_kept", lambda *_: False
    )

    result = run("convert", made / "model.keras", "out.keras", "--verify", "--force")

    assert result.exit_code == 1
    assert "Verification failed. Nothing was written." in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["out.keras"]
    assert (tmp_path / "out.keras").read_text() == "old"


@pytest.mark.parametrize(
    ("to", "choice", "preserved"),
    [
        ("prelu", {}, True),
        ("prelu", {"alpha": 0.25}, False),
        ("leaky_relu", {}, False),
        ("leaky_relu", {"negative_slope": 0.0}, True),
    ],
)
def test_what_is_promised(made, to, choice, preserved):
    """Only slopes of 0 promise the same outputs; weights are always promised."""
    made_plan = plan(made / "model.keras", to, **choice)
    found = {"bit_equal": True, "losses_equal": True, "slots_differing": ()}
    changed = SimpleNamespace(**{**found, "bit_equal": False}, variables_kept=True)
    lost = SimpleNamespace(**found, variables_kept=False)
    anew = SimpleNamespace(**{**found, "slots_differing": ("m",)}, variables_kept=True)
    dropping = dataclasses.replace(
        made_plan, repairs=(Repair(OPTIMIZER_STATE, "", "dropped"),)
    )

    assert preserves_function(made_plan, choice) is preserved
    assert promise_kept(changed, made_plan, choice) is not preserved
    assert not promise_kept(lost, made_plan, choice)
    assert not promise_kept(anew, made_plan, choice)
    assert promise_kept(anew, dropping, choice)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--to", "swish"], "'leaky_relu', 'prelu'"),
        (["--to", "leaky_relu", "--negative-slope", "nan"], "not a finite number"),
        (["--alpha", "inf"], "not a finite number"),
        (["--alpha", "much"], "not a number"),
        (["--alpha", "1e39"], "infinite in float32"),
        (["--negative-slope", "0.1"], "--to leaky_relu"),
        (["--to", "leaky_relu", "--alpha", "0.1"], "--to prelu"),
        (["--role", "boss"], "'hidden'"),
        (["--dry-run", "--verify"], "--verify"),
        (["--include", "secnd"], "rectified"),
    ],
)
def test_wrong_options_are_explained(fails, made, arguments, part):
    """An option out of its range is named, with what it may be."""
    assert part in fails("convert", made / "model.keras", "out.keras", *arguments)


def test_the_target_is_needed(fails, made):
    """Without a target and without --dry-run nothing is done."""
    assert "DST" in fails("convert", made / "model.keras")


def test_an_existing_target_is_refused(fails, made, tmp_path):
    """An existing file stays as it is, with or without --verify."""
    (tmp_path / "out.keras").write_text("mine")

    for options in ([], ["--verify"]):
        error = fails("convert", made / "model.keras", "out.keras", *options)
        assert "--force" in error
    assert (tmp_path / "out.keras").read_text() == "mine"


def test_an_existing_manifest_is_refused_before_any_work(fails, made, tmp_path):
    """An existing manifest stops the command before the model is written."""
    (tmp_path / "plan.json").write_text("mine")

    fails("convert", made / "model.keras", "out.keras", "--manifest", "plan.json")

    assert (tmp_path / "plan.json").read_text() == "mine"


@pytest.mark.parametrize("options", [[], ["--verify"], ["--verify", "--force"]])
def test_the_target_must_not_be_the_source(fails, made, tmp_path, options):
    """Converting a file onto itself is refused, with --force too."""
    content = (made / "model.keras").read_bytes()
    (tmp_path / "m.keras").write_bytes(content)

    assert "source" in fails("convert", "m.keras", "./m.keras", "--force", *options)
    assert (tmp_path / "m.keras").read_bytes() == content


def test_the_target_must_be_a_keras_file(fails, made, tmp_path):
    """A zip archive called .h5 would not be opened by Keras again."""
    assert "ends in .keras" in fails("convert", made / "model.keras", "out.h5")
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize("target", ["nowhere/out.keras", "."])
def test_a_target_that_cannot_be_written_is_refused(fails, made, target):
    """A folder as target, or one in a folder that is not there, is refused."""
    assert "folder" in fails("convert", made / "model.keras", target)


@pytest.mark.parametrize("name", ["cut.keras", "text.keras", "only.weights.h5"])
def test_damaged_sources_leave_nothing_behind(fails, made, name):
    """A source that is no whole model gives one sentence and no target."""
    fails("convert", made / name, "out.keras")


def test_verify_names_a_class_that_it_cannot_build(fails, made):
    """--verify has to build the model: it names the class and the option."""
    error = fails("convert", made / "unknown.keras", "out.keras", "--verify")

    assert "Tripled" in error
    assert "--import" in error


def test_a_model_with_dropout_is_verified(run, tmp_path):
    """Keras draws new seeds at each load; they are no weights that were lost."""
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(5, activation="relu"),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(2),
    ]
    keras.Sequential(layers).save(tmp_path / "model.keras")

    result = run("convert", tmp_path / "model.keras", "out.keras", "--verify")

    assert result.exit_code == 0, result.output
    assert "all 4 variables unchanged" in result.stdout
    assert (tmp_path / "out.keras").is_file()


@pytest.fixture
def stateful(tmp_path):
    """A model as Keras writes it after it wrote the same model as .h5."""
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(2)]
    )
    model.compile("adam", keras.losses.MeanSquaredError())
    model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "model.h5")
    model.save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


@pytest.mark.parametrize("where", ["out.keras", "--dry-run"])
def test_a_dropped_state_is_told(run, stateful, where):
    """Before and after: on the screen and as JSON, with what to look at."""
    shown = run("convert", stateful, where)
    told = run("convert", stateful, where, "--json", "--force")

    assert (shown.exit_code, told.exit_code) == (0, 0)
    assert "state of an optimizer dropped" in " ".join(shown.stdout.split())
    (repair,) = json.loads(told.stdout)["plan"]["repairs"]
    assert repair["rule"] == "optimizer state"


@pytest.mark.parametrize(
    "more", [["out.keras"], ["--dry-run"], ["x.keras", "--verify"]]
)
def test_a_state_can_be_required(run, stateful, tmp_path, more):
    """--keep-training-state makes a dropped state an error in one sentence."""
    before = sorted(tmp_path.iterdir())

    result = run("convert", stateful, *more, "--keep-training-state")

    assert result.exit_code == 2
    assert "training state must be kept" in result.stderr
    assert sorted(tmp_path.iterdir()) == before


def _calibrate(run, made, *arguments, model="model.keras", data="data.npz"):
    given = ("--to", "leaky_relu", "--calibrate", made / data, *arguments)
    return run("convert", made / model, *given)


def test_slopes_from_data(run, made, tmp_path):
    """Each layer has the slope that was chosen, and the loss moves as was said."""
    result = _calibrate(run, made, "out.keras", "--budget-change", "0.05", "--json")

    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    slopes = found["calibration"]["slopes"]
    assert max(slopes.values()) > 0
    assert found["calibration"]["measure"] == "loss"
    assert found["calibration"]["max_change"] == 0.05
    assert found["target"] == "out.keras"
    with np.load(made / "data.npz") as arrays:
        data = dict(arrays)
    losses = []
    for path in (made / "model.keras", tmp_path / "out.keras"):
        model = keras.saving.load_model(path)
        losses.append(model.evaluate(data["x"], data["y"], verbose=0)[0])
    assert losses[1] - losses[0] <= 0.05 + 1e-5
    for step in found["plan"]["steps"]:
        host = model.get_layer(step["site"]["path"])
        slope = getattr(host, "activation", host).negative_slope
        assert slope == pytest.approx(slopes[step["site"]["path"]])


def test_slopes_from_data_without_labels(run, made):
    """By the outputs; of an old file, too; the text names slopes and who absorbs."""
    arguments = ("out.keras", "--scale", "0.5", "--include", "first")
    result = _calibrate(run, made, *arguments, model="legacy.h5", data="inputs.npy")

    assert result.exit_code == 0, result.output
    assert "Calibration of 'small' on 90 samples" in result.stdout
    assert "Change of the outputs" in result.stdout
    assert "absorbed by second" in result.stdout
    assert "Written: out.keras" in result.stdout


def test_a_calibration_as_a_dry_run(run, made, tmp_path):
    """Slopes and plan are shown, and nothing but the manifest is written."""
    result = _calibrate(run, made, "--dry-run", "--manifest", "plan.json")

    assert result.exit_code == 0, result.output
    assert "rectifiers get a slope" in result.stdout
    assert "Nothing was written" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def test_a_change_above_the_budget_writes_nothing(run, made, tmp_path, monkeypatch):
    """The exit code is 1, and a file that is there stays."""
    (tmp_path / "out.keras").write_text("old")
    fits = "keras_rectifiers.calibration.result.Calibration.fits"
    monkeypatch.setattr(fits, property(lambda _: False))
    arguments = ("out.keras", "--force", "--manifest", "plan.json")

    result = _calibrate(run, made, *arguments)

    assert result.exit_code == 1
    assert "above --budget-change. Nothing was written" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["out.keras"]
    assert (tmp_path / "out.keras").read_text() == "old"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--calibrate", "DATA", "--verify"), "combined with --verify"),
        (("--calibrate", "DATA", "--alpha", "0"), "combined with --alpha"),
        (
            ("--calibrate", "DATA", "--of", "prelu", "--portable"),
            "combined with --of or --portable",
        ),
        (
            ("--calibrate", "DATA", "--keep-training-state"),
            "combined with --keep-training-state",
        ),
        (
            ("--to", "leaky_relu", "--negative-slope", "0", "--calibrate", "DATA"),
            "combined with --negative-slope",
        ),
        (("--budget-change", "0.1"), "--budget-change can only be used with"),
        (("--scale", "2"), "--scale can only be used with --calibrate DATA"),
        (("--calibrate", "DATA", "--budget-change", "nan"), "not a finite number"),
    ],
)
def test_options_that_do_not_go_with_a_calibration(
    run, made, tmp_path, arguments, words
):
    """One sentence and exit code 2, before anything is opened."""
    given = [made / "data.npz" if each == "DATA" else each for each in arguments]

    result = run("convert", "no such file", "out.keras", *given)

    assert result.exit_code == 2
    assert words in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("model", "target", "data", "words"),
    [
        ("model.keras", "out.h5", "data.npz", "written as .keras"),
        ("model.keras", "out.keras", "none.npz", "do not exist"),
        ("model.keras", "out.keras", "wide.npz", "must match the model"),
        ("model.keras", "out.keras", "odd.npz", "must contain"),
        ("plain.keras", "out.keras", "inputs.npy", "at least one ReLU"),
        ("only.weights.h5", "out.keras", "inputs.npy", "weights"),
    ],
)
def test_models_and_data_that_cannot_be_calibrated(
    run, made, tmp_path, model, target, data, words
):
    """One sentence and exit code 2; nothing is written."""
    result = _calibrate(run, made, target, model=model, data=data)

    assert result.exit_code == 2
    assert words in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [([], "It holds PReLU of"), (["--to", "leaky_relu"], "It holds LeakyReLU of")],
)
def test_a_file_that_needs_this_package_is_told(run, made, options, told):
    """The last line says so, and names the option; a portable file has no such line."""
    ours = run("convert", made / "model.keras", "ours.keras", *options)
    stock = run("convert", made / "model.keras", "stock.keras", "--portable", *options)

    assert ours.stdout.splitlines()[-1].startswith(told)
    assert "--portable" in ours.stdout
    assert stock.stdout.splitlines()[-2:] == [
        "Written: stock.keras",
        "Keras opens it without keras_rectifiers.",
    ]
