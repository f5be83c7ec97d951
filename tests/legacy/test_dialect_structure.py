"""Models, inputs, classes and markers of old documents, in the form of Keras 3."""

import copy
import json

import keras
import numpy as np
import pytest
from keras.src.legacy.saving import saving_utils

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph.document import walk
from keras_rectifiers.legacy.dialects.modernize import modernize
from keras_rectifiers.legacy.dialects.registry import WAS
from keras_rectifiers.legacy.dialects.registry import Origin
from tests.legacy.dialect_helpers import KERAS_2
from tests.legacy.dialect_helpers import layer_entry
from tests.legacy.dialect_helpers import modern_layer
from tests.legacy.dialect_helpers import opened
from tests.legacy.dialect_helpers import reference
from tests.legacy.dialect_helpers import sequential
from tests.legacy.dialect_helpers import texts
from tests.legacy.dialect_helpers import written


def _functional(*layers, class_name="Model", **more):
    config = {
        "name": "old",
        "layers": list(layers),
        "input_layers": [[layers[0]["name"], 0, 0]],
        "output_layers": [[layers[-1]["name"], 0, 0]],
    }
    return {"class_name": class_name, "config": config, **more}


def _called(entry, *sources):
    nodes = [[[source, 0, 0, {}] for source in sources]] if sources else []
    return {**entry, "name": entry["config"]["name"], "inbound_nodes": nodes}


def test_a_sequential_without_an_input_layer_is_opened_right():
    """Keras 3 alone takes the shape for one without the batch: an axis too many."""
    old = sequential(
        layer_entry("Dense", name="a", units=3, batch_input_shape=[None, 5]),
        layer_entry("Dense", name="b", units=2),
    )
    wrong = saving_utils.model_from_config(copy.deepcopy(old))  # as for an `.h5`
    assert wrong.input_shape == (None, None, 5)

    result = modernize(old, Origin((2, 3, 1), "tensorflow"))
    model = opened(result.document)

    assert model.input_shape == (None, 5)
    assert model.output_shape == (None, 2)
    assert [layer["class_name"] for layer in result.document["config"]["layers"]] == [
        "InputLayer",
        "Dense",
        "Dense",
    ]
    assert model.inputs[0].name == "a_input"
    assert "shape [None, 5] of its first layer → an InputLayer" in texts(result.repairs)


def test_a_sequential_as_a_bare_list_is_opened():
    """As Keras wrote it up to 2.2, nested ones too."""
    inner = {
        "class_name": "Sequential",
        "config": [layer_entry("Dense", name="inner", units=4)],
    }
    outer = {
        "class_name": "Sequential",
        "config": [
            layer_entry("Dense", name="a", units=3, batch_input_shape=[None, 5]),
            inner,
        ],
    }

    result = modernize(outer, Origin((2, 1, 6)))

    model = opened(result.document)
    assert model.output_shape == (None, 4)
    assert model.layers[1].layers[0].name == "inner"


def test_a_deferred_sequential_keeps_its_shape():
    """It states the shape with which it was built, and no input."""
    tf_keras = reference()
    old = tf_keras.Sequential([tf_keras.layers.Dense(3)])
    old.build((None, 4))

    result = modernize(written(old), KERAS_2)

    assert opened(result.document).input_shape == (None, 4)


@pytest.mark.parametrize(
    ("class_name", "module"),
    [
        ("Model", None),
        ("Functional", None),
        ("Model", "keras.engine.training"),
        ("Functional", "keras.engine.functional"),
        ("Functional", "keras.src.engine.functional"),
        ("Functional", "tf_keras.src.engine.functional"),
        ("Model", "tensorflow.python.keras.engine.training"),
    ],
)
def test_a_model_of_any_age_is_functional(class_name, module):
    """Whatever its class and module were called."""
    old = _functional(
        _called(layer_entry("InputLayer", name="x", batch_input_shape=[None, 3])),
        _called(layer_entry("Dense", name="y", units=2), "x"),
        class_name=class_name,
        **({"module": module} if module else {}),
    )

    result = modernize(old, KERAS_2)

    document = result.document
    assert document["class_name"] == "Functional"
    assert document["module"] == "keras.src.models.functional"
    assert document["registered_name"] == "Functional"
    assert opened(document).output_shape == (None, 2)
    assert ("class Model → Functional" in texts(result.repairs)) == (
        class_name == "Model"
    )


@pytest.mark.parametrize(
    "module",
    [
        "keras.layers.core",
        "keras.src.layers.core.dense",
        "tensorflow.python.keras.layers.core",
        "tf_keras.src.layers.core.dense",
    ],
)
def test_vanished_modules_become_public_ones(module):
    """Keras 3 would import them, and find nothing."""
    old = {**layer_entry("Dense", units=2), "module": module, "registered_name": None}

    entry, repairs = modern_layer(old)

    assert entry["module"] == "keras.layers"
    assert texts(repairs) == [f"module {module} → keras.layers"]
    assert opened(entry).units == 2


def test_an_input_takes_its_modern_arguments():
    """Old ones go, what they said stays."""
    old = layer_entry(
        "InputLayer", name="x", batch_input_shape=[None, 3], input_dtype="int32"
    )
    del old["config"]["dtype"]
    old["config"]["type_spec"] = None

    entry, repairs = modern_layer(old)

    assert entry["config"] == {
        "batch_shape": [None, 3],
        "dtype": "int32",
        "sparse": False,
        "ragged": False,
        "name": "x",
    }
    assert "batch_input_shape → batch_shape" in texts(repairs)
    assert opened(entry).dtype == "int32"


def test_an_input_without_a_shape_is_refused():
    """There is nothing to open it with."""
    with pytest.raises(UnsupportedModelError, match="an input without a shape"):
        modern_layer(layer_entry("InputLayer", name="x"))


def test_markers_of_a_saved_model_become_lists():
    """Tuples, shapes and bytes, however deep they lie."""
    shape = {"class_name": "TensorShape", "items": [None, 6]}
    pair = {"class_name": "__tuple__", "items": [2, 3]}
    old = sequential(
        layer_entry("Reshape", name="r", target_shape=pair),
        layer_entry(
            "Permute", name="p", dims={"class_name": "__tuple__", "items": [2, 1]}
        ),
    )
    old["config"]["build_input_shape"] = shape

    result = modernize(old, KERAS_2)

    assert result.document["config"]["build_input_shape"] == [None, 6]
    first, second, _ = result.document["config"]["layers"]
    assert first["config"]["batch_shape"] == [None, 6]
    assert second["config"]["target_shape"] == [2, 3]
    assert opened(result.document).output_shape == (None, 3, 2)
    assert texts(result.repairs) == [
        "tuples and shapes of a SavedModel → lists",
        "shape [None, 6] it was built for → an InputLayer",
    ]


def test_a_custom_class_stays_as_it_is():
    """Its config is its own affair, even where it holds layers of Keras."""
    config = {
        "name": "own",
        "batch_input_shape": [None, 3],
        "activation": "hard_sigmoid",
        "layer": layer_entry("Dense", name="a/b", units=2, batch_input_shape=[None, 3]),
    }
    old = {"class_name": "Zoo>Cage", "config": config}

    result = modernize(
        sequential(layer_entry("Dense", name="d", units=3), copy.deepcopy(old)), KERAS_2
    )

    entry = result.document["config"]["layers"][1]
    assert entry["config"] == config
    assert (entry["class_name"], entry["registered_name"]) == ("Cage", "Zoo>Cage")
    assert WAS not in json.dumps(result.document)


def test_a_custom_class_is_opened_with_its_class():
    """By its registered name, as Keras finds any other."""

    class Cage(keras.layers.Layer):
        def __init__(self, bars, **kwargs):
            super().__init__(**kwargs)
            self.bars = bars

    entry, repairs = modern_layer({"class_name": "Cage", "config": {"bars": 4}})

    assert opened(entry, custom_objects={"Cage": Cage}).bars == 4
    assert repairs == ()
    with pytest.raises(TypeError, match="Could not locate class 'Cage'"):
        opened(entry)


def test_layers_inside_a_subclass_of_a_model_are_modern():
    """The class is the user's, the layers are Keras'."""
    old = _functional(
        _called(layer_entry("InputLayer", name="x", batch_input_shape=[None, 3])),
        _called(layer_entry("LeakyReLU", name="y", alpha=0.1), "x"),
        class_name="Zoo",
    )

    document = modernize(old, KERAS_2).document

    assert document["class_name"] == document["registered_name"] == "Zoo"
    assert document["config"]["layers"][1]["config"]["negative_slope"] == 0.1


def test_every_place_knows_what_it_was():
    """Old paths lead through models and wrappers."""
    tf_keras = reference()
    inner = tf_keras.Sequential([tf_keras.layers.Dense(3, name="deep")], name="inner")
    outer = tf_keras.Sequential(
        [
            tf_keras.Input((4, 2)),
            tf_keras.layers.Bidirectional(
                tf_keras.layers.LSTM(2, name="lstm", return_sequences=True), name="both"
            ),
            tf_keras.layers.TimeDistributed(
                tf_keras.layers.Dense(2, name="each"), name="times"
            ),
            inner,
        ],
        name="outer",
    )

    result = modernize(written(outer), KERAS_2)

    paths = {place.names for place in walk(result.document)}
    assert paths >= {
        ("both", "forward_lstm"),
        ("both", "backward_lstm"),
        ("times", "each"),
        ("inner", "deep"),
    }
    assert all(result.was[path].path == path for path in paths)


@pytest.mark.parametrize("form", ["new", "old"])
def test_mixed_precision_is_kept(form):
    """A `Policy` of Keras 2 is a `DTypePolicy` of Keras 3."""
    tf_keras = reference()
    old = tf_keras.layers.Dense(3, dtype="mixed_float16")

    entry, repairs = modern_layer(written(old, form=form))

    assert opened(entry).compute_dtype == "float16"
    assert opened(entry).variable_dtype == "float32"
    assert "Policy mixed_float16 → DTypePolicy" in texts(repairs)


def test_a_whole_old_model_computes_the_same():
    """Through all the rules that a usual Sequential meets."""
    tf_keras = reference()
    old = tf_keras.Sequential(
        [
            tf_keras.layers.Conv2D(3, 3, activation="relu", input_shape=(8, 8, 3)),
            tf_keras.layers.DepthwiseConv2D(3),
            tf_keras.layers.BatchNormalization(),
            tf_keras.layers.LeakyReLU(),
            tf_keras.layers.Flatten(),
            tf_keras.layers.Dense(2, activation="hard_sigmoid"),
        ]
    )
    inputs = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")

    new = opened(modernize(written(old), KERAS_2).document)
    new.set_weights(old.get_weights())

    np.testing.assert_allclose(
        new.predict(inputs, verbose=0), old.predict(inputs, verbose=0), rtol=1e-5
    )
