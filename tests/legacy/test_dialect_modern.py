"""What Keras 3 writes comes through as it is."""

import json
import zipfile

import h5py
import keras
import pytest

from keras_rectifiers.legacy.dialects.modernize import modernize
from keras_rectifiers.legacy.dialects.registry import Origin
from tests.legacy.dialect_helpers import opened

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

    result = modernize(document, Origin(version))

    assert result.document == document
    assert result.repairs == ()


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_operations_in_a_file_of_keras_3_get_their_modules(tmp_path):
    """Its `.h5` states none, and Keras 3 alone cannot open its own file."""
    model = _operations()
    model.save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5") as file:
        document = json.loads(file.attrs["model_config"])
    with pytest.raises(ValueError, match="Unknown layer"):
        keras.models.load_model(tmp_path / "model.h5")

    result = modernize(document, Origin((3, 15, 1)))

    written = json.loads(model.to_json())
    assert _classes(result.document) == _classes(written)
    assert opened(result.document).output_shape == model.output_shape


def _classes(entry):
    inner = entry["config"].get("layers", [])
    return [
        (entry["module"], entry["class_name"], entry["registered_name"]),
        *(_classes(layer) for layer in inner),
    ]


@pytest.mark.parametrize("class_name", ["CuDNNLSTM", "LocallyConnected1D", "Model"])
def test_a_class_of_today_is_not_taken_for_one_of_then(class_name):
    """A user may call a class of his own what Keras 2 called one."""
    own = {
        "module": None,
        "class_name": class_name,
        "config": {"name": "own", "units": 3},
        "registered_name": f"zoo>{class_name}",
    }
    document = json.loads(_dense().to_json())
    document["config"]["layers"].append(own)

    for version in ((3, 15, 1), (2, 15, 0)):
        result = modernize(document, Origin(version))
        assert result.document["config"]["layers"][-1] == own
