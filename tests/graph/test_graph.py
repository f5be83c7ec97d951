"""The wiring of a model, and the order in which Keras lists its layers."""

import json
import random

import keras
import pytest
from keras import layers
from keras import ops

from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.graph import Graph
from keras_rectifiers.graph.graph import Ref
from keras_rectifiers.graph.graph import end_refs
from keras_rectifiers.graph.graph import layer_order
from tests.surgery.documents import call
from tests.surgery.documents import dense
from tests.surgery.documents import functional
from tests.surgery.documents import layer
from tests.surgery.documents import sequential
from tests.surgery.documents import start
from tests.surgery.documents import tensor


def _branches():
    x = keras.Input((4,), name="x")
    a = layers.Dense(4, name="a")(x)
    b = layers.Dense(4, name="b")(layers.ReLU(name="r")(x))
    return keras.Model(x, layers.Add(name="sum")([layers.Dense(4)(b), a]))


def _dictionary_inputs():
    inputs = {name: keras.Input((4,), name=name) for name in ("zeta", "alpha", "mid")}
    both = layers.Concatenate()([inputs["mid"], inputs["zeta"]])
    out = {"late": layers.Dense(2)(both), "early": layers.Dense(2)(inputs["alpha"])}
    return keras.Model(inputs, out)


def _shared():
    x = keras.Input((4,))
    d, r = layers.Dense(4, name="d"), layers.ReLU(name="r")
    return keras.Model(x, [r(d(r(d(x)))), layers.Dense(1)(r(x))])


def _unused_input():
    x, unused = keras.Input((4,), name="x"), keras.Input((2,), name="unused")
    return keras.Model([unused, x], layers.Dense(2)(ops.relu(x)))


def _operations():
    x = keras.Input((4,))
    return keras.Model(x, ops.where(x > 0, x, 0.0) + ops.maximum(0, layers.Dense(4)(x)))


def _nested():
    x = keras.Input((4,))
    inner = keras.Model(x, layers.Dense(4)(layers.ReLU()(x)), name="inner")
    chain = keras.Sequential([keras.Input((4,)), layers.Dense(4)], name="chain")
    y = keras.Input((4,))
    return keras.Model(y, chain(inner(inner(y))) + inner(chain(y)))


def _keywords():
    x, memory = keras.Input((3, 4)), keras.Input((5, 4))
    attention = layers.MultiHeadAttention(2, 2)
    return keras.Model(
        [x, memory], attention(layers.ReLU()(x), value=layers.Dense(4)(memory))
    )


def _intermediate():
    x = keras.Input((4,))
    middle = layers.Dense(4, name="before")(x)
    return keras.Model(middle, layers.Dense(2)(layers.ReLU()(middle)))


def _output_in_the_middle():
    x = keras.Input((4,))
    a = layers.Dense(4)(x)
    b = layers.ReLU()(a)
    return keras.Model(x, (b, [layers.Dense(1)(layers.Dense(2)(b)), a], x))


@pytest.mark.parametrize(
    "build",
    [
        _branches,
        _dictionary_inputs,
        _shared,
        _unused_input,
        _operations,
        _nested,
        _keywords,
        _intermediate,
        _output_in_the_middle,
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_the_order_is_keras_own_whatever_the_order_of_entries(build, seed):
    """Shuffled entries come back in the order in which Keras lists them."""
    model = build()
    document = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    expected = [operation.name for operation in model.operations]
    entries = document["config"]["layers"]
    assert [name_of(entry) for entry in entries] == expected
    random.Random(seed).shuffle(entries)

    assert layer_order(document) == expected


def test_tensors_are_found_in_keywords_too():
    """A tensor deep inside a keyword argument is an edge like any other."""
    model = functional(
        start(),
        dense("a", call("x")),
        layer("Own", "b", call("x", mask=[{"deep": tensor("a")}], scale=2.0)),
    )

    graph = Graph(model)

    assert graph.inputs("b", 0)[0] == Ref("x", 0, 0, (None, 4), "float32")
    assert [ref.name for ref in graph.inputs("b", 0)] == ["x", "a"]
    assert graph.outputs == [("b", 0)]


def test_each_call_of_a_shared_layer_is_a_node_of_its_own():
    """What is taken belongs to calls, not to layers."""
    graph = Graph(
        functional(
            start(),
            dense("a", call("x"), call("a")),
            layer("ReLU", "r", call(tensor("a", 1))),
        )
    )

    assert graph.calls("a") == 2
    assert [ref.source for ref in graph.inputs("a", 1)] == [("a", 0)]
    assert [ref.source for ref in graph.inputs("r", 0)] == [("a", 1)]


def test_a_chain_answers_like_a_graph():
    """In a Sequential each layer feeds the next."""
    graph = Graph(sequential(start(), dense("a"), layer("ReLU", "r")))

    assert graph.inputs("r", 0) == [Ref("a", 0, 0)]
    assert graph.inputs("x", 0) == []
    assert graph.outputs == [("r", 0)]
    assert Graph(sequential()).outputs == []


def test_the_calls_of_a_nested_model_count_from_zero_everywhere():
    """Keras counts them from 1 in `output_layers`; that is evened out."""
    inner = functional(
        start("i"), dense("d", call("i")), inputs=("i",), name="inner",
        calls=[call("x"), call("inner")],
    )  # fmt: skip
    ends = {"b": ["inner", 2, 0], "a": [["inner", 1, 0], ["x", 0, 0]]}
    model = functional(start(), inner, outputs=ends)

    assert [(ref.name, ref.node) for ref in end_refs(model, "output_layers")] == [
        ("inner", 0),
        ("x", 0),
        ("inner", 1),
    ]
