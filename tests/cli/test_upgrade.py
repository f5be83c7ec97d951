"""`keras-rectifiers upgrade`."""

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

tf_keras = pytest.importorskip("tf_keras")


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    kl = tf_keras.layers
    model = tf_keras.Sequential(
        [kl.Input((4,)), kl.Dense(5, activation="relu"), kl.Dense(2)], name="old"
    )
    model.compile("adam", "mse")
    model.save(folder / "old.h5")
    model.save_weights(folder / "weights.h5")
    (folder / "old.json").write_text(model.to_json())
    return folder, model


def test_repairs_are_listed_and_the_file_opens(run, old, tmp_path):
    """Nothing is converted; what was repaired is told."""
    folder, model = old
    result = run("upgrade", folder / "old.h5", "new.keras")

    assert result.exit_code == 0, result.output
    assert "4 arrays (37 parameters) kept" in result.stdout
    assert "batch_input_shape → batch_shape" in result.stdout
    new = keras.saving.load_model(tmp_path / "new.keras")
    assert [layer.name for layer in new.layers] == [each.name for each in model.layers]
    for mine, theirs in zip(new.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_keras_is_asked_before_the_file_is_put_in_place(run, old):
    """--verify compares every array with what Keras made of the new file."""
    result = run("upgrade", old[0] / "old.h5", "new.keras", "--verify", "--json")

    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert found["proof"] == {"arrays": 14, "lost": [], "added": []}
    assert found["target"] == "new.keras"


def test_a_file_that_keras_reads_otherwise_is_not_put_in_place(
    run, old, tmp_path, monkeypatch
):
    """Exit code 1, and no file."""
    from keras_rectifiers.conversion import proof

    made = proof.Proof(4, ("layers/dense/vars/0",), ())
    monkeypatch.setattr(proof, "prove", lambda *_: made)
    result = run("upgrade", old[0] / "old.h5", "new.keras", "--verify")

    assert result.exit_code == 1
    assert "1 arrays are lost (layers/dense/vars/0)" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_proof_sees_an_array_that_keras_does_not_take_over(old, tmp_path):
    """An array at another place is lost to Keras, and one is made anew."""
    from keras_rectifiers.conversion.proof import prove
    from keras_rectifiers.conversion.upgrade import upgrade_file

    upgrade_file(old[0] / "old.h5", tmp_path / "new.keras")
    assert prove(tmp_path / "new.keras", tmp_path / "new.keras").holds
    with zipfile.ZipFile(tmp_path / "new.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    (tmp_path / "w.h5").write_bytes(parts["model.weights.h5"])
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        file["layers/spare/vars/0"] = np.ones(3, "float32")
    parts["model.weights.h5"] = (tmp_path / "w.h5").read_bytes()
    with zipfile.ZipFile(tmp_path / "bad.keras", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)

    found = prove(tmp_path / "bad.keras", tmp_path / "bad.keras")

    assert found.lost == ("/layers/spare/vars/0",)
    assert not found.holds


def test_a_proof_looks_at_the_state_of_the_optimizer(tmp_path):
    """Keras only warns where it cannot take that over; here it is named."""
    from keras_rectifiers.conversion.proof import prove

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    model.save(tmp_path / "unbuilt.keras")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "built.keras")
    with zipfile.ZipFile(tmp_path / "built.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    config["compile_config"]["optimizer"]["config"]["momentum"] = 0.0
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)

    found = {
        name: prove(tmp_path / f"{name}.keras", tmp_path / f"{name}.keras")
        for name in ("unbuilt", "built")
    }
    with pytest.warns(UserWarning, match="optimizer"):
        lost = prove(tmp_path / "other.keras", tmp_path / "other.keras").lost

    assert found["unbuilt"].holds
    assert found["built"].holds
    assert found["built"].arrays == 2 + 4
    assert lost
    assert all(name.startswith("/optimizer/vars/") for name in lost)


def test_an_architecture_alone_and_with_weights(run, old, tmp_path):
    """JSON to JSON; with --weights to `.keras`."""
    folder, _ = old
    architecture = run("upgrade", folder / "old.json", "new.json")
    assert architecture.exit_code == 0
    assert "Keras opens it without keras_rectifiers." in architecture.stdout
    keras.models.model_from_json((tmp_path / "new.json").read_text())

    result = run(
        "upgrade", folder / "old.json", "new.keras", "--weights", folder / "weights.h5"
    )
    assert result.exit_code == 0, result.output
    assert keras.saving.load_model(tmp_path / "new.keras").count_params() == 37


@pytest.mark.parametrize(
    ("source", "target", "part"),
    [
        ("old.json", "new.keras", "--weights FILE"),
        ("weights.h5", "new.keras", "--weights"),
        ("old.h5", "new.h5", "written as .keras"),
        ("old.h5", "new.json", "written as .keras"),
        ("missing.h5", "new.keras", "must exist"),
    ],
)
def test_what_cannot_be_is_one_sentence(fails, old, tmp_path, source, target, part):
    """Exit code 2, and nothing is written."""
    assert part in fails("upgrade", old[0] / source, target)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A Sequential of Keras 2 whose file does not say what it takes."""
    path = tmp_path_factory.mktemp("bare") / "bare.h5"
    kl = tf_keras.layers
    model = tf_keras.Sequential(
        [kl.Conv2D(2, 3, activation="relu"), kl.Flatten(), kl.Dense(2)]
    )
    model.build((None, 5, 5, 1))
    model.save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        del config["config"]["layers"][0]
        file.attrs["model_config"] = json.dumps(config)
    return path


def test_a_shape_that_nothing_tells_is_asked_for(run, fails, bare, tmp_path):
    """The sentence names the option, and with it the file opens."""
    told = fails("upgrade", bare, "new.keras")
    assert "--input-shape None,N,N,1" in told
    assert list(tmp_path.iterdir()) == []

    for command in ("upgrade", "convert"):
        result = run(
            command, bare, f"{command}.keras", "--input-shape", "None,5,5,1", "--verify"
        )
        assert result.exit_code == 0, result.output
    new = keras.saving.load_model(tmp_path / "upgrade.keras")
    assert new.input_shape == (None, 5, 5, 1)


def test_an_inspection_takes_the_shape_too(run, bare):
    """As do diagnose and finetune, which load the model."""
    result = run("inspect", bare, "--input-shape", "(None, 5, 5, 1)", "--json")

    assert len(json.loads(result.stdout)["steps"]) == 1


@pytest.mark.parametrize("shape", ["", "5", "None,x", "None,0", "None,-1", "None,,5"])
def test_what_is_no_shape_is_a_usage_error(fails, bare, shape):
    """It is refused before the file is opened."""
    assert "is not a shape" in fails("upgrade", bare, "n.keras", "--input-shape", shape)


@pytest.fixture
def module(tmp_path):
    """A module of functions, as a user has it, beside a model with lambdas."""
    (tmp_path / "mine.py").write_text(
        "import keras\n\n\n"
        "@keras.saving.register_keras_serializable('mine')\n"
        "def doubled(x):\n    return 2 * x\n\n\n"
        "@keras.saving.register_keras_serializable('mine', 'lambda')\n"
        "def shifted(x):\n    return x + 1.0\n\n\n"
        "def plain(x):\n    return x\n"
    )
    kl = tf_keras.layers
    model = tf_keras.Sequential(
        [
            kl.Input((4,)),
            kl.Dense(3, activation=lambda x: 2 * x, name="doubled"),
            kl.Lambda(lambda x: x + 1.0, name="lambda"),
            kl.Dense(2, activation="relu"),
            kl.Dense(2),
        ]
    )
    model.save(tmp_path / "old.h5")
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    yield x, model(x).numpy()
    import sys

    sys.modules.pop("mine", None)
    for name in ("mine>doubled", "mine>lambda"):
        keras.saving.get_custom_objects().pop(name, None)


def test_functions_are_handed_over_by_their_module(run, fails, module, tmp_path):
    """Without it one sentence and no file; with it a file that is safe to open."""
    x, y = module
    told = fails("upgrade", "old.h5", "new.keras")
    assert "'doubled'" in told
    assert "--import MODULE" in told
    assert not (tmp_path / "new.keras").exists()

    for command in ("upgrade", "convert"):
        result = run(command, "old.h5", f"{command}.keras", "--import", "mine")
        assert result.exit_code == 0, result.output
    opened = keras.saving.load_model(tmp_path / "upgrade.keras")
    np.testing.assert_array_equal(opened(x), y)
    plan = json.loads(run("inspect", "old.h5", "--import", "mine", "--json").stdout)
    assert len(plan["steps"]) == 1


def test_a_proof_knows_the_functions_too(run, module, tmp_path):
    """--verify lets Keras open the file with what the module has."""
    result = run("upgrade", "old.h5", "new.keras", "--import", "mine", "--verify")

    assert result.exit_code == 0, result.output
    assert (tmp_path / "new.keras").exists()


def test_a_state_can_be_required(run, tmp_path):
    """A layer that was frozen while the optimizer was built has no slots."""
    kl = tf_keras.layers
    first = kl.Dense(3, name="first", trainable=False)
    model = tf_keras.Sequential([kl.Input((4,)), first, kl.Dense(2)])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0)
    first.trainable = True
    model.save(tmp_path / "old.keras")

    told = run("upgrade", tmp_path / "old.keras", "told.keras", "--json")
    refused = run(
        "upgrade", tmp_path / "old.keras", "no.keras", "--keep-training-state"
    )

    assert told.exit_code == 0
    rules = [each["rule"] for each in json.loads(told.stdout)["repairs"]]
    assert "optimizer state" in rules
    assert refused.exit_code == 2
    assert "training state must be kept" in refused.stderr
    assert not (tmp_path / "no.keras").exists()
