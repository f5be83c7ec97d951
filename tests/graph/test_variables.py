"""The table of variables, held to what Keras 3 writes and what Keras 2 lists."""

import inspect
import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

from keras_rectifiers.conversion.upgrade import upgrade_file
from keras_rectifiers.graph.policies import policy_name
from keras_rectifiers.graph.variables.table import VARIABLES
from keras_rectifiers.graph.variables.table import variables_of
from keras_rectifiers.layers import PReLU
from keras_rectifiers.legacy.dialects.modernize import Modern
from keras_rectifiers.legacy.weights import shapes
from keras_rectifiers.legacy.weights.owners import owners
from keras_rectifiers.surgery.structure import faults
from tests.backends import some_by_default

#: (how to make a layer out of a library's layers, shape of the input)
SHARED = {
    "dense": (lambda of: of.Dense(3), (5,)),
    "dense no bias": (lambda of: of.Dense(3, use_bias=False), (5,)),
    "einsum bias": (
        lambda of: of.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d"),
        (3, 5),
    ),
    "einsum middle bias": (
        lambda of: of.EinsumDense("abc,cd->adb", (4, 3), bias_axes="d"),
        (3, 5),
    ),
    "einsum": (lambda of: of.EinsumDense("...b,bd->...d", (4,)), (3, 5)),
    "embedding": (lambda of: of.Embedding(7, 3), (4,)),
    "conv1d": (lambda of: of.Conv1D(3, 2), (6, 4)),
    "conv2d groups": (lambda of: of.Conv2D(4, (2, 3), groups=2), (6, 6, 4)),
    "conv2d no bias": (lambda of: of.Conv2D(4, (2, 3), use_bias=False), (6, 6, 4)),
    "conv3d": (lambda of: of.Conv3D(3, 2), (4, 4, 4, 2)),
    "conv1d transpose": (lambda of: of.Conv1DTranspose(3, 2), (6, 4)),
    "conv2d transpose": (lambda of: of.Conv2DTranspose(3, 2), (6, 6, 4)),
    "conv3d transpose": (lambda of: of.Conv3DTranspose(3, 2), (4, 4, 4, 2)),
    "depthwise1d": (lambda of: of.DepthwiseConv1D(2, depth_multiplier=2), (6, 4)),
    "depthwise2d": (
        lambda of: of.DepthwiseConv2D((2, 3), depth_multiplier=2),
        (6, 6, 4),
    ),
    "separable1d": (lambda of: of.SeparableConv1D(3, 2, depth_multiplier=2), (6, 4)),
    "separable2d": (lambda of: of.SeparableConv2D(3, 2, depth_multiplier=2), (6, 6, 4)),
    "batch norm": (lambda of: of.BatchNormalization(), (5,)),
    "batch norm no scale": (lambda of: of.BatchNormalization(scale=False), (5,)),
    "batch norm no center": (lambda of: of.BatchNormalization(center=False), (5,)),
    "batch norm renorm": (lambda of: of.BatchNormalization(renorm=True), (5,)),
    "layer norm": (lambda of: of.LayerNormalization(), (5,)),
    "layer norm axes": (
        lambda of: of.LayerNormalization(axis=[1, 2], center=False),
        (5, 4),
    ),
    "group norm": (lambda of: of.GroupNormalization(groups=2), (5, 4)),
    "unit norm": (lambda of: of.UnitNormalization(), (5,)),
    "prelu": (lambda of: of.PReLU(), (5, 4)),
    "prelu shared": (lambda of: of.PReLU(shared_axes=[1]), (5, 4)),
    "normalization": (lambda of: of.Normalization(), (5,)),
    "normalization axes": (lambda of: of.Normalization(axis=(1, 2)), (3, 5)),
    "normalization no axis": (lambda of: of.Normalization(axis=None), (5,)),
    "normalization given": (lambda of: of.Normalization(mean=1.0, variance=2.0), (5,)),
    "lstm": (lambda of: of.LSTM(3), (4, 2)),
    "lstm no bias": (lambda of: of.LSTM(3, use_bias=False), (4, 2)),
    "lstm dropout": (lambda of: of.LSTM(3, dropout=0.1, recurrent_dropout=0.2), (4, 2)),
    "gru": (lambda of: of.GRU(3), (4, 2)),
    "gru before": (lambda of: of.GRU(3, reset_after=False), (4, 2)),
    "simple rnn": (lambda of: of.SimpleRNN(3), (4, 2)),
    "rnn": (lambda of: of.RNN(of.LSTMCell(3)), (4, 2)),
    "rnn of cells": (
        lambda of: of.RNN(
            [of.LSTMCell(3), of.GRUCell(2), of.LSTMCell(3), of.SimpleRNNCell(2)]
        ),
        (4, 2),
    ),
    "conv lstm1d": (lambda of: of.ConvLSTM1D(3, 2), (4, 5, 2)),
    "conv lstm2d": (lambda of: of.ConvLSTM2D(3, (2, 1)), (4, 5, 5, 2)),
    "conv lstm3d": (lambda of: of.ConvLSTM3D(3, 2), (3, 3, 3, 3, 2)),
    "bidirectional": (lambda of: of.Bidirectional(of.LSTM(3)), (4, 2)),
    "time distributed": (lambda of: of.TimeDistributed(of.Dense(3)), (4, 2)),
    "dropout": (lambda of: of.Dropout(0.5, seed=1), (5,)),
    "noise": (lambda of: of.GaussianNoise(0.5), (5,)),
    "flip": (lambda of: of.RandomFlip(), (6, 6, 3)),
    "frozen": (lambda of: of.BatchNormalization(trainable=False), (5,)),
}
MODERN = {
    "spectral norm": (lambda of: of.SpectralNormalization(of.Conv2D(3, 2)), (6, 6, 4)),
    "spectral norm of dense": (lambda of: of.SpectralNormalization(of.Dense(3)), (4,)),
    "rms norm": (lambda of: of.RMSNormalization(axis=[1, 2]), (5, 4)),
    "layer norm rms": (lambda of: of.LayerNormalization(axis=[1]), (5,)),
    "embedding two ways": (
        lambda of: of.ReversibleEmbedding(5, 3, tie_weights=False),
        (4,),
    ),
    "embedding tied": (lambda of: of.ReversibleEmbedding(5, 3), (4,)),
    "spectrogram": (lambda of: of.STFTSpectrogram(), (512, 1)),
    "ours": (lambda _: PReLU(), (5, 4)),
}
#: ... and those with several inputs.
CALLED = {
    "heads": (lambda of: of.MultiHeadAttention(2, 3), lambda layer, q, v: layer(q, v)),
    "heads no bias": (
        lambda of: of.MultiHeadAttention(
            2, 3, value_dim=4, use_bias=False, output_shape=7
        ),
        lambda layer, q, v: layer(q, v),
    ),
    "dot": (
        lambda of: of.Attention(use_scale=True, score_mode="concat"),
        lambda layer, q, v: layer([q, v]),
    ),
    "additive": (lambda of: of.AdditiveAttention(), lambda layer, q, v: layer([q, v])),
    "additive no scale": (
        lambda of: of.AdditiveAttention(use_scale=False),
        lambda layer, q, v: layer([q, v]),
    ),
}
CALLED_MODERN = {
    "grouped": (
        lambda of: of.GroupQueryAttention(3, 4, 2, use_gate=True),
        lambda layer, q, v: layer(q, v),
    ),
}


def _built(library, name):
    """The layer called `name` in the tables above, and a model of it."""
    if name in CALLED | CALLED_MODERN:
        make, call = (CALLED | CALLED_MODERN)[name]
        layer = make(library.layers)
        inputs = [library.Input((4, 5)), library.Input((6, 5))]
        return layer, library.Model(inputs, call(layer, *inputs))
    make, shape = (SHARED | MODERN)[name]
    layer = make(library.layers)
    inputs = library.Input(shape)
    return layer, library.Model(inputs, layer(inputs))


def _number(model):
    """Give every weight values that no other has."""
    for number, weight in enumerate(model.weights):
        weight.assign(np.full(weight.shape, number))


def _saved(model, path):
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        document = json.loads(archive.read("config.json"))
        content = archive.read("model.weights.h5")
    datasets = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            datasets[name] = item[()]

    with h5py.File(io.BytesIO(content)) as file:
        file.visititems(keep)
    return document, datasets


@pytest.mark.parametrize("name", [*SHARED, *MODERN, *CALLED, *CALLED_MODERN])
def test_table_is_what_keras_3_writes(name, tmp_path):
    _, model = _built(keras, name)
    _number(model)
    document, datasets = _saved(model, tmp_path / "model.keras")
    wanted = {}
    for owner in owners(Modern(document, (), {})):
        assert not owner.custom
        lengths = {}
        for variable in owner.variables:
            group = "/".join((*owner.place.group, *variable.group))
            wanted[group] = variable
            assert shapes.fits(variable.shape, datasets[group].shape, lengths), group
    assert wanted.keys() == datasets.keys()
    groups = {tuple(name.split("/")): each.shape for name, each in datasets.items()}
    assert faults(document, groups) == []
    seen = set()
    for group, variable in wanted.items():
        weight = model.weights[int(datasets[group].flat[0])]
        assert variable.name.split("/")[-1] == weight.name
        frozen = any(not layer.trainable for layer in model.layers)
        assert variable.trainable == weight.trainable or frozen
        if not variable.twin:
            seen.add(weight.path)
    assert len(seen) == len(model.weights)


@pytest.mark.parametrize("name", [*SHARED, *CALLED])
def test_stored_order_is_that_of_keras_2(name, tmp_path):
    tf_keras = pytest.importorskip("tf_keras")
    old_layer, _ = _built(tf_keras, name)
    _, model = _built(keras, name)
    document, _ = _saved(model, tmp_path / "model.keras")
    variables = [
        (owner, variable)
        for owner in owners(Modern(document, (), {}))
        for variable in owner.stored
    ]
    listed = old_layer.trainable_weights + old_layer.non_trainable_weights
    assert len(variables) == len(listed)
    for (owner, variable), weight in zip(variables, listed, strict=True):
        assert shapes.fits(variable.shape, tuple(weight.shape)), weight.name
        last = weight.name.split("/")[-1].removesuffix(":0")
        assert last in (variable.name.split("/")[-1], variable.attribute[-1])
        assert variable.trainable == weight.trainable
        # A SavedModel names a variable by the attributes that lead to it.
        if owner.place.parent.parent is None:
            value = old_layer
            for attribute in variable.attribute:
                value = getattr(value, attribute)
            assert value is weight


def test_spectral_normalization_keeps_its_kernel_twice(tmp_path):
    _, model = _built(keras, "spectral norm")
    document, datasets = _saved(model, tmp_path / "model.keras")
    (owner, *_) = owners(Modern(document, (), {}))
    kernel, vector = owner.variables
    root = "/".join(owner.place.group)
    twin = datasets[f"{root}/{'/'.join(kernel.twin)}"]
    assert np.array_equal(datasets[f"{root}/vars/0"], twin)
    assert owner.stored == (vector,)


@pytest.mark.parametrize("slot", [keras.layers.PReLU, PReLU])
@pytest.mark.parametrize(
    ("make", "rank"),
    [
        (lambda slot: keras.layers.Dense(3, activation=slot), 1),
        (keras.layers.Activation, 1),
        (lambda slot: keras.layers.Conv1D(3, 1, activation=slot), 2),
        (lambda slot: keras.layers.SimpleRNN(3, activation=slot), 2),
    ],
)
def test_a_layer_in_the_activation_argument(make, rank, slot, tmp_path):
    layer = make(slot())
    model = keras.Sequential([keras.Input((4, 2)[:rank]), layer])
    model(np.ones((1, 4, 2)[: rank + 1]))  # Keras builds such a layer when it runs
    document, datasets = _saved(model, tmp_path / "model.keras")
    (owner,) = owners(Modern(document, (), {}))
    root = "/".join(owner.place.group)
    groups = ["/".join((root, *variable.group)) for variable in owner.variables]
    assert sorted(groups) == sorted(datasets)
    assert owner.variables[-1].name == "activation/alpha"


@pytest.mark.parametrize(
    "make", [keras.layers.StringLookup, keras.layers.TextVectorization]
)
def test_lookups_keep_only_their_frequencies(make, tmp_path):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("text lives in TensorFlow")
    vocabulary = ["a", "b"]
    layer = make(vocabulary=vocabulary, idf_weights=[0.5, 0.6], output_mode="tf_idf")
    inputs = keras.Input((), dtype="string")
    model = keras.Model(inputs, layer(inputs))
    document, datasets = _saved(model, tmp_path / "model.keras")
    (owner,) = owners(Modern(document, (), {}))
    root = "/".join(owner.place.group)
    assert {"/".join((root, *each.group)) for each in owner.variables} == set(datasets)
    assert len(owner.stored) == 1
    plain = {"class_name": "StringLookup", "config": {"output_mode": "int"}}
    assert variables_of(plain) == ()


def test_every_class_of_keras_is_there():
    """A class that makes weights and is not in the table would lose them."""
    inherited = {"Layer", "Wrapper", "RNN", "StackedRNNCells", "Bidirectional"}
    opaque = {"FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"}
    for name in dir(keras.layers):
        cls = getattr(keras.layers, name)
        if not (inspect.isclass(cls) and issubclass(cls, keras.layers.Layer)):
            continue
        if cls.__name__ in inherited | opaque:
            continue
        own = [base for base in cls.__mro__ if base.__name__ not in {"Layer", "object"}]
        makes = any(
            "self.add_weight(" in inspect.getsource(base)
            for base in own
            if base.__module__.startswith("keras.src.layers")
        )
        assert makes <= (cls.__name__ in VARIABLES), cls.__name__


@pytest.mark.parametrize("class_name", ["JaxLayer", "TFSMLayer"])
def test_what_holds_another_library_is_unknown(class_name):
    entry = {"module": "keras.layers", "class_name": class_name, "config": {}}
    assert variables_of(entry) is None


def _reversible():
    layer = keras.layers.ReversibleEmbedding(7, 6, tie_weights=False)
    inputs = keras.Input((3,))
    return keras.Model(inputs, layer(layer(inputs), reverse=True))


def _chain(shape, *layers):
    return keras.Sequential([keras.Input(shape), *layers])


QUANTIZED = {
    "dense": lambda of: _chain((8,), of.Dense(5, "relu"), of.Dense(2, use_bias=False)),
    "einsum": lambda of: _chain(
        (3, 5), of.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d")
    ),
    "embedding": lambda of: _chain((3,), of.Embedding(7, 6)),
    "two ways": lambda _: _reversible(),
}


@pytest.mark.parametrize("name", QUANTIZED)
@pytest.mark.parametrize(
    "mode", some_by_default(["int8", "int4", "int4/-1", "float8"], ["int8", "int4"])
)
def test_quantized_layers_are_in_the_table(name, mode, tmp_path):
    """Which arrays a quantized layer has follows from its config as well."""
    model = QUANTIZED[name](keras.layers)
    mode, _, block = mode.partition("/")
    whole = keras.quantizers.Int4QuantizationConfig(block_size=None)
    model.quantize(mode, config=whole if block else None)
    document, datasets = _saved(model, tmp_path / "model.keras")
    groups = {tuple(name.split("/")): each.shape for name, each in datasets.items()}
    found = owners(Modern(document, (), {}))
    assert not any(owner.custom for owner in found)
    assert faults(document, groups) == []


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_quantized_weights_of_an_h5_go_to_their_places(mode, tmp_path):
    """An `.h5` lists them in another order than a `.keras` file stores them."""
    model = _chain((6,), keras.layers.Dense(6, "relu"), keras.layers.Dense(6))
    model.quantize(mode)
    model.save(tmp_path / "model.h5")
    upgrade_file(tmp_path / "model.h5", tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    for layer, other in zip(model.layers, opened.layers, strict=True):
        for weight in layer.weights:
            (twin,) = [each for each in other.weights if each.name == weight.name]
            assert np.array_equal(weight, twin)


@pytest.mark.parametrize("policy", ["int8_from_float32", "float8_from_bfloat16"])
def test_a_quantization_that_is_one_string_is_the_same(policy):
    """Keras 3.3 wrote `int8_from_float32`, where later releases write an object."""
    mode, _, source = policy.partition("_from_")
    stated = {
        "class_name": "QuantizedDTypePolicy",
        "config": {"mode": mode, "source_name": source},
    }
    entry = {"class_name": "Dense", "config": {"units": 3, "dtype": policy}}
    same = {"class_name": "Dense", "config": {"units": 3, "dtype": stated}}
    assert variables_of(entry) == variables_of(same)
    assert policy_name(policy) == policy_name(stated) == source


def test_a_quantization_of_another_kind_is_unknown():
    """What is not in the table has whatever the file has for it."""
    policy = {"class_name": "GPTQDTypePolicy", "config": {"mode": "gptq/4/128"}}
    entry = {"class_name": "Dense", "config": {"units": 3, "dtype": policy}}
    assert variables_of(entry) is None


@pytest.mark.parametrize(
    ("module", "registered"),
    [("my.layers", "Mine>Dense"), (None, "Mine>Dense"), ("my.layers", "Dense")],
)
def test_a_class_of_the_user_is_unknown_even_if_its_name_is_not(module, registered):
    entry = {
        "module": module,
        "class_name": "Dense",
        "registered_name": registered,
        "config": {"units": 3},
    }
    assert variables_of(entry) is None
