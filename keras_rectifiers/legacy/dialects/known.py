"""Keras 3's own classes: their modules and their arguments.

Plain tables: Keras is never imported. A test holds them to the installed Keras.
"""

from __future__ import annotations

import re
from typing import Any

from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import snake_case

LAYERS = "keras.layers"
INITIALIZERS = "keras.initializers"
REGULARIZERS = "keras.regularizers"
CONSTRAINTS = "keras.constraints"

#: Arguments that many layers share; a leading `+` refers to one of these.
_SHARED = {
    "+kernel": "kernel_initializer kernel_regularizer kernel_constraint",
    "+bias": "use_bias bias_initializer bias_regularizer bias_constraint",
    "+states": (
        "recurrent_initializer recurrent_regularizer recurrent_constraint dropout "
        "recurrent_dropout seed"
    ),
    "+recurrent": "+kernel +bias +states activation recurrent_activation",
    "+depthwise": (
        "depthwise_initializer depthwise_regularizer depthwise_constraint "
        "depth_multiplier"
    ),
    "+pointwise": ("pointwise_initializer pointwise_regularizer pointwise_constraint"),
    "+affine": (
        "scale center epsilon gamma_initializer gamma_regularizer "
        "gamma_constraint beta_initializer beta_regularizer beta_constraint"
    ),
    "+window": "kernel_size strides padding data_format dilation_rate",
    "+pool": "pool_size strides padding data_format",
    "+sequence": (
        "return_sequences return_state go_backwards stateful unroll "
        "zero_output_for_mask"
    ),
    "+vocabulary": (
        "vocabulary max_tokens num_oov_indices mask_token oov_token oov_method "
        "salt vocabulary_dtype idf_weights invert output_mode sparse "
        "pad_to_max_tokens vocabulary_size"
    ),
    "+image": "data_format factor bounding_box_format",
    "+fill": "fill_mode fill_value interpolation",
}
#: Arguments that every layer takes, unless it is closed.
_EVERY = frozenset(("name", "trainable", "dtype", "activity_regularizer", "autocast"))
#: What to do about a TensorFlow function that is not known.
REMEDY = (
    "Build this part of the model again with layers or keras.ops, and load the "
    "weights into it"
)
#: Layers of TF-Keras that only note a loss or a metric while it trains.
NOTES = frozenset({"AddLoss", "AddMetric"})
#: Classes of Keras 2 that wrap one call of a TensorFlow function.
CALLS = frozenset(
    {
        *("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"),
        *("ClassMethod", "InstanceProperty", "InstanceMethod"),
    }
)
_RANKS = ("1D", "2D", "3D")
#: Layers that take their own arguments only.
_CLOSED = {"Discretization", "InputLayer", *(f"SpatialDropout{r}" for r in _RANKS)}
#: Layers that Keras 2 had too, with `{}` for 1D, 2D and 3D -> the arguments that they
#: take in Keras 3.
_ARGUMENTS = {
    "Activation": "activation",
    "ActivityRegularization": "l1 l2",
    "Add Average Identity Layer Maximum Minimum Multiply Subtract": "",
    "AdditiveAttention Attention": "dropout score_mode seed use_scale",
    "AlphaDropout Dropout": "noise_shape rate seed",
    "AveragePooling{} MaxPooling{}": "+pool",
    "BatchNormalization": (
        "+affine axis momentum moving_mean_initializer "
        "moving_variance_initializer renorm renorm_clipping renorm_momentum "
        "synchronized"
    ),
    "Bidirectional": "backward_layer layer merge_mode",
    "CategoryEncoding": "num_tokens output_mode sparse",
    "CenterCrop": "+image height width",
    "Concatenate Softmax UnitNormalization": "axis",
    "Conv{}": "+kernel +bias +window activation filters groups",
    "Conv{}Transpose": "+kernel +bias +window activation filters output_padding",
    "ConvLSTM{}": "+recurrent +window +sequence filters unit_forget_bias",
    "Cropping1D": "cropping",
    "Cropping2D Cropping3D": "cropping data_format",
    "Dense": "+kernel +bias activation quantization_config units",
    "DepthwiseConv1D DepthwiseConv2D": "+bias +depthwise +window activation",
    "Discretization": "bin_boundaries dtype epsilon name num_bins output_mode sparse",
    "Dot": "axes normalize",
    "ELU": "alpha",
    "EinsumDense": (
        "+kernel activation bias_axes bias_constraint bias_initializer "
        "bias_regularizer equation output_shape quantization_config"
    ),
    "Embedding": (
        "embeddings_constraint embeddings_initializer embeddings_regularizer "
        "input_dim mask_zero output_dim quantization_config"
    ),
    "Flatten": "data_format",
    "GRU": "+recurrent +sequence reset_after units",
    "GRUCell": "+recurrent reset_after units",
    "GaussianDropout": "rate seed",
    "GaussianNoise": "seed stddev",
    "GlobalAveragePooling{} GlobalMaxPooling{}": "data_format keepdims",
    "GroupNormalization": "+affine axis groups",
    "HashedCrossing": "num_bins output_mode sparse",
    "Hashing": "mask_value num_bins output_mode salt sparse",
    "InputLayer": "batch_shape dtype name optional ragged sparse",
    "IntegerLookup": "+vocabulary",
    "LSTM": "+recurrent +sequence unit_forget_bias units",
    "LSTMCell": "+recurrent unit_forget_bias units",
    "Lambda": "arguments function mask output_shape",
    "LayerNormalization": "+affine axis rms_scaling",
    "LeakyReLU": "negative_slope",
    "Masking": "mask_value",
    "MultiHeadAttention": (
        "+kernel +bias attention_axes dropout key_dim num_heads output_shape seed "
        "sliding_window use_gate value_dim"
    ),
    "Normalization": "axis invert mean variance",
    "PReLU": "alpha_constraint alpha_initializer alpha_regularizer shared_axes",
    "Permute": "dims",
    "RNN": "+sequence cell",
    "RandomBrightness RandomContrast": "+image seed value_range",
    "RandomCrop": "+image height seed width",
    "RandomFlip": "+image mode seed",
    "RandomRotation": "+image +fill seed",
    "RandomTranslation": "+image +fill height_factor seed width_factor",
    "RandomZoom": "+image +fill height_factor seed width_factor",
    "ReLU": "max_value negative_slope threshold",
    "RepeatVector": "n",
    "Rescaling": "offset scale",
    "Reshape": "target_shape",
    "Resizing": (
        "+image +fill antialias crop_to_aspect_ratio height pad_to_aspect_ratio width"
    ),
    "SeparableConv1D SeparableConv2D": (
        "+bias +depthwise +pointwise +window activation filters"
    ),
    "SimpleRNN": "+kernel +bias +states +sequence activation units",
    "SimpleRNNCell": "+kernel +bias +states activation units",
    "SpatialDropout1D": "dtype name rate seed",
    "SpatialDropout2D SpatialDropout3D": "data_format dtype name rate seed",
    "SpectralNormalization": "layer power_iterations",
    "StackedRNNCells": "cells",
    "StringLookup": "+vocabulary encoding",
    "TextVectorization": (
        "encoding idf_weights max_tokens ngrams output_mode "
        "output_sequence_length pad_to_max_tokens ragged sparse split standardize "
        "vocabulary vocabulary_size"
    ),
    "TimeDistributed Wrapper": "layer",
    "UpSampling1D": "size",
    "UpSampling2D": "data_format interpolation size",
    "UpSampling3D": "data_format size",
    "ZeroPadding{}": "data_format padding",
}
_TAKEN = {
    name.format(rank): arguments
    for names, arguments in _ARGUMENTS.items()
    for name in names.split()
    for rank in _RANKS
}
#: Layers that came with Keras 3.
_NEW = (
    "AdaptiveAveragePooling{} AdaptiveMaxPooling{} AugMix AutoContrast "
    "ContrastLimitedAdaptiveHistogramEqualization CutMix Equalization "
    "FlaxLayer GroupQueryAttention JaxLayer MaxNumBoundingBoxes "
    "MelSpectrogram MixUp Pipeline RMSNormalization RandAugment "
    "RandomColorDegeneration RandomColorJitter RandomElasticTransform "
    "RandomErasing RandomGaussianBlur RandomGrayscale RandomHue RandomInvert "
    "RandomPerspective RandomPosterization RandomSaturation RandomSharpness "
    "RandomShear ReversibleEmbedding STFTSpectrogram Solarization TFSMLayer "
    "TorchModuleWrapper"
)
_NEW_LAYERS = frozenset(name.format(rank) for name in _NEW.split() for rank in _RANKS)
#: Other names of the same layers.
ALIASES = {
    old.format(rank): new.format(rank)
    for old, new in {
        "Convolution{}": "Conv{}",
        "Convolution{}Transpose": "Conv{}Transpose",
        "SeparableConvolution1D": "SeparableConv1D",
        "SeparableConvolution2D": "SeparableConv2D",
        "AvgPool{}": "AveragePooling{}",
        "GlobalAvgPool{}": "GlobalAveragePooling{}",
        "GlobalMaxPool{}": "GlobalMaxPooling{}",
        "MaxPool{}": "MaxPooling{}",
    }.items()
    for rank in _RANKS
}

#: Initializers, regularizers and constraints -> the arguments that they take.
OBJECTS = {
    INITIALIZERS: {
        "Constant": "value",
        "GlorotNormal": "seed input_axes output_axes",
        "GlorotUniform": "seed input_axes output_axes",
        "HeNormal": "seed input_axes output_axes",
        "HeUniform": "seed input_axes output_axes",
        "Identity": "gain",
        "LecunNormal": "seed input_axes output_axes",
        "LecunUniform": "seed input_axes output_axes",
        "Ones": "",
        "Orthogonal": "gain seed",
        "RandomNormal": "mean stddev seed",
        "RandomUniform": "minval maxval seed",
        "STFT": "side window scaling periodic",
        "TruncatedNormal": "mean stddev seed",
        "VarianceScaling": "scale mode distribution seed input_axes output_axes",
        "Zeros": "",
    },
    REGULARIZERS: {
        "L1": "l1",
        "L2": "l2",
        "L1L2": "l1 l2",
        "OrthogonalRegularizer": "factor mode",
    },
    CONSTRAINTS: {
        "MaxNorm": "max_value axis",
        "MinMaxNorm": "min_value max_value rate axis",
        "NonNeg": "",
        "UnitNorm": "axis",
    },
}

#: Strings that Keras 3 takes for an object, besides its class and `snake_case` of it.
_SPELLINGS = {
    INITIALIZERS: (
        *("normal", "one", "uniform", "zero"),
        *("IdentityInitializer", "OrthogonalInitializer", "STFTInitializer"),
    )
}
NAMES = {
    module: frozenset((*table, *map(snake_case, table), *_SPELLINGS.get(module, ())))
    for module, table in OBJECTS.items()
}
#: Strings that name a built-in of Keras wherever a function is allowed.
FUNCTIONS = frozenset(
    (
        *("lower_and_strip_punctuation", "lower", "strip_punctuation"),
        *("whitespace", "character"),
    )
).union(*NAMES.values())

#: Activations that Keras 3 finds by their name.
_ACTIVATIONS = (
    "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish "
    "hard_tanh leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu "
    "sigmoid silu soft_shrink softmax softplus softsign sparse_plus "
    "sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold"
)
ACTIVATIONS = frozenset(_ACTIVATIONS.split())

_KERAS = re.compile(
    r"(?:keras|tf_keras|tensorflow(?:_core)?(?:\.python|\.compat\.v[12])?\.keras|"
    r"tensorflow_core\.keras)(?:\.|$)"
)


def is_keras(module: Any) -> bool:
    """Whether a module of any version belongs to Keras; None if no module is stated."""
    return module is None or (isinstance(module, str) and bool(_KERAS.match(module)))


def is_layer_class(class_name: Any) -> bool:
    """Whether Keras 3 has a layer of this name."""
    known = isinstance(class_name, str)
    return known and (class_name in _TAKEN or class_name in _NEW_LAYERS)


def is_own_layer(entry: dict[str, Any]) -> bool:
    """Whether an entry is a layer of Keras' own that Keras 3 still has."""
    return (
        is_keras(entry.get("module"))
        and not forms.is_operation(entry.get("module"))
        and not entry.get("registered_name")
        and is_layer_class(entry.get("class_name"))
    )


def is_named_layer(entry: dict[str, Any]) -> bool:
    """Whether an entry is a layer of Keras' own that is named as Keras 3 does."""
    return entry.get("module") == LAYERS and not entry.get("registered_name")


def taken(class_name: str) -> frozenset[str] | None:
    """The arguments that a layer takes; None for those that Keras 2 never had."""
    if class_name not in _TAKEN:
        return None
    words = _TAKEN[class_name].split()
    for word in words:
        words += _SHARED.get(word, "").split()
    own = frozenset(word for word in words if word not in _SHARED)
    return own if class_name in _CLOSED else _EVERY | own
