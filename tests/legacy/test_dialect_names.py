"""Names that Keras 3 refuses are changed wherever they stand."""

import json

import pytest

from keras_rectifiers.legacy.dialects.modernize import modernize
from tests.legacy.dialect_helpers import KERAS_2
from tests.legacy.dialect_helpers import layer_entry
from tests.legacy.dialect_helpers import opened
from tests.legacy.dialect_helpers import reference
from tests.legacy.dialect_helpers import sequential
from tests.legacy.dialect_helpers import texts
from tests.legacy.dialect_helpers import written


@pytest.mark.parametrize("form", ["new", "old"])
def test_a_slash_in_names_of_a_graph(form):
    """In calls, ends and nested models; two names do not become one."""
    tf_keras = reference()
    inner = tf_keras.Sequential(
        [tf_keras.Input((3,)), tf_keras.layers.Dense(3, name="in/dense")],
        name="in/ner",
    )
    inputs = tf_keras.Input((3,), name="in/put")
    a = tf_keras.layers.Dense(3, name="a/b")(inputs)
    b = tf_keras.layers.Dense(3, name="a_b")(inputs)
    added = tf_keras.layers.Add(name="add/it")([a, inner(b)])
    old = tf_keras.Model(inputs, added, name="whole/model")

    result = modernize(written(old, form=form), KERAS_2)

    model = opened(result.document)
    names = {"in_put", "a_b", "a_b_1", "in_ner", "add_it"}
    assert {layer.name for layer in model.layers} == names
    assert model.name == "whole_model"
    assert result.was["a_b_1",].path == ("a/b",)
    assert result.was["a_b",].path == ("a_b",)
    assert result.was["in_ner", "in_dense"].path == ("in/ner", "in/dense")
    assert "name a/b → a_b_1" in texts(result.repairs)


def test_references_in_keywords_are_renamed():
    """A tensor may stand among a call's keywords; a list of numbers is none."""
    layer = layer_entry("MultiHeadAttention", name="att", num_heads=1, key_dim=2)
    keywords = {"value": ["x/1", 0, 0], "attention_mask": None}
    layer = {**layer, "name": "att", "inbound_nodes": [[["x/1", 0, 0, keywords]]]}
    source = layer_entry("InputLayer", name="x/1", batch_input_shape=[None, 3, 2])
    source = {**source, "name": "x/1", "inbound_nodes": []}
    config = {
        "name": "m",
        "layers": [source, layer],
        "input_layers": ["x/1", 0, 0],
        "output_layers": [["att", 0, 0]],
    }

    document = modernize({"class_name": "Model", "config": config}, KERAS_2).document

    assert "x/1" not in json.dumps(document)
    assert document["config"]["layers"][0]["config"]["name"] == "x_1"
    assert opened(document).output_shape == (None, 3, 2)


def test_names_inside_wrappers_are_changed():
    """Keras 3 refuses them there too."""
    wrapped = layer_entry("Dense", name="in/side", units=2)
    old = sequential(
        layer_entry("TimeDistributed", name="t", layer=wrapped),
        layer_entry(
            "RNN", name="r", cell=layer_entry("LSTMCell", name="ce/ll", units=2)
        ),
    )

    result = modernize(old, KERAS_2)

    model = opened(result.document)
    assert model.layers[0].layer.name == "in_side"
    assert model.layers[1].cell.name == "ce_ll"
    assert result.was["t", "in_side"].path == ("t", "in/side")
