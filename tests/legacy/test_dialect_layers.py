"""Each layer of Keras 2 is opened by stock Keras 3, and computes the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.modernize import modernize
from keras_rectifiers.legacy.dialects.registry import Origin
from tests.legacy.dialect_helpers import layer_entry
from tests.legacy.dialect_helpers import modern_layer
from tests.legacy.dialect_helpers import opened
from tests.legacy.dialect_helpers import reference
from tests.legacy.dialect_helpers import sequential
from tests.legacy.dialect_helpers import texts
from tests.legacy.dialect_helpers import written

if keras.backend.backend() != "tensorflow":
    pytest.skip("the reference runs on TensorFlow", allow_module_level=True)

_ROW, _STEPS, _IMAGE = (4,), (5, 3), (8, 8, 3)
_CONV = {"filters": 2, "kernel_size": 3}
_RECURRENT = {"units": 2, "return_sequences": True}
_RANDOM = {"seed": 1}

#: Class, arguments, shape of an input without its batch; one class may come often.
CASES = [
    ("Activation", {"activation": "hard_sigmoid"}, _ROW),
    ("Activation", {"activation": "swish"}, _ROW),
    ("Activation", {"activation": tf.nn.relu6}, _ROW),
    ("Activation", {"activation": tf.nn.softmax}, _ROW),
    ("ActivityRegularization", {"l1": 0.1}, _ROW),
    ("Add", {}, [_ROW, _ROW]),
    ("AdditiveAttention", {}, [_STEPS, _STEPS]),
    ("AlphaDropout", {"rate": 0.1}, _ROW),
    ("Attention", {"use_scale": True}, [_STEPS, _STEPS]),
    ("Attention", {"score_mode": "concat"}, [_STEPS, _STEPS]),
    ("Average", {}, [_ROW, _ROW]),
    ("AveragePooling1D", {}, _STEPS),
    ("AveragePooling2D", {"padding": "same"}, _IMAGE),
    ("AveragePooling3D", {}, (4, 4, 4, 2)),
    ("BatchNormalization", {}, _IMAGE),
    ("BatchNormalization", {"axis": [3]}, _IMAGE),
    ("BatchNormalization", {"axis": 1, "scale": False}, _IMAGE),
    ("CategoryEncoding", {"num_tokens": 4}, "int"),
    ("CategoryEncoding", {"num_tokens": 4, "output_mode": "count"}, "int"),
    ("CenterCrop", {"height": 4, "width": 4}, _IMAGE),
    ("Concatenate", {"axis": 1}, [_ROW, _ROW]),
    ("Conv1D", {**_CONV, "padding": "causal"}, _STEPS),
    ("Conv2D", {**_CONV, "activation": "hard_sigmoid"}, _IMAGE),
    ("Conv2D", {**_CONV, "filters": 3, "groups": 3}, _IMAGE),
    ("Conv3D", _CONV, (4, 4, 4, 2)),
    ("Conv1DTranspose", _CONV, _STEPS),
    ("Conv2DTranspose", {**_CONV, "strides": 2, "padding": "same"}, _IMAGE),
    ("Conv2DTranspose", {**_CONV, "strides": 2, "output_padding": 1}, _IMAGE),
    ("Conv3DTranspose", _CONV, (4, 4, 4, 2)),
    ("ConvLSTM1D", _CONV, (2, 5, 3)),
    ("ConvLSTM2D", _CONV, (2, 5, 5, 3)),
    ("ConvLSTM3D", _CONV, (2, 3, 3, 3, 2)),
    ("Cropping1D", {"cropping": (1, 2)}, _STEPS),
    ("Cropping2D", {"cropping": ((1, 2), (0, 1))}, _IMAGE),
    ("Cropping3D", {}, (4, 4, 4, 2)),
    ("Dense", {"units": 3, "activation": "hard_sigmoid"}, _ROW),
    ("Dense", {"units": 3, "activation": tf.nn.leaky_relu}, _ROW),
    ("DepthwiseConv1D", {"kernel_size": 3}, _STEPS),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}, _IMAGE),
    ("Discretization", {"bin_boundaries": [-0.5, 0.5]}, _ROW),
    ("Dot", {"axes": 1, "normalize": True}, [_ROW, _ROW]),
    ("Dropout", {"rate": 0.5, "noise_shape": (None, 1)}, _ROW),
    ("ELU", {"alpha": 0.5}, _ROW),
    ("EinsumDense", {"equation": "ab,bc->ac", "output_shape": 3}, _ROW),
    ("Embedding", {"input_dim": 4, "output_dim": 2, "input_length": 4}, "int"),
    ("Flatten", {}, _IMAGE),
    ("Flatten", {"data_format": "channels_first"}, _IMAGE),
    ("GRU", _RECURRENT, _STEPS),
    ("GRU", {"units": 2, "reset_after": False}, _STEPS),
    ("GRU", {"units": 2, "recurrent_activation": "hard_sigmoid"}, _STEPS),
    ("GaussianDropout", {"rate": 0.1}, _ROW),
    ("GaussianNoise", {"stddev": 0.1}, _ROW),
    ("GlobalAveragePooling1D", {}, _STEPS),
    ("GlobalAveragePooling2D", {"keepdims": True}, _IMAGE),
    ("GlobalAveragePooling3D", {}, (4, 4, 4, 2)),
    ("GlobalMaxPooling1D", {}, _STEPS),
    ("GlobalMaxPooling2D", {}, _IMAGE),
    ("GlobalMaxPooling3D", {}, (4, 4, 4, 2)),
    ("GroupNormalization", {"groups": 3}, _IMAGE),
    ("Hashing", {"num_bins": 3}, "int"),
    ("Identity", {}, _ROW),
    ("IntegerLookup", {"vocabulary": [1, 2, 3]}, "int"),
    ("LSTM", _RECURRENT, _STEPS),
    ("LSTM", {**_RECURRENT, "recurrent_activation": "hard_sigmoid"}, _STEPS),
    ("LSTM", {"units": 2, "activation": "hard_sigmoid"}, _STEPS),
    ("LSTM", {"units": 2, "go_backwards": True, "unroll": True}, _STEPS),
    ("LayerNormalization", {}, _STEPS),
    ("LayerNormalization", {"axis": [1, 2]}, _STEPS),
    ("LeakyReLU", {}, _ROW),
    ("LeakyReLU", {"alpha": np.float32(0.1)}, _ROW),
    ("Masking", {"mask_value": 0.0}, _STEPS),
    ("MaxPooling1D", {}, _STEPS),
    ("MaxPooling2D", {"strides": 1}, _IMAGE),
    ("MaxPooling3D", {}, (4, 4, 4, 2)),
    ("Maximum", {}, [_ROW, _ROW]),
    ("Minimum", {}, [_ROW, _ROW]),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 2}, [_STEPS, _STEPS]),
    ("Multiply", {}, [_ROW, _ROW]),
    ("Normalization", {"mean": 0.5, "variance": 2.0, "axis": None}, _ROW),
    ("Normalization", {"mean": [0.0] * 4, "variance": [1.0, 2.0, 3.0, 4.0]}, _ROW),
    ("PReLU", {"shared_axes": [1, 2]}, _IMAGE),
    ("Permute", {"dims": (2, 1)}, _STEPS),
    ("RandomBrightness", {"factor": 0.1, **_RANDOM}, _IMAGE),
    ("RandomContrast", {"factor": 0.1, **_RANDOM}, _IMAGE),
    ("RandomCrop", {"height": 8, "width": 8, **_RANDOM}, _IMAGE),
    ("RandomFlip", {"mode": "horizontal", **_RANDOM}, _IMAGE),
    ("RandomHeight", {"factor": 0.1, **_RANDOM}, _IMAGE),
    ("RandomRotation", {"factor": (-0.1, 0.1), **_RANDOM}, _IMAGE),
    ("RandomTranslation", {"height_factor": 0.1, "width_factor": 0.1}, _IMAGE),
    ("RandomWidth", {"factor": 0.1, **_RANDOM}, _IMAGE),
    ("RandomZoom", {"height_factor": 0.1}, _IMAGE),
    ("ReLU", {}, _ROW),
    ("ReLU", {"max_value": 6.0, "negative_slope": 0.1, "threshold": 0.2}, _ROW),
    ("RepeatVector", {"n": 2}, _ROW),
    ("Rescaling", {"scale": 0.5, "offset": -1}, _IMAGE),
    ("Rescaling", {"scale": [0.5, 1.0, 2.0], "offset": [0.0, 0.1, 0.2]}, _IMAGE),
    ("Reshape", {"target_shape": (2, -1)}, _ROW),
    ("Resizing", {"height": 4, "width": 5}, _IMAGE),
    ("Resizing", {"height": 4, "width": 4, "crop_to_aspect_ratio": True}, (8, 6, 3)),
    ("SeparableConv1D", _CONV, _STEPS),
    ("SeparableConv2D", {**_CONV, "depth_multiplier": 2}, _IMAGE),
    ("SimpleRNN", _RECURRENT, _STEPS),
    ("SimpleRNN", {"units": 2, "activation": "hard_sigmoid"}, _STEPS),
    ("Softmax", {"axis": 1}, _STEPS),
    ("SpatialDropout1D", {"rate": 0.1}, _STEPS),
    ("SpatialDropout2D", {"rate": 0.1}, _IMAGE),
    ("SpatialDropout3D", {"rate": 0.1}, (4, 4, 4, 2)),
    ("Subtract", {}, [_ROW, _ROW]),
    ("ThresholdedReLU", {"theta": 0.5}, _ROW),
    ("UnitNormalization", {}, _STEPS),
    ("UpSampling1D", {}, _STEPS),
    ("UpSampling2D", {"interpolation": "bilinear"}, _IMAGE),
    ("UpSampling2D", {"size": (2, 3)}, _IMAGE),
    ("UpSampling3D", {}, (4, 4, 4, 2)),
    ("ZeroPadding1D", {"padding": (1, 2)}, _STEPS),
    ("ZeroPadding2D", {"padding": ((1, 2), (0, 1))}, _IMAGE),
    ("ZeroPadding3D", {}, (4, 4, 4, 2)),
]
_WORDS = [
    ("StringLookup", {"vocabulary": ["a", "b"], "output_mode": "multi_hot"}),
    ("StringLookup", {"vocabulary": ["a", "b"], "num_oov_indices": 2}),
    ("TextVectorization", {"vocabulary": ["a", "b"], "output_sequence_length": 3}),
    ("TextVectorization", {"vocabulary": ["a", "b"], "output_mode": "count"}),
    ("Hashing", {"num_bins": 3, "salt": 7}),
]
#: Made of others, or tested below.
_ELSEWHERE = {
    "Bidirectional",
    "GRUCell",
    "HashedCrossing",
    "InputLayer",
    "LSTMCell",
    "Lambda",
    "Layer",
    "RNN",
    "SimpleRNNCell",
    "SpectralNormalization",
    "StackedRNNCells",
    "StringLookup",
    "TextVectorization",
    "TimeDistributed",
    "Wrapper",
}


def _name(case):
    return f"{case[0]}-{'-'.join(case[1])}" if isinstance(case, tuple) else str(case)


def test_no_shared_layer_is_left_out():
    """The battery holds every class that both versions of Keras have."""
    assert {case[0] for case in CASES} | _ELSEWHERE >= set(known._TAKEN)


def _inputs(shape):
    generator = np.random.default_rng(0)
    if isinstance(shape, list):
        return [tf.constant(_inputs(each)) for each in shape]
    if shape == "int":
        return tf.constant(generator.integers(0, 4, size=(2, 4)))
    return tf.constant(generator.normal(size=(2, *shape)).astype("float32"))


def _call(layer, inputs):
    if type(layer).__name__ == "MultiHeadAttention":
        return layer(inputs[0], inputs[1])
    parameters = layer.call.__code__.co_varnames
    return layer(inputs, training=False) if "training" in parameters else layer(inputs)


def _same_weights(old, new):
    """Give both layers the same random weights, in the order that both share."""
    generator = np.random.default_rng(1)
    values = [
        np.abs(generator.normal(size=each.shape)).astype("float32")
        for each in old.weights
        if each.dtype.is_floating
    ]
    wanted = [each for each in new.weights if "seed" not in each.path]
    assert [tuple(each.shape) for each in wanted] == [each.shape for each in values]
    if values:
        old.set_weights(values)
        for variable, value in zip(wanted, values, strict=True):
            variable.assign(value)


def _compare(old, new, inputs):
    _call(old, inputs)
    _call(new, inputs)
    _same_weights(old, new)
    np.testing.assert_allclose(
        np.array(_call(new, inputs)),
        np.array(_call(old, inputs)),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("form", ["new", "old"])
@pytest.mark.parametrize("case", CASES, ids=_name)
def test_a_layer_of_keras_2_computes_the_same(case, form):
    """From both forms in which Keras 2 wrote it."""
    class_name, arguments, shape = case
    old = getattr(reference().layers, class_name)(**arguments)
    inputs = _inputs(shape)
    _call(old, inputs)

    entry, _ = modern_layer(written(old, form=form))
    new = opened(entry)

    assert new.name == old.name
    _compare(old, new, inputs)


@pytest.mark.parametrize("form", ["new", "old"])
@pytest.mark.parametrize("case", _WORDS, ids=_name)
def test_a_layer_for_words_computes_the_same(case, form):
    """Vocabularies stay where they stand."""
    class_name, arguments = case
    old = getattr(reference().layers, class_name)(**arguments)
    words = ["a b", "b c"] if class_name == "TextVectorization" else ["a", "c"]
    inputs = tf.constant([[word] for word in words])

    entry, _ = modern_layer(written(old, form=form))

    got = np.array(opened(entry)(inputs))
    np.testing.assert_array_equal(got, np.array(old(inputs)))


#: Wrappers, made of the layers of either Keras.
_WRAPPERS = {
    "rnn": lambda layers: layers.RNN(layers.LSTMCell(2), return_sequences=True),
    "stacked": lambda layers: layers.RNN([layers.GRUCell(2), layers.SimpleRNNCell(3)]),
    "time_distributed": lambda layers: layers.TimeDistributed(
        layers.Dense(2, activation=layers.LeakyReLU(alpha=0.2))
    ),
    "bidirectional": lambda layers: layers.Bidirectional(
        layers.GRU(2), merge_mode="sum"
    ),
    "hard": lambda layers: layers.Bidirectional(
        layers.LSTM(2, recurrent_activation="hard_sigmoid", return_sequences=True)
    ),
    "own_backward": lambda layers: layers.Bidirectional(
        layers.LSTM(2),
        backward_layer=layers.LSTM(2, activation="relu", go_backwards=True),
    ),
}


@pytest.mark.parametrize("form", ["new", "old"])
@pytest.mark.parametrize("kind", sorted(_WRAPPERS))
def test_a_wrapper_of_keras_2_computes_the_same(kind, form):
    """What is inside is brought up to date as well."""
    old = _WRAPPERS[kind](reference().layers)

    entry, _ = modern_layer(written(old, form=form))

    _compare(old, opened(entry), _inputs(_STEPS))


def test_bidirectional_is_stated_as_keras_3_does():
    """Both directions stand there, under the names that Keras 3 gives them."""
    old = reference().layers.Bidirectional(reference().layers.LSTM(2, name="inner"))

    entry, repairs = modern_layer(written(old))

    again = keras.saving.serialize_keras_object(opened(entry))["config"]
    for key, name, back in (
        ("layer", "forward_inner", False),
        ("backward_layer", "backward_inner", True),
    ):
        config = entry["config"][key]["config"]
        assert config["name"] == again[key]["config"]["name"] == name
        assert config["go_backwards"] == again[key]["config"]["go_backwards"] == back
        assert entry["config"][key]["module"] == "keras.layers"
    assert "its backward layer is stated" in texts(repairs)


def test_a_hard_sigmoid_of_keras_3_stays_its_own():
    """Keras 3's function has another slope; a file of Keras 3 means that one."""
    modern = keras.saving.serialize_keras_object(keras.layers.LSTM(2))
    modern["config"]["recurrent_activation"] = "hard_sigmoid"

    for version in ((3, 15, 1), ()):
        entry, repairs = modern_layer(modern, Origin(version))
        assert entry["config"]["recurrent_activation"] == "hard_sigmoid"
        assert repairs == ()


def test_the_old_hard_sigmoid_is_no_rectifier_to_convert():
    """The cut at 0 and 1 inside it is a gate's, and must stay one."""
    entry, _ = modern_layer(layer_entry("Dense", units=2, activation="hard_sigmoid"))
    document = {"class_name": "Sequential", "config": {"name": "s", "layers": [entry]}}

    assert list(Survey(document).found) == []


def test_defaults_that_changed_are_those_of_then():
    """An early GRU states neither `reset_after` nor its gates' function."""
    entry, repairs = modern_layer(layer_entry("GRU", units=2, activation="tanh"))

    assert entry["config"]["reset_after"] is False
    assert entry["config"]["recurrent_activation"]["class_name"] == "Pipeline"
    assert "reset_after=False, the old default" in texts(repairs)


@pytest.mark.parametrize(
    ("class_name", "new", "conversion"),
    [("CuDNNLSTM", "LSTM", "cudnn_lstm"), ("CuDNNGRU", "GRU", "cudnn_gru")],
)
def test_cudnn_layers_become_plain_ones(class_name, new, conversion):
    """With the functions that CuDNN computes, and a conversion of the weights."""
    result = modernize(sequential(layer_entry(class_name, units=2)), Origin((2, 2, 4)))
    entry = result.document["config"]["layers"][0]

    layer = opened(entry)

    assert type(layer).__name__ == new
    assert layer.get_config()["recurrent_activation"] == "sigmoid"
    assert layer.get_config()["activation"] == "tanh"
    assert layer.get_config().get("reset_after", True) is True
    assert result.was["layer",].conversion == conversion
    assert result.was["layer",].class_name == class_name


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (layer_entry("LocallyConnected2D", filters=2), "a LocallyConnected2D layer"),
        (layer_entry("DenseFeatures"), "a DenseFeatures layer"),
        (layer_entry("DepthwiseConv2D", kernel_size=3, groups=2), "groups=2"),
        (layer_entry("LSTM", units=2, time_major=True), "time_major=True"),
        (layer_entry("BatchNormalization", axis=[1, 2]), "of 2 axes"),
        (layer_entry("Attention", causal=True), "causal=True"),
    ],
)
def test_what_keras_3_cannot_do_is_refused(entry, told):
    """With the layer, and what to do."""
    with pytest.raises(UnsupportedModelError, match="at 'layer'") as caught:
        modern_layer(entry)

    assert told in str(caught.value)
    assert "save the model again" in str(caught.value)


def test_an_unknown_argument_is_left_out_with_a_caution():
    """Keras 3 would refuse the whole file for it."""
    entry, repairs = modern_layer(layer_entry("Dense", units=2, strange=[1]))

    assert opened(entry).units == 2
    assert [(each.text, each.caution) for each in repairs] == [
        ("strange=[1] left out, which Keras 3 does not know", True)
    ]


def test_a_homemade_layer_with_a_name_of_keras_stays_as_it_is():
    """Many wrote an Attention of their own; its arguments tell."""
    old = layer_entry("Attention", step_dim=20, bias=True)

    entry, repairs = modern_layer(old)

    assert entry["config"] == old["config"]
    assert entry["registered_name"] == "Attention"
    assert not known.is_keras(entry["module"])
    assert repairs[0].caution


def test_numbers_of_numpy_become_plain():
    """Arrays of no axis, as a `.keras` of Keras 2 and some `.h5` hold them."""
    array = {"class_name": "__numpy__", "config": {"value": 6.0, "dtype": "float32"}}
    entry, _ = modern_layer(
        layer_entry(
            "ReLU",
            max_value=array,
            negative_slope={"type": "ndarray", "value": [0.1]},
            threshold=[0.0],
        )
    )

    layer = opened(entry)

    assert (layer.max_value, layer.negative_slope, layer.threshold) == (6.0, 0.1, 0.0)


@pytest.mark.parametrize(
    ("old", "key", "value"),
    [
        (layer_entry("CategoryEncoding", max_tokens=4), "num_tokens", 4),
        (
            layer_entry("CategoryEncoding", max_tokens=4, output_mode="binary"),
            "output_mode",
            "multi_hot",
        ),
        (layer_entry("Discretization", bins=[0.0, 1.0]), "bin_boundaries", [0.0, 1.0]),
        (layer_entry("IntegerLookup", max_values=5), "max_tokens", 5),
        (layer_entry("BatchNormalizationV1", axis=[-1]), "axis", -1),
        (layer_entry("SyncBatchNormalization"), "synchronized", True),
        (layer_entry("BatchNormalization", virtual_batch_size=None), "name", "layer"),
        (layer_entry("Convolution2D", filters=2, kernel_size=3), "filters", 2),
        (layer_entry("Attention", causal=False), "use_scale", False),
    ],
)
def test_names_between_then_and_now(old, key, value):
    """Classes and arguments that later versions of Keras 2 called otherwise."""
    entry, _ = modern_layer(old)

    assert opened(entry).get_config()[key] == value


def test_shapes_of_attention_do_not_keep_it_from_opening():
    """Keras 2 wrote one shape to build it, Keras 3 wants those of all inputs."""
    old = reference().layers.MultiHeadAttention(num_heads=1, key_dim=2)
    old(*_inputs([_STEPS, _STEPS]))
    entry = written(old)
    assert "build_config" in entry

    new, _ = modern_layer(entry)

    assert opened(new)(*_inputs([_STEPS, _STEPS])).shape == (2, 5, 3)
