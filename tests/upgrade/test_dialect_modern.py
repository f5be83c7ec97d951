"""What Keras 3 writes comes through as it is."""

import json
import zipfile

import keras
import pytest

from keras_rectifiers.upgrade.dialects.modernise import modernise
from keras_rectifiers.upgrade.dialects.registry import Origin

layers = keras.layers


@keras.saving.register_keras_serializable(package="dialects")
class Doubled(layers.Layer):
    """A custom layer with arguments that old rules know."""

    def __init__(self, alpha=0.1, batch_input_shape=None, **kwargs):
        super().__init__(**kwargs)
        self.alpha, self.shape = alpha, batch_input_shape

    def call(self, inputs):
        return inputs * 2

    def get_config(self):
        config = {"alpha": self.alpha, "batch_input_shape": self.shape}
        return {**super().get_config(), **config}


def _dense():
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, activation="hard_sigmoid"), Doubled()]
    )


def _convolutions():
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(2, 3, activation=layers.LeakyReLU(0.2)),
            layers.DepthwiseConv2D(3),
            layers.BatchNormalization(),
            layers.LayerNormalization(axis=[1, 2]),
            layers.ReLU(max_value=6.0),
            layers.SpatialDropout2D(0.1),
            layers.RandomFlip(),
            layers.Resizing(4, 4),
            layers.Conv2DTranspose(2, 3, kernel_regularizer="l2"),
        ]
    )


def _recurrent():
    inputs = keras.Input((5, 3))
    x = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(inputs)
    x = layers.Bidirectional(
        layers.GRU(2, return_sequences=True, name="mine"),
        backward_layer=layers.GRU(
            2, return_sequences=True, go_backwards=True, name="own"
        ),
    )(x)
    x = layers.TimeDistributed(layers.Dense(2))(x)
    x = layers.RNN([layers.LSTMCell(2), layers.GRUCell(2)], return_sequences=True)(x)
    x = layers.MultiHeadAttention(1, 2)(x, x)
    return keras.Model(inputs, x)


def _operations():
    inputs = keras.Input((4,), name="x")
    x = keras.ops.relu(inputs) + 1
    x = layers.Add()([x, keras.ops.add(x, inputs)])
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4)], name="inner")
    x = inner(inner(x))
    x = keras.Model(inputs, x)(inputs)
    return keras.Model({"x": inputs}, [x, keras.ops.concatenate([x, x])])


def _lambda():
    return keras.Sequential([keras.Input((4,)), layers.Lambda(keras.ops.abs)])


def _words():
    return keras.Sequential(
        [
            keras.Input((1,), dtype="string"),
            layers.TextVectorization(vocabulary=["a"], output_sequence_length=3),
            layers.Embedding(4, 2, mask_zero=True),
        ]
    )


def _mixed():
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, dtype="mixed_float16")])


_MODELS = [_dense, _convolutions, _recurrent, _operations, _lambda, _mixed]
if keras.backend.backend() == "tensorflow":
    _MODELS.append(_words)


@pytest.mark.parametrize("make", _MODELS)
@pytest.mark.parametrize("version", [(3, 15, 1), ()])
def test_a_modern_document_is_not_changed(make, version, tmp_path):
    """Not by one key, and without a repair, whether its version is known or not."""
    make().save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        document = json.loads(archive.read("config.json"))

    result = modernise(document, Origin(version))

    assert result.document == document
    assert result.repairs == ()
