"""Files of Keras 1: other names for everything, and kernels in another order."""

import numpy as np

from tests.legacy.aged import aged
from tests.legacy.aged import h5
from tests.legacy.aged import layers
from tests.legacy.aged import line
from tests.legacy.aged import ready
from tests.legacy.aged import replace_weights
from tests.legacy.aged import stored
from tests.legacy.aged import tf_keras

Input = tf_keras.Input
Model = tf_keras.Model

_NO_REGULARIZERS = {
    "W_regularizer": None,
    "b_regularizer": None,
    "activity_regularizer": None,
    "W_constraint": None,
    "b_constraint": None,
}


def _entry(class_name, name, **config):
    return {
        "class_name": class_name,
        "config": {"name": name, "trainable": True, **config},
    }


def _dense(name, units, activation="linear", **more):
    return _entry(
        "Dense",
        name,
        output_dim=units,
        init="glorot_uniform",
        activation=activation,
        bias=True,
        input_dim=None,
        **_NO_REGULARIZERS,
        **more,
    )


def _convolution(name, filters, ordering, **more):
    return _entry(
        "Convolution2D",
        name,
        nb_filter=filters,
        nb_row=3,
        nb_col=2,
        init="he_normal",
        activation="relu",
        border_mode="valid",
        subsample=[1, 1],
        dim_ordering=ordering,
        bias=True,
        **_NO_REGULARIZERS,
        **more,
    )


def _image_layers(ordering, shape):
    """A small classifier, as `model.get_config()` of Keras 1.2 gives it."""
    axis = 1 if ordering == "th" else -1
    first = {"batch_input_shape": [None, *shape], "input_dtype": "float32"}
    return [
        _convolution("conv", 4, ordering, **first),
        _entry(
            "BatchNormalization",
            "norm",
            mode=0,
            axis=axis,
            epsilon=0.001,
            momentum=0.99,
            gamma_regularizer=None,
            beta_regularizer=None,
        ),
        _entry("Activation", "rise", activation="relu"),
        _entry("Dropout", "drop", p=0.25),
        _entry("Flatten", "flat"),
        _dense("out", 3, "softmax"),
    ]


def _image_model(ordering, shape):
    data_format = "channels_first" if ordering == "th" else "channels_last"
    return line(
        layers.Conv2D(
            4, (3, 2), data_format=data_format, activation="relu", name="conv"
        ),
        layers.BatchNormalization(axis=1 if ordering == "th" else -1, name="norm"),
        layers.Activation("relu", name="rise"),
        layers.Dropout(0.25, name="drop"),
        layers.Flatten(name="flat"),
        layers.Dense(3, activation="softmax", name="out"),
        shape=shape,
        name="sequential_1",
    )


def _old_names(path, kernel):
    """Arrays with the names that Keras 1 gave them."""
    _, bias = stored(path, "conv")
    gamma, beta, mean, variance = stored(path, "norm")
    w, b = stored(path, "out")
    new = {
        "conv": [("conv_W", kernel), ("conv_b", bias)],
        "norm": [
            ("norm_gamma", gamma),
            ("norm_beta", beta),
            ("norm_running_mean", mean),
            ("norm_running_std", variance),
        ],
        "out": [("out_W", w), ("out_b", b)],
    }
    replace_weights(path, new)


def _listed(entries):
    return lambda config: {"class_name": "Sequential", "config": entries}


@aged("Keras 1 Sequential (`Convolution2D`, `nb_filter`, `border_mode`, `p`, …)")
def sequential(folder):
    shape = (8, 7, 3)
    model = _image_model("tf", shape)
    path = h5(
        model,
        folder,
        _listed(_image_layers("tf", shape)),
        keras_version="1.2.2",
        backend="tensorflow",
    )
    _old_names(path, stored(path, "conv")[0])
    return model, path, None


@aged("Keras 1 of Theano (`dim_ordering` `th`, kernels out-in-rows-columns, turned)")
def theano(folder):
    shape = (3, 8, 7)
    model = _image_model("th", shape)
    path = h5(
        model,
        folder,
        _listed(_image_layers("th", shape)),
        keras_version="1.2.2",
        backend="theano",
    )
    kernel = stored(path, "conv")[0].transpose(3, 2, 0, 1)[:, :, ::-1, ::-1]
    _old_names(path, kernel)
    return model, path, None


@aged("Keras 1 with `dim_ordering` `th` on TensorFlow (not turned)")
def th_on_tensorflow(folder):
    shape = (3, 8, 7)
    model = _image_model("th", shape)
    path = h5(
        model,
        folder,
        _listed(_image_layers("th", shape)),
        keras_version="1.2.2",
        backend="tensorflow",
    )
    _old_names(path, stored(path, "conv")[0].transpose(3, 2, 0, 1))
    return model, path, None


def _memory(class_name, name, units, **more):
    return _entry(
        class_name,
        name,
        output_dim=units,
        init="glorot_uniform",
        inner_init="orthogonal",
        activation="tanh",
        inner_activation="hard_sigmoid",
        W_regularizer=None,
        U_regularizer=None,
        b_regularizer=None,
        dropout_W=0.0,
        dropout_U=0.0,
        go_backwards=False,
        stateful=False,
        unroll=False,
        consume_less="cpu",
        input_dim=6,
        input_length=None,
        **more,
    )


def _gates(path, layer, order, wanted):
    """Arrays of one gate each, as Keras 1 had them: W_i, U_i, b_i, W_c and so on."""
    kernel, recurrent, bias = (
        np.split(array, len(order), axis=-1) for array in stored(path, layer)
    )
    arrays = []
    for gate in wanted:
        i = order.index(gate)
        arrays += [
            (f"{layer}_W_{gate}", kernel[i]),
            (f"{layer}_U_{gate}", recurrent[i]),
            (f"{layer}_b_{gate}", bias[i]),
        ]
    return arrays


@aged(
    "Keras 1 `LSTM` and `GRU` (an array for each gate, `inner_activation`)",
    inputs=lambda rng: rng.integers(0, 5, (3, 7)),
)
def memory(folder):
    hard = {"recurrent_activation": "hard_sigmoid"}
    model = line(
        layers.Embedding(5, 6, name="words", input_length=7),
        layers.LSTM(4, return_sequences=True, name="lstm", **hard),
        layers.GRU(3, reset_after=False, name="gru", **hard),
        layers.Dense(2, name="out"),
        shape=(7,),
        name="sequential_1",
    )
    old = [
        _entry(
            "Embedding",
            "words",
            batch_input_shape=[None, 7],
            input_dtype="int32",
            input_dim=5,
            output_dim=6,
            init="uniform",
            input_length=7,
            mask_zero=False,
            activity_regularizer=None,
            W_regularizer=None,
            W_constraint=None,
            dropout=0.0,
        ),
        _memory("LSTM", "lstm", 4, return_sequences=True, forget_bias_init="one"),
        _memory("GRU", "gru", 3, return_sequences=False),
        _dense("out", 2),
    ]
    path = h5(model, folder, _listed(old), keras_version="1.2.2", backend="tensorflow")
    new = {
        "words": [("words_W", stored(path, "words")[0])],
        "lstm": _gates(path, "lstm", "ifco", "icfo"),
        "gru": _gates(path, "gru", "zrh", "zrh"),
        "out": list(zip(("out_W", "out_b"), stored(path, "out"), strict=True)),
    }
    replace_weights(path, new)
    return model, path, None


@aged("Keras 1 functional `Model` with `Merge`")
def merge(folder):
    a, b = Input((4,), name="a"), Input((4,), name="b")
    x = layers.Dense(4, activation="relu", name="one")(a)
    y = layers.Dense(4, name="two")(b)
    joined = layers.Concatenate(name="joined")([x, y])
    summed = layers.Add(name="summed")([x, y])
    outputs = [layers.Dense(2, name="out")(joined), summed]
    model = ready(Model([a, b], outputs, name="model_1"))

    def change(config):
        return {"class_name": "Model", "config": _merging()}

    path = h5(model, folder, change, keras_version="1.2.2", backend="tensorflow")
    replace_weights(
        path,
        {
            name: list(zip((f"{name}_W", f"{name}_b"), stored(path, name), strict=True))
            for name in ("one", "two", "out")
        },
    )
    return model, path, None


def _merging():
    """Config of the model above, in the words of Keras 1.2."""

    def named(entry, *inbound):
        nodes = [[[name, 0, 0] for name in inbound]] if inbound else []
        return {**entry, "name": entry["config"]["name"], "inbound_nodes": nodes}

    def source(name):
        shape = {"batch_input_shape": [None, 4], "input_dtype": "float32"}
        config = {**shape, "sparse": False, "name": name}
        return named({"class_name": "InputLayer", "config": config})

    def merged(name, mode):
        return _entry(
            "Merge",
            name,
            mode=mode,
            mode_type="raw",
            concat_axis=-1,
            dot_axes=-1,
            output_shape=None,
            output_shape_type="raw",
            output_mask=None,
            output_mask_type="raw",
            arguments={},
        )

    return {
        "name": "model_1",
        "layers": [
            source("a"),
            source("b"),
            named(_dense("one", 4, "relu"), "a"),
            named(_dense("two", 4), "b"),
            named(merged("joined", "concat"), "one", "two"),
            named(merged("summed", "sum"), "one", "two"),
            named(_dense("out", 2), "joined"),
        ],
        "input_layers": [["a", 0, 0], ["b", 0, 0]],
        "output_layers": [["out", 0, 0], ["summed", 0, 0]],
    }
