"""What is written is what Keras 3 writes: it opens it, and finds the same numbers."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from keras_rectifiers.legacy.containers.open import open_saved
from keras_rectifiers.legacy.dialects.modernize import modernize
from keras_rectifiers.legacy.dialects.registry import Origin
from keras_rectifiers.legacy.weights.arrange import arrange
from keras_rectifiers.legacy.weights.write import architecture_text
from keras_rectifiers.legacy.weights.write import write_archive

FILES = Path(__file__).parent / "files"


def build(library):
    """A model with every way in which a layer can stand inside another."""
    kinds = library.layers
    library.utils.set_random_seed(0)
    inputs = library.Input((6, 6, 3))
    x = kinds.Conv2D(4, 3, activation="relu")(inputs)
    x = kinds.BatchNormalization()(x)
    x = library.Sequential([kinds.Conv2D(2, 1), kinds.ReLU(), kinds.Dense(3)])(x)
    x = kinds.Reshape((8, 6))(x)
    x = kinds.Bidirectional(kinds.LSTM(3, return_sequences=True))(x)
    x = kinds.TimeDistributed(kinds.Dense(4))(x)
    cells = [kinds.GRUCell(3), kinds.LSTMCell(2)]
    x = kinds.RNN(cells, return_sequences=True)(x)
    x = kinds.MultiHeadAttention(2, 3)(x, x)
    x = kinds.Dense(2)(kinds.Dropout(0.1)(kinds.Flatten()(x)))
    return library.Model(inputs, x)


def rewritten(source, target, weights=None):
    """Read, bring up to date, and write."""
    with open_saved(source, weights) as saved:
        version = tuple(int(part) for part in saved.version.split(".")[:2] if part)
        modern = modernize(saved.document, Origin(version, saved.backend))
        slots = None
        if saved.container == ".keras" and saved.training is not None:
            modern.document["compile_config"] = saved.training
            slots = enumerate(saved.slots.arrays)
        write_archive(target, modern.document, arrange(modern, saved.weights), slots)
    return target


def inputs(*shape):
    """Numbers to compare with."""
    return np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_model_of_keras_3_comes_back_bit_for_bit(ending, tmp_path):
    """Equal outputs and equal weights, through Keras' own loader."""
    model = build(keras)
    model.save(tmp_path / f"old.{ending}")

    new = rewritten(tmp_path / f"old.{ending}", tmp_path / "new.keras")

    loaded = keras.saving.load_model(new)
    assert [each.name for each in loaded.weights] == [w.name for w in model.weights]
    for one, two in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    x = inputs(6, 6, 3)
    np.testing.assert_array_equal(loaded(x), model(x))


@pytest.mark.parametrize("ending", ["keras", "h5", "weights.h5", "legacy"])
def test_a_model_of_keras_2_computes_the_same(ending, tmp_path):
    """Against the old implementation itself, from every file that it writes."""
    tf_keras = pytest.importorskip("tf_keras")
    model = build(tf_keras)
    source, weights = tmp_path / f"old.{ending}", None
    if ending in ("keras", "h5"):
        model.save(source)
    else:
        source, weights = tmp_path / "old.json", tmp_path / f"old.{ending}.h5"
        source.write_text(model.to_json())
        if ending == "legacy":
            model.save_weights(weights, save_format="h5")
        else:
            model.save_weights(tmp_path / "old.weights.h5")
            weights = tmp_path / "old.weights.h5"

    new = rewritten(source, tmp_path / "new.keras", weights)

    loaded = keras.saving.load_model(new)
    assert len(loaded.weights) == len(model.weights)
    x = inputs(6, 6, 3)
    np.testing.assert_allclose(loaded(x), model(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["keras_2_12_0.keras", "keras_2_13_1.keras"])
def test_the_first_archives_compute_what_they_computed(name, tmp_path):
    """The outputs are those of the versions that wrote the files."""
    loaded = keras.saving.load_model(rewritten(FILES / name, tmp_path / "n.keras"))

    x = np.linspace(-1, 1, 12).reshape(2, 6).astype("float32") / 64
    wanted = [[5.972253322601318, 6.010777950286865], [5.9732208251953125, 6.0117517]]
    np.testing.assert_allclose(loaded(x), wanted, rtol=1e-5)


def _groups(path):
    """Groups with attributes and arrays of the weights of a `.keras` file."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        data = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(data) as file:

        def visit(name, item):
            if isinstance(item, h5py.Dataset):
                found[name] = (item.dtype, item.shape, item.chunks, item[()].tobytes())
            if item.attrs:
                found[f"{name} attributes"] = dict(item.attrs)

        file.visititems(visit)
    return found


def test_the_weights_file_is_as_keras_writes_it(tmp_path):
    """The same groups, names, types and bytes, the optimizer's among them."""
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, dtype="bfloat16"),
            layers.Dropout(0.5),
            layers.Dense(2),
        ]
    )
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "old.keras")

    new = rewritten(tmp_path / "old.keras", tmp_path / "new.keras")

    assert _groups(new) == _groups(tmp_path / "old.keras")
    with zipfile.ZipFile(new) as archive:
        infos = archive.infolist()
        assert archive.testzip() is None
    assert [info.filename for info in infos] == [
        "metadata.json",
        "config.json",
        "model.weights.h5",
    ]
    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
    loaded = keras.saving.load_model(new)
    for one, two in zip(
        loaded.optimizer.variables, model.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(two))


def test_the_same_model_makes_the_same_bytes(tmp_path):
    """No date and no random number is in the file."""
    build(keras).save(tmp_path / "old.keras")

    one = rewritten(tmp_path / "old.keras", tmp_path / "one.keras")
    two = rewritten(tmp_path / "old.keras", tmp_path / "two.keras")

    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_one_array_at_a_time_is_in_memory(ending, tmp_path):
    """A model of 64 MB is written with little more than its largest array of 4 MB."""
    model = keras.Sequential([keras.Input((1024,))])
    for _ in range(16):
        model.add(layers.Dense(1024))
    model.save(tmp_path / f"old.{ending}")

    tracemalloc.start()
    try:
        rewritten(tmp_path / f"old.{ending}", tmp_path / "new.keras")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (tmp_path / "new.keras").stat().st_size > 16 * (4 << 20)
    assert peak < 16 << 20


@pytest.mark.parametrize("old", [False, True])
def test_an_architecture_alone_opens_in_keras(old, tmp_path):
    """JSON becomes JSON, as model_from_json takes it."""
    library = pytest.importorskip("tf_keras") if old else keras
    model = build(library)
    model.compile("adam", "mse")
    (tmp_path / "old.json").write_text(model.to_json())

    with open_saved(tmp_path / "old.json") as saved:
        version = tuple(int(part) for part in saved.version.split(".")[:2] if part)
        modern = modernize(saved.document, Origin(version, saved.backend))
    loaded = keras.models.model_from_json(architecture_text(modern.document))

    assert [each.name for each in loaded.layers] == [each.name for each in model.layers]
    assert loaded.count_params() == model.count_params()
    assert loaded.output_shape == model.output_shape
