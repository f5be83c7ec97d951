"""What Keras' layers and operations do: one row for each class.

A row states facts that hold whatever the arguments are; `unless` names the arguments
that take one away. False means "no", or "not always". A test holds the rows to the
installed Keras and asks for a row of each class that Keras exports.
"""

from __future__ import annotations

import dataclasses
import enum
import re

from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of


class Channels(enum.Enum):
    """What becomes of the axis of the channels."""

    STAY = enum.auto()  # where they were, or where `data_format` states
    LAST = enum.auto()
    LOST = enum.auto()  # no axis is what one was before
    SLOPES = enum.auto()  # as STAY; the format counts only without `shared_axes`
    POOLED = enum.auto()
    STEPS = enum.auto()  # images in a sequence
    EINSUM = enum.auto()
    REDUCED = enum.auto()
    PERMUTED = enum.auto()
    TRANSPOSED = enum.auto()
    SWAPPED = enum.auto()
    MOVED = enum.auto()
    SQUEEZED = enum.auto()
    EXPANDED = enum.auto()


@dataclasses.dataclass(frozen=True)
class Weight:
    """A weight, and the axes of it on which units lie."""

    #: The variable's name, with `cell.` before it for one of an inner cell.
    name: str
    #: Counted from the end. Two: the units lie on both of them together, as the
    #: channels of a depthwise kernel do. None: the layer's equation determines it.
    axes: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Traits:
    """Facts about one class."""

    #: Each value of the output comes of the value at the same place.
    elementwise: bool = False
    #: 0 gives 0. In training, too, but for noise around 0 that is added.
    keeps_zero: bool = False
    #: What is not negative gives nothing negative, apart from noise in training.
    keeps_sign: bool = False
    #: Each value is handed on as it is, apart from noise in training.
    passes: bool = False
    #: Values are only multiplied, added to, masked or rounded.
    scales: bool = False
    #: The output has the shape of the input.
    keeps_shape: bool = False
    #: Channels (or steps) depend on each other.
    mixes: bool = False
    #: Several tensors are taken, broadcast, value by value.
    merges: bool = False
    #: Several tensors are put side by side along `axis`.
    joins: bool = False
    #: The output is of truth values.
    tests: bool = False
    #: Values at neighboring positions become one.
    pools: bool = False
    #: Positions are added or taken away ...
    resizes: bool = False
    #: ... and those that are added hold zeros.
    pads: bool = False
    #: All positions become one.
    global_pool: bool = False
    #: Values are put at other places, and not changed.
    reorders: bool = False
    #: Queries choose among values.
    attends: bool = False
    #: A sequence is run through, step by step.
    recurrent: bool = False
    #: One step of a sequence is taken, with a state.
    cell: bool = False
    #: Something is drawn at random, in training if not always.
    random: bool = False
    #: A call in training changes weights that are not trained.
    stateful: bool = False
    #: An input of 0 or less gives no number, or no finite one.
    needs_positive: bool = False
    #: The second operand is a divisor.
    divides: bool = False
    #: A model of another library is inside, with whatever weights that has.
    foreign: bool = False
    #: What becomes of the axis of the channels.
    channels: Channels = Channels.STAY
    #: The weights by which units are made ...
    makes: tuple[Weight, ...] = ()
    #: ... and those by which the units of the input are taken up.
    reads: tuple[Weight, ...] = ()
    #: Weights of a normalization, one value for each unit.
    per_unit: tuple[str, ...] = ()
    #: Number of spatial axes; 0 where that is not fixed.
    spatial: int = 0
    #: Arguments that, when set, make an end of `keeps_zero` and `keeps_sign`.
    unless: tuple[str, ...] = ()

    @property
    def normalizes(self) -> bool:
        """Whether it is a normalization with a factor, or a shift, for each unit."""
        return bool(self.per_unit)

    @property
    def plain_kernel(self) -> bool:
        """Whether one kernel makes the units, which are on its last axis."""
        return self.makes[:1] == (Weight("kernel", (-1,)),)

    @property
    def reduces(self) -> bool:
        """Whether axes are reduced to one value each."""
        return self.channels is Channels.REDUCED

    @property
    def trained(self) -> bool:
        """Whether something else is computed in training."""
        return self.random or self.stateful


UNKNOWN = Traits()

_BIAS = Weight("bias", (-1,))
_UNIT = ("gamma", "beta")
_SHAPE = Traits(keeps_shape=True)
_EACH = Traits(elementwise=True, keeps_shape=True)
_ZERO = Traits(elementwise=True, keeps_shape=True, keeps_zero=True)
_RECTIFIES = dataclasses.replace(_ZERO, keeps_sign=True)
_PASSES = dataclasses.replace(_RECTIFIES, passes=True)
_TESTS = dataclasses.replace(_EACH, tests=True)
_MERGES = Traits(merges=True)
_COMPARES = Traits(merges=True, tests=True)
_REORDERS = Traits(reorders=True, keeps_zero=True, keeps_sign=True)
_POOLS = Traits(pools=True, keeps_zero=True, keeps_sign=True)
_RESIZES = Traits(resizes=True, keeps_zero=True)
_SEQUENCE = Traits(recurrent=True, channels=Channels.LAST)
_RECURRENT = dataclasses.replace(_SEQUENCE, reads=(Weight("cell.kernel", (-2,)),))
_ATTENDS = Traits(attends=True, mixes=True, channels=Channels.LAST)
_LAST = Traits(channels=Channels.LAST)
_LOST = Traits(channels=Channels.LOST)
_REDUCES = Traits(channels=Channels.REDUCED)
_NORMALIZES = Traits(keeps_shape=True, mixes=True, per_unit=_UNIT)
_STATISTICS = Traits(
    keeps_shape=True,
    stateful=True,
    per_unit=(*_UNIT, "moving_mean", "moving_variance"),
)
_NUMBER = re.compile(r"(\d)D")


def _rows(rows: dict[str, Traits]) -> dict[str, Traits]:
    """One row for each name; the number in a name is that of its spatial axes."""
    found = {}
    for names, traits in rows.items():
        for name in names.split():
            number = _NUMBER.search(name)
            spatial = int(number[1]) if number else 0
            found[name] = dataclasses.replace(traits, spatial=spatial)
    return found


#: Class of a layer -> what it does.
LAYERS = _rows(
    {
        # Layers with kernels.
        "Dense": Traits(
            channels=Channels.LAST,
            makes=(Weight("kernel", (-1,)), _BIAS),
            reads=(Weight("kernel", (-2,)),),
        ),
        "EinsumDense": Traits(
            channels=Channels.EINSUM,
            makes=(Weight("kernel", ()), Weight("bias", ())),
            reads=(Weight("kernel", ()),),
        ),
        "Embedding": Traits(
            channels=Channels.LAST, makes=(Weight("embeddings", (-1,)),)
        ),
        # Its weights may be called the other way round, too.
        "ReversibleEmbedding": _LAST,
        "Conv1D Conv2D Conv3D": Traits(
            makes=(Weight("kernel", (-1,)), _BIAS), reads=(Weight("kernel", (-2,)),)
        ),
        "Conv1DTranspose Conv2DTranspose Conv3DTranspose": Traits(
            makes=(Weight("kernel", (-2,)), _BIAS), reads=(Weight("kernel", (-1,)),)
        ),
        "DepthwiseConv1D DepthwiseConv2D": Traits(
            makes=(Weight("kernel", (-2, -1)), _BIAS),
            reads=(Weight("kernel", (-2,)),),
        ),
        "SeparableConv1D SeparableConv2D": Traits(
            makes=(Weight("pointwise_kernel", (-1,)), _BIAS),
            reads=(Weight("depthwise_kernel", (-2,)),),
        ),
        # Layers of sequences, and attention.
        "LSTM GRU SimpleRNN": _RECURRENT,
        "RNN Bidirectional": _SEQUENCE,
        "ConvLSTM1D ConvLSTM2D ConvLSTM3D": Traits(
            recurrent=True, channels=Channels.STEPS
        ),
        "LSTMCell GRUCell SimpleRNNCell StackedRNNCells": Traits(
            cell=True, channels=Channels.LAST
        ),
        "Attention AdditiveAttention MultiHeadAttention GroupedQueryAttention "
        "GroupQueryAttention": (_ATTENDS),
        # Layers that work on each value.
        "Activation": _SHAPE,  # see `function`
        "ReLU": dataclasses.replace(_RECTIFIES, unless=("threshold",)),
        "LeakyReLU ELU ThresholdedReLU": _RECTIFIES,
        "PReLU": dataclasses.replace(_RECTIFIES, channels=Channels.SLOPES),
        "RReLU": dataclasses.replace(_RECTIFIES, random=True),
        "NReLU": dataclasses.replace(_EACH, keeps_sign=True, random=True),
        "Softmax": dataclasses.replace(_SHAPE, mixes=True, keeps_sign=True),
        "Rescaling": dataclasses.replace(_RECTIFIES, scales=True, unless=("offset",)),
        "Normalization": dataclasses.replace(_EACH, scales=True),
        "Masking": Traits(
            keeps_shape=True, keeps_zero=True, keeps_sign=True, scales=True
        ),
        "Identity ActivityRegularization": _PASSES,
        "Dropout GaussianDropout SpatialDropout1D SpatialDropout2D SpatialDropout3D "
        "GaussianNoise": dataclasses.replace(_PASSES, random=True),
        # What it drops is another value than 0.
        "AlphaDropout": dataclasses.replace(_PASSES, random=True, keeps_zero=False),
        # Normalizations.
        "BatchNormalization SyncBatchNormalization": _STATISTICS,
        "LayerNormalization GroupNormalization": _NORMALIZES,
        "RMSNormalization": dataclasses.replace(_NORMALIZES, per_unit=("scale",)),
        "UnitNormalization": Traits(keeps_shape=True, keeps_zero=True, mixes=True),
        "SpectralNormalization": Traits(stateful=True),
        # Layers that change or move positions.
        "MaxPooling1D MaxPooling2D MaxPooling3D "
        "AveragePooling1D AveragePooling2D AveragePooling3D "
        "AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D "
        "AdaptiveAveragePooling1D AdaptiveAveragePooling2D "
        "AdaptiveAveragePooling3D": _POOLS,
        "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D "
        "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D": Traits(
            global_pool=True,
            keeps_zero=True,
            keeps_sign=True,
            channels=Channels.POOLED,
        ),
        "ZeroPadding1D ZeroPadding2D ZeroPadding3D": dataclasses.replace(
            _RESIZES, keeps_sign=True, pads=True
        ),
        "Cropping1D Cropping2D Cropping3D": dataclasses.replace(
            _RESIZES, keeps_sign=True
        ),
        "UpSampling1D UpSampling2D UpSampling3D": _RESIZES,
        "Resizing CenterCrop": dataclasses.replace(_RESIZES, pads=True),
        "RandomCrop": dataclasses.replace(_RESIZES, pads=True, random=True),
        "Flatten RepeatVector": dataclasses.replace(_REORDERS, channels=Channels.LAST),
        "Reshape": dataclasses.replace(_REORDERS, channels=Channels.LOST),
        "Permute": dataclasses.replace(_REORDERS, channels=Channels.PERMUTED),
        # Layers that take several tensors.
        "Add Multiply Average": Traits(
            merges=True, keeps_zero=True, keeps_sign=True, scales=True
        ),
        "Subtract": Traits(merges=True, keeps_zero=True, scales=True),
        "Maximum Minimum": Traits(merges=True, keeps_zero=True, keeps_sign=True),
        "Concatenate": Traits(joins=True, keeps_zero=True, keeps_sign=True),
        "Dot": Traits(channels=Channels.LOST, keeps_zero=True, keeps_sign=True),
        "FlaxLayer JaxLayer TFSMLayer TorchModuleWrapper": Traits(foreign=True),
        # Layers of text, categories, sound and images.
        "CategoryEncoding Discretization HashedCrossing Hashing IntegerLookup "
        "StringLookup TextVectorization": _LAST,
        "MelSpectrogram STFTSpectrogram": _LOST,
        "AutoContrast ContrastLimitedAdaptiveHistogramEqualization Equalization": (
            _SHAPE
        ),
        "AugMix CutMix MixUp RandAugment RandomBrightness RandomColorDegeneration "
        "RandomColorJitter RandomContrast RandomElasticTransform RandomErasing "
        "RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert "
        "RandomPerspective RandomPosterization RandomRotation RandomSaturation "
        "RandomSharpness RandomShear RandomTranslation RandomZoom Solarization": Traits(
            keeps_shape=True, random=True
        ),
    }
)

#: Class of an operation -> what it does.
OPERATIONS = _rows(
    {
        # Each value alone.
        "Relu Relu6 LeakyRelu Elu Selu Celu Gelu Silu HardSilu Mish Tanh HardTanh "
        "TanhShrink SoftShrink HardShrink Softsign Abs Absolute Fabs Square Expm1 "
        "Arctan Arcsinh Sinh Erf Cbrt Ceil Floor Round Trunc Sign Deg2rad Rad2deg "
        "NanToNum Real Imag Angle": _RECTIFIES,
        "ReLU": dataclasses.replace(_RECTIFIES, unless=("threshold",)),
        "Cast SaturateCast": dataclasses.replace(_RECTIFIES, scales=True),
        "StopGradient Copy Conj Conjugate ConvertToTensor": _PASSES,
        "Negative Sin Tan Arcsin Arctanh Erfinv": _ZERO,
        "Sqrt Log1p": dataclasses.replace(_RECTIFIES, needs_positive=True),
        "Rsqrt Log Log10 Log2 Reciprocal": dataclasses.replace(
            _EACH, needs_positive=True
        ),
        "Sigmoid Softplus LogSigmoid HardSigmoid SparsePlus SparseSigmoid Squareplus "
        "Threshold Clip Exp Exp2 Cos Cosh Arccos Arccosh Erfc I0 Sinc "
        "BitwiseInvert BitwiseNot": _EACH,
        "Isnan Isinf Isfinite Isneginf Isposinf Isreal LogicalNot Signbit": _TESTS,
        # Other operations that keep the shape.
        "Softmax LogSoftmax Sparsemax LayerNorm Normalize": dataclasses.replace(
            _SHAPE, mixes=True
        ),
        "RMSNorm": dataclasses.replace(_SHAPE, mixes=True, keeps_zero=True),
        "BatchNorm Cumsum Cumprod Nancumsum Nancumprod Sort Argsort Tril Triu "
        "ZerosLike OnesLike EmptyLike FullLike Digitize SearchSorted RGBToHSV "
        "HSVToRGB GaussianBlur ElasticTransform AffineTransform "
        "PerspectiveTransform": _SHAPE,
        "Flip Fliplr Flipud Roll": dataclasses.replace(_REORDERS, keeps_shape=True),
        "Glu": Traits(mixes=True, keeps_zero=True),
        # Several tensors.
        "Add Multiply": Traits(
            merges=True, keeps_zero=True, keeps_sign=True, scales=True
        ),
        "Subtract": Traits(merges=True, keeps_zero=True, scales=True),
        "Divide TrueDivide": Traits(merges=True, scales=True, divides=True),
        "DivideNoNan": Traits(merges=True, scales=True),
        "FloorDivide Mod Fmod": Traits(merges=True, divides=True),
        "Maximum Minimum Fmax Fmin Hypot": Traits(
            merges=True, keeps_zero=True, keeps_sign=True
        ),
        "Power Logaddexp Logaddexp2": Traits(merges=True, needs_positive=True),
        "Arctan2 Heaviside Nextafter Ldexp Gcd Lcm Where BitwiseAnd BitwiseOr "
        "BitwiseXor BitwiseLeftShift BitwiseRightShift LeftShift RightShift": _MERGES,
        "Greater GreaterEqual Less LessEqual Equal NotEqual LogicalAnd LogicalOr "
        "LogicalXor Isclose": _COMPARES,
        "Concatenate": Traits(joins=True, keeps_zero=True, keeps_sign=True),
        # Operations that move values and axes.
        "Reshape Rearrange": dataclasses.replace(_REORDERS, channels=Channels.LOST),
        "Ravel": dataclasses.replace(_REORDERS, channels=Channels.LAST),
        "Transpose": dataclasses.replace(_REORDERS, channels=Channels.TRANSPOSED),
        "Swapaxes": dataclasses.replace(_REORDERS, channels=Channels.SWAPPED),
        "Moveaxis": dataclasses.replace(_REORDERS, channels=Channels.MOVED),
        "Squeeze": dataclasses.replace(_REORDERS, channels=Channels.SQUEEZED),
        "ExpandDims Stack": dataclasses.replace(_REORDERS, channels=Channels.EXPANDED),
        "BroadcastTo GetItem Repeat Rot90 Slice Split Take Tile Unstack "
        "DepthToSpace SpaceToDepth": _REORDERS,
        # Operations that make one value of several.
        "Any All": Traits(channels=Channels.REDUCED, tests=True),
        "Mean Sum Max Min Amax Amin Average Nanmean Nansum Nanmax Nanmin": Traits(
            channels=Channels.REDUCED, keeps_zero=True, keeps_sign=True
        ),
        "Prod Std Var Median Quantile Percentile Ptp Logsumexp CountNonzero Argmax "
        "Argmin Norm Nanargmax Nanargmin Nanmedian Nanpercentile Nanprod Nanquantile "
        "Nanstd Nanvar": _REDUCES,
        "MaxPool AveragePool AdaptiveMaxPool AdaptiveAveragePool": _POOLS,
        "Resize": _RESIZES,
        "CropImages": dataclasses.replace(_RESIZES, keeps_sign=True),
        "PadImages": dataclasses.replace(_RESIZES, keeps_sign=True, pads=True),
        "Matmul OneHot": _LAST,
        "Dot Einsum Tensordot Outer Kron": _LOST,
        "DotProductAttention": Traits(attends=True, mixes=True),
    }
)

#: Names of activations that do not say the operation's class.
_FUNCTIONS = {"exponential": "Exp", "swish": "Silu", "hard_swish": "HardSilu"}


def of(class_name: str, *, operation: bool = False) -> Traits:
    """What a class of Keras', or of this package, does.

    Args:
        class_name: Its name, such as `"Conv2D"`.
        operation: Whether it is an operation; layers may have the same name.

    Returns:
        Its row; `UNKNOWN` for a class that has none.
    """
    return (OPERATIONS if operation else LAYERS).get(class_name, UNKNOWN)


def function(name: object) -> Traits:
    """What an activation function does.

    Args:
        name: Its name in Keras, such as `"leaky_relu"`.

    Returns:
        The row of its operation; `UNKNOWN` for anything else.
    """
    if not isinstance(name, str):
        return UNKNOWN
    if name == "linear":
        return LAYERS["Identity"]
    class_name = "".join(part.capitalize() for part in name.split("_"))
    return OPERATIONS.get(_FUNCTIONS.get(name, class_name), UNKNOWN)


def of_entry(entry: Entry) -> Traits:
    """What a member of a document does, with the arguments that it has.

    Args:
        entry: A layer or an operation.

    Returns:
        The row of its class, for an `Activation` that of its function; `UNKNOWN` for
        a class of somebody else's.
    """
    if not forms.is_ours(entry) and not forms.is_keras(entry):
        return UNKNOWN
    class_name, config = str(entry["class_name"]), config_of(entry)
    found = of(class_name, operation=forms.is_operation(entry.get("module")))
    if class_name == "Activation":
        named = function(config.get("activation"))
        return found if named is UNKNOWN else named
    if any(config.get(argument) for argument in found.unless):
        return dataclasses.replace(found, keeps_zero=False, keeps_sign=False)
    return found
