"""Convolutions of Keras 1 compute in Keras 3 what Keras 1 computed: plain NumPy."""

import numpy as np
import pytest

from tests.legacy.keras1_helpers import convolution
from tests.legacy.keras1_helpers import correlation
from tests.legacy.keras1_helpers import drawn
from tests.legacy.keras1_helpers import entry
from tests.legacy.keras1_helpers import loaded
from tests.legacy.keras1_helpers import modern
from tests.legacy.keras1_helpers import opened
from tests.legacy.keras1_helpers import repaired
from tests.legacy.keras1_helpers import sequential
from tests.legacy.keras1_helpers import transposed

IMAGES = drawn((2, 3, 9, 8), seed=1)[0]


def conv2d(class_name="Convolution2D", ordering="th", **more):
    shape = [None, 3, 9, 8] if ordering == "th" else [None, 9, 8, 3]
    config = {
        "batch_input_shape": shape,
        "input_dtype": "float32",
        "nb_filter": 4,
        "nb_row": 3,
        "nb_col": 2,
        "init": "glorot_uniform",
        "activation": "linear",
        "border_mode": "valid",
        "subsample": [1, 1],
        "dim_ordering": ordering,
        "W_regularizer": {"name": "L1L2Regularizer", "l1": 0.0, "l2": 0.01},
        "b_regularizer": None,
        "activity_regularizer": None,
        "W_constraint": {"name": "MaxNorm", "m": 2, "axis": 0},
        "b_constraint": None,
        "bias": True,
    }
    return entry(class_name, "conv", **{**config, **more})


def channels_last(images):
    return np.moveaxis(images, 1, -1)


@pytest.mark.parametrize(
    ("backend", "truth"), [("tensorflow", correlation), ("theano", convolution)]
)
@pytest.mark.parametrize("ordering", ["th", "tf"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1)])
def test_convolution(backend, truth, ordering, strides):
    kernel, bias = drawn((4, 3, 3, 2), (4,))
    want = truth(IMAGES, kernel, strides) + bias[:, None, None]

    result = modern(
        sequential(conv2d(ordering=ordering, subsample=list(strides))), backend=backend
    )
    stored = kernel if ordering == "th" else kernel.transpose(2, 3, 1, 0)
    model = loaded(result, {"conv": [stored, bias]})

    if ordering == "th":
        got = model.predict(IMAGES, verbose=0)
    else:
        got = np.moveaxis(model.predict(channels_last(IMAGES), verbose=0), -1, 1)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_theano_pads_half_a_kernel_on_both_sides(size, stride):
    kernel, bias = drawn((4, 3, size, size), (4,))
    half = size // 2
    whole = convolution(IMAGES, kernel, (stride, stride), ((half, half), (half, half)))
    rows, columns = -(-9 // stride), -(-8 // stride)
    want = whole[:, :, :rows, :columns] + bias[:, None, None]

    layer = conv2d(
        border_mode="same", subsample=[stride, stride], nb_row=size, nb_col=size
    )
    result = modern(sequential(layer), backend="theano")
    model = loaded(result, {"conv": [kernel, bias]})

    np.testing.assert_allclose(
        model.predict(IMAGES, verbose=0), want, rtol=1e-4, atol=1e-5
    )


def test_theano_padding_is_left_alone_where_all_pad_alike():
    result = modern(sequential(conv2d(border_mode="same", nb_col=3)), backend="theano")

    assert repaired(result, "theano_padding") == []
    classes = [each["class_name"] for each in result.document["config"]["layers"]]
    assert classes == ["InputLayer", "Conv2D"]


def test_full_padding():
    kernel, bias = drawn((4, 3, 3, 2), (4,))
    want = convolution(IMAGES, kernel, pads=((2, 2), (1, 1))) + bias[:, None, None]

    result = modern(sequential(conv2d(border_mode="full")), backend="theano")
    model = loaded(result, {"conv": [kernel, bias]})

    np.testing.assert_allclose(
        model.predict(IMAGES, verbose=0), want, rtol=1e-4, atol=1e-5
    )
    assert repaired(result, "theano_padding") == [
        "conv: Theano padding 'full' → ZeroPadding2D before the layer"
    ]


def test_a_later_model_of_theano_is_turned_over_too():
    kernel, bias = drawn((4, 3, 3, 2), (4,))
    layer = entry(
        "Conv2D",
        "conv",
        batch_input_shape=[None, 9, 8, 3],
        filters=4,
        kernel_size=[3, 2],
        strides=[1, 1],
        padding="valid",
        data_format="channels_last",
        activation="linear",
        use_bias=True,
    )

    result = modern(sequential(layer), (2, 0, 8), "theano")
    model = loaded(result, {"conv": [kernel.transpose(2, 3, 1, 0), bias]})

    want = convolution(IMAGES, kernel) + bias[:, None, None]
    got = np.moveaxis(model.predict(channels_last(IMAGES), verbose=0), -1, 1)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backend", ["tensorflow", "theano"])
@pytest.mark.parametrize("ordering", ["th", "tf"])
def test_deconvolution(backend, ordering):
    kernel, bias = drawn((4, 3, 3, 2), (4,))
    turned = kernel[:, :, ::-1, ::-1] if backend == "theano" else kernel
    want = transposed(IMAGES, turned, (2, 1)) + bias[:, None, None]

    shape = [None, *want.shape[1:]]
    if ordering == "tf":
        shape = [None, *want.shape[2:], 4]
    layer = conv2d("Deconvolution2D", ordering, subsample=[2, 1], output_shape=shape)
    result = modern(sequential(layer), backend=backend)
    stored = kernel if ordering == "th" else kernel.transpose(2, 3, 1, 0)
    model = loaded(result, {"conv": [stored, bias]})

    images = IMAGES if ordering == "th" else channels_last(IMAGES)
    got = model.predict(images, verbose=0)
    if ordering == "tf":
        got = np.moveaxis(got, -1, 1)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def conv1d(class_name="Convolution1D", **more):
    config = {
        "batch_input_shape": [None, 10, 3],
        "nb_filter": 4,
        "filter_length": 3,
        "init": "uniform",
        "activation": "linear",
        "border_mode": "valid",
        "subsample_length": 1,
        "bias": True,
        "input_dim": 3,
        "input_length": 10,
    }
    return entry(class_name, "conv", **{**config, **more})


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("backend", ["tensorflow", "theano"])
def test_convolution_of_sequences(backend, old):
    kernel, bias, inputs = drawn((4, 3, 3, 1), (4,), (2, 10, 3))
    truth = convolution if backend == "theano" else correlation
    images = inputs.transpose(0, 2, 1)[..., None]
    want = (truth(images, kernel)[..., 0] + bias[:, None]).transpose(0, 2, 1)

    version = (1, 0, 8) if old else (1, 2, 2)
    result = modern(sequential(conv1d()), version, backend)
    stored = kernel if old else kernel.transpose(2, 3, 1, 0)
    model = loaded(result, {"conv": [stored, bias]})

    np.testing.assert_allclose(
        model.predict(inputs, verbose=0), want, rtol=1e-4, atol=1e-5
    )


def test_dilation():
    result = modern(
        sequential(
            conv1d("AtrousConvolution1D", atrous_rate=2),
            entry("MaxPooling1D", "pool", pool_length=2, stride=2, border_mode="valid"),
            entry("UpSampling1D", "up", length=3),
            entry("ZeroPadding1D", "pad", padding={"left_pad": 1}),
        )
    )
    conv = result.document["config"]["layers"][1]

    assert conv["class_name"] == "Conv1D"
    assert conv["config"]["dilation_rate"] == [2]
    assert opened(result).output_shape == (None, 10, 4)


@pytest.mark.parametrize("backend", ["tensorflow", "theano"])
def test_convolution_of_volumes(backend):
    kernel, bias, volumes = drawn((2, 3, 2, 3, 2), (2,), (1, 3, 4, 5, 6))
    turned = kernel[:, :, ::-1, ::-1, ::-1] if backend == "theano" else kernel
    windows = np.lib.stride_tricks.sliding_window_view(
        volumes, (2, 3, 2), axis=(2, 3, 4)
    )
    want = np.einsum("ncxyzijk,fcijk->nfxyz", windows, turned)
    want += bias[:, None, None, None]

    layer = entry(
        "Convolution3D",
        "conv",
        batch_input_shape=[None, 3, 4, 5, 6],
        nb_filter=2,
        kernel_dim1=2,
        kernel_dim2=3,
        kernel_dim3=2,
        init="he_normal",
        activation="linear",
        border_mode="valid",
        subsample=[1, 1, 1],
        dim_ordering="th",
        bias=True,
    )
    result = modern(sequential(layer), backend=backend)
    model = loaded(result, {"conv": [kernel, bias]})

    np.testing.assert_allclose(
        model.predict(volumes, verbose=0), want, rtol=1e-4, atol=1e-5
    )


def test_separable_convolution_in_theanos_order():
    depthwise, pointwise, bias = drawn((2, 3, 3, 2), (4, 6, 1, 1), (4,))
    planes = [
        correlation(IMAGES[:, c : c + 1], depthwise[m : m + 1, c : c + 1])
        for c in range(3)
        for m in range(2)
    ]
    deep = np.concatenate(planes, axis=1)
    want = correlation(deep, pointwise) + bias[:, None, None]

    layer = conv2d("SeparableConvolution2D", depth_multiplier=2)
    result = modern(sequential(layer))
    model = loaded(result, {"conv": [depthwise, pointwise, bias]})

    np.testing.assert_allclose(
        model.predict(IMAGES, verbose=0), want, rtol=1e-4, atol=1e-5
    )


def test_silent_layers_take_the_ordering_of_the_others():
    """VGG16 for Theano: its ZeroPadding2D does not say where the channels are."""
    document = sequential(
        entry(
            "ZeroPadding2D", "pad", batch_input_shape=[None, 3, 9, 8], padding=[1, 1]
        ),
        conv2d(activation="relu"),
        entry(
            "MaxPooling2D",
            "pool",
            pool_size=[2, 2],
            strides=[2, 2],
            border_mode="valid",
            dim_ordering="th",
        ),
        entry("UpSampling2D", "up", size=[2, 2]),
        entry("SpatialDropout2D", "drop", p=0.5),
        entry("Flatten", "flat"),
    )
    del document["config"][1]["config"]["batch_input_shape"]

    result = modern(document)

    assert opened(result).output_shape == (None, 4 * 8 * 8)
    assert [each.layer for each in result.repairs if each.rule == "keras1_data_format"]


def test_the_user_is_told_that_the_backend_is_unknown():
    told = repaired(modern(sequential(conv2d()), backend=""), "theano_unknown")

    assert len(told) == 1
    assert "does not say whether the model was trained" in told[0]
    assert repaired(modern(sequential(conv2d())), "theano_unknown") == []


@pytest.mark.parametrize("version", [(1, 2, 2), ()])
def test_names(version):
    """With a version, and known by its names alone."""
    result = modern(sequential(conv2d()), version)
    conv = result.document["config"]["layers"][1]

    assert conv["class_name"] == "Conv2D"
    config = conv["config"]
    assert config["filters"] == 4
    assert config["kernel_size"] == [3, 2]
    assert config["strides"] == [1, 1]
    assert config["padding"] == "valid"
    assert config["data_format"] == "channels_first"
    assert config["use_bias"] is True
    assert config["kernel_regularizer"]["config"] == {"l1": 0.0, "l2": 0.01}
    assert config["kernel_constraint"]["config"] == {"max_value": 2, "axis": 0}
    layer = opened(result).get_layer("conv")
    assert layer.kernel_constraint.max_value == 2
    assert layer.kernel_regularizer.l2 == pytest.approx(0.01)
    assert "nb_filter → filters" in repaired(result, "keras1_convolution")[0]
