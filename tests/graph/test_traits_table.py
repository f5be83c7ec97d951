"""The table of classes, held to the installed Keras."""

import importlib
import inspect
import pkgutil

import keras
import numpy as np
import pytest
from keras.src import activations
from keras.src import ops as operations
from keras.src.api_export import get_name_from_symbol
from keras.src.ops.operation import Operation

from keras_rectifiers import layers as ours
from keras_rectifiers.graph import traits

_NO_ROW = {
    "they are made of other members, or of code": (
        "Layer Wrapper TimeDistributed Lambda Pipeline"
    ),
    "no tensor comes in": "InputLayer",
    "it takes boxes beside images": "MaxNumBoundingBoxes",
}
_NO_ROW_OPERATION = {
    "they are bases, or run code": (
        "Operation Function SegmentReduction AssociativeScan Cond ForiLoop Map Scan "
        "Switch VectorizedMap WhileLoop JVP"
    ),
    "their weights are operands": "Conv ConvTranspose DepthwiseConv SeparableConv",
    "they work on matrices": (
        "Cholesky CholeskyInverse Det Eig Eigh Inv Lstsq LuFactor MatrixRank Pinv Qr "
        "SVD Solve SolveTriangular Logdet Slogdet Trace Diag Diagflat Diagonal Inner "
        "Vdot Cross CDist Corrcoef Correlate Vander"
    ),
    "they make waves or complex numbers": (
        "FFT FFT2 IFFT2 IRFFT ISTFT RFFT STFT ViewAsComplex ViewAsReal Polar"
    ),
    "they are losses and measures": (
        "BinaryCrossentropy CategoricalCrossentropy SparseCategoricalCrossentropy "
        "CTCDecode CTCLoss PSNR SSIM InTopK AllClose Moments"
    ),
    "no values come in": "Arange Array Full Geomspace Linspace Logspace Meshgrid Ndim "
    "Size",
    "they take values apart by place, or by what they are": (
        "ArraySplit Hsplit Vsplit Dsplit Append Hstack Vstack Dstack Pad Fold Unfold "
        "ExtractPatches ExtractSequences MapCoordinates ScaleAndTranslate SobelEdges "
        "RGBToGrayscale Scatter ScatterUpdate SliceUpdate SegmentMax SegmentMin "
        "SegmentProd SegmentSum TakeAlongAxis TopK Argpartition Bincount Histogram "
        "IsIn MultiHot Nonzero Select Unique UnravelIndex Diff Trapezoid View"
    ),
}
_OLDER = {"SyncBatchNormalization", "ThresholdedReLU"}
_NUMBERS = np.array([[-2.5, -1.0, -0.3, 0.0, 0.3, 1.0, 2.5]], "float32")
_POSITIVE = np.linspace(0, 0.99, 50, dtype="float32")[None]


def _named(groups):
    return {name for names in groups.values() for name in names.split()}


def _exported_layers():
    found = vars(keras.layers).values()
    kinds = {x for x in found if inspect.isclass(x)}
    layers = {x for x in kinds if issubclass(x, keras.layers.Layer)}
    # A config has the name under which Keras exports a class.
    written = {get_name_from_symbol(x).rpartition(".")[2]: x for x in layers}
    return written | {x.__name__: x for x in layers}


def _exported_operations():
    found = {}
    for package in (operations, activations):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("_test"):
                continue
            for name, kind in vars(importlib.import_module(module.name)).items():
                own = getattr(kind, "__module__", None) == module.name
                if own and inspect.isclass(kind) and issubclass(kind, Operation):
                    found[name] = kind
    return found


LAYERS = _exported_layers()
OPERATIONS = _exported_operations()


@pytest.mark.parametrize(
    ("exported", "rows", "left_out"),
    [
        (LAYERS, traits.LAYERS, _named(_NO_ROW)),
        (OPERATIONS, traits.OPERATIONS, _named(_NO_ROW_OPERATION)),
    ],
    ids=["layers", "operations"],
)
def test_every_class_of_keras(exported, rows, left_out):
    """Each class that Keras exports has a row, or a reason to have none."""
    known = rows.keys() | left_out

    assert exported.keys() - known == set()
    assert known - exported.keys() - _OLDER - set(ours.__all__) == set()
    assert rows.keys() & left_out == set()


def _values(call, x):
    with np.errstate(all="ignore"):
        return np.asarray(keras.ops.convert_to_numpy(call(x)))


def _check(call, row):
    """Hold a function of one tensor to its row."""
    made = _values(call, _NUMBERS)
    order = [3, 0, 6, 1, 5, 2, 4]
    if row.keeps_shape:
        assert made.shape == _NUMBERS.shape
    if row.elementwise:
        shuffled = _values(call, _NUMBERS[:, order])
        np.testing.assert_allclose(shuffled, made[:, order], rtol=1e-6)
    if row.keeps_zero:
        assert not _values(call, 0 * _POSITIVE).any()
    elif row.elementwise and not row.random and made.dtype != bool:
        assert made[0, 3] != 0
    if row.keeps_sign:
        assert (_values(call, _POSITIVE) >= 0).all()
    if row.passes:
        np.testing.assert_array_equal(made, _NUMBERS)
    assert row.tests == (made.dtype == bool)


_GIVEN = {
    **dict.fromkeys(("Cast", "SaturateCast"), ("float32",)),
    "Clip": (0.5, 2),
    "Roll": (1,),
    "Threshold": (0, 1),
    **dict.fromkeys(
        ("Cumsum", "Cumprod", "Nancumsum", "Nancumprod", "Flip", "Amax", "Amin"), (-1,)
    ),
}
#: They want integers, images or more tensors.
_OTHERS = """
    BitwiseInvert BitwiseNot BatchNorm FullLike Digitize SearchSorted RGBToHSV HSVToRGB
    GaussianBlur ElasticTransform AffineTransform PerspectiveTransform Glu
    DotProductAttention Any All
"""
_ON_NUMBERS = sorted(
    name
    for name, row in traits.OPERATIONS.items()
    if (row.elementwise or row.keeps_shape or row.mixes or row.tests)
    and not row.merges
    and name not in _OTHERS.split()
)


@pytest.mark.parametrize("name", _ON_NUMBERS)
def test_operations_on_numbers(name):
    """What the table says of an operation is what it does to numbers."""
    row = traits.of(name, operation=True)

    _check(OPERATIONS[name](*_GIVEN.get(name, ())), row)


_ARGUMENTS = {
    "Activation": ("tanh",),
    "Rescaling": (0.5,),
    "UpSampling1D": (2,),
    "RepeatVector": (3,),
    "GaussianNoise": (0.1,),
    "GroupNormalization": (1,),
    **dict.fromkeys(("Dropout", "AlphaDropout", "GaussianDropout"), (0.5,)),
    **dict.fromkeys((f"SpatialDropout{n}D" for n in (1, 2, 3)), (0.5,)),
}
_ON_VALUES = sorted(
    name
    for name, row in traits.LAYERS.items()
    if (row.elementwise or row.passes or row.mixes) and row.keeps_shape
    if name not in {*_OLDER, "Normalization"}
)


def _layer(name):
    kind = getattr(ours, name, None) or LAYERS[name]
    return kind(*_ARGUMENTS.get(name, ()))


@pytest.mark.parametrize("name", _ON_VALUES)
def test_layers_on_numbers(name):
    """What the table says of a layer is what it does to numbers."""
    row = traits.function("tanh") if name == "Activation" else traits.of(name)
    inner = (1,) * row.spatial

    def call(x):
        return keras.ops.reshape(_layer(name)(x.reshape(1, *inner, -1)), x.shape)

    _check(call, row)


@pytest.mark.parametrize(
    "name", [name for name, row in traits.LAYERS.items() if row.passes and row.random]
)
def test_zeros_in_training(name):
    """Zeros stay zeros in training, too, or noise around 0 is added to them."""
    zeros = np.zeros((1, *(4,) * traits.of(name).spatial, 1000), "float32")

    made = _values(lambda x: _layer(name)(x, training=True), zeros)

    if name == "GaussianNoise":
        assert abs(np.median(made)) < 0.02
    else:
        assert traits.of(name).keeps_zero == (not made.any())


@pytest.mark.parametrize("name", dir(keras.activations))
def test_activations(name):
    """Activation functions have the rows of their operations."""
    function = getattr(keras.activations, name)
    if name.startswith("_") or name in ("get", "serialize", "deserialize"):
        return
    row = traits.function(name)

    assert row is not traits.UNKNOWN
    if name not in ("glu", "threshold"):
        _check(function, row)


def test_functions_that_are_none():
    """What names no function of Keras is not known."""
    assert traits.function("mine") is traits.UNKNOWN
    assert traits.function({"class_name": "function"}) is traits.UNKNOWN


def _weights(layer):
    found = {f"cell.{w.name}": w for w in getattr(layer, "cell", layer).weights}
    return found | {w.name: w for w in layer.weights}


_KERNELS = {
    "Dense": (5,),
    "EinsumDense": ("ab,bc->ac", 5, None, "c"),
    "Embedding": (9, 5),
    "DepthwiseConv1D": (2, 1, "valid", 5),
    "DepthwiseConv2D": (2, 1, "valid", 5),
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN"), (5,)),
}


@pytest.mark.parametrize(
    "name", [name for name, row in traits.LAYERS.items() if row.makes or row.reads]
)
def test_weights_of_units(name):
    """Units lie on the axes of the weights that the table says."""
    row = traits.of(name)
    layer = LAYERS[name](*_KERNELS.get(name, (5, 2)))
    shape = (2, *(6,) * (row.spatial or row.recurrent), 3)
    taken = keras.Input(batch_shape=shape)
    units = layer(taken).shape[-1]
    weights = _weights(layer)

    for weight in row.makes:
        axes = weight.axes or (-1,)
        assert np.prod([weights[weight.name].shape[axis] for axis in axes]) == units
    for weight in row.reads:
        (axis,) = weight.axes or (-2,)
        assert weights[weight.name].shape[axis] == 3


@pytest.mark.parametrize(
    "name",
    [n for n, row in traits.LAYERS.items() if row.per_unit and n not in _OLDER],
)
def test_weights_of_normalizations(name):
    """A normalization has the weights for each unit that the table says."""
    layer = _layer(name)
    layer.build((2, 3))

    assert tuple(w.name for w in layer.weights) == traits.of(name).per_unit


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("BatchNormalization", keras.layers.BatchNormalization()),
        (
            "SpectralNormalization",
            keras.layers.SpectralNormalization(keras.layers.Dense(3)),
        ),
        ("LayerNormalization", keras.layers.LayerNormalization()),
    ],
)
def test_state(name, layer):
    """A call in training changes the state of the layers that the table names."""
    layer.build((7, 7))
    before = [w.numpy().copy() for w in layer.weights]

    layer(np.arange(49.0).reshape(7, 7), training=True)

    changed = any(
        (w.numpy() != b).any() for w, b in zip(layer.weights, before, strict=True)
    )
    assert changed == traits.of(name).stateful


@pytest.mark.parametrize(
    "name", [name for name, row in traits.OPERATIONS.items() if row.merges]
)
def test_merging_operations(name):
    """They broadcast what they take, and nothing else."""
    shapes = [(1, 3), (2, 1)]
    dtype = (
        "int32"
        if any(x in name for x in ("Bitwise", "Shift", "Gcd", "Lcm", "Ldexp"))
        else "float32"
    )
    row, taken = traits.of(name, operation=True), [np.ones(s, dtype) for s in shapes]
    taken = [taken[0] > 0, *taken] if name == "Where" else taken

    made = np.asarray(keras.ops.convert_to_numpy(OPERATIONS[name]()(*taken)))

    assert made.shape == (2, 3)
    assert row.tests == (made.dtype == bool)
    if row.keeps_zero:
        assert not np.asarray(OPERATIONS[name]()(*(0 * each for each in taken))).any()


def test_entries():
    """The arguments of a member may take away what its class does."""

    def of(class_name, module="keras.layers", **config):
        entry = {"class_name": class_name, "module": module, "config": config}
        return traits.of_entry({**entry, "registered_name": None})

    assert of("ReLU").keeps_zero
    assert not of("ReLU", threshold=0.5).keeps_zero
    assert not of("Rescaling", scale=2.0, offset=1.0).keeps_zero
    assert of("Rescaling", scale=2.0, offset=0.0).keeps_zero
    assert of("Activation", activation="softmax").mixes
    assert of("Activation", activation="swish").keeps_zero
    assert not of("Activation", activation="sigmoid").keeps_zero
    assert of("Activation", activation={"class_name": "function"}).keeps_shape
    assert of("Softmax").mixes
    assert of("Add", module="keras.src.ops.numpy").merges
    assert of("Dense", module="mine") is traits.UNKNOWN
    assert of("Relu", module="keras.src.ops.nn").elementwise
    assert of("Relu") is traits.UNKNOWN
