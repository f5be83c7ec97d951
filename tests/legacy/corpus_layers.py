"""Old models that hold every layer without memory that both Keras have."""

from unittest import mock

import numpy as np
import tensorflow as tf

from tests.legacy.corpus import case
from tests.legacy.corpus import tf_keras

layers = tf_keras.layers
Input = tf_keras.Input
Model = tf_keras.Model
Sequential = tf_keras.Sequential


def chain(shape, *rest, dtype=None, name=None):
    """A Functional model of layers one after the other."""
    inputs = x = Input(shape, dtype=dtype)
    for layer in rest:
        x = layer(x)
    return Model(inputs, x, name=name)


@case()
def dense():
    return Sequential(
        [
            layers.Dense(
                8,
                activation="relu",
                use_bias=False,
                kernel_regularizer=tf_keras.regularizers.L1L2(1e-3, 1e-4),
                kernel_constraint=tf_keras.constraints.MaxNorm(3, axis=0),
                kernel_initializer=tf_keras.initializers.HeNormal(seed=3),
                input_shape=(6,),
            ),
            layers.ActivityRegularization(l1=0.01, l2=0.02),
            layers.Dropout(0.3, noise_shape=(None, 8), seed=1),
            layers.Dense(
                12, activation=tf_keras.activations.relu, bias_regularizer="l2"
            ),
            layers.GaussianNoise(0.1),
            layers.GaussianDropout(0.2),
            layers.AlphaDropout(0.1),
            layers.Identity(),
            layers.Reshape((3, -1)),
            layers.Permute((2, 1)),
            layers.Flatten(),
            layers.RepeatVector(2),
            layers.SpatialDropout1D(0.2),
            layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d"),
            layers.Activation("relu"),
        ],
        name="dense",
    )


@case()
def initializers_and_others():
    """Every initializer, regularizer and constraint by object."""
    made = tf_keras.initializers
    kinds = [
        made.Constant(0.5),
        made.GlorotNormal(seed=2),
        made.GlorotUniform(),
        made.HeUniform(),
        made.Identity(0.5),
        made.LecunNormal(),
        made.LecunUniform(),
        made.Ones(),
        made.Orthogonal(gain=2.0),
        made.RandomNormal(0.1, 0.2),
        made.RandomUniform(-0.1, 0.1, seed=1),
        made.TruncatedNormal(stddev=0.1),
        made.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
        made.Zeros(),
    ]
    constraints = [
        tf_keras.constraints.NonNeg(),
        tf_keras.constraints.UnitNorm(axis=1),
        tf_keras.constraints.MinMaxNorm(0.1, 2.0, rate=0.5),
        "max_norm",
    ]
    regularizers = [
        tf_keras.regularizers.L1(0.1),
        tf_keras.regularizers.L2(0.1),
        tf_keras.regularizers.OrthogonalRegularizer(0.1, "columns"),
        "l1_l2",
    ]
    return chain(
        (4,),
        *(
            layers.Dense(
                4,
                kernel_initializer=kind,
                kernel_constraint=constraints[i % 4],
                kernel_regularizer=regularizers[i % 4],
                activity_regularizer="l2" if i == 1 else None,
            )
            for i, kind in enumerate(kinds)
        ),
    )


@case()
def activations():
    inputs = Input((7,))
    names = [
        "elu",
        "exponential",
        "gelu",
        "linear",
        "mish",
        "relu",
        "selu",
        "sigmoid",
        "softmax",
        "softplus",
        "softsign",
        "swish",
        "tanh",
    ]
    outputs = [layers.Activation(name)(inputs) for name in names]
    return Model(inputs, [*outputs, layers.Dense(3, activation="swish")(inputs)])


@case()
def hard_sigmoid():
    """`0.2 x + 0.5` in the old Keras, `x / 6 + 0.5` in the new."""
    return chain(
        (7,), layers.Dense(4, activation="hard_sigmoid"), layers.Activation("relu")
    )


@case()
def hard_sigmoid_layer():
    return chain((7,), layers.Activation("hard_sigmoid"))


@case()
def activation_layers():
    inputs = Input((5, 4, 3))
    kinds = [
        layers.ReLU(),
        layers.ReLU(max_value=6.0),
        layers.ReLU(max_value=2.0, negative_slope=0.1, threshold=0.3),
        layers.LeakyReLU(alpha=0.2),
        layers.LeakyReLU(),
        layers.PReLU(shared_axes=[1, 2], alpha_initializer="zeros"),
        layers.PReLU(alpha_regularizer="l2", alpha_constraint="non_neg"),
        layers.ELU(alpha=0.7),
        layers.Softmax(axis=[1, 2]),
        layers.Softmax(axis=1),
    ]
    return Model(inputs, [kind(inputs) for kind in kinds])


@case()
def thresholded_relu():
    return chain((7,), layers.ThresholdedReLU(theta=0.4), layers.Dense(2))


@case()
def one_dimension():
    return chain(
        (24, 6),
        layers.ZeroPadding1D((2, 1)),
        layers.Conv1D(8, 3, padding="causal", dilation_rate=2, activation="relu"),
        layers.Conv1D(8, 3, strides=2, groups=2, padding="same", use_bias=False),
        layers.BatchNormalization(scale=False),
        layers.ReLU(),
        layers.DepthwiseConv1D(3, depth_multiplier=2, padding="same"),
        layers.SeparableConv1D(6, 3, depth_multiplier=2, activation="relu"),
        layers.Conv1DTranspose(5, 4, strides=2, padding="valid", output_padding=1),
        layers.UpSampling1D(2),
        layers.Cropping1D((1, 2)),
        layers.MaxPooling1D(3, strides=2, padding="same"),
        layers.AveragePooling1D(2),
    )


@case()
def two_dimensions():
    return chain(
        (20, 18, 4),
        layers.ZeroPadding2D(((1, 2), (2, 1))),
        layers.Conv2D(8, (3, 2), dilation_rate=2, activation="relu"),
        layers.Conv2D(8, 3, strides=2, groups=4, padding="same", use_bias=False),
        layers.BatchNormalization(center=False, momentum=0.9, epsilon=1e-2),
        layers.Activation("relu"),
        layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", use_bias=False),
        layers.DepthwiseConv2D(2, dilation_rate=2, activation="relu"),
        layers.SeparableConv2D(6, 3, depth_multiplier=2, padding="same"),
        layers.Conv2DTranspose(
            5, 3, strides=2, padding="same", output_padding=1, use_bias=False
        ),
        layers.Conv2DTranspose(4, (3, 2), strides=(1, 2), activation="relu"),
        layers.SpatialDropout2D(0.1),
        layers.UpSampling2D((2, 1), interpolation="bilinear"),
        layers.UpSampling2D(2),
        layers.Cropping2D(((1, 2), (0, 1))),
        layers.MaxPooling2D((3, 2), strides=2, padding="same"),
        layers.AveragePooling2D(2),
    )


@case()
def three_dimensions():
    return chain(
        (8, 9, 8, 2),
        layers.ZeroPadding3D(1),
        layers.Conv3D(4, (3, 2, 3), padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling3D(2),
        layers.Conv3DTranspose(3, 2, strides=2),
        layers.SpatialDropout3D(0.1),
        layers.UpSampling3D((1, 2, 1)),
        layers.Cropping3D(((1, 0), (0, 1), (1, 1))),
        layers.AveragePooling3D(2, padding="same"),
    )


@case()
def global_pooling():
    line, image, volume = Input((7, 3)), Input((6, 5, 3)), Input((4, 3, 5, 2))
    return Model(
        [line, image, volume],
        [
            layers.GlobalAveragePooling1D()(line),
            layers.GlobalMaxPooling1D(keepdims=True)(line),
            layers.GlobalAveragePooling2D(keepdims=True)(image),
            layers.GlobalMaxPooling2D()(image),
            layers.GlobalAveragePooling3D()(volume),
            layers.GlobalMaxPooling3D(keepdims=True)(volume),
        ],
    )


@case()
def channels_first():
    first = "channels_first"
    return chain(
        (4, 12, 10),
        layers.ZeroPadding2D(1, data_format=first),
        layers.BatchNormalization(axis=1),
        layers.PReLU(shared_axes=[2, 3]),
        layers.UpSampling2D(2, data_format=first),
        layers.Cropping2D(1, data_format=first),
        layers.Flatten(data_format=first),
        layers.Dense(3),
    )


@case()
def channels_first_convolutions():
    first = "channels_first"
    return chain(
        (4, 12, 10),
        layers.Conv2D(6, 3, data_format=first, activation="relu"),
        layers.GlobalAveragePooling2D(data_format=first),
    )


@case()
def normalizations():
    inputs = Input((5, 4, 6))
    kinds = [
        layers.BatchNormalization(axis=2, scale=False, center=False),
        layers.BatchNormalization(axis=1),
        layers.LayerNormalization(),
        layers.LayerNormalization(axis=[1, 3], epsilon=1e-2, center=False),
        layers.LayerNormalization(axis=2, scale=False),
        layers.GroupNormalization(groups=3, epsilon=1e-2),
        layers.GroupNormalization(groups=-1, axis=-1, scale=False),
        layers.UnitNormalization(axis=2),
        layers.UnitNormalization(axis=[1, 2]),
    ]
    return Model(inputs, [kind(inputs) for kind in kinds])


@case()
def synchronized():
    return chain((5, 6), layers.BatchNormalization(synchronized=True), layers.ReLU())


@case()
def spectral():
    # The old layer asks `tf.keras`, where Keras 3 stands today, for its InputSpec.
    with mock.patch.object(tf.keras.layers, "InputSpec", layers.InputSpec):
        return chain(
            (8, 8, 3),
            layers.SpectralNormalization(
                layers.Conv2D(4, 3, activation="relu"), power_iterations=2
            ),
            layers.Flatten(),
            layers.SpectralNormalization(layers.Dense(3)),
        )


@case(weights=False)
def adapted():
    rng = np.random.default_rng(0)
    adapting = layers.Normalization(axis=-1)
    adapting.adapt(rng.normal(3.0, 2.0, (50, 4)).astype("float32"))
    given = layers.Normalization(axis=None, mean=0.3, variance=2.0)
    inverse = layers.Normalization(mean=[1.0, 2, 3, 4], variance=[2.0] * 4, invert=True)
    inputs = Input((4,))
    x = layers.Dense(4, activation="relu")(adapting(inputs))
    return Model(inputs, [x, given(inputs), inverse(inputs)])


@case()
def images():
    inputs = Input((20, 24, 3))
    kinds = [
        layers.Rescaling(1 / 127.5, offset=-1.0),
        layers.Resizing(9, 11),
        layers.Resizing(30, 10, interpolation="nearest"),
        layers.Resizing(8, 8, interpolation="bicubic", crop_to_aspect_ratio=True),
        layers.CenterCrop(10, 12),
        layers.RandomFlip("horizontal", seed=1),
        layers.RandomRotation(0.1, fill_mode="constant", fill_value=0.5),
        layers.RandomZoom((-0.2, 0.1), None),
        layers.RandomTranslation(0.1, (0.1, 0.2), interpolation="nearest"),
        layers.RandomContrast(0.2),
        layers.RandomBrightness(0.2, value_range=(0, 1)),
        layers.RandomCrop(10, 10),
    ]
    return Model(inputs, [kind(inputs) for kind in kinds])


@case()
def more_resizing():
    """Interpolations that Keras 3 no longer has, or has under conditions."""
    return chain((16, 16, 3), layers.Resizing(7, 7, interpolation="area"))


@case(
    inputs=lambda rng: {
        "real": rng.normal(0, 2, (5, 3)).astype("float32"),
        "whole": rng.integers(0, 4, (5, 3)),
        "first": rng.integers(0, 9, (5, 1)),
        "second": rng.integers(0, 9, (5, 1)),
    }
)
def categories():
    real = Input((3,), name="real")
    whole = Input((3,), name="whole", dtype="int64")
    first = Input((1,), name="first", dtype="int64")
    second = Input((1,), name="second", dtype="int64")
    return Model(
        {"real": real, "whole": whole, "first": first, "second": second},
        [
            layers.Discretization(bin_boundaries=[-1.0, 0.0, 0.5])(real),
            layers.CategoryEncoding(4, output_mode="multi_hot")(whole),
            layers.CategoryEncoding(4, output_mode="count")(whole),
            layers.CategoryEncoding(9, output_mode="one_hot")(first),
            layers.Hashing(num_bins=5)(whole),
            layers.Hashing(num_bins=7, salt=3, output_mode="one_hot")(first),
            layers.HashedCrossing(num_bins=5)((first, second)),
            layers.IntegerLookup(vocabulary=[3, 1, 2], num_oov_indices=1)(whole),
        ],
    )


@case(weights=False)
def adapted_discretization():
    cutting = layers.Discretization(num_bins=4)
    cutting.adapt(np.random.default_rng(0).normal(size=(200, 1)).astype("float32"))
    return chain((3,), cutting, layers.Embedding(5, 2))


@case(inputs=lambda rng: np.array([["a"], ["c"], ["zz"]]))
def strings():
    inputs = Input((1,), dtype="string")
    index = layers.StringLookup(vocabulary=["a", "b", "c"])(inputs)
    return Model(inputs, layers.Embedding(4, 3)(index))


@case(inputs=lambda rng: np.array([["a b c"], ["c, C a?"], ["nobody knows"]]))
def text():
    inputs = Input((1,), dtype="string")
    index = layers.TextVectorization(
        max_tokens=6, output_sequence_length=4, vocabulary=["a", "b", "c"]
    )(inputs)
    return Model(inputs, layers.Embedding(6, 3)(index))


@case()
def merges():
    a, b, c = Input((4, 6), name="a"), Input((4, 6), name="b"), Input((4, 6), name="c")
    kinds = [
        layers.Add()([a, b, c]),
        layers.Subtract()([a, b]),
        layers.Multiply()([a, b, c]),
        layers.Average()([a, b]),
        layers.Maximum()([a, b, c]),
        layers.Minimum()([a, b]),
        layers.Concatenate(axis=1)([a, b]),
        layers.Concatenate()([a, b, c]),
        layers.Dot(axes=(2, 2))([a, b]),
        layers.Dot(axes=1, normalize=True)([a, b]),
    ]
    return Model([a, b, c], kinds)


@case()
def attention():
    x, y = Input((5, 8)), Input((7, 8))
    many = layers.MultiHeadAttention(2, 4, value_dim=3, dropout=0.1, output_shape=6)
    scores = layers.MultiHeadAttention(
        3, 2, use_bias=False, kernel_regularizer="l2", name="with_scores"
    )
    attended, weights = scores(x, y, return_attention_scores=True)
    return Model(
        [x, y],
        [
            many(query=x, value=y),
            attended,
            weights,
            layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True),
            layers.Attention()([x, y]),
            layers.Attention(use_scale=True)([x, y, y]),
            layers.Attention(score_mode="concat", dropout=0.2)([x, y]),
            layers.AdditiveAttention()([x, y]),
            layers.AdditiveAttention(use_scale=False)([x, y]),
            layers.Attention()([x, x], use_causal_mask=True),
        ],
    )


@case()
def attention_axes():
    return Model(
        x := Input((3, 4, 8)),
        layers.MultiHeadAttention(2, 3, attention_axes=(2,))(x, x),
    )
