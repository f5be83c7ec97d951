"""One model for each family of layers."""

import keras
import numpy as np

from tests.legacy.zoo.cases import Block
from tests.legacy.zoo.cases import Scale
from tests.legacy.zoo.cases import case
from tests.legacy.zoo.cases import double
from tests.legacy.zoo.cases import floats
from tests.legacy.zoo.cases import squash

layers = keras.layers
Input = keras.Input
Model = keras.Model
Sequential = keras.Sequential


def _each(rng, shape, *found):
    """A model with one output for each layer."""
    x = Input(shape)
    return Model(x, [layer(x) for layer in found]), floats(rng, 2, *shape)


@case()
def convolutions(rng):
    """Every convolution."""
    return _each(
        rng,
        (8, 8, 4),
        layers.Conv2D(3, 3, strides=2, padding="same", groups=1),
        layers.Conv2D(4, 3, dilation_rate=2, groups=2, activation="relu"),
        layers.Conv2DTranspose(3, 3, strides=2, padding="same"),
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        layers.SeparableConv2D(5, 3, depth_multiplier=2, activation="relu"),
        layers.Conv2D(3, 1, use_bias=False, kernel_initializer="he_normal"),
    )


@case()
def convolutions_of_sequences(rng):
    """Those over one axis."""
    return _each(
        rng,
        (8, 4),
        layers.Conv1D(3, 3, padding="causal"),
        layers.Conv1DTranspose(3, 3),
        layers.DepthwiseConv1D(3),
        layers.SeparableConv1D(5, 3),
    )


@case()
def convolutions_of_volumes(rng):
    """Those over three axes."""
    return _each(rng, (4, 4, 4, 2), layers.Conv3D(3, 3), layers.Conv3DTranspose(3, 2))


@case()
def normalizations(rng):
    """Every normalization by statistics."""
    return _each(
        rng,
        (4, 6),
        layers.BatchNormalization(momentum=0.9, epsilon=1e-2),
        layers.BatchNormalization(axis=1, scale=False),
        layers.LayerNormalization(),
        layers.LayerNormalization(axis=[1, 2], center=False),
        layers.GroupNormalization(groups=2),
        layers.UnitNormalization(),
    )


@case()
def normalization_rms_scaling(rng):
    """LayerNormalization that only scales."""
    return _each(rng, (4, 6), layers.LayerNormalization(rms_scaling=True))


@case(since=(3, 9))
def normalization_rms(rng):
    """RMSNormalization."""
    return _each(rng, (4, 6), layers.RMSNormalization())


@case()
def normalization_synchronized(rng):
    """BatchNormalization over replicas."""
    return _each(rng, (4, 6), layers.BatchNormalization(synchronized=True))


@case(since=(3, 13))
def normalization_renorm(rng):
    """BatchNormalization with renorm, where a release has it."""
    return _each(rng, (4, 6), layers.BatchNormalization(renorm=True))


@case()
def spectral(rng):
    """SpectralNormalization around two layers."""
    return _each(
        rng,
        (8, 8, 4),
        layers.SpectralNormalization(layers.Conv2D(3, 3)),
        layers.SpectralNormalization(layers.Dense(3), power_iterations=2),
    )


@case()
def dense_kinds(rng):
    """Dense, EinsumDense, and what shapes."""
    return _each(
        rng,
        (4, 6),
        layers.Dense(3, kernel_regularizer="l2", kernel_constraint="non_neg"),
        layers.Dense(
            3,
            kernel_initializer=keras.initializers.VarianceScaling(2.0, "fan_out"),
            bias_initializer=keras.initializers.Constant(0.2),
            kernel_regularizer=keras.regularizers.L1L2(0.1, 0.2),
            bias_constraint=keras.constraints.MaxNorm(2),
            activity_regularizer=keras.regularizers.L2(0.01),
        ),
        layers.EinsumDense("abc,cd->abd", output_shape=(None, 5), bias_axes="d"),
        layers.Reshape((-1, 3)),
        layers.Permute((2, 1)),
        layers.Flatten(),
    )


@case()
def shapes_of_images(rng):
    """Pooling, padding, cropping, upsampling."""
    return _each(
        rng,
        (8, 8, 4),
        layers.MaxPooling2D(3, strides=2, padding="same"),
        layers.AveragePooling2D(2),
        layers.GlobalMaxPooling2D(keepdims=True),
        layers.GlobalAveragePooling2D(),
        layers.ZeroPadding2D(((1, 2), (0, 1))),
        layers.Cropping2D(1),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.UpSampling2D((1, 2)),
    )


@case()
def shapes_of_sequences(rng):
    """The same over one axis."""
    return _each(
        rng,
        (8, 4),
        layers.MaxPooling1D(2),
        layers.AveragePooling1D(2, strides=1),
        layers.GlobalAveragePooling1D(),
        layers.ZeroPadding1D(1),
        layers.Cropping1D((1, 2)),
        layers.UpSampling1D(2),
    )


@case()
def merges(rng):
    """Everything that joins tensors."""
    a, b = Input((4,)), Input((4,))
    kinds = (layers.Add, layers.Multiply, layers.Average, layers.Maximum)
    found = [kind()([a, b]) for kind in (*kinds, layers.Minimum, layers.Subtract)]
    found += [layers.Concatenate(axis=1)([a, b]), layers.Dot(axes=1)([a, b])]
    found += [layers.Dot(axes=-1, normalize=True)([a, b]), layers.RepeatVector(2)(a)]
    return Model([a, b], found), [floats(rng, 2, 4), floats(rng, 2, 4)]


# --------------------------------------------------------------------------
# Sequences


@case()
def embedded(rng):
    """An embedding whose zeros are masked, and recurrent layers behind it."""
    x = Input((5,), dtype="int32")
    y = layers.Embedding(9, 4, mask_zero=True)(x)
    y = layers.LSTM(3, return_sequences=True)(y)
    y = layers.GRU(3, reset_after=False, return_sequences=True)(y)
    model = Model(x, layers.Dense(2)(layers.SimpleRNN(3)(y)))
    return model, np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8]], "int32")


@case()
def masked(rng):
    """Masking by value, through layers that pass a mask on."""
    x = Input((5, 4))
    y = layers.Masking(0.0)(x)
    y = layers.TimeDistributed(layers.Dense(3, activation="relu"))(y)
    y = layers.Dropout(0.2)(y)
    y = layers.LSTM(3)(layers.Add()([y, y]))
    data = floats(rng, 3, 5, 4)
    data[0, 3:] = 0.0
    return Model(x, y), data


@case()
def recurrent(rng):
    """Recurrent layers and their arguments."""
    x = Input((5, 4))
    both = layers.Bidirectional(layers.LSTM(3, return_sequences=True, dropout=0.1))
    y = both(x)
    z = layers.Bidirectional(
        layers.GRU(2, go_backwards=False),
        merge_mode="sum",
        backward_layer=layers.GRU(2, go_backwards=True),
    )(y)
    w = layers.GRU(3, recurrent_dropout=0.1, use_bias=False)(x)
    v = layers.LSTM(3, recurrent_activation="hard_sigmoid", unit_forget_bias=False)(x)
    return Model(x, [z, w, v]), floats(rng, 2, 5, 4)


@case()
def cells(rng):
    """RNN with cells, alone and stacked."""
    x = Input((5, 4))
    y = layers.RNN(layers.LSTMCell(3), return_sequences=True)(x)
    stacked = layers.StackedRNNCells([layers.GRUCell(3), layers.SimpleRNNCell(2)])
    listed = layers.RNN([layers.LSTMCell(2), layers.LSTMCell(3)])
    return Model(x, [layers.RNN(stacked)(y), listed(y)]), floats(rng, 2, 5, 4)


@case()
def recurrent_images(rng):
    """ConvLSTM."""
    x = Input((3, 6, 6, 2))
    y = layers.ConvLSTM2D(3, 3, return_sequences=True)(x)
    return Model(x, layers.ConvLSTM2D(2, 2)(y)), floats(rng, 2, 3, 6, 6, 2)


@case()
def stateful(rng):
    """A recurrent layer that keeps its state."""
    x = Input(batch_shape=(2, 5, 4))
    return Model(x, layers.LSTM(3, stateful=True)(x)), floats(rng, 2, 5, 4)


@case()
def attentions(rng):
    """Every attention."""
    x = Input((5, 4))
    found = [
        layers.MultiHeadAttention(2, 3, value_dim=2, dropout=0.1)(x, x),
        layers.MultiHeadAttention(2, 3, output_shape=(5,), use_bias=False)(x, x),
        layers.Attention(use_scale=True, score_mode="concat", dropout=0.1)([x, x]),
        layers.AdditiveAttention()([x, x]),
        layers.Attention()([x, x, x]),
    ]
    return Model(x, found), floats(rng, 2, 5, 4)


@case()
def attention_with_scores(rng):
    """Attention that gives its scores too, with a causal mask."""
    x = Input((5, 4))
    y, scores = layers.MultiHeadAttention(2, 3)(
        x, x, use_causal_mask=True, return_attention_scores=True
    )
    return Model(x, [y, scores]), floats(rng, 2, 5, 4)


@case()
def attention_grouped(rng):
    """GroupQueryAttention, under the name that a release exports."""
    x = Input((5, 4))
    kind = getattr(layers, "GroupQueryAttention", None)
    kind = kind or layers.GroupedQueryAttention
    y = kind(head_dim=3, num_query_heads=4, num_key_value_heads=2)(x, x)
    return Model(x, y), floats(rng, 2, 5, 4)


# --------------------------------------------------------------------------
# Before the model


@case(random=False)
def adapted(rng):
    """Layers that have seen data."""
    data = floats(rng, 40, 4) * 3 + 1
    normal, inverse = layers.Normalization(), layers.Normalization(invert=True)
    bins = layers.Discretization(num_bins=4)
    for each in (normal, inverse, bins):
        each.adapt(data)
    given = layers.Normalization(mean=[1.0, 2, 3, 4], variance=[1.0, 2, 1, 2])
    edges = layers.Discretization(bin_boundaries=[-1.0, 0.0, 2.0])
    x = Input((4,))
    found = [each(x) for each in (normal, inverse, bins, given, edges)]
    return Model(x, [*found, layers.Rescaling(2.0, offset=0.5)(x)]), data[:3]


@case()
def categories(rng):
    """Layers that encode numbers."""
    x = Input((3,), dtype="int32")
    found = [
        layers.CategoryEncoding(6, output_mode="multi_hot")(x),
        layers.CategoryEncoding(6, output_mode="count")(x),
        layers.IntegerLookup(vocabulary=[3, 1, 4], num_oov_indices=1)(x),
        layers.Hashing(5)(x),
    ]
    return Model(x, found), rng.integers(0, 6, (4, 3)).astype("int32")


@case(random=False)
def text(rng):
    """A vocabulary that was learned."""
    lines = np.array(["the cat sat", "the dog sat", "a bird"])
    vectorize = layers.TextVectorization(max_tokens=9, output_sequence_length=4)
    vectorize.adapt(lines)
    x = Input((), dtype="string")
    y = layers.Embedding(9, 3)(vectorize(x))
    return Model(x, layers.Dense(2)(layers.GlobalAveragePooling1D()(y))), lines


@case(random=False)
def text_weighed(rng):
    """The same with weights for each word."""
    lines = np.array(["the cat sat", "the dog sat", "a bird"])
    vectorize = layers.TextVectorization(output_mode="tf_idf")
    vectorize.adapt(lines)
    x = Input((), dtype="string")
    return Model(x, vectorize(x)), lines


@case(random=False)
def lookups(rng):
    """Vocabularies that were given, and that were learned."""
    words = np.array([["cat"], ["dog"], ["cow"]])
    given = layers.StringLookup(vocabulary=["dog", "cat"])
    learned = layers.StringLookup(output_mode="one_hot")
    learned.adapt(words)
    x = Input((1,), dtype="string")
    return Model(x, [given(x), learned(x)]), words


@case()
def augmented(rng):
    """Layers that change images at random while training."""
    model = Sequential(
        [
            Input((8, 8, 3)),
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(0.1),
            layers.RandomZoom(0.1),
            layers.RandomContrast(0.1),
            layers.RandomBrightness(0.1, value_range=(0, 1)),
            layers.RandomTranslation(0.1, 0.1),
            layers.RandomCrop(7, 7),
            layers.Resizing(6, 6),
            layers.CenterCrop(5, 5),
            layers.Conv2D(2, 3, activation="relu"),
        ]
    )
    return model, rng.random((2, 8, 8, 3)).astype("float32")


@case()
def resized(rng):
    """Resizing in its kinds."""
    return _each(
        rng,
        (8, 8, 3),
        layers.Resizing(5, 5, interpolation="nearest"),
        layers.Resizing(5, 4, crop_to_aspect_ratio=True),
        layers.Resizing(11, 13, interpolation="bicubic"),
    )


@case()
def noisy(rng):
    """Layers that have a generator of random numbers."""
    model = Sequential(
        [
            Input((5, 6)),
            layers.Dropout(0.3, seed=3),
            layers.GaussianNoise(0.1),
            layers.GaussianDropout(0.1),
            layers.AlphaDropout(0.1),
            layers.SpatialDropout1D(0.2),
            layers.ActivityRegularization(l2=0.1),
            layers.Dense(3, activation="relu"),
        ]
    )
    return model, floats(rng, 2, 5, 6)


@case(since=(3, 1), forms=False)
def spectrogram(rng):
    """MelSpectrogram."""
    x = Input((256,))
    layer = layers.MelSpectrogram(
        fft_length=32, sequence_stride=16, num_mel_bins=4, sampling_rate=8000
    )
    return Model(x, layer(x)), floats(rng, 2, 256)


@case(since=(3, 9), forms=False)
def pipeline(rng):
    """Preprocessing layers in a Pipeline."""
    steps = [layers.RandomFlip(), layers.Resizing(5, 5)]
    x = Input((8, 8, 3))
    y = layers.Pipeline(steps)(x)
    return Model(x, layers.Conv2D(2, 3)(y)), rng.random((2, 8, 8, 3)).astype("float32")


# --------------------------------------------------------------------------
# Code of one's own


@case()
def functions(rng):
    """Registered functions in a Lambda and as an activation."""
    x = Input((6,))
    y = layers.Lambda(double)(layers.Dense(4, activation=squash)(x))
    return Model(x, y), floats(rng, 3, 6)


@case(opening={"safe_mode": False})
def code(rng):
    """A Lambda of Python code."""
    x = Input((6,))
    y = layers.Lambda(lambda t: t * 3.0, output_shape=(6,))(x)
    return Model(x, layers.Dense(2)(y)), floats(rng, 3, 6)


@case()
def own_layers(rng):
    """Registered layers, one with layers inside."""
    model = Sequential([Input((6,)), Scale(), Block(4), layers.Dense(2), Scale()])
    return model, floats(rng, 3, 6)


# --------------------------------------------------------------------------
# Kinds of numbers


@case()
def mixed_precision(rng):
    """float16 inside, float32 at the end."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    x = Input((6,))
    y = layers.LayerNormalization()(layers.Dense(4, activation="relu")(x))
    model = Model(x, layers.Dense(3, dtype="float32")(y))
    keras.config.set_dtype_policy(before)
    return model, floats(rng, 3, 6)


@case()
def mixed_bfloat16(rng):
    """A policy for one layer, in a Sequential with a backbone of another."""
    model = Sequential(
        [
            Input((6,)),
            layers.Dense(4, activation="relu", dtype="mixed_bfloat16"),
            layers.Dense(3, dtype=keras.mixed_precision.DTypePolicy("float32")),
        ]
    )
    return model, floats(rng, 3, 6)


@case()
def bfloat16_weights(rng):
    """Weights that are bfloat16 themselves."""
    model = Sequential(
        [Input((6,)), layers.Dense(4, dtype="bfloat16"), layers.Dense(3)]
    )
    return model, floats(rng, 3, 6)


def _quantize(mode):
    def after(model, inputs, rng):
        model.quantize(mode)
        model(inputs)

    return after


def _wide(rng):
    x = Input((6,))
    y = layers.Dense(8, activation="relu")(x)
    y = layers.EinsumDense("ab,bc->ac", output_shape=8, bias_axes="c")(y)
    return Model(x, layers.Dense(3)(y)), floats(rng, 3, 6)


@case(since=(3, 3), after=_quantize("int8"))
def int8(rng):
    """Quantized to 8 bits."""
    return _wide(rng)


@case(since=(3, 4), after=_quantize("float8"))
def float8(rng):
    """Quantized for training in 8 bits."""
    return _wide(rng)


@case(since=(3, 11), after=_quantize("int4"))
def int4(rng):
    """Quantized to 4 bits."""
    return _wide(rng)


@case(since=(3, 4), after=_quantize("int8"))
def int8_embedding(rng):
    """An embedding in 8 bits."""
    x = Input((5,), dtype="int32")
    y = layers.Embedding(9, 4)(x)
    model = Model(x, layers.Dense(2)(layers.Flatten()(y)))
    return model, rng.integers(0, 9, (3, 5)).astype("int32")


def _adapt(model, inputs, rng):
    for layer in model.layers:
        if hasattr(layer, "enable_lora"):
            layer.enable_lora(2)
            kind = "kernel" if hasattr(layer, "lora_kernel_a") else "embeddings"
            for end in "ab":
                weight = getattr(layer, f"lora_{kind}_{end}")
                weight.assign(rng.normal(0, 0.5, weight.shape))


@case(since=(3, 1), after=_adapt)
def lora(rng):
    """Low-rank adaptation of three layers."""
    x = Input((5,), dtype="int32")
    y = layers.Flatten()(layers.Embedding(9, 4)(x))
    y = layers.EinsumDense("ab,bc->ac", output_shape=6, bias_axes="c")(y)
    return Model(x, layers.Dense(3)(y)), rng.integers(0, 9, (3, 5)).astype("int32")
