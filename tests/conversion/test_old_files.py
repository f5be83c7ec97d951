"""Old models are converted like new ones: planned, written, and proven."""

import json
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

import keras_rectifiers
from keras_rectifiers.conversion import opened
from keras_rectifiers.conversion import targets
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import PlanMismatchError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.surgery import weights_file
from keras_rectifiers.surgery.plan import Plan

tf_keras = pytest.importorskip("tf_keras")

X = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32")


@tf_keras.utils.register_keras_serializable("old_files", "Doubled")
class OldDoubled(tf_keras.layers.Layer):
    def build(self, shape):
        self.gain = self.add_weight("gain", shape[-1:], initializer="ones")

    def call(self, x):
        return 2 * x * self.gain


OldDoubled.__name__ = "Doubled"  # the groups of a file are named after the class


@keras.saving.register_keras_serializable("old_files", "Doubled")
class Doubled(keras.layers.Layer):
    def build(self, shape):
        self.gain = self.add_weight(shape=shape[-1:], name="gain", initializer="ones")

    def call(self, x):
        return 2 * x * self.gain


def _old(*, custom=False):
    """A frozen-and-nested model of Keras 2, with weights that are no defaults."""
    kl = tf_keras.layers
    tf_keras.utils.set_random_seed(1)
    inner = tf_keras.Sequential(
        [
            kl.Conv2D(4, 3, use_bias=False),
            kl.BatchNormalization(),
            kl.ReLU(6.0, name="re_lu"),
        ],
        name="inner",
    )
    x = inputs = kl.Input((8, 8, 3))
    x = inner(x)
    x = kl.DepthwiseConv2D(3, activation="relu", name="depthwise")(x)
    if custom:
        x = OldDoubled(name="own")(x)
    x = kl.Activation("relu", name="act")(kl.Flatten()(x))
    model = tf_keras.Model(inputs, kl.Dense(2, name="out")(x), name="old")
    model.set_weights(
        [w + np.random.default_rng(2).uniform(0, 0.3, w.shape) for w in model.weights]
    )
    model.compile("adam", "mse")
    return model


def _outputs(path):
    return np.asarray(keras.saving.load_model(path).predict(X, verbose=0))


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """One model of Keras 2 in each of its forms, and what it puts out."""
    folder = tmp_path_factory.mktemp("old")
    model = _old()
    model.save(folder / "old.h5")
    model.save(folder / "old.keras")
    model.save(folder / "old_model", save_format="tf")
    model.save_weights(folder / "weights.h5")
    (folder / "old.json").write_text(model.to_json())
    return folder, model.predict(X, verbose=0)


@pytest.mark.parametrize("name", ["old.h5", "old.keras", "old_model"])
@pytest.mark.parametrize("to", ["prelu", "leaky_relu"])
def test_every_container_is_converted(old, tmp_path, name, to):
    """Three rectifiers are found in each, and slopes of 0 leave the function."""
    folder, expected = old
    options = {"negative_slope": 0.0} if to == "leaky_relu" else {}

    plan = keras_rectifiers.convert_file(
        folder / name, tmp_path / "new.keras", to, **options
    )

    paths = [step.site.path for step in plan.steps]
    assert paths == ["inner/re_lu", "depthwise", "act"]
    assert {each.rule for each in plan.repairs} >= {"input_layer", "arguments"}
    np.testing.assert_allclose(_outputs(tmp_path / "new.keras"), expected, rtol=1e-5)
    assert [each.name for each in tmp_path.iterdir()] == ["new.keras"]


def test_a_plan_of_an_old_file_travels_as_json(old, tmp_path):
    """A plan keeps its repairs, and can be carried out later."""
    folder, expected = old
    plan = keras_rectifiers.plan(folder / "old.h5", "prelu", include="act")

    again = Plan.from_json(plan.to_json())
    keras_rectifiers.convert_file(folder / "old.h5", tmp_path / "new.keras", again)

    assert again == plan
    assert "batch_input_shape" in str(again)
    model = keras.saving.load_model(tmp_path / "new.keras")
    assert type(model.get_layer("act")).__name__ == "PReLU"
    assert type(model.get_layer("inner").layers[-1]).__name__ == "ReLU"
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="combined with a plan"):
        keras_rectifiers.convert_file(
            folder / "old.h5", tmp_path / "other.keras", plan, include="act"
        )


def test_an_architecture_becomes_a_modern_one(old, tmp_path):
    """JSON in, JSON out; and with weights a whole model."""
    folder, expected = old
    plan = keras_rectifiers.convert_file(folder / "old.json", tmp_path / "new.json")
    model = keras.models.model_from_json((tmp_path / "new.json").read_text())

    assert len(plan.steps) == 3
    assert type(model.get_layer("act")).__name__ == "PReLU"

    keras_rectifiers.convert_file(
        folder / "old.json", tmp_path / "new.keras", weights=folder / "weights.h5"
    )
    np.testing.assert_allclose(_outputs(tmp_path / "new.keras"), expected, rtol=1e-5)


def test_an_architecture_alone_is_no_keras_file(old, tmp_path):
    """Without weights there is nothing to put into a `.keras`, and it is said."""
    with pytest.raises(ArchiveError, match="--weights FILE"):
        keras_rectifiers.convert_file(old[0] / "old.json", tmp_path / "new.keras")
    with pytest.raises(ArchiveError, match=r"written as \.keras or \.h5"):
        keras_rectifiers.convert_file(old[0] / "old.h5", tmp_path / "new.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", ["prelu", "leaky_relu"])
def test_an_h5_stays_an_h5_on_request(old, tmp_path, to):
    """Only attributes and slopes change: every array keeps its name and its bytes."""
    folder, expected = old
    options = {"negative_slope": 0.0} if to == "leaky_relu" else {}
    made = keras_rectifiers.convert_file(
        folder / "old.h5", tmp_path / "new.h5", to, **options
    )

    before, after = (
        _datasets(each) for each in (folder / "old.h5", tmp_path / "new.h5")
    )
    added = set(after) - set(before)
    assert {name: after[name] for name in before} == before
    assert len(added) == (3 if to == "prelu" else 0)
    assert all("alpha" in name for name in added)
    left = [each.text for each in made.repairs if each.rule == "optimizer state"]
    assert len(left) == (1 if to == "prelu" else 0)
    assert all("an .h5 target keeps it as it is" in text for text in left)
    model = keras.saving.load_model(tmp_path / "new.h5", compile=False)
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-5)


def _datasets(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()].tobytes()})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return found


def test_slopes_in_an_h5_stand_where_keras_looks_for_them(tmp_path):
    """Frozen layers and shared ones list their weights in Keras' own order."""
    inner = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(4, activation="relu", name="one"),
            layers.BatchNormalization(),
            layers.Dense(4, activation="relu", name="two"),
        ],
        name="inner",
    )
    inner.get_layer("one").trainable = False
    x = inputs = keras.Input((4,))
    x = layers.ReLU(name="r")(inner(inner(x)))
    model = keras.Model(inputs, layers.Dense(1)(x))
    model.set_weights(
        [w + np.random.default_rng(3).uniform(0, 1, w.shape) for w in model.weights]
    )
    model.save(tmp_path / "model.h5")

    keras_rectifiers.convert_file(
        tmp_path / "model.h5", tmp_path / "new.h5", alpha=0.125
    )

    data = np.random.default_rng(4).normal(size=(5, 4)).astype("float32")
    twin = keras_rectifiers.convert(model, alpha=0.125)
    again = keras.saving.load_model(tmp_path / "new.h5", compile=False)
    np.testing.assert_array_equal(
        again.predict(data, verbose=0), twin.predict(data, verbose=0)
    )


def test_arrays_that_have_to_change_need_a_keras_file(tmp_path):
    """A form of the past is not hidden in an `.h5`."""
    kl = tf_keras.layers
    model = tf_keras.Sequential(
        [kl.Input((5, 3)), kl.LSTM(2), kl.Dense(3, activation="relu"), kl.Dense(1)]
    )
    model.save(tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        entry = config["config"]["layers"][1]
        entry["class_name"] = "CuDNNLSTM"
        keep = ("name", "trainable", "dtype", "units", "return_sequences")
        entry["config"] = {key: entry["config"][key] for key in keep}
        file.attrs["model_config"] = json.dumps(config)
        layer = file["model_weights"][entry["config"]["name"]]
        (bias,) = [n for n in layer.attrs["weight_names"] if "bias" in n]
        del layer[bias]
        layer[bias] = np.zeros(16, "float32")

    with pytest.raises(UnsupportedModelError, match=r"ends in \.keras"):
        keras_rectifiers.convert_file(tmp_path / "old.h5", tmp_path / "new.h5")
    keras_rectifiers.convert_file(tmp_path / "old.h5", tmp_path / "new.keras")
    names = {each.name for each in tmp_path.iterdir()}
    assert names == {"new.keras", "old.h5"}


def test_classes_that_are_not_known_pass_through(tmp_path):
    """Nobody imports the user's class; its config and its weights stay."""
    model = _old(custom=True)
    expected = model.predict(X, verbose=0)
    for name in ("old.h5", "old.keras"):
        model.save(tmp_path / name)
        plan = keras_rectifiers.convert_file(
            tmp_path / name,
            tmp_path / "new.keras",
            "leaky_relu",
            negative_slope=0.0,
            overwrite=True,
        )
        assert [step.site.path for step in plan.steps][-1] == "act"
        np.testing.assert_allclose(
            _outputs(tmp_path / "new.keras"), expected, rtol=1e-5
        )
        with zipfile.ZipFile(tmp_path / "new.keras") as made:
            document = json.loads(made.read("config.json"))
        (own,) = [
            entry
            for entry in document["config"]["layers"]
            if entry["config"]["name"] == "own"
        ]
        assert own["registered_name"] == "old_files>Doubled"


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("old.h5", "new.keras"),
        ("old.h5", "new.h5"),
        ("old.keras", "new.keras"),
        ("old_model", "new.keras"),
        ("old.json", "new.json"),
    ],
)
def test_an_old_file_is_opened_once(old, tmp_path, monkeypatch, source, target):
    """Planned and written from one reading; an `.h5` is read back to check it."""
    counted = {"read": 0, "understood": 0, "targets": 0}

    def count(owner, name, key):
        original = getattr(owner, name)

        def counting(*args, **kwargs):
            counted[key] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, counting)

    count(opened, "open_saved", "read")
    count(opened, "modernize", "understood")
    count(targets, "check_target", "targets")

    plan = keras_rectifiers.convert_file(old[0] / source, tmp_path / target)

    assert len(plan.steps) == 3
    often = 2 if target == "new.h5" else 1
    assert counted == {"read": often, "understood": often, "targets": 1}


def test_a_model_is_written_once(old, tmp_path, monkeypatch):
    """The new file is made in one go, beside its place, and put there whole."""
    made = []
    original = zipfile.ZipFile.__init__

    def opening(self, file, mode="r", *args, **kwargs):
        if mode == "w":
            # A file without a name yet says in which folder it will be.
            made.append(file.readlink() if file.is_symlink() else Path(file))
        original(self, file, mode, *args, **kwargs)

    monkeypatch.setattr(zipfile.ZipFile, "__init__", opening)

    keras_rectifiers.convert_file(old[0] / "old.h5", tmp_path / "new.keras")

    (file,) = made
    assert file.parent == tmp_path
    assert file.name != "new.keras"
    assert [each.name for each in tmp_path.iterdir()] == ["new.keras"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_conversion_that_fails_leaves_the_target_as_it_was(
    old, tmp_path, monkeypatch, overwrite
):
    """Whatever goes wrong in the midst of writing: whole, or not at all."""
    target = tmp_path / "new.keras"
    if overwrite:
        target.write_bytes(b"mine")

    def failing(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(weights_file, "edit", failing)

    with pytest.raises(ArchiveError, match="No space left"):
        keras_rectifiers.convert_file(old[0] / "old.h5", target, overwrite=overwrite)

    assert [each.name for each in tmp_path.iterdir()] == ["new.keras"] * overwrite
    assert not overwrite or target.read_bytes() == b"mine"


def test_a_plan_for_another_model_writes_nothing(old, tmp_path):
    """The plan is held against the old file, as against a new one."""
    own = [layers.Dense(3, activation="relu"), layers.Dense(1)]
    model = keras.Sequential([keras.Input((4,)), *own])
    plan = keras_rectifiers.plan(model, "leaky_relu")
    assert plan.steps

    with pytest.raises(PlanMismatchError):
        keras_rectifiers.convert_file(old[0] / "old.h5", tmp_path / "new.keras", plan)

    assert list(tmp_path.iterdir()) == []


def test_the_optimizer_s_state_goes_with_its_variables(tmp_path):
    """A trained model of Keras 2: slots of old weights stay, those of slopes are 0."""
    model = _old()
    model.fit(X, np.ones((6, 2)), epochs=2, verbose=0)
    model.save(tmp_path / "old.h5")

    keras_rectifiers.upgrade_file(tmp_path / "old.h5", tmp_path / "same.keras")
    keras_rectifiers.convert_file(tmp_path / "old.h5", tmp_path / "new.keras")

    same, new = (
        keras.saving.load_model(tmp_path / name) for name in ("same.keras", "new.keras")
    )
    before, after = (_momenta(each) for each in (same, new))
    assert len(after) == len(before) + 3
    for path, value in after.items():
        np.testing.assert_array_equal(value, before.get(path, 0 * value))
    assert any(value.any() for value in before.values())


def _momenta(model):
    """Adam's mean of the gradients of each variable, by the variable's path."""
    slots = zip(model.trainable_variables, model.optimizer._momentums, strict=True)
    return {weight.path: keras.ops.convert_to_numpy(slot) for weight, slot in slots}


def test_the_source_is_never_changed(old, tmp_path):
    """Bytes and times of a SavedModel folder stay as they are."""
    folder = old[0] / "old_model"

    def state():
        return {
            path: (path.stat().st_mtime_ns, path.read_bytes())
            for path in folder.rglob("*")
            if path.is_file()
        }

    before = state()
    keras_rectifiers.upgrade_file(folder, tmp_path / "new.keras")

    assert state() == before


@pytest.mark.parametrize("name", ["old.h5", "old.keras", "old_model"])
def test_old_models_are_loaded_like_new_ones(old, name):
    """One line gives a live model, compiled as it was."""
    folder, expected = old

    model = keras_rectifiers.load_model(folder / name)

    assert model.compiled
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-5)
