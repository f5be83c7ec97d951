"""Dialects of Keras 2: what changed in configs and weights from 2.0 to 2.16."""

import json

import h5py
import numpy as np
import tensorflow as tf

from tests.legacy.aged import IMAGE
from tests.legacy.aged import aged
from tests.legacy.aged import convolutions
from tests.legacy.aged import entries
from tests.legacy.aged import graph
from tests.legacy.aged import h5
from tests.legacy.aged import layers
from tests.legacy.aged import line
from tests.legacy.aged import of_class
from tests.legacy.aged import ready
from tests.legacy.aged import replace_weights
from tests.legacy.aged import stored
from tests.legacy.aged import tf_keras

Input = tf_keras.Input
Model = tf_keras.Model


def _without_input(config):
    """A Sequential as Keras 2.2.3 to 2.3 wrote it: shape at the first layer."""
    first, *rest = config["config"]["layers"]
    shape = first["config"]["batch_input_shape"]
    rest[0]["config"]["batch_input_shape"] = shape
    config["config"]["layers"] = rest


@aged("Sequential of Keras 2.3, without an InputLayer")
def no_input_layer(folder):
    model = line(*convolutions(), shape=IMAGE)
    return model, h5(model, folder, _without_input, keras_version="2.3.1"), None


@aged("the same, of sequences (Keras 3 opens it wrongly)")
def no_input_layer_sequence(folder):
    model = line(
        layers.Dense(4, activation="relu"), layers.Dense(3), shape=(5, 6), name="s"
    )
    return model, h5(model, folder, _without_input, keras_version="2.3.1"), None


@aged("Sequential whose config is a list (Keras 2.0 to 2.2.2)")
def sequential_list(folder):
    model = line(*convolutions(), shape=IMAGE)

    def change(config):
        _without_input(config)
        config["config"] = config["config"]["layers"]

    return model, h5(model, folder, change, keras_version="2.1.6"), None


@aged("class `Model` in place of `Functional`")
def class_model(folder):
    model = graph(*convolutions(), shape=IMAGE)
    change = {"class_name": "Model"}
    return model, h5(model, folder, lambda c: c.update(change)), None


@aged("`DepthwiseConv2D`, `Conv2DTranspose`, `SeparableConv2D` with `groups`")
def groups(folder):
    model = graph(
        layers.DepthwiseConv2D(3, activation="relu"),
        layers.SeparableConv2D(4, 2),
        layers.Conv2DTranspose(3, 2, strides=2),
        shape=IMAGE,
    )
    old = ("DepthwiseConv2D", "Conv2DTranspose", "SeparableConv2D")

    def change(config):
        for found in of_class(config, *old):
            found["groups"] = 1

    return model, h5(model, folder, change, keras_version="2.4.0"), None


@aged("initializers with `dtype` (TensorFlow 1.x)")
def initializers(folder):
    model = graph(
        layers.Dense(4, activation="relu", kernel_initializer="random_normal"),
        layers.BatchNormalization(),
        layers.Dense(3),
    )

    def change(config):
        for entry in entries(config):
            for key, value in entry["config"].items():
                if key.endswith("_initializer"):
                    value["config"]["dtype"] = "float32"

    return model, h5(model, folder, change, keras_version="2.2.4-tf"), None


@aged("`LeakyReLU` with `alpha` as an array (Keras 2.0 to 2.2)")
def leaky_array(folder):
    model = graph(layers.Dense(4), layers.LeakyReLU(alpha=0.25))

    def change(config):
        for found in of_class(config, "LeakyReLU"):
            found["alpha"] = {"type": "ndarray", "value": 0.25}

    return model, h5(model, folder, change, keras_version="2.2.4"), None


@aged("`TimeDistributed` and `Bidirectional` around layers without a module")
def wrappers(folder):
    model = graph(
        layers.TimeDistributed(layers.Dense(4, activation="relu")),
        layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
        layers.Bidirectional(layers.GRU(2, reset_after=False), merge_mode="sum"),
        shape=(5, 6),
    )
    return model, h5(model, folder, keras_version="2.2.4"), None


@aged("`GRU` without `reset_after`, gates with `hard_sigmoid` (Keras 2.0 to 2.2)")
def old_gates(folder):
    model = graph(
        layers.LSTM(4, recurrent_activation="hard_sigmoid", return_sequences=True),
        layers.GRU(3, recurrent_activation="hard_sigmoid", reset_after=False),
        shape=(5, 6),
    )

    def change(config):
        for found in of_class(config, "GRU", "LSTM"):
            found.pop("reset_after", None)
            found.pop("time_major", None)

    return model, h5(model, folder, change, keras_version="2.1.6"), None


@aged("`hard_sigmoid` of a layer: `0.2 x + 0.5` became `x / 6 + 0.5`")
def hard_sigmoid(folder):
    model = graph(layers.Dense(4, activation="hard_sigmoid"), layers.Activation("relu"))
    return model, h5(model, folder), None


@aged("`ThresholdedReLU`, which Keras 3 lacks")
def thresholded(folder):
    model = graph(layers.Dense(6), layers.ThresholdedReLU(theta=0.4))
    return model, h5(model, folder), None


@aged("names of layers with `/`")
def slashes(folder):
    model = graph(
        layers.Dense(6, name="block/one", activation="relu"),
        layers.Dense(6, name="block/two"),
    )
    return model, h5(model, folder), None


@aged("frozen layers within a nested model (weights in another order)")
def frozen(folder):
    inner = tf_keras.Sequential(
        [
            Input((6,)),
            layers.Dense(6, name="d1", trainable=False),
            layers.Dense(6, name="d2", activation="relu"),
            layers.Dense(6, name="d3", trainable=False),
        ]
    )
    model = line(inner, layers.Dense(3, activation="relu"))
    return model, h5(model, folder), None


@aged("nested models with layers of the same names")
def clashing(folder):
    def part(name):
        return tf_keras.Sequential(
            [Input((6,)), layers.Dense(6, name="dense")], name=name
        )

    model = line(part("left"), part("right"), layers.Dense(3, name="dense"))
    return model, h5(model, folder), None


@aged("models that are called twice, several inputs and outputs")
def shared(folder):
    inner = graph(layers.Dense(6, activation="relu"), name="inner")
    a, b = Input((6,), name="a"), Input((6,), name="b")
    x, y = inner(a), inner(inner(b))
    model = ready(Model([a, b], [layers.Add()([x, y]), layers.Dense(2)(y)]))
    return model, h5(model, folder), None


@aged("`MultiHeadAttention` and `Attention` of Keras 2")
def attention(folder):
    x = Input((5, 8))
    y = layers.MultiHeadAttention(2, 4)(x, x)
    z = layers.Attention(use_scale=True)([y, x])
    model = ready(Model(x, layers.Dense(2, activation="relu")(z)))
    return model, h5(model, folder), None


@aged("`TFOpLambda` and `SlicingOpLambda` (TensorFlow 2.4 on)")
def op_lambda(folder):
    x = Input((6, 4))
    y = tf.nn.relu(layers.Dense(4)(x) + x)
    y = tf.concat([y[:, 0], tf.reduce_mean(y, axis=1)], axis=-1)
    model = ready(Model(x, layers.Dense(2)(y)))
    return model, h5(model, folder), None


def _operation(function, *shapes):
    """Node of a TensorFlow graph, as TensorFlow 2.0 to 2.3 put it in a model."""
    with tf.Graph().as_default() as made:
        function(*(tf.compat.v1.placeholder("float32", s) for s in shapes))
    return made.get_operations()[-1].node_def


def _operation_layer(node, constants=None):
    from tf_keras.src.engine.base_layer import TensorFlowOpLayer

    return TensorFlowOpLayer(
        node.SerializeToString(), name=node.name, constants=constants
    )


@aged("`TensorFlowOpLayer` (TensorFlow 1.15 to 2.3)")
def op_layer(folder):
    x = Input((6,))
    y = layers.Dense(6, activation="relu")(x)
    add = _operation_layer(
        _operation(lambda a, b: tf.add(a, b, "add"), (None, 6), (None, 6))
    )
    scale = _operation_layer(
        _operation(lambda a: tf.multiply(a, 3.0, "mul"), (None, 6)),
        {1: np.array(3.0, "float32")},
    )
    rise = _operation_layer(_operation(lambda a: tf.nn.relu(a, "Relu"), (None, 6)))
    model = ready(Model(x, layers.Dense(2)(rise(scale([add([x, y])])))))
    return model, h5(model, folder, keras_version="2.4.0"), None


@aged("`CuDNNLSTM` and `CuDNNGRU`")
def cudnn(folder):
    from tf_keras.src.layers.rnn.cudnn_gru import CuDNNGRU
    from tf_keras.src.layers.rnn.cudnn_lstm import CuDNNLSTM

    on_gpu = line(
        CuDNNLSTM(4, return_sequences=True, name="lstm"),
        CuDNNGRU(3, name="gru"),
        layers.Dense(2, name="out"),
        shape=(5, 6),
        name="cudnn",
    )
    path = h5(on_gpu, folder, keras_version="2.2.4")
    model = line(
        layers.LSTM(4, return_sequences=True, name="lstm"),
        layers.GRU(3, name="gru"),
        layers.Dense(2, name="out"),
        shape=(5, 6),
        name="cudnn",
    )
    model.load_weights(path)
    return model, path, None


@aged("kernels of Theano in Keras 2 (turned by 180°)")
def theano_2(folder):
    model = graph(*convolutions(), shape=IMAGE)
    path = h5(model, folder, keras_version="2.0.8", backend="theano")
    kernel, bias = stored(path, "conv")
    turned = kernel[::-1, ::-1]
    replace_weights(path, {"conv": [("conv/kernel:0", turned), ("conv/bias:0", bias)]})
    return model, path, None


@aged("optimizer of Keras 2.2 (`lr`, `decay`)")
def optimizer(folder):
    model = graph(layers.Dense(4, activation="relu"), layers.Dense(1))
    model.compile("adam", "mse", metrics=["mae"])
    path = h5(model, folder, keras_version="2.2.4")
    training = {
        "optimizer_config": {
            "class_name": "Adam",
            "config": {
                "lr": 0.0005,
                "beta_1": 0.9,
                "beta_2": 0.999,
                "decay": 0.01,
                "epsilon": 1e-07,
                "amsgrad": False,
            },
        },
        "loss": "mean_squared_error",
        "metrics": ["mae"],
        "sample_weight_mode": None,
        "loss_weights": None,
    }
    with h5py.File(path, "r+") as file:
        file.attrs["training_config"] = json.dumps(training).encode()
        if "optimizer_weights" in file:
            del file["optimizer_weights"]
    return model, path, None


@aged(
    "`Lambda` (marshaled code; kept, never run)",
    opening=lambda: {"safe_mode": False},
)
def with_lambda(folder):
    model = graph(
        layers.Dense(4, activation="relu"), layers.Lambda(lambda x: x * 2.0 + 1.0)
    )
    return model, h5(model, folder), None


@aged("mixed precision policies of TensorFlow 2.1 to 2.3")
def policy(folder):
    kind = tf_keras.mixed_precision.Policy("mixed_float16")
    model = graph(
        layers.Dense(6, activation="relu", dtype=kind),
        layers.Dense(3, dtype="float32"),
    )

    def change(config):
        for found in of_class(config, "Dense"):
            if isinstance(found["dtype"], dict):
                found["dtype"] = {
                    "class_name": "PolicyV1",
                    "config": {"name": "mixed_float16", "loss_scale": None},
                }

    return model, h5(model, folder, change, keras_version="2.4.0"), None
