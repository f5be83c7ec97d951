"""CuDNN's weights, held to CuDNN's own equations and to Keras 2's conversion."""

import keras
import numpy as np
import pytest

from keras_rectifiers.legacy.weights import shapes
from keras_rectifiers.legacy.weights.old_layouts import CONVERSIONS

UNITS, INPUTS, STEPS = 3, 5, 4


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _parts(values, gates):
    """Matrices and biases as CuDNN reads them: each gate's numbers, row by row."""
    kernel, between, bias = values

    def matrices(stacked, columns):
        return [
            gate.ravel().reshape(UNITS, columns)
            for gate in np.split(stacked, gates, axis=1)
        ]

    biases = bias.reshape(2, gates, UNITS)
    return matrices(kernel, INPUTS), matrices(between, UNITS), biases


def _cudnn_lstm(values, inputs):
    """CuDNN's guide: `i = s(W x + R h + b_W + b_R)`, and so on; gates i, f, c, o."""
    w, r, (bw, br) = _parts(values, 4)
    outputs = []
    for sample in inputs:
        h, c = np.zeros(UNITS), np.zeros(UNITS)
        for x in sample:
            i, f, g, o = (w[k] @ x + r[k] @ h + bw[k] + br[k] for k in range(4))
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
            h = _sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.array(outputs)


def _cudnn_gru(values, inputs):
    """CuDNN's guide: the reset gate multiplies `R h + b_R`; Keras kept z, r, h."""
    w, r, (bw, br) = _parts(values, 3)
    outputs = []
    for sample in inputs:
        h = np.zeros(UNITS)
        for x in sample:
            z = _sigmoid(w[0] @ x + r[0] @ h + bw[0] + br[0])
            reset = _sigmoid(w[1] @ x + r[1] @ h + bw[1] + br[1])
            new = np.tanh(w[2] @ x + reset * (r[2] @ h + br[2]) + bw[2])
            h = (1 - z) * new + z * h
        outputs.append(h)
    return np.array(outputs)


def _stored(rng, gates):
    return [
        rng.normal(size=(INPUTS, gates * UNITS)).astype("float32"),
        rng.normal(size=(UNITS, gates * UNITS)).astype("float32"),
        rng.normal(size=(2 * gates * UNITS,)).astype("float32"),
    ]


@pytest.mark.parametrize(
    ("name", "gates", "equations", "make"),
    [
        ("cudnn_lstm", 4, _cudnn_lstm, keras.layers.LSTM),
        ("cudnn_gru", 3, _cudnn_gru, keras.layers.GRU),
    ],
)
def test_converted_weights_compute_what_cudnn_does(name, gates, equations, make, rng):
    layer = make(UNITS)
    conversion, config = CONVERSIONS[name], layer.get_config()
    values = _stored(rng, gates)
    for variable, value in zip(conversion.stored(config), values, strict=True):
        assert shapes.fits(variable.shape, value.shape)
    inputs = rng.normal(size=(2, STEPS, INPUTS)).astype("float32")
    layer.build(inputs.shape)
    layer.set_weights(conversion.apply(values, config))
    outputs = keras.ops.convert_to_numpy(layer(inputs))
    np.testing.assert_allclose(outputs, equations(values, inputs), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "gates", "class_name"),
    [("cudnn_lstm", 4, "LSTM"), ("cudnn_gru", 3, "GRU")],
)
def test_conversion_is_that_of_keras_2(name, gates, class_name, rng):
    tf_keras = pytest.importorskip("tf_keras")
    from tf_keras.src.saving.legacy import hdf5_format

    layer = getattr(tf_keras.layers, class_name)(UNITS)
    layer.build((None, STEPS, INPUTS))
    values = _stored(rng, gates)
    expected = hdf5_format.preprocess_weights_for_loading(layer, list(values), "2")
    made = CONVERSIONS[name].apply(values, layer.get_config())
    for mine, theirs in zip(made, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("name", ["cudnn_lstm", "cudnn_gru"])
def test_a_bias_of_another_length_is_no_bias_of_cudnn(name):
    stored = CONVERSIONS[name].stored({"units": UNITS})
    assert not shapes.fits(stored[-1].shape, (3 * UNITS,))
    assert not shapes.fits(stored[-1].shape, (4 * UNITS,))
