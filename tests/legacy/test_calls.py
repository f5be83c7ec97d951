"""Calls of layers in old models: each shape in which Keras 1 and 2 wrote them."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np
import pytest

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph import wellformed
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.legacy.dialects.modernize import Modern
from keras_rectifiers.legacy.dialects.modernize import modernize
from keras_rectifiers.legacy.dialects.registry import Origin

tf_keras = pytest.importorskip("tf_keras")
layers = tf_keras.layers
Input = tf_keras.Input
Model = tf_keras.Model


def modern(old: Any) -> Modern:
    """The modern document of a model of TF-Keras."""
    return modernize(json.loads(old.to_json()), Origin((2, 15, 0), "tensorflow"))


def opened(result: Modern, tmp_path: Any) -> Any:
    """The model that Keras 3 makes of a modern document."""
    wellformed.check(Survey(result.document), tmp_path)
    return keras.models.model_from_json(json.dumps(result.document))


def shared_layer() -> Any:
    a, b = Input((4,), name="a"), Input((4,), name="b")
    dense = layers.Dense(4, name="twice")
    return Model([a, b], layers.Add()([dense(a), dense(dense(b))]))


def nested_twice() -> Any:
    x = Input((4,), name="x")
    inner = Model(x, layers.Dense(4, activation="relu")(x), name="inner")
    a = Input((4,), name="a")
    return Model(a, [inner(inner(a)), inner(a)])


def nested_sequential_twice() -> Any:
    inner = tf_keras.Sequential([layers.Dense(4)], name="inner")
    shaped = tf_keras.Sequential([Input((4,)), layers.Dense(4)], name="shaped")
    a = Input((4,), name="a")
    return Model(a, [inner(inner(a)), shaped(shaped(a)), shaped(inner(a))])


def called_elsewhere() -> Any:
    """A layer and a model whose first calls belong to other graphs."""
    dense = layers.Dense(4, name="shared")
    x = Input((4,), name="x")
    inner = Model(x, layers.Dense(4)(x), name="inner")
    other = Input((4,), name="other")
    Model(other, inner(dense(other)))
    a = Input((4,), name="a")
    return Model(a, [inner(dense(a)), dense(a)])


def nested_with_several_ends() -> Any:
    x, y = Input((4,), name="x"), Input((3,), name="y")
    inner = Model([x, y], [layers.Dense(2)(x), layers.Dense(2)(y)], name="inner")
    a, b = Input((4,), name="a"), Input((3,), name="b")
    first, second = inner([a, b])
    return Model([a, b], [second, layers.Add()([first, second])])


def nested_with_named_ends() -> Any:
    x, y = Input((4,), name="x"), Input((3,), name="y")
    inner = Model({"x": x, "y": y}, {"sum": layers.Concatenate()([x, y])}, name="inner")
    a, b = Input((4,), name="a"), Input((3,), name="b")
    return Model({"a": a, "b": b}, inner({"x": a, "y": b})["sum"])


def deep() -> Any:
    x = Input((4,), name="x")
    inner = Model(x, layers.Dense(4)(x), name="inner")
    y = Input((4,), name="y")
    middle = Model(y, inner(inner(y)), name="middle")
    a = Input((4,), name="a")
    return Model(a, layers.ReLU()(middle(middle(a))))


def one_in_a_list() -> Any:
    a = Input((4,), name="a")
    return Model([a], [layers.Dense(2)(a)])


def states() -> Any:
    a = Input((5, 3), name="a")
    _, h, c = layers.LSTM(4, return_state=True, name="encoder")(a)
    b = Input((6, 3), name="b")
    decoded = layers.LSTM(4, return_sequences=True)(b, initial_state=[h, c])
    return Model([a, b], [decoded, layers.GRU(4)(b, initial_state=h)])


def both_directions() -> Any:
    a = Input((5, 3), name="a")
    run = layers.Bidirectional(layers.LSTM(4, return_state=True), name="encoder")
    _, *carried = run(a)
    b = Input((6, 3), name="b")
    again = layers.Bidirectional(layers.LSTM(4), name="decoder")
    return Model([a, b], again(b, initial_state=carried))


def masks() -> Any:
    a, mask = Input((5, 3), name="a"), Input((5,), dtype="bool", name="mask")
    return Model([a, mask], layers.LSTM(4)(a, mask=mask))


def attention() -> Any:
    a, b = Input((5, 4), name="a"), Input((6, 4), name="b")
    mask = Input((6,), dtype="bool", name="mask")
    one = layers.Attention(use_scale=True)([a, b])
    two = layers.AdditiveAttention()([a, b], mask=[None, mask])
    return Model([a, b, mask], [one, two])


def heads() -> Any:
    a, b = Input((5, 4), name="a"), Input((6, 4), name="b")
    many = layers.MultiHeadAttention(2, 3, name="many")
    held = np.tril(np.ones((1, 5, 6)))
    two = layers.MultiHeadAttention(2, 3, name="two")
    return Model([a, b], [many(a, b), many(a, value=a), two(a, b, attention_mask=held)])


def training_stated() -> Any:
    a = Input((4,), name="a")
    x = layers.Dropout(0.5)(a, training=False)
    return Model(a, layers.BatchNormalization()(x, training=False))


MODELS = (
    *(shared_layer, nested_twice, nested_sequential_twice, called_elsewhere),
    *(nested_with_several_ends, nested_with_named_ends, deep, one_in_a_list),
    *(states, both_directions, masks, attention, heads, training_stated),
)


@pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)
def test_calls_mean_the_same_in_keras_3(build: Any, tmp_path: Any) -> None:
    tf_keras.utils.set_random_seed(1)
    old = build()
    new = opened(modern(old), tmp_path)
    weights = {w.shape: None for w in new.weights}
    assert weights.keys() == {tuple(w.shape) for w in old.weights}
    _copy(old, new)
    random = np.random.default_rng(0)
    values = {
        each.name: random.normal(size=(3, *each.shape[1:])) > 0
        if each.dtype == "bool"
        else random.normal(size=(3, *each.shape[1:])).astype("float32")
        for each in keras.tree.flatten(new.input)
    }
    before = old.predict(values, verbose=0)
    after = new.predict(values, verbose=0)
    before, after = keras.tree.flatten(before), keras.tree.flatten(after)
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one, other, 1e-5, 1e-6)


def _copy(old: Any, new: Any) -> None:
    """Weights by layer, which have the same names in both."""
    for layer in old.layers:
        if not layer.weights:
            continue
        twin = new.get_layer(layer.name)
        if isinstance(layer, Model):
            _copy(layer, twin)
        else:
            twin.set_weights(layer.get_weights())


def document(*entries: Any, ends: Any = ("a",), outputs: Any) -> Any:
    """A model of early Keras 2, with calls as they are given."""
    return {
        "class_name": "Model",
        "config": {
            "name": "m",
            "layers": [
                {
                    "class_name": "InputLayer",
                    "config": {
                        "batch_input_shape": [None, 4],
                        "dtype": "float32",
                        "sparse": False,
                        "name": name,
                    },
                    "name": name,
                    "inbound_nodes": [],
                }
                for name in ends
            ]
            + list(entries),
            "input_layers": [[name, 0, 0] for name in ends],
            "output_layers": outputs,
        },
        "keras_version": "2.1.0",
        "backend": "tensorflow",
    }


def layer(class_name: str, name: str, nodes: Any, **config: Any) -> Any:
    """An entry of early Keras 2."""
    return {
        "class_name": class_name,
        "config": {"name": name, "trainable": True, **config},
        "name": name,
        "inbound_nodes": nodes,
    }


def old_activation(name: str, nodes: Any) -> Any:
    return layer("Activation", name, nodes, activation="relu")


def references(entry: Any) -> list[Any]:
    """Layer and call of each tensor that an entry takes."""
    found = []

    def visit(value: Any) -> None:
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            found.append(value["config"]["keras_history"])
        elif isinstance(value, dict | list):
            for each in value.values() if isinstance(value, dict) else value:
                visit(each)

    visit(entry["inbound_nodes"])
    return found


def test_references_of_keras_1_have_three_parts(tmp_path: Any) -> None:
    old = document(old_activation("r", [[["a", 0, 0]]]), outputs=[["r", 0, 0]])
    result = modernize(old, Origin((1, 2, 2), "tensorflow"))
    relu = result.document["config"]["layers"][1]
    assert references(relu) == [["a", 0, 0]]
    assert result.document["config"]["output_layers"] == ["r", 0, 0]
    assert opened(result, tmp_path)(np.array([[-1.0, 2, -3, 4]])).numpy().tolist() == [
        [0, 2, 0, 4]
    ]


@pytest.mark.parametrize("first", [0, 1])
def test_calls_of_a_nested_model_count_from_0_or_1(first: int, tmp_path: Any) -> None:
    """Versions of Keras 2 differ; the numbers that are used tell."""
    inner = document(
        old_activation("r", [[["x", 0, 0, {}]]]), ends=("x",), outputs=[["r", 0, 0]]
    )
    inner |= {
        "name": "inner",
        "inbound_nodes": [[["a", 0, 0, {}]], [["inner", first, 0, {}]]],
    }
    inner["config"]["name"] = "inner"
    old = document(inner, outputs=[["inner", first + 1, 0]])
    result = modernize(old, Origin((2, 1, 0), "tensorflow"))
    config = result.document["config"]
    assert references(config["layers"][1]) == [["a", 0, 0], ["inner", 0, 0]]
    assert config["output_layers"] == ["inner", 2, 0]  # Keras 3 counts from 1 there
    new = opened(result, tmp_path)
    assert new(np.array([[-1.0, 2, -3, 4]])).numpy().tolist() == [[0, 2, 0, 4]]


def test_a_modern_document_is_left_alone() -> None:
    a = keras.Input((4,), name="a")
    new = keras.Model([a], [keras.ops.relu(keras.layers.Dense(3)(a))])
    before = json.loads(new.to_json())
    result = modernize(before, Origin((3, 15, 1), "tensorflow"))
    assert result.document["config"] == before["config"]
    assert result.repairs == ()


def test_shapes_are_stated_for_slopes(tmp_path: Any) -> None:
    """A ReLU of an old model tells its channels, which a PReLU needs."""
    a = Input((8, 8, 3), name="a")
    x = layers.ReLU(name="one")(layers.Conv2D(5, 3, strides=2)(a))
    x = layers.ReLU(name="two")(layers.BatchNormalization()(layers.MaxPooling2D()(x)))
    result = modern(Model(a, layers.Dense(2)(layers.Flatten()(x))))
    assert opened(result, tmp_path)
    found = {each.site.path: each.site.shapes for each in Survey(result.document).found}
    assert found == {"one": ((None, 3, 3, 5),), "two": ((None, 1, 1, 5),)}


@pytest.mark.parametrize(
    ("nodes", "outputs"),
    [
        ([[["b", 0, 0, {}]]], [["r", 0, 0]]),
        ([[["a", 3, 0, {}]]], [["r", 0, 0]]),
        ([[["a", -1, 0, {}]]], [["r", 0, 0]]),
        ([[["a", 0, 0, {}]]], [["gone", 0, 0]]),
        ([[["a", 0, 0, {}]]], [["r", 7, 0], ["r", 0, 0]]),
        ([["a"]], [["r", 0, 0]]),
        ([7], [["r", 0, 0]]),
        ([[["r", 0, 0, {}]]], [["r", 0, 0]]),
        ([[["a", 0, 0, {}]]], "r"),
    ],
)
def test_malformed_calls_are_one_sentence(
    nodes: Any, outputs: Any, tmp_path: Any
) -> None:
    old = document(old_activation("r", nodes), outputs=outputs)
    with pytest.raises(ArchiveError):
        opened(modernize(old, Origin((2, 1, 0), "tensorflow")), tmp_path)


def test_constants_of_a_recurrent_layer_are_refused() -> None:
    entry = layer(
        "RNN", "rnn", [[["a", 0, 0, {}], ["b", 0, 0, {}]]], num_constants=1, cell={}
    )
    old = document(entry, ends=("a", "b"), outputs=[["rnn", 0, 0]])
    with pytest.raises(UnsupportedModelError, match="num_constants=1 of a RNN"):
        modernize(old, Origin((2, 1, 0), "tensorflow"))
