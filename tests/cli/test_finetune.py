import json
import sys

import keras
import numpy as np
import pytest


@pytest.fixture
def finetune(run, made):
    """Fine-tune the shared model on the shared data, for one epoch."""

    def call(*options, model="model.keras", data="data.npz"):
        return run(
            *("finetune", made / model, "--data", made / data, "--out", "out.keras"),
            *("--epochs", "1", *options),
        )

    return call


def test_the_model_is_converted_trained_and_saved(finetune, tmp_path):
    """The file has PReLUs whose slopes have moved, and loads."""
    # The labels are random: no epoch is better.
    result = finetune("--to", "prelu", "--last")

    model = keras.saving.load_model(tmp_path / "out.keras")
    slopes = keras.ops.convert_to_numpy(model.get_layer("rectified").alpha)
    assert result.exit_code == 1, result.output  # ... and it is said
    assert "say nothing about the labels" in result.stdout
    assert "Written: out.keras (the last epoch, 1 of 1: not rescued)" in result.stdout
    assert "keras_rectifiers." not in result.stdout  # advice names commands
    assert np.any(slopes != 0)
    assert "silent units" in result.stdout
    assert "epoch 1/1" in result.stderr
    assert "silent" in result.stderr


def test_a_rescue_ends_with_0_and_says_so(run, made, tmp_path):
    """Labels that can be learnt, and a model whose first layer is dead."""
    x = np.random.default_rng(0).normal(size=(300, 4)).astype("float32")
    np.savez(tmp_path / "good.npz", x=x, y=x[:, :3].argmax(axis=1))
    given = ("--data", "good.npz", "--out", "out.keras", "--epochs", "20")
    result = run("finetune", made / "model.keras", *given)

    assert result.exit_code == 0, result.output
    assert "Rescued: accuracy on the validation split" in result.stdout
    assert "chosen by accuracy on the validation split (" in result.stdout
    assert (
        "Restart goes on, by accuracy on the validation split: " in result.stderr
        or (
            "Restart is given up, by accuracy on the validation split: "
            in result.stderr
        )
    )
    assert "Trial of 4 of 16 epochs. Revive (5 of 14 units are dead" in result.stderr
    assert "epochs. Restart: all weights are drawn again (" in result.stderr


def test_json_has_before_after_and_epochs(finetune):
    """With --json stdout is the result, and the epochs go to stderr."""
    result = finetune("--json", "--last")

    found = json.loads(result.stdout)
    assert found["best_epoch"] is None
    assert found["before"]["dead_fraction"] > 0
    assert found["after"]["dead_fraction"] == 0
    assert len(found["epochs"]) == 1
    assert found["target"] == "out.keras"


def test_the_seed_decides_the_run(finetune):
    """The same seed gives the same run."""
    runs = [json.loads(finetune("--json", "--force").stdout) for _ in range(2)]

    assert runs[0] == runs[1]


def test_dead_units_are_revived_and_the_relus_stay(finetune, tmp_path):
    """The command says what it did, and the file loads."""
    result = finetune("--treatment", "revive", "--last")

    layer = keras.saving.load_model(tmp_path / "out.keras").get_layer("rectified")
    assert type(layer) is keras.layers.ReLU
    assert "Treatment: revive" in result.stdout
    assert "were given new weights" in result.stdout
    assert "bit for bit" in result.stdout


def test_a_treatment_is_chosen_and_explained(finetune):
    """Without options: many units are dead, and the labels are random."""
    result = finetune("--last")

    assert "Treatment: restart (5 of 14 units are dead" in result.stdout


def test_slopes_are_folded_back(finetune, tmp_path):
    """Slopes for dead units alone, annealed: what is written is a plain ReLU."""
    options = ("--treatment", "slopes", "--fold", "--epochs", "3", "--last")
    result = finetune(*options)

    layer = keras.saving.load_model(tmp_path / "out.keras").get_layer("rectified")
    assert isinstance(layer, keras.layers.ReLU)
    assert layer.negative_slope == 0
    assert "Folded: 2 of 2" in result.stdout


def test_a_loss_serves_an_uncompiled_model(finetune, tmp_path):
    """--loss compiles a model that is not, and the file is compiled with it."""
    loss = "sparse_categorical_crossentropy"
    result = finetune("--loss", loss, model="uncompiled.keras")

    assert result.exit_code == 1, result.output  # the labels are random
    assert "accuracy" in result.stdout
    assert "Written: out.keras (" in result.stdout
    assert ": not rescued)" in result.stdout
    assert keras.saving.load_model(tmp_path / "out.keras").loss == loss


@pytest.mark.parametrize(
    ("model", "data", "options", "part"),
    [
        ("missing.keras", "data.npz", [], "must exist"),
        ("unknown.keras", "data.npz", ["--loss", "mse"], "'Tripled'"),
        ("uncompiled.keras", "data.npz", [], "--loss"),
        ("uncompiled.keras", "data.npz", ["--loss", "ms"], "Did you mean 'mse'?"),
        ("uncompiled.keras", "data.npz", ["--loss", "mse"], "--loss"),
        ("model.keras", "inputs.npy", [], "labels"),
        ("model.keras", "wide.npz", [], "samples of shape 7"),
        ("model.keras", "data.npz", ["--learning-rate", "0"], "greater than 0"),
        ("model.keras", "data.npz", ["--validation-split", "1"], "0<=x<1"),
        ("model.keras", "data.npz", ["--include", "nothing"], "rectified"),
        (
            "model.keras",
            "data.npz",
            ["--treatment", "none", "--of", "relu"],
            "--treatment none",
        ),
    ],
)
def test_bad_input_is_explained(fails, made, model, data, options, part):
    """What cannot be trained gives one sentence, exit code 2 and no file."""
    error = fails(
        *("finetune", made / model, "--data", made / data, "--out", "o.keras"),
        *options,
    )

    assert part in error


@pytest.fixture
def streams(tmp_path, monkeypatch):
    """A module with data sets that are made by TensorFlow."""
    pytest.importorskip("tensorflow")
    (tmp_path / "made_streams.py").write_text(
        "import numpy as np\n"
        "import tensorflow as tf\n"
        "from pathlib import Path\n"
        "def counted():\n"
        "    found = np.load(Path(__file__).with_name('path.txt').read_text())\n"
        "    pair = (found['x'], found['y'])\n"
        "    return tf.data.Dataset.from_tensor_slices(pair).batch(16)\n"
        "def endless(): return counted().repeat()\n"
    )
    monkeypatch.chdir(tmp_path)
    yield "made_streams"
    sys.modules.pop("made_streams", None)
    sys.path.remove(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "options", "part"),
    [
        (
            "counted",
            ["--class-weight", "balanced"],
            "data set object (tf.data.Dataset)",
        ),
        ("endless", [], "--steps-per-epoch"),
    ],
)
def test_streams_that_lack_something_are_explained(
    fails, made, streams, tmp_path, name, options, part
):
    """In one clear sentence, as everything that is given."""
    (tmp_path / "path.txt").write_text(str(made / "data.npz"))
    error = fails(
        *("finetune", made / "model.keras", "--data", f"{streams}:{name}"),
        *("--out", "o.keras", *options),
    )

    assert part in error
    assert "Unexpected" not in error


def test_steps_make_an_epoch_of_what_never_ends(run, made, streams, tmp_path):
    """As in `fit`."""
    (tmp_path / "path.txt").write_text(str(made / "data.npz"))
    result = run(
        *("finetune", made / "model.keras", "--data", f"{streams}:endless"),
        *("--out", "o.keras", "--steps-per-epoch", "2", "--epochs", "1", "--json"),
    )

    assert len(json.loads(result.stdout)["epochs"]) == 1


@pytest.mark.filterwarnings("ignore:.* units gave NaN or infinity")
def test_a_run_that_diverges_is_not_saved(run, made, tmp_path):
    """A loss that becomes NaN ends the run with a remedy, and without a file."""
    result = run(
        *("finetune", made / "model.keras", "--data", made / "data.npz"),
        *("--out", "out.keras", "--learning-rate", "1e38", "--json"),
    )

    assert result.exit_code == 2, result.output
    assert "--learning-rate" in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "out.keras").exists()


@pytest.mark.parametrize("out", ["out.h5", "out"])
def test_the_target_must_be_a_keras_file(fails, made, out):
    """A target that Keras could not open again is refused before training."""
    error = fails(
        "finetune", made / "model.keras", "--data", made / "data.npz", "--out", out
    )

    assert ".keras" in error


def test_an_existing_target_is_refused_before_training(fails, made, tmp_path):
    """An existing file stays as it is."""
    (tmp_path / "out.keras").write_text("mine")

    error = fails(
        *("finetune", made / "model.keras", "--data", made / "data.npz"),
        *("--out", "out.keras"),
    )

    assert "--force" in error
    assert (tmp_path / "out.keras").read_text() == "mine"
