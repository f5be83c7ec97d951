"""Files: the same estimate as of the live model, without Keras, and safely."""

import json
import os
import re
import subprocess
import sys
import zipfile
from importlib import resources
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

import keras_rectifiers
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.errors import UnsupportedModelError
from tests.surgery import archives
from tests.surgery import documents

_ROOT = Path(__file__).parents[2]
_SHARED = _ROOT.parent / "shared" / "models"

_ESTIMATE = """
import json, sys
import keras_rectifiers
for path in sys.argv[1:]:
    estimated = keras_rectifiers.estimate(path, input_range=(0, 1))
    assert estimated.layers
    str(estimated), estimated.to_json()
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def varied():
    """Nested, shared, wrapped, several inputs; weights that are not usual."""
    keras.utils.set_random_seed(3)
    start = keras.Input((6, 6, 2))
    y = layers.Conv2D(3, 3, padding="same", name="twin")(start)
    inner = keras.Model(start, layers.ReLU()(layers.BatchNormalization()(y)))
    a, b = keras.Input((6, 6, 2), name="a"), keras.Input((6, 6, 2), name="b")
    shared = layers.Conv2D(2, 1, activation="relu", name="shared")
    x = layers.Concatenate()([inner(a), inner(shared(shared(b)))])
    chain = keras.Sequential(
        [layers.DepthwiseConv2D(3), layers.BatchNormalization(), layers.PReLU()],
        name="chain",
    )
    x = ops.relu(chain(x))
    x = layers.TimeDistributed(layers.Dense(3, activation="relu"), name="steps")(x)
    x = layers.SeparableConv2D(4, 2, activation="relu", name="separable")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(4, activation=keras_rectifiers.layers.PReLU(), name="slot")(x)
    model = keras.Model([a, b], x, name="varied")
    model([np.zeros((1, 6, 6, 2))] * 2)
    rng = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(np.abs(rng.normal(size=weight.shape)).astype("float32") - 0.1)
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A varied model, and its files of both kinds."""
    folder = tmp_path_factory.mktemp("saved")
    model = varied()
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    return model, folder


def assert_same(first, second):
    """Two estimates agree in every number."""
    assert [each.layer for each in first.layers] == [e.layer for e in second.layers]
    for one, other in zip(first.layers, second.layers, strict=True):
        for name in ("lower", "upper", "slopes", "keeps_gradient", "p_active"):
            left, right = getattr(one, name), getattr(other, name)
            assert (left is None) == (right is None)
            if left is not None:
                np.testing.assert_array_equal(left, right)
        assert one.blocked == other.blocked


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
@pytest.mark.parametrize("input_range", [None, (0, 1)])
def test_a_file_says_what_its_model_says(saved, name, input_range):
    """`.keras`, `.h5` and the live model agree in every bound."""
    model, folder = saved

    live = keras_rectifiers.estimate(model, input_range=input_range)
    filed = keras_rectifiers.estimate(folder / name, input_range=input_range)

    assert len(live.layers) == 7
    assert_same(live, filed)


def test_a_packed_archive_is_read_too(saved, tmp_path):
    """A `.keras` whose members are deflated gives the same."""
    model, folder = saved
    packed = archives.pack(
        tmp_path / "packed.keras",
        archives.read(folder / "model.keras"),
        zipfile.ZIP_DEFLATED,
    )

    filed = keras_rectifiers.estimate(packed, input_range=(0, 1))

    assert_same(keras_rectifiers.estimate(model, input_range=(0, 1)), filed)


def test_keras_is_never_imported(saved, tmp_path):
    """Both kinds of file are estimated in an interpreter without any framework."""
    _, folder = saved
    paths = [folder / "model.keras", folder / "model.h5"]
    done = subprocess.run(
        [sys.executable, "-c", _ESTIMATE, *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )

    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not loaded & {"keras", "tensorflow", "jax", "torch"}


def refused(path, match, error=ArchiveError):
    """Estimating is refused in one line."""
    with pytest.raises(error, match=match) as caught:
        keras_rectifiers.estimate(path, input_range=(0, 1))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def _drop(file):
    del file["layers/dense/vars"]


def _reshape(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = np.ones((7, 5), "float32")


def _flatten(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = np.ones(20, "float32")


def _lengthen_bias(file):
    del file["layers/dense/vars/1"]
    file["layers/dense/vars/1"] = np.ones(6, "float32")


def _add(file):
    file["layers/dense/vars/2"] = np.ones(5, "float32")


def _declare_too_much(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars"].create_dataset("0", (1 << 20, 1 << 20), "float32")


def _text(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = [b"text"] * 4


def _group(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars"].create_group("0")


def _link(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.ExternalLink("elsewhere.h5", "/x")


def _soft_link(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.SoftLink("/layers/dense_1/vars/0")


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (_drop, "without 'kernel' of the layer 'a'"),
        (_reshape, "a kernel for 7 inputs instead of 4"),
        (_flatten, "for 'a' .Dense., where kernel .in, 5., bias .5. are expected"),
        (_lengthen_bias, "for 'a' .Dense., where kernel .in, 5., bias .5. are"),
        (_add, "'layers/dense/vars/2' does not belong to any"),
        (_declare_too_much, "4398046511104 bytes in 'layers/dense/vars/0'"),
        (_group, "without 'kernel' of the layer 'a'"),
        (_link, "ExternalLink"),
        (_soft_link, "SoftLink"),
    ],
)
def test_weights_that_do_not_fit_are_one_sentence(tmp_path, edit, match):
    """Nothing declared in a file is believed, and no traceback comes of it."""
    # The input is x, of 4 features; `dense` is the first Dense layer.
    refused(archives.with_weights(tmp_path / "bad.keras", edit), match)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    """Texts are no weights of a layer of Keras' own."""
    path = archives.with_weights(tmp_path / "bad.keras", _text)

    refused(path, "Weights must be numbers", UnsupportedModelError)


def test_a_nesting_that_multiplies_calls_is_refused(tmp_path, monkeypatch):
    """A small file cannot ask for more calls than anybody would wait for."""
    monkeypatch.setattr("keras_rectifiers.graph.calls.MAX_CALLS", 500)
    inputs = keras.Input((2,))
    model = keras.Model(inputs, layers.Dense(2, activation="relu")(inputs))
    for _ in range(8):
        inputs = keras.Input((2,))
        model = keras.Model(inputs, model(model(inputs)))
    model.save(tmp_path / "deep.keras")

    refused(tmp_path / "deep.keras", "more than 500")


def test_an_axis_beyond_all_measure_is_refused(tmp_path):
    """Units are counted before anything is allocated for them."""
    entries = [
        documents.start(shape=(None, 1 << 26)),
        documents.layer("ReLU", "r", documents.call("x")),
    ]
    entries[1]["inbound_nodes"][0]["args"][0]["config"]["shape"] = [None, 1 << 26]
    with h5py.File(tmp_path / "none.h5", "w"):
        pass
    parts = {
        archives.CONFIG: json.dumps(documents.functional(*entries)),
        archives.WEIGHTS: (tmp_path / "none.h5").read_bytes(),
    }
    path = archives.pack(tmp_path / "wide.keras", archives.good() | parts)

    refused(path, "more than 8388608 units")


def test_an_h5_of_weights_only_is_refused(saved, tmp_path):
    """Without a config there is no model."""
    model, _ = saved
    model.save_weights(tmp_path / "only.weights.h5")

    refused(tmp_path / "only.weights.h5", "--weights")


def test_an_h5_whose_config_is_no_json_is_refused(saved, tmp_path):
    """A damaged config is one sentence."""
    _, folder = saved
    content = (folder / "model.h5").read_bytes()
    (tmp_path / "bad.h5").write_bytes(content)
    with h5py.File(tmp_path / "bad.h5", "r+") as file:
        file.attrs["model_config"] = "{"

    refused(tmp_path / "bad.h5", "model_config")


def test_an_h5_without_a_layers_weights_is_refused(saved, tmp_path):
    """The layer whose array is missing is named."""
    _, folder = saved
    (tmp_path / "bad.h5").write_bytes((folder / "model.h5").read_bytes())
    with h5py.File(tmp_path / "bad.h5", "r+") as file:
        del file["model_weights/shared"]

    refused(tmp_path / "bad.h5", "shared")


def test_layers_of_one_name_in_two_models_keep_their_own_weights(tmp_path):
    """Where names do not decide, the order does in which Keras lists weights."""
    inputs = keras.Input((2,))
    models = [
        keras.Sequential([layers.Dense(2, activation="relu", name="d")], name=name)
        for name in ("one", "two")
    ]
    x = inputs
    for model in models:
        x = model(x)
    outer = keras.Model(inputs, keras.Model(inputs, x, name="both")(inputs))
    outer.save(tmp_path / "model.h5")

    assert_same(
        keras_rectifiers.estimate(outer, input_range=(0, 1)),
        keras_rectifiers.estimate(tmp_path / "model.h5", input_range=(0, 1)),
    )


def test_what_is_missing_or_something_else_is_one_sentence(tmp_path):
    """A path that leads nowhere, a folder, a text."""
    (tmp_path / "text.keras").write_text("no model")
    for path in (tmp_path / "none.keras", tmp_path, tmp_path / "text.keras"):
        refused(path, "Received", RectifierError)


def test_a_layer_that_is_not_built_is_refused():
    """Slopes that do not exist yet cannot be estimated."""
    model = keras.Sequential([keras.Input((2,))])
    model.add(layers.Dense(2, activation=layers.PReLU(), name="d"))

    with pytest.raises(UnsupportedModelError, match="Call the model once"):
        keras_rectifiers.estimate(model)


def test_bfloat16_weights_are_read(tmp_path):
    """HDF5 knows bfloat16 as bytes only; their numbers are read all the same."""
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(2, activation="relu", dtype="bfloat16")]
    )
    model.save(tmp_path / "model.keras")

    assert_same(
        keras_rectifiers.estimate(model, input_range=(0, 1)),
        keras_rectifiers.estimate(tmp_path / "model.keras", input_range=(0, 1)),
    )


@pytest.mark.parametrize(
    ("name", "sites"),
    [
        ("vww_96.h5", 27),
        ("keras_model.h5", 36),
        ("fer2013_mini_XCEPTION.119-0.65.hdf5", 6),
        ("pretrainedResnet.h5", 7),
        ("cnn_selected.h5", 4),
        ("encoder.keras", 4),
    ],
)
def test_strangers_files_are_estimated(name, sites):
    """Files of Keras 2.0 to 3.8 are read, those that Keras 3 refuses as well."""
    if not _SHARED.is_dir():
        pytest.skip("the strangers' models are not beside this checkout")

    path = next(_SHARED.rglob(name))
    estimated = keras_rectifiers.estimate(path, input_range=(0, 1))

    assert len(estimated.layers) == sites
    assert all(layer.bounded for layer in estimated.layers)
    assert all(layer.blocked == "" for layer in estimated.layers)


def test_the_example_of_the_page_runs(tmp_path, monkeypatch, capsys):
    """The page's example works on the demo's model."""
    page = (_ROOT / "docs" / "estimate.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    demo = resources.files("keras_rectifiers.demo") / "dying_digits.keras"
    (tmp_path / "model.keras").write_bytes(demo.read_bytes())
    monkeypatch.chdir(tmp_path)

    exec(compile(code, "estimate.md", "exec"), {})

    assert "of 224 units, 1 dead" in capsys.readouterr().out
