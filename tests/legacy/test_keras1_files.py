"""Files of Keras 1 and 0, from their bytes to what Keras 3 computes with them."""

import json

import h5py
import keras
import numpy as np
import pytest

from keras_rectifiers.conversion.upgrade import upgrade_file
from keras_rectifiers.errors import ArchiveError
from tests.legacy.keras1_helpers import convolution
from tests.legacy.keras1_helpers import correlation
from tests.legacy.keras1_helpers import drawn
from tests.legacy.keras1_helpers import entry
from tests.legacy.keras1_helpers import sequential


def dense(name, units, **more):
    settings = {"output_dim": units, "init": "uniform", "activation": "linear"}
    return entry("Dense", name, **settings, bias=True, **more)


def write_weights(group, weights):
    """Weights as Keras 1 stored them: a group for each layer, named arrays."""
    group.attrs["layer_names"] = [name.encode() for name in weights]
    for name, arrays in weights.items():
        named = arrays
        if not isinstance(arrays, dict):
            letters = "WbUcdefghijkl"[: len(arrays)]
            keys = [f"{name}_{letter}" for letter in letters]
            named = dict(zip(keys, arrays, strict=True))
        layer = group.create_group(name)
        layer.attrs["weight_names"] = [each.encode() for each in named]
        for each, array in named.items():
            layer[each] = np.asarray(array, "float32")


def whole(path, document, weights, version="1.2.2", backend=None):
    """A whole-model `.h5` of Keras 1."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = version.encode()
        if backend:
            file.attrs["backend"] = backend.encode()
        file.attrs["model_config"] = json.dumps(document).encode()
        write_weights(file.create_group("model_weights"), weights)
    return path


def run(source, target, inputs, **arguments):
    upgraded = upgrade_file(source, target, **arguments)
    return upgraded, keras.saving.load_model(target).predict(inputs, verbose=0)


def image_layer(class_name, **more):
    config = {
        "nb_filter": 4,
        "nb_row": 3,
        "nb_col": 3,
        "init": "he_normal",
        "activation": "linear",
        "border_mode": "same",
        "subsample": [2, 2],
        "dim_ordering": "th",
        "bias": True,
    }
    return entry(class_name, "conv", **{**config, **more})


def test_padding_of_theano_stands_around_its_convolution(tmp_path):
    """A file as Keras 2 later wrote the weights of a model of Theano."""
    kernel, bias, images = drawn((4, 3, 3, 3), (4,), (2, 3, 8, 8))
    out = drawn((4 * 4 * 4, 2), (2,), seed=1)
    document = sequential(
        entry("Dropout", "drop", p=0.5, batch_input_shape=[None, 3, 8, 8]),
        image_layer("Convolution2D"),
        entry("Flatten", "flat"),
        dense("out", 2),
    )
    weights = {"drop": [], "conv": [kernel, bias], "flat": [], "out": out}
    source = whole(tmp_path / "old.h5", document, weights, backend="theano")

    _, got = run(source, tmp_path / "new.keras", images)

    maps = convolution(images, kernel, (2, 2), ((1, 1), (1, 1))) + bias[:, None, None]
    want = maps.reshape(2, -1) @ out[0] + out[1]
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_merged_branches(tmp_path):
    a, b, c = (drawn((3, 4), (4,), seed=i) for i in range(3))
    x, y = drawn((5, 3), (5, 3), seed=3)
    shape = {"batch_input_shape": [None, 3], "input_dtype": "float32"}
    branches = [
        sequential(dense("a", 4, **shape)),
        sequential(dense("b", 4, **shape), entry("Dropout", "drop", p=0.5)),
    ]
    merged = {"name": "merge_1", "mode": "mul", "mode_type": "raw", "layers": branches}
    document = sequential({"class_name": "Merge", "config": merged}, dense("c", 4))
    c[0] = np.vstack([c[0], c[0][:1]])
    weights = {"a": a, "b": b, "drop": [], "c": c}
    source = whole(tmp_path / "old.h5", document, weights)

    _, got = run(source, tmp_path / "new.keras", [x, y])

    product = (x @ a[0] + a[1]) * (y @ b[0] + b[1])
    np.testing.assert_allclose(got, product @ c[0] + c[1], rtol=1e-4, atol=1e-4)


def test_nested_models_whose_names_are_in_the_weights_only(tmp_path):
    """A top put on a base, as fine-tuning was taught with Keras 1."""
    a, b = drawn((3, 4), (4,)), drawn((4, 5), (5,))
    c, d = drawn((5, 2), (2,)), drawn((2, 1), (1,))
    (x,) = drawn((6, 3), seed=2)
    base = sequential(dense("a", 4, batch_input_shape=[None, 3]), dense("b", 5))
    document = sequential(base, sequential(dense("c", 2)), dense("d", 1))
    inside = {"a_W": a[0], "a_b": a[1], "b_W": b[0], "b_b": b[1]}
    weights = {
        "sequential_3": inside,
        "sequential_7": {"c_W": c[0], "c_b": c[1]},
        "d": d,
    }
    source = whole(tmp_path / "old.h5", document, weights)

    _, got = run(source, tmp_path / "new.keras", x)

    for kernel, bias in (a, b, c, d):
        x = x @ kernel + bias
    np.testing.assert_allclose(got, x, rtol=1e-4, atol=1e-4)


def test_layers_that_became_several(tmp_path):
    kernel, bias, x = drawn((4, 3, 5), (4, 5), (6, 3))
    document = sequential(
        entry(
            "MaxoutDense",
            "largest",
            batch_input_shape=[None, 3],
            output_dim=5,
            nb_feature=4,
            init="uniform",
            bias=True,
        ),
        entry("RepeatVector", "again", n=2),
        entry("TimeDistributedDense", "timed", output_dim=2, init="uniform", bias=True),
    )
    timed = drawn((5, 2), (2,), seed=1)
    weights = {"largest": [kernel, bias], "again": [], "timed": timed}
    source = whole(tmp_path / "old.h5", document, weights, "1.0.8")

    upgraded, got = run(source, tmp_path / "new.keras", x)

    wide = np.max(np.einsum("ni,fio->nfo", x, kernel) + bias, axis=1)
    want = np.repeat((wide @ timed[0] + timed[1])[:, None], 2, axis=1)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    assert {"keras1_maxout", "keras1_dense"} <= {each.rule for each in upgraded.repairs}


@pytest.mark.parametrize("ordering", ["th", "tf"])
def test_memory_of_images(tmp_path, ordering):
    """Gates of a ConvLSTM2D, put together along the filters in either order."""
    shapes = [(2, 3, 3, 3), (2, 2, 3, 3), (2,)]
    arrays = drawn(*shapes * 4)
    arrays = [array * 0.3 for array in arrays]
    (images,) = drawn((2, 3, 3, 5, 5), seed=1)
    h = c = np.zeros((2, 2, 3, 3))
    for t in range(3):
        i, new, f, o = (
            correlation(images[:, t], arrays[g])
            + arrays[g + 2][:, None, None]
            + correlation(h, arrays[g + 1], pads=((1, 1), (1, 1)))
            for g in (0, 3, 6, 9)
        )
        i, f, o = (np.clip(0.2 * each + 0.5, 0, 1) for each in (i, f, o))
        c = f * c + i * np.tanh(new)
        h = o * np.tanh(c)
    layer = image_layer(
        "ConvLSTM2D",
        batch_input_shape=[None, 3, 3, 5, 5]
        if ordering == "th"
        else [None, 3, 5, 5, 3],
        nb_filter=2,
        inner_init="orthogonal",
        forget_bias_init="one",
        inner_activation="hard_sigmoid",
        activation="tanh",
        border_mode="valid",
        dim_ordering=ordering,
        return_sequences=False,
        go_backwards=False,
        stateful=False,
    )
    del layer["config"]["subsample"], layer["config"]["bias"]
    if ordering == "tf":
        arrays = [a.transpose(2, 3, 1, 0) if a.ndim > 1 else a for a in arrays]
        images, h = images.transpose(0, 1, 3, 4, 2), h.transpose(0, 2, 3, 1)
    source = whole(tmp_path / "old.h5", sequential(layer), {"conv": arrays})

    _, got = run(source, tmp_path / "new.keras", images)

    np.testing.assert_allclose(got, h, rtol=1e-4, atol=1e-5)


def test_a_model_of_keras_0_with_its_numbered_weights(tmp_path):
    """Before Keras 1, weights had numbers for names, and a model was two files."""
    kernel, bias, x = drawn((3, 4), (4,), (5, 3))
    gamma, beta, mean, spread = drawn(*[(4,)] * 4, seed=1)
    spread = np.abs(spread) + 0.5
    layers = [
        {"name": "Dense", "input_shape": [3], "output_dim": 4, "init": "uniform"},
        {"name": "BatchNormalization", "epsilon": 0.01, "mode": 0, "axis": -1},
        {"name": "Activation", "activation": "relu", "target": 0, "beta": 0.1},
    ]
    source = tmp_path / "old.json"
    source.write_text(json.dumps({"name": "Sequential", "layers": layers}))
    arrays = [[kernel, bias], [gamma, beta, mean, spread], []]
    with h5py.File(tmp_path / "old_weights.h5", "w") as file:
        file.attrs["nb_layers"] = len(arrays)
        for k, each in enumerate(arrays):
            group = file.create_group(f"layer_{k}")
            group.attrs["nb_params"] = len(each)
            for p, array in enumerate(each):
                group[f"param_{p}"] = array

    _, got = run(source, tmp_path / "new.keras", x, weights=tmp_path / "old_weights.h5")

    normed = (x @ kernel + bias - mean) / (spread + 0.01)
    want = np.maximum(gamma * normed + beta, 0)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_a_graph_of_keras_0_with_its_weights(tmp_path):
    """All arrays lie in one group, node after node."""
    a, b, c = drawn((3, 4), (4,)), drawn((5, 6), (6,)), drawn((10, 2), (2,))
    x, y = drawn((7, 3), (7, 5), seed=1)

    def node(name, inputs):
        single = inputs[0] if len(inputs) == 1 else None
        several = inputs if len(inputs) > 1 else []
        return {
            "name": name,
            "input": single,
            "inputs": several,
            "merge_mode": "concat",
        }

    def plain(units):
        return {"name": "Dense", "output_dim": units, "activation": "linear"}

    document = {
        "name": "Graph",
        "loss": {"out": "mse"},
        "input_config": [
            {"name": "left", "input_shape": [3], "dtype": "float"},
            {"name": "right", "input_shape": [5], "dtype": "float"},
        ],
        "node_config": [
            node("a", ["left"]),
            node("b", ["right"]),
            node("c", ["a", "b"]),
        ],
        "nodes": {"a": plain(4), "b": plain(6), "c": plain(2)},
        "output_config": [node("out", ["c"])],
    }
    source = tmp_path / "old.json"
    source.write_text(json.dumps(document))
    with h5py.File(tmp_path / "old_weights.h5", "w") as file:
        group = file.create_group("graph")
        group.attrs["nb_params"] = 6
        for n, array in enumerate([*a, *b, *c]):
            group[f"param_{n}"] = array

    _, got = run(
        source, tmp_path / "new.keras", [x, y], weights=tmp_path / "old_weights.h5"
    )

    hidden = np.concatenate([x @ a[0] + a[1], y @ b[0] + b[1]], axis=1)
    np.testing.assert_allclose(got, hidden @ c[0] + c[1], rtol=1e-4, atol=1e-4)


def test_numbered_weights_of_another_model_are_refused(tmp_path):
    source = tmp_path / "old.json"
    layer = {"name": "Dense", "input_shape": [3], "output_dim": 4}
    source.write_text(json.dumps({"name": "Sequential", "layers": [layer]}))
    with h5py.File(tmp_path / "old_weights.h5", "w") as file:
        file.attrs["nb_layers"] = 1
        file["layer_0/param_0"] = np.zeros((3, 4))

    with pytest.raises(ArchiveError, match=r"1 arrays.*for a model with 2"):
        upgrade_file(
            source, tmp_path / "new.keras", weights=tmp_path / "old_weights.h5"
        )


def test_an_architecture_alone(tmp_path):
    source = tmp_path / "old.json"
    document = sequential(dense("out", 2, batch_input_shape=[None, 3]))
    source.write_text(json.dumps({**document, "keras_version": "1.1.1"}))

    upgrade_file(source, tmp_path / "new.json")

    model = keras.models.model_from_json((tmp_path / "new.json").read_text())
    assert (model.input_shape, model.output_shape) == ((None, 3), (None, 2))
