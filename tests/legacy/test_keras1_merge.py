"""Merge layers, models that began with one, and the models of Keras 0."""

import json

import numpy as np
import pytest

from keras_rectifiers.errors import UnsupportedModelError
from tests.legacy.keras1_helpers import convolution
from tests.legacy.keras1_helpers import drawn
from tests.legacy.keras1_helpers import entry
from tests.legacy.keras1_helpers import loaded
from tests.legacy.keras1_helpers import modern
from tests.legacy.keras1_helpers import opened
from tests.legacy.keras1_helpers import repaired
from tests.legacy.keras1_helpers import sequential


def dense(name, units=4, **more):
    settings = {"output_dim": units, "init": "uniform", "activation": "linear"}
    return entry("Dense", name, **settings, bias=True, **more)


def first(name, units=4, size=3):
    return dense(name, units, batch_input_shape=[None, size], input_dtype="float32")


def merge(mode="sum", branches=(), **more):
    config = {
        "name": "merged",
        "mode": mode,
        "mode_type": "raw",
        "concat_axis": -1,
        "dot_axes": -1,
        "output_shape": None,
        "output_shape_type": "raw",
        "output_mask": None,
        "output_mask_type": "raw",
        "arguments": {},
        **more,
    }
    if branches:
        config["layers"] = list(branches)
    return {"class_name": "Merge", "config": config}


def cosine(a, b):
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.sum(a * b, axis=1, keepdims=True) / lengths[:, None]


WAYS = {
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
    "max": np.maximum,
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "dot": lambda a, b: np.sum(a * b, axis=1, keepdims=True),
    "cos": cosine,
}


@pytest.mark.parametrize("mode", WAYS)
def test_ways_to_merge(mode):
    axes = {"dot_axes": [[1], [1]]} if mode == "dot" else {}
    document = sequential(
        merge(mode, [sequential(first("left")), sequential(first("right"))], **axes)
    )
    weights = {"left": drawn((3, 4), (4,)), "right": drawn((3, 4), (4,), seed=1)}
    x, y = drawn((5, 3), (5, 3), seed=2)

    result = modern(document)
    model = loaded(result, weights)

    a, b = x @ weights["left"][0], y @ weights["right"][0]
    want = WAYS[mode](a + weights["left"][1], b + weights["right"][1])
    got = model.predict([x, y], verbose=0)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    cautions = [each.rule for each in result.repairs if each.caution]
    assert cautions == (["keras1_merge"] if mode == "cos" else [])


def test_branches_within_branches_keep_their_names():
    inner = sequential(
        merge("concat", [sequential(first("a")), sequential(first("b"))], name="inner"),
        dense("c"),
    )
    document = sequential(
        merge("sum", [inner, sequential(first("d"), dense("e"))]), dense("out", 2)
    )

    result = modern(document)
    model = opened(result)

    names = [layer.name for layer in model.layers]
    assert {"a", "b", "inner", "c", "d", "e", "merged", "out"} <= set(names)
    assert [each.name for each in model.inputs] == ["a_input", "b_input", "d_input"]
    assert model.output_shape == (None, 2)
    assert result.was["c",].path == ("c",)
    told = repaired(result, "keras1_merge_first")
    assert told == ["model: Sequential that begins with a Merge → Functional"]


def test_models_without_names_within_branches():
    left = sequential(sequential(first("a"), dense("b")), dense("c"))
    document = sequential(
        merge("sum", [left, sequential(first("d"))]), sequential(dense("e"), dense("f"))
    )

    model = opened(modern(document))

    nested = [layer for layer in model.layers if hasattr(layer, "layers")]
    assert [[each.name for each in layer.layers] for layer in nested] == [
        ["a", "b"],
        ["e", "f"],
    ]
    assert model.output_shape == (None, 4)


def test_a_layer_in_two_branches_is_shared():
    shared = [sequential(first("same")), sequential(first("same"))]
    weights = {"same": drawn((3, 4), (4,))}
    x = drawn((5, 3), seed=1)[0]

    model = loaded(modern(sequential(merge("sum", shared))), weights)

    want = 2 * (x @ weights["same"][0] + weights["same"][1])
    np.testing.assert_allclose(model.predict(x, verbose=0), want, rtol=1e-4, atol=1e-5)


def test_a_functional_branch():
    branch = {
        "class_name": "Model",
        "config": {
            "name": "model_1",
            "layers": [
                {
                    "class_name": "InputLayer",
                    "name": "in",
                    "config": {
                        "name": "in",
                        "batch_input_shape": [None, 3],
                        "input_dtype": "float32",
                        "sparse": False,
                    },
                    "inbound_nodes": [],
                },
                {**dense("a"), "name": "a", "inbound_nodes": [[["in", 0, 0]]]},
            ],
            "input_layers": [["in", 0, 0]],
            "output_layers": [["a", 0, 0]],
        },
    }
    document = sequential(merge("concat", [branch, sequential(first("b", 2, 5))]))

    model = opened(modern(document))

    assert model.output_shape == (None, 6)
    assert [each.shape for each in model.inputs] == [(None, 3), (None, 5)]


@pytest.mark.parametrize(
    ("mode", "mode_type"),
    [("4wEAAAACAAAA", "lambda"), ("my_function", "function"), ("join", "raw")],
)
def test_functions_in_files_are_refused(mode, mode_type):
    branches = [sequential(first("a")), sequential(first("b"))]
    with pytest.raises(UnsupportedModelError, match=r"'merged'.*never run"):
        modern(sequential(merge(mode, branches, mode_type=mode_type)))


def test_different_layers_of_one_name_are_refused():
    branches = [sequential(first("a", 4)), sequential(first("a", 5))]
    document = sequential(merge("concat", branches))
    # The same name is the same layer; the second config is not what was stored.
    with pytest.raises(UnsupportedModelError, match="different layers named 'a'"):
        modern(document)


def test_a_merge_of_keras_2_0():
    """Somebody's regression on two inputs, written by Keras 2.0.6."""
    glorot = {
        "class_name": "VarianceScaling",
        "config": {
            "mode": "fan_avg",
            "scale": 1.0,
            "distribution": "uniform",
            "seed": None,
        },
    }
    common = {
        "use_bias": True,
        "activation": "relu",
        "kernel_initializer": glorot,
        "bias_initializer": {"class_name": "Zeros", "config": {}},
        "kernel_regularizer": {"class_name": "L1L2", "config": {"l2": 1e-4, "l1": 0.0}},
        "dtype": "float32",
    }
    conv = entry(
        "Conv1D",
        "conv1d_4",
        filters=12,
        kernel_size=[2],
        strides=[1],
        dilation_rate=[1],
        padding="valid",
        batch_input_shape=[None, 42, 5],
        **common,
    )
    pool = entry(
        "AveragePooling1D", "pool", pool_size=[2], strides=[2], padding="valid"
    )
    left = sequential(conv, pool, entry("Flatten", "flatten_2"))
    right = sequential(
        entry("Dense", "dense_4", units=6, batch_input_shape=[None, 42], **common),
        entry("Dropout", "dropout_6", rate=0.1),
    )
    del common["dtype"]
    document = sequential(
        merge("concat", [left, right]), entry("Dense", "dense_5", units=1, **common)
    )
    document.update(keras_version="2.0.6", backend="tensorflow")

    model = opened(modern(document, (2, 0, 6)))

    assert [each.shape for each in model.inputs] == [(None, 42, 5), (None, 42)]
    assert model.get_layer("dense_5").kernel.shape == (20 * 12 + 6, 1)


#: Somebody's tagger of music, from before Keras had classes in its documents.
TAGGER = """
{"name": "Sequential", "theano_mode": null, "class_mode": "categorical",
 "optimizer": {"lr": 0.01, "name": "Adagrad", "epsilon": 1e-06},
 "loss": "categorical_crossentropy", "layers": [
  {"input_shape": [840], "dims": [1, 21, 40], "name": "Reshape"},
  {"border_mode": "valid", "activation": "linear", "b_regularizer": null,
   "nb_filter": 8, "W_regularizer": null, "input_shape": [1, 21, 40],
   "dim_ordering": "th", "init": "glorot_uniform", "name": "Convolution2D",
   "nb_col": 10, "activity_regularizer": null, "subsample": [1, 1], "nb_row": 7,
   "W_constraint": null, "b_constraint": null},
  {"activation": "relu", "target": 0, "beta": 0.1, "name": "Activation"},
  {"border_mode": "valid", "pool_size": [2, 2], "dim_ordering": "th",
   "strides": [2, 2], "name": "MaxPooling2D"},
  {"p": 0.25, "name": "Dropout"},
  {"name": "Flatten"},
  {"output_dim": 5, "W_regularizer": null, "init": "uniform", "name": "Dense",
   "b_regularizer": null, "activity_regularizer": null, "activation": "linear",
   "input_dim": null, "W_constraint": null, "b_constraint": null},
  {"activation": "softmax", "target": 0, "beta": 0.1, "name": "Activation"}]}
"""


@pytest.mark.parametrize("backend", ["", "theano"])
def test_a_sequential_of_keras_0(backend):
    result = modern(json.loads(TAGGER), (), backend)
    kernel, bias = drawn((8, 1, 7, 10), (8,))
    dense_weights = drawn((8 * 7 * 15, 5), (5,), seed=1)
    weights = {"convolution2d_1": [kernel, bias], "dense_1": dense_weights}

    model = loaded(result, weights)

    assert [layer.name for layer in model.layers][-3:] == [
        "flatten_1",
        "dense_1",
        "activation_2",
    ]
    (x,) = drawn((2, 840), seed=2)
    turned = kernel if backend else kernel[:, :, ::-1, ::-1]
    maps = convolution(x.reshape(2, 1, 21, 40), turned) + bias[:, None, None]
    maps = np.maximum(maps, 0)[:, :, :14, :30].reshape(2, 8, 7, 2, 15, 2).max((3, 5))
    scores = maps.reshape(2, -1) @ dense_weights[0] + dense_weights[1]
    want = np.exp(scores - scores.max(-1, keepdims=True))
    want /= want.sum(-1, keepdims=True)
    np.testing.assert_allclose(model.predict(x, verbose=0), want, rtol=1e-4, atol=1e-5)


def graph(**more):
    def plain(units, **config):
        settings = {"output_dim": units, "activation": "relu", "init": "uniform"}
        return {"name": "Dense", **settings, **config}

    config = {
        "name": "Graph",
        "input_config": [
            {"name": "left", "input_shape": [3], "dtype": "float"},
            {"name": "right", "input_shape": [5], "dtype": "float"},
        ],
        "input_order": ["left", "right"],
        "node_config": [
            {"name": "a", "input": "left", "inputs": []},
            {"name": "b", "input": "right", "inputs": []},
            {
                "name": "c",
                "input": None,
                "inputs": ["a", "b"],
                "merge_mode": "concat",
                "concat_axis": -1,
            },
        ],
        "nodes": {"a": plain(4), "b": plain(6), "c": plain(2)},
        "output_config": [
            {"name": "first", "input": "c", "inputs": []},
            {"name": "second", "input": None, "inputs": ["a", "c"]},
        ],
        "output_order": ["first", "second"],
    }
    return {**config, **more}


def test_a_graph_of_keras_0():
    model = opened(modern(graph(), ()))

    assert [each.name for each in model.inputs] == ["left", "right"]
    assert model.output_shape == [(None, 2), (None, 6)]
    assert model.get_layer("c").kernel.shape == (10, 2)


def test_shared_nodes_of_a_graph_are_refused():
    nodes = graph()["nodes"]
    nodes["a"] = {"name": "Siamese", "layer": nodes["a"]}
    with pytest.raises(UnsupportedModelError, match="shared node, 'a'"):
        modern(graph(nodes=nodes), ())
