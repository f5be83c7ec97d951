"""`keras-rectifiers upgrade`."""

import json

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
    assert "4 arrays (37 parameters) carried over" in result.stdout
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
    assert found["proof"] == {"arrays": 4, "lost": [], "added": []}
    assert found["target"] == "new.keras"


def test_a_file_that_keras_reads_otherwise_is_not_put_in_place(
    run, old, tmp_path, monkeypatch
):
    """Exit code 1, and no file."""
    from keras_rectifiers.conversion import proof

    made = proof.Proof(4, ("layers/dense/vars/0",), ())
    monkeypatch.setattr(proof, "prove", lambda path, told: made)
    result = run("upgrade", old[0] / "old.h5", "new.keras", "--verify")

    assert result.exit_code == 1
    assert "1 arrays are not taken over (layers/dense/vars/0)" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_proof_sees_an_array_that_keras_does_not_take_over(old, tmp_path):
    """An array at another place is lost to Keras, and one is made anew."""
    from keras_rectifiers.conversion.proof import prove
    from keras_rectifiers.saved.upgrade import upgrade

    upgrade(old[0] / "old.h5", tmp_path / "new.keras")
    assert prove(tmp_path / "new.keras", tmp_path / "new.keras").holds
    import zipfile

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


def test_an_architecture_alone_and_with_weights(run, old, tmp_path):
    """JSON to JSON; with --weights to `.keras`."""
    folder, _ = old
    assert run("upgrade", folder / "old.json", "new.json").exit_code == 0
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
