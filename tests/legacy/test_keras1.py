"""Layers of Keras 1: their names, and their weights held against plain NumPy."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.legacy.weights.old_layouts import CONVERSIONS
from tests.legacy.keras1_helpers import drawn
from tests.legacy.keras1_helpers import entry
from tests.legacy.keras1_helpers import loaded
from tests.legacy.keras1_helpers import modern
from tests.legacy.keras1_helpers import opened
from tests.legacy.keras1_helpers import repaired
from tests.legacy.keras1_helpers import sequential

#: A text generator as somebody's script wrote it with Keras 1.1.0.
GENERATOR = """
{"class_name": "Sequential", "keras_version": "1.1.0", "config": [
  {"class_name": "LSTM", "config": {"inner_activation": "hard_sigmoid",
    "trainable": true, "inner_init": "orthogonal", "output_dim": 256,
    "unroll": false, "consume_less": "cpu", "init": "glorot_uniform",
    "dropout_U": 0.0, "input_dtype": "float32", "batch_input_shape": [null, 20, 99],
    "input_length": null, "dropout_W": 0.0, "activation": "tanh",
    "stateful": false, "b_regularizer": null, "U_regularizer": null,
    "name": "lstm_1", "go_backwards": false, "input_dim": 99,
    "return_sequences": false, "W_regularizer": null, "forget_bias_init": "one"}},
  {"class_name": "Dense", "config": {"W_constraint": null, "b_constraint": null,
    "name": "dense_1", "activity_regularizer": null, "trainable": true,
    "init": "glorot_uniform", "bias": true, "input_dim": null,
    "b_regularizer": null, "W_regularizer": null, "activation": "linear",
    "output_dim": 99}},
  {"class_name": "Activation", "config": {"activation": "softmax",
    "trainable": true, "name": "activation_1"}}]}
"""


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def recurrent(class_name, units=3, **more):
    config = {
        "batch_input_shape": [None, 5, 2],
        "output_dim": units,
        "init": "glorot_uniform",
        "inner_init": "orthogonal",
        "activation": "tanh",
        "inner_activation": "sigmoid",
        "W_regularizer": None,
        "U_regularizer": None,
        "b_regularizer": None,
        "dropout_W": 0.2,
        "dropout_U": 0.0,
        "return_sequences": False,
        "go_backwards": False,
        "stateful": False,
        "unroll": False,
        "consume_less": "cpu",
        "input_dim": 2,
        "input_length": None,
    }
    if class_name == "LSTM":
        config["forget_bias_init"] = "one"
    return entry(class_name, "memory", **{**config, **more})


def lstm(x, arrays):
    """What an LSTM of Keras 1 makes of a sequence; its arrays in stored order."""
    (wi, ui, bi), (wc, uc, bc), (wf, uf, bf), (wo, uo, bo) = (
        arrays[i : i + 3] for i in range(0, 12, 3)
    )
    h = c = np.zeros((len(x), len(bi)))
    for t in range(x.shape[1]):
        i = sigmoid(x[:, t] @ wi + bi + h @ ui)
        f = sigmoid(x[:, t] @ wf + bf + h @ uf)
        c = f * c + i * np.tanh(x[:, t] @ wc + bc + h @ uc)
        h = sigmoid(x[:, t] @ wo + bo + h @ uo) * np.tanh(c)
    return h


def gru(x, arrays):
    """What a GRU of Keras 1 makes of a sequence."""
    (wz, uz, bz), (wr, ur, br), (wh, uh, bh) = (
        arrays[i : i + 3] for i in range(0, 9, 3)
    )
    h = np.zeros((len(x), len(bz)))
    for t in range(x.shape[1]):
        z = sigmoid(x[:, t] @ wz + bz + h @ uz)
        r = sigmoid(x[:, t] @ wr + br + h @ ur)
        hidden = np.tanh(x[:, t] @ wh + bh + (r * h) @ uh)
        h = z * h + (1 - z) * hidden
    return h


TRUTHS = {"LSTM": (lstm, 4), "GRU": (gru, 3)}


@pytest.mark.parametrize("class_name", TRUTHS)
def test_recurrent(class_name):
    truth, gates = TRUTHS[class_name]
    arrays = drawn(*[(2, 3), (3, 3), (3,)] * gates)
    (x,) = drawn((4, 5, 2), seed=1)

    result = modern(sequential(recurrent(class_name)))
    model = loaded(result, {"memory": arrays})

    np.testing.assert_allclose(
        model.predict(x, verbose=0), truth(x, arrays), rtol=1e-4, atol=1e-5
    )
    config = model.get_layer("memory").get_config()
    assert (config["dropout"], config["recurrent_dropout"]) == (0.2, 0.0)


@pytest.mark.parametrize("class_name", TRUTHS)
def test_gates_stored_together(class_name):
    """`consume_less="gpu"` had one array of each, in the order of today."""
    truth, gates = TRUTHS[class_name]
    arrays = drawn(*[(2, 3), (3, 3), (3,)] * gates)
    (x,) = drawn((4, 5, 2), seed=1)
    order = (0, 2, 1, 3) if gates == 4 else (0, 1, 2)  # i c f o → i f c o
    together = [
        np.concatenate([arrays[3 * gate + kind] for gate in order], axis=-1)
        for kind in range(3)
    ]

    result = modern(sequential(recurrent(class_name, consume_less="gpu")))
    model = loaded(result, {"memory": together})

    np.testing.assert_allclose(
        model.predict(x, verbose=0), truth(x, arrays), rtol=1e-4, atol=1e-5
    )


def test_both_directions_over_time():
    forward = drawn(*[(2, 3), (3, 3), (3,)] * 4)
    backward = drawn(*[(2, 3), (3, 3), (3,)] * 4, seed=1)
    (x,) = drawn((4, 5, 2), seed=2)
    inner = recurrent("LSTM")
    shape = inner["config"].pop("batch_input_shape")
    layer = entry(
        "Bidirectional",
        "both",
        batch_input_shape=shape,
        merge_mode="concat",
        layer=inner,
    )

    result = modern(sequential(layer))
    model = opened(result)
    both = model.get_layer("both")
    for each, arrays in (
        (both.forward_layer, forward),
        (both.backward_layer, backward),
    ):
        each.set_weights(CONVERSIONS["keras1_lstm"].apply(arrays, {}))

    want = [lstm(x, forward), lstm(x[:, ::-1], backward)]
    np.testing.assert_allclose(
        model.predict(x, verbose=0), np.concatenate(want, -1), rtol=1e-4, atol=1e-5
    )
    asked = [was.conversion for was in result.was.values() if was.conversion]
    assert asked == ["keras1_lstm"] * 2


def test_a_generator_of_keras_1_opens():
    result = modern(json.loads(GENERATOR), (1, 1, 0), "")
    model = opened(result)

    assert [layer.name for layer in model.layers] == [
        "lstm_1",
        "dense_1",
        "activation_1",
    ]
    assert model.input_shape == (None, 20, 99)
    assert model.output_shape == (None, 99)
    assert model.count_params() == 4 * 256 * (99 + 256 + 1) + 99 * 257
    assert "output_dim → units" in repaired(result, "keras1_dense")[0]
    assert result.was["lstm_1",].conversion == "keras1_lstm"


def test_dense_over_time():
    kernel, bias, x = drawn((2, 3), (3,), (4, 5, 2))
    layer = entry(
        "TimeDistributedDense",
        "timed",
        batch_input_shape=[None, 5, 2],
        output_dim=3,
        init="glorot_uniform",
        activation="relu",
        bias=True,
        input_dim=2,
        input_length=5,
    )

    model = loaded(modern(sequential(layer)), {"timed": [kernel, bias]})

    want = np.maximum(x @ kernel + bias, 0)
    np.testing.assert_allclose(model.predict(x, verbose=0), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("version", [(1, 2, 2), ()])
@pytest.mark.parametrize("bias", [True, False])
def test_maxout(version, bias):
    kernel, offsets, x = drawn((4, 5, 3), (4, 3), (6, 5))
    want = np.max(np.einsum("ni,fio->nfo", x, kernel) + offsets * bias, axis=1)
    layer = entry(
        "MaxoutDense",
        "largest",
        batch_input_shape=[None, 5],
        output_dim=3,
        nb_feature=4,
        init="glorot_uniform",
        W_regularizer=None,
        b_regularizer=None,
        activity_regularizer=None,
        W_constraint=None,
        b_constraint=None,
        bias=bias,
        input_dim=5,
    )

    result = modern(sequential(layer), version)
    arrays = [kernel, offsets] if bias else [kernel]
    model = loaded(result, {"largest": arrays})

    np.testing.assert_allclose(model.predict(x, verbose=0), want, rtol=1e-4, atol=1e-5)


def normalization(**more):
    config = {
        "batch_input_shape": [None, 5],
        "mode": 0,
        "axis": -1,
        "epsilon": 0.1,
        "momentum": 0.99,
        "gamma_regularizer": None,
        "beta_regularizer": None,
    }
    return sequential(entry("BatchNormalization", "norm", **{**config, **more}))


@pytest.mark.parametrize(
    ("version", "backend", "deviation", "unsure"),
    [
        ((1, 0, 5), "", True, False),
        ((0, 3, 1), "", True, False),
        ((1, 0, 6), "theano", True, True),
        ((1, 0, 6), "tensorflow", False, False),
        ((1, 0, 7), "", False, False),
        ((1, 2, 2), "tensorflow", False, False),
        ((), "", True, True),
    ],
)
def test_running_deviation(version, backend, deviation, unsure):
    gamma, beta, mean, spread, x = drawn(*[(5,)] * 4, (6, 5))
    spread = np.abs(spread) + 0.5
    root = spread + 0.1 if deviation else np.sqrt(spread + 0.1)
    want = gamma * (x - mean) / root + beta

    result = modern(normalization(), version, backend)
    model = loaded(result, {"norm": [gamma, beta, mean, spread]})

    np.testing.assert_allclose(model.predict(x, verbose=0), want, rtol=1e-4, atol=1e-5)
    cautions = [each.caution for each in result.repairs if "running_std" in each.text]
    assert cautions == ([unsure] if deviation else [])


@pytest.mark.parametrize("mode", [1, 2])
def test_other_ways_to_normalize_are_refused(mode):
    with pytest.raises(UnsupportedModelError, match=f"mode={mode}.*at 'norm'"):
        modern(normalization(mode=mode))


@pytest.mark.parametrize(
    ("class_name", "config"),
    [
        ("Highway", {"init": "glorot_uniform", "bias": True}),
        ("SReLU", {"t_left_init": "zero"}),
        ("ParametricSoftplus", {"alpha_init": 0.2, "beta_init": 5.0}),
    ],
)
def test_layers_that_ended_are_refused(class_name, config):
    for version in ((1, 2, 2), ()):
        with pytest.raises(UnsupportedModelError, match=f"a {class_name} layer"):
            modern(sequential(entry(class_name, "gone", **config)), version)


def test_small_layers():
    document = sequential(
        entry(
            "Embedding",
            "words",
            batch_input_shape=[None, 7],
            input_dtype="int32",
            input_dim=50,
            output_dim=6,
            init="uniform",
            input_length=7,
            mask_zero=False,
            W_regularizer=None,
            activity_regularizer=None,
            W_constraint={"name": "UnitNorm", "axis": 0},
            dropout=0.3,
        ),
        entry("GaussianNoise", "noise", sigma=0.2),
        entry("GaussianDropout", "blur", p=0.4),
        entry("Dropout", "drop", p=0.5),
        entry("Permute", "turn", dims=[2, 1]),
        entry("Reshape", "shape", target_shape=[42]),
        entry("PReLU", "bend", init="zero"),
        entry("RepeatVector", "again", n=2),
        entry("Flatten", "flat"),
    )

    result = modern(document)
    model = opened(result)

    assert model.output_shape == (None, 84)
    assert model.get_layer("noise").stddev == 0.2
    assert model.get_layer("blur").rate == 0.4
    assert model.get_layer("drop").rate == 0.5
    assert model.get_layer("words").embeddings_initializer.maxval == 0.05
    (told,) = [each for each in result.repairs if each.caution]
    assert (told.rule, told.layer) == ("keras1_embedding", "words")


def test_an_unknown_initializer_is_left_out_and_told():
    layer = entry(
        "Dense", "dense", batch_input_shape=[None, 3], output_dim=2, init="my_init"
    )
    result = modern(sequential(layer))

    assert opened(result).output_shape == (None, 2)
    (told,) = [each for each in result.repairs if each.caution]
    assert "'my_init' is unknown" in told.text


@pytest.mark.parametrize("version", [(2, 4, 0), (3, 8, 0)])
def test_later_documents_are_left_alone(version):
    """A custom layer of Keras 2 may have arguments of any name."""
    layer = {
        "class_name": "Dropout",
        "config": {"name": "drop", "rate": 0.5, "batch_input_shape": [None, 3]},
    }
    result = modern(sequential(layer), version)

    rules = {each.rule for each in result.repairs}
    assert not any(rule.startswith(("keras0", "keras1", "theano")) for rule in rules)


@settings(max_examples=40, deadline=None)
@given(units=st.integers(1, 4), size=st.integers(1, 4), data=st.data())
def test_gates_are_put_together_without_loss(units, size, data):
    kind, gates, order = data.draw(
        st.sampled_from([("keras1_lstm", "icfo", "ifco"), ("keras1_gru", "zrh", "zrh")])
    )
    shapes = [(size, units), (units, units), (units,)]
    arrays = drawn(*shapes * len(gates), seed=units)

    kinds = CONVERSIONS[kind].apply(arrays, {"units": units})

    assert [each.shape[-1] for each in kinds] == [units * len(gates)] * 3
    for place, gate in enumerate(order):
        for offset, together in enumerate(kinds):
            part = together[..., place * units : (place + 1) * units]
            np.testing.assert_array_equal(part, arrays[3 * gates.index(gate) + offset])


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(
        [
            ("keras1_conv2d_th", 4),
            ("keras1_conv3d_th", 5),
            ("keras1_conv2dtranspose_th", 4),
            ("keras1_conv2dtranspose_tf", 4),
        ]
    ),
    data=st.data(),
)
def test_kernels_keep_every_number(name, data):
    """Each conversion is one permutation of axes; Theano's turns them over as well."""
    name, rank = name
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=rank, max_size=rank)))
    kernel, bias = drawn(shape, (3,))

    got, same = CONVERSIONS[name].apply([kernel, bias], {})
    mirrored, _ = CONVERSIONS[f"{name}_theano"].apply([kernel, bias], {})

    assert same is bias
    np.testing.assert_array_equal(np.sort(got, axis=None), np.sort(kernel, axis=None))
    back = np.flip(mirrored, axis=tuple(range(rank - 2)))
    np.testing.assert_array_equal(back, got)


def test_a_kernel_of_another_model_is_one_sentence():
    config = {"kernel_size": [3], "filters": 4, "use_bias": True}
    with pytest.raises(ArchiveError, match=r"length 3 for 4 filters.*\(5, 1, 2, 4\)"):
        CONVERSIONS["keras1_conv1d"].apply(drawn((5, 1, 2, 4), (4,)), config)
