"""Shapes that old documents lack, held to those that Keras 3 writes."""

import json

import keras
import pytest
from keras import layers

from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.graph import nodes_of
from keras_rectifiers.legacy.dialects.modernize import modernize
from keras_rectifiers.legacy.dialects.registry import Origin


def _old_calls(document):
    """A document whose calls are lists, as Keras 2 wrote them: without shapes."""
    old = json.loads(json.dumps(document))
    for place in walk(old):
        place.entry.pop("build_config", None)
        if not is_functional(place.entry):
            continue
        for entry in layers_of(place.entry):
            entry["inbound_nodes"] = [
                [
                    [*tensor["config"]["keras_history"], {}]
                    for tensor in _tensors(node["args"])
                ]
                for node in nodes_of(entry)
            ]
    return old


def _tensors(value):
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        return [value]
    items = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list):
        return []
    return [tensor for each in items for tensor in _tensors(each)]


def _shapes(document):
    """(path, call, tensor) -> shape of each tensor that a call takes."""
    found = {}
    for place in walk(document):
        for number, node in enumerate(nodes_of(place.entry)):
            for index, tensor in enumerate(_tensors(node["args"])):
                where = (place.path, number, index)
                found[where] = list(tensor["config"]["shape"] or [])
    return found


def _model(*chain, shape):
    x = inputs = keras.Input(shape)
    for layer in chain:
        x = layer(x)
    return keras.Model(inputs, layers.Activation("relu")(x))


CASES = {
    "same": _model(layers.Conv2D(3, 3, strides=2, padding="same"), shape=(9, 8, 2)),
    "valid": _model(layers.Conv2D(3, (2, 3), dilation_rate=2), shape=(9, 8, 2)),
    "open": _model(layers.Conv2D(3, 2), layers.MaxPooling2D(), shape=(None, None, 2)),
    "first": _model(
        layers.DepthwiseConv2D(3, depth_multiplier=2, data_format="channels_first"),
        layers.BatchNormalization(axis=1),
        shape=(2, 9, 8),
    ),
    "causal": _model(layers.Conv1D(4, 3, padding="causal"), shape=(7, 2)),
    "separable": _model(layers.SeparableConv2D(5, 3), shape=(9, 8, 2)),
    "transposed": _model(
        layers.Conv2DTranspose(3, 3, strides=2),
        layers.Conv2DTranspose(2, 3, strides=2, padding="same"),
        shape=(4, 5, 2),
    ),
    "padded": _model(
        layers.ZeroPadding2D(((0, 1), (2, 3))),
        layers.Cropping2D((1, 2)),
        layers.UpSampling2D((2, 3)),
        shape=(9, 8, 2),
    ),
    "padded_1d": _model(
        layers.ZeroPadding1D((1, 2)), layers.Cropping1D(1), shape=(9, 2)
    ),
    "padded_3d": _model(
        layers.ZeroPadding3D((1, 2, 3)), layers.Cropping3D(1), shape=(5, 6, 7, 2)
    ),
    "pooled": _model(
        layers.AveragePooling2D(3, strides=2, padding="same"),
        layers.GlobalMaxPooling2D(keepdims=True),
        shape=(9, 8, 2),
    ),
    "resized": _model(layers.Resizing(5, 6), layers.CenterCrop(3, 4), shape=(9, 8, 2)),
    "moved": _model(
        layers.Permute((2, 1)),
        layers.Reshape((2, -1)),
        layers.Flatten(),
        layers.RepeatVector(3),
        shape=(6, 4),
    ),
    "recurrent": _model(
        layers.Embedding(9, 4),
        layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
        layers.TimeDistributed(layers.Dense(5)),
        layers.GRU(2),
        shape=(6,),
    ),
    "normal": _model(
        layers.Rescaling(0.5),
        layers.LayerNormalization(),
        layers.SpatialDropout1D(0.2),
        layers.GaussianNoise(0.1),
        shape=(6, 4),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_shapes_are_those_of_keras(name):
    """Every tensor gets the shape that Keras 3 states, worked out from the input."""
    document = json.loads(CASES[name].to_json())

    made = modernize(_old_calls(document), Origin((2, 15))).document

    assert _shapes(made) == _shapes(document)


def test_shapes_pass_through_models_in_models_and_merges():
    """A nested model puts out what its own layers do, at each of its calls."""
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3)], name="in")
    a, b = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    both = layers.Concatenate()([inner(a), inner(b)])
    summed = layers.Add()([both, layers.Conv2D(8, 1)(both)])
    rectified = layers.ReLU(name="last")(summed)
    document = json.loads(keras.Model([a, b], rectified).to_json())

    made = modernize(_old_calls(document), Origin((2, 15))).document

    assert _shapes(made) == _shapes(document)
    assert name_of(made["config"]["layers"][-1]) == "last"
