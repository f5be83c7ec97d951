"""Every form in which Keras ever saved a model is read, and nothing else is."""

import json
import pickle
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from keras import layers

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.legacy.containers.open import open_saved
from keras_rectifiers.legacy.dialects.modernize import modernize
from keras_rectifiers.legacy.dialects.registry import Origin
from keras_rectifiers.legacy.weights.arrange import arrange

#: Written by Keras 2.12 and 2.13 themselves; see the README there.
FILES = Path(__file__).parent / "files"


def modern(seed=0, names=("first", "second")):
    """A small model of this Keras."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, activation="relu", name=names[0]),
            layers.Dense(2, name=names[1]),
        ],
        name="small",
    )


def old(names=("first", "second")):
    """The same of Keras 2."""
    tf_keras = pytest.importorskip("tf_keras")
    tf_keras.utils.set_random_seed(0)
    return tf_keras.Sequential(
        [
            tf_keras.Input((3,)),
            tf_keras.layers.Dense(4, activation="relu", name=names[0]),
            tf_keras.layers.Dense(2, name=names[1]),
        ],
        name="small",
    )


def arrays(path, weights=None):
    """The arrays of a saved model in the order of its layers."""
    with open_saved(path, weights) as saved:
        version = tuple(int(part) for part in saved.version.split(".")[:2] if part)
        made = modernize(saved.document, Origin(version, saved.backend))
        return [each.read() for each in arrange(made, saved.weights)]


def same(found, wanted):
    """Whether arrays are equal, bit for bit."""
    return len(found) == len(wanted) and all(
        one.dtype == two.dtype and np.array_equal(one, two)
        for one, two in zip(found, wanted, strict=True)
    )


@pytest.mark.parametrize("make", [modern, old])
@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.hdf5", "model"])
def test_the_bytes_decide_and_not_the_name(make, ending, name, tmp_path):
    """HDF5 called .keras, a zip called .h5, or no ending at all: all are read."""
    model = make()
    model.save(tmp_path / f"real.{ending}")
    path = tmp_path / name
    (tmp_path / f"real.{ending}").rename(path)

    assert same(arrays(path), model.get_weights())
    with open_saved(path) as saved:
        assert saved.version == (
            keras.__version__ if make is modern else __import__("tf_keras").__version__
        )
        assert (
            saved.container
            == {
                ("h5", modern): "whole-model .h5",
                ("h5", old): "whole-model .h5",
                ("keras", modern): ".keras",
                ("keras", old): "early .keras",
            }[ending, make]
        )


@pytest.mark.parametrize("make", [modern, old])
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_training_config_and_slots_are_read(make, ending, tmp_path):
    """What the optimizer holds comes along, in the order in which it is stored."""
    model = make()
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / f"model.{ending}")

    with open_saved(tmp_path / f"model.{ending}") as saved:
        assert saved.training["loss"] == "mse"
        assert "compile_config" not in saved.document
        assert saved.slots.kind == ("named" if ending == "h5" else "listed")
        assert saved.slots.arrays[0].read() == 1  # one step was made
        shapes = [each.shape for each in saved.slots.arrays if each.shape]
    # Adam keeps two for each variable.
    assert sorted(shapes) == sorted(2 * [(3, 4), (4,), (4, 2), (2,)])


def test_more_than_ten_slots_keep_their_order(tmp_path):
    """Numbers are ordered as numbers: 2 before 10."""
    model = modern()
    model.compile(keras.optimizers.Adam(amsgrad=True), "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "model.keras")

    with open_saved(tmp_path / "model.keras") as saved:
        found = [each.read() for each in saved.slots.arrays]
    assert same(found, [np.asarray(each) for each in model.optimizer.variables])


@pytest.mark.parametrize("name", ["keras_2_12_0.keras", "keras_2_13_1.keras"])
def test_archives_of_the_first_versions_are_read(name):
    """Keras 2.12 counted layers with weights twice: `dense`, `dense_2`, ..."""
    found = arrays(FILES / name)

    assert len(found) == 20
    assert same(
        [np.concatenate([each.ravel() for each in found])],
        [(np.arange(sum(each.size for each in found)) / 128).astype("float32")],
    )


def test_backslashes_of_windows_are_read(tmp_path):
    """On Windows `layers` and `dense` made one group, with a backslash between."""
    model = old()
    model.save(tmp_path / "model.keras")
    inside = _unpack(tmp_path / "model.keras", tmp_path)
    with h5py.File(inside, "r+") as file:
        for name in list(file["layers"]):
            file.move(f"layers/{name}", f"layers\\{name}")
        del file["layers"]
    _repack(tmp_path / "model.keras", inside)

    assert same(arrays(tmp_path / "model.keras"), model.get_weights())


def test_packed_archives_are_read(tmp_path):
    """Some tools pack the members of an archive."""
    model = modern()
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        texts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "p.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(name, text)

    assert same(arrays(tmp_path / "p.keras"), model.get_weights())


def test_unpacked_archives_are_read(tmp_path):
    """A folder with the members of a .keras file is that model."""
    model = modern()
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        archive.extractall(tmp_path / "folder")

    assert same(arrays(tmp_path / "folder"), model.get_weights())
    with open_saved(tmp_path / "folder") as saved:
        assert saved.version == keras.__version__


def test_numbers_of_two_bytes_keep_their_type(tmp_path):
    """HDF5 does not know bfloat16; the arrays come back as what they were."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, dtype="bfloat16")])
    model.save(tmp_path / "model.keras")
    model.save(tmp_path / "model.h5")

    for name in ("model.keras", "model.h5"):
        assert [each.dtype.name for each in arrays(tmp_path / name)] == ["bfloat16"] * 2


def test_attributes_in_chunks_are_read(tmp_path):
    """Keras 2 splits names of more than 64 KB over `layer_names0`, ..."""
    model = old()
    model.save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "r+") as file:
        group = file["model_weights"]
        names = [name.encode() for name in ("first", "second")]
        assert len(group.attrs["layer_names"]) == 2
        del group.attrs["layer_names"]
        for number, name in enumerate(names):
            group.attrs[f"layer_names{number}"] = [name]
        listed = list(group["second"].attrs["weight_names"])
        del group["second"].attrs["weight_names"]
        for number, name in enumerate(listed):
            group["second"].attrs[f"weight_names{number}"] = [name]

    assert same(arrays(tmp_path / "model.h5"), model.get_weights())


@pytest.mark.parametrize("form", ["bytes", "array", "dense"])
def test_configs_in_every_form_of_text_are_read(form, tmp_path):
    """Fixed or not, in an array of one, or over 64 KB in dense storage."""
    model = old()
    model.save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5") as file:
        text = file.attrs["model_config"]
    path = tmp_path / "made.h5"
    with h5py.File(path, "w", libver="latest") as new:
        with h5py.File(tmp_path / "model.h5") as file:
            file.copy("model_weights", new)
        value = np.bytes_(text.encode())
        if form == "dense":
            value = np.bytes_(text.encode() + b" " * (1 << 17))
        new.attrs["model_config"] = np.array([value]) if form == "array" else value

    assert same(arrays(path), model.get_weights())


def _architecture(model, tmp_path):
    path = tmp_path / "model.json"
    path.write_text(model.to_json())
    return path


@pytest.mark.parametrize("make", [modern, old])
@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5", "w.keras", "legacy.h5"])
def test_an_architecture_is_read_with_any_weights(make, name, tmp_path):
    """Weights of both generations, and whole models, serve an architecture."""
    model = make()
    weights = tmp_path / name
    if name == "legacy.h5":
        if make is modern:
            pytest.skip("Keras 3 does not write this form")
        model.save_weights(weights, save_format="h5")
    elif name == "w.weights.h5":
        model.save_weights(weights)
    else:
        model.save(weights)

    path = _architecture(model, tmp_path)
    assert same(arrays(path, weights), model.get_weights())
    with open_saved(path) as saved:
        assert saved.weights is None
        assert saved.container == "architecture JSON"


def test_weights_in_shards_are_read(tmp_path):
    """The shards stand same folder as the JSON that names them."""
    model = modern()
    model.save_weights(tmp_path / "w.weights.json", max_shard_size=6e-8)
    assert len(list(tmp_path.glob("w_*.weights.h5"))) > 1

    found = arrays(_architecture(model, tmp_path), tmp_path / "w.weights.json")

    assert same(found, model.get_weights())


@pytest.mark.parametrize(
    "shard", ["../w.h5", "/etc/passwd", "a/b.h5", "..", "", "a\\b.h5", 3, None]
)
def test_shards_elsewhere_are_refused(shard, tmp_path):
    """A weight map names files beside it, and never a path."""
    path = _architecture(modern(), tmp_path)
    text = json.dumps({"weight_map": {"/layers/dense/vars": [shard]}})
    (tmp_path / "w.weights.json").write_text(text)

    with pytest.raises(ArchiveError, match="same folder as the JSON"):
        arrays(path, tmp_path / "w.weights.json")


def test_a_missing_shard_is_named(tmp_path):
    """The sentence says which file is missing."""
    model = modern()
    model.save_weights(tmp_path / "w.weights.json", max_shard_size=6e-8)
    gone = max(tmp_path.glob("w_*.weights.h5"))
    gone.unlink()

    with pytest.raises(ArchiveError, match=gone.name):
        arrays(_architecture(model, tmp_path), tmp_path / "w.weights.json")


def test_weights_of_layers_with_other_names_go_by_order(tmp_path):
    """Keras numbers names anew in each session; then the order counts, as in Keras."""
    model = old(names=("dense_7", "dense_8"))
    model.save_weights(tmp_path / "w.h5", save_format="h5")
    path = _architecture(old(names=("dense", "dense_1")), tmp_path)

    assert same(arrays(path, tmp_path / "w.h5"), model.get_weights())


def test_weights_of_another_model_are_refused(tmp_path):
    """Nothing is loaded in part: a missing and a surplus array are both errors."""
    model = modern()
    larger = keras.Sequential([*model.layers, layers.Dense(2)])
    larger.build((None, 3))
    for name, one, two in (("a", model, larger), ("b", larger, model)):
        folder = tmp_path / name
        folder.mkdir()
        one.save_weights(folder / "w.weights.h5")
        with pytest.raises(ArchiveError, match="another model"):
            arrays(_architecture(two, folder), folder / "w.weights.h5")


def test_weights_of_keras_0_are_read(tmp_path):
    """Before names there were numbers: `layer_0`, `param_0`."""
    model = modern()
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["nb_layers"] = 3
        file.create_group("layer_0")
        for number, layer in enumerate(model.layers, 1):
            for index, values in enumerate(layer.get_weights()):
                file[f"layer_{number}/param_{index}"] = values

    found = arrays(_architecture(model, tmp_path), tmp_path / "w.h5")

    assert same(found, model.get_weights())


@pytest.mark.parametrize("make", [modern, old])
def test_weights_alone_name_the_option(make, tmp_path):
    """One sentence says what is missing, and how to give it."""
    make().save_weights(tmp_path / "w.weights.h5")

    with pytest.raises(ArchiveError, match=r"--weights w\.weights\.h5"):
        arrays(tmp_path / "w.weights.h5")


def test_a_whole_model_takes_no_further_weights(tmp_path):
    """Which weights count must not be a guess."""
    modern().save(tmp_path / "model.keras")
    modern().save_weights(tmp_path / "w.weights.h5")

    with pytest.raises(ArchiveError, match="Pass only one of them"):
        arrays(tmp_path / "model.keras", tmp_path / "w.weights.h5")


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(modern().to_json()),
        json.dumps(modern().get_config()),
        "\ufeff" + modern().to_json(),
        "\n\t " + modern().to_json(indent=2),
    ],
    ids=["twice", "get_config", "mark", "blanks"],
)
def test_architectures_in_odd_dress_are_read(text, tmp_path):
    """What people make with json.dump and editors is read too."""
    (tmp_path / "model.json").write_text(text)

    with open_saved(tmp_path / "model.json") as saved:
        names = [each["config"]["name"] for each in saved.document["config"]["layers"]]
    assert saved.document["class_name"] == "Sequential"
    assert names[-2:] == ["first", "second"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"backend: tensorflow\nclass_name: Model\nconfig:\n", "YAML"),
        (b"!!python/object:keras.Model\n", "YAML"),
        (pickle.dumps({"a": 1}), "pickle"),
        (b"\x1f\x8b\x08\x00rest", "gzip"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(64), "TFLite"),
        (b"\x08\x07\x12\x0donnx.quantize" + bytes(9), "ONNX"),
        (b"\x93NUMPY\x01\x00", "NumPy"),
        (bytes(64) + b"\x57\xfb\x80\x8b\x24\x75\x47\xdb", "index of a TensorFlow"),
        (b'model_checkpoint_path: "ckpt-1"', "list of TensorFlow"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"import keras\n", "a text"),
        (b"\x00\x01\x02\x03" * 20, "something else"),
        (b'{"modelTopology": {}}', "TensorFlow.js"),
        (b'{"a": 1}', "'class_name' and 'config'"),
        (b"[]", "'class_name' and 'config'"),
        (b'{"weight_map": {}}', "--weights"),
        (b'{"class_name": "Sequential", "config": ', "is not"),
        (b"[" * 100_000, "is not"),
        (b"PK\x03\x04rest", "cut off"),
        (b"\x89HDF\r\n\x1a\nrest", "damaged"),
    ],
)
def test_what_is_no_saved_model_is_named(content, told, tmp_path):
    """One sentence says what the file is, and what to do."""
    path = tmp_path / "model.h5"
    path.write_bytes(content)

    with pytest.raises(RectifierError, match=told) as caught:
        arrays(path)
    assert "Received:" in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_files_and_foreign_folders_are_named(tmp_path):
    """A path that leads to no model is one sentence."""
    with pytest.raises(ArchiveError, match="must exist"):
        arrays(tmp_path / "nothing.h5")
    with pytest.raises(ArchiveError, match="SavedModel"):
        arrays(tmp_path)


def test_an_archive_with_weights_of_numpy_is_refused(tmp_path):
    """Such weights are pickles."""
    modern().save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        config = archive.read("config.json")
    with zipfile.ZipFile(tmp_path / "n.keras", "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.npz", b"")

    with pytest.raises(UnsupportedModelError, match=r"model\.weights\.npz"):
        arrays(tmp_path / "n.keras")


@pytest.mark.parametrize("kind", ["external", "soft", "virtual", "twice"])
def test_links_are_refused(kind, tmp_path):
    """Weights are in the file, or there are none."""
    path = tmp_path / "model.h5"
    old().save(path)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.ones((4, 2), "float32")
    with h5py.File(path, "r+") as file:
        group = file["model_weights/second/second"]
        if kind == "twice":
            file["model_weights/third"] = file["model_weights/second"]
        else:
            del group["kernel:0"]
        if kind == "external":
            group["kernel:0"] = h5py.ExternalLink("other.h5", "secret")
        elif kind == "soft":
            group["kernel:0"] = h5py.SoftLink("/model_weights/first/first/kernel:0")
        elif kind == "virtual":
            layout = h5py.VirtualLayout((4, 2), "float32")
            layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "secret", (4, 2))
            group.create_virtual_dataset("kernel:0", layout)

    with pytest.raises(ArchiveError, match="contain its own data"):
        arrays(path)


@pytest.mark.parametrize("chunked", [True, False])
def test_declared_sizes_are_held_against_the_file(chunked, tmp_path):
    """A file of some KB cannot make us allocate terabytes."""
    path = tmp_path / "model.h5"
    old().save(path)
    with h5py.File(path, "r+") as file:
        group = file["model_weights/second/second"]
        del group["kernel:0"]
        group.create_dataset(
            "kernel:0",
            (1 << 20, 1 << 20),
            "float32",
            chunks=(1 << 10, 1 << 10) if chunked else None,
        )

    with pytest.raises(ArchiveError, match="more than the file can hold"):
        arrays(path)


def test_compressed_arrays_are_read(tmp_path):
    """Some tools pack the arrays; zeros pack very well."""
    path = tmp_path / "model.h5"
    model = old()
    model.save(path)
    with h5py.File(path, "r+") as file:
        group = file["model_weights/first/first"]
        values = group["kernel:0"][()]
        del group["kernel:0"]
        group.create_dataset("kernel:0", data=values, compression="gzip")

    assert same(arrays(path), model.get_weights())


def test_texts_are_no_weights(tmp_path):
    """An array of words belongs to no layer that is known."""
    path = tmp_path / "model.h5"
    old().save(path)
    with h5py.File(path, "r+") as file:
        group = file["model_weights/first/first"]
        del group["bias:0"]
        group["bias:0"] = ["a", "b"]

    with pytest.raises(UnsupportedModelError, match="Weights must be numbers"):
        arrays(path)


@pytest.mark.parametrize("change", ["unlisted", "missing", "layer"])
def test_lists_must_be_what_is_there(change, tmp_path):
    """An array that no list names, or a name without an array, is an error."""
    path = tmp_path / "model.h5"
    old().save(path)
    with h5py.File(path, "r+") as file:
        if change == "unlisted":
            file["model_weights/first/first/further:0"] = np.ones(3)
        elif change == "missing":
            del file["model_weights/first/first/bias:0"]
        else:
            del file["model_weights/first"]

    with pytest.raises(ArchiveError, match=r"must be (listed|in the file)"):
        arrays(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of one model in each form."""
    folder = tmp_path_factory.mktemp("whole")
    for model, kind in ((modern(), "modern"), (old(), "old")):
        model.save(folder / f"{kind}.keras")
        model.save(folder / f"{kind}.h5")
        (folder / f"{kind}.json").write_text(model.to_json())
    return [path.read_bytes() for path in sorted(folder.iterdir())]


@settings(
    max_examples=75,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_damage_is_one_sentence(data, whole, tmp_path):
    """Whatever is cut off or changed: an error of ours, or a model."""
    content = bytearray(data.draw(st.sampled_from(whole)))
    place = st.integers(0, len(content) - 1)
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(place)] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(place) :]
    path = tmp_path / "damaged"
    path.write_bytes(content)

    try:
        with open_saved(path) as saved:
            if saved.weights is not None and saved.slots is not None:
                for each in saved.slots.arrays:
                    each.read()
    except RectifierError as error:
        assert "Received:" in str(error)  # noqa: PT017 (either way is right)


def test_a_changed_weight_in_an_archive_is_found(tmp_path):
    """The archive states checksums: they are held against what is read."""
    model = modern()
    model.save(tmp_path / "model.keras")
    content = bytearray((tmp_path / "model.keras").read_bytes())
    at = content.find(model.get_weights()[0].tobytes())
    content[at] ^= 1
    (tmp_path / "model.keras").write_bytes(content)

    with pytest.raises(ArchiveError, match="checksum"):
        arrays(tmp_path / "model.keras")


def _unpack(path, folder):
    with zipfile.ZipFile(path) as archive:
        archive.extract("model.weights.h5", folder)
    return folder / "model.weights.h5"


def _repack(path, weights):
    with zipfile.ZipFile(path) as archive:
        texts = {name: archive.read(name) for name in ("metadata.json", "config.json")}
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
        archive.write(weights, "model.weights.h5")


def test_a_type_that_makes_hdf5_crash_is_refused(tmp_path):
    """One changed byte made a text a list of an unknown kind; reading it crashed."""
    path = tmp_path / "model.h5"
    model = old()
    model.compile("sgd", "mse")
    model.save(path)
    content = path.read_bytes()
    name = b"training_config\x00\x19"
    assert content.count(name + b"\x01") == 1
    path.write_bytes(content.replace(name + b"\x01", name + b"\xb6"))

    with pytest.raises(ArchiveError, match="training_config must be a string"):
        arrays(path)


def test_a_checkpoint_of_weights_says_what_to_do(tmp_path):
    """TensorFlow's own checkpoints have no names of layers in them."""
    model = old()
    model.save_weights(tmp_path / "ckpt", save_format="tf")

    with pytest.raises(ArchiveError, match="save the whole model"):
        arrays(_architecture(model, tmp_path), tmp_path / "ckpt.index")


def test_layers_inside_a_custom_layer_keep_their_groups(tmp_path):
    """What an unknown class keeps inside itself is not known, and stays in place."""

    @keras.saving.register_keras_serializable("tests")
    class Doubled(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = layers.Dense(3)

        def build(self, shape):
            self.inner.build(shape)
            self.scale = self.add_weight(shape=(3,))

        def call(self, inputs):
            return self.inner(inputs) * self.scale

    model = keras.Sequential([keras.Input((3,)), Doubled(), layers.Dense(2)])
    model.save(tmp_path / "model.keras")

    with open_saved(tmp_path / "model.keras") as saved:
        made = modernize(saved.document, Origin((3, 15), ""))
        groups = ["/".join(each.group) for each in arrange(made, saved.weights)]
    assert sorted(groups) == [
        "layers/dense/vars/0",
        "layers/dense/vars/1",
        "layers/doubled/inner/vars/0",
        "layers/doubled/inner/vars/1",
        "layers/doubled/vars/0",
    ]
