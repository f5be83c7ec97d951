"""Random networks and inputs, and what their rectifiers really see."""

import keras
import numpy as np
from hypothesis import strategies as st
from keras import layers
from keras import ops

_STEPS = (
    *("conv", "conv_same", "conv_strided", "conv_groups", "conv_transpose"),
    *("depthwise", "separable", "dense", "norm", "norm", "normalization"),
    *("relu", "relu6", "leaky", "prelu", "threshold", "fused_relu", "ops_relu"),
    *("sigmoid", "tanh", "elu", "silu", "gelu", "softplus", "softmax", "selu"),
    *("max_pool", "average_pool", "average_same", "pad", "crop", "upsample"),
    *("add", "subtract", "multiply", "concatenate", "average", "maximum"),
    *("rescale", "affine", "gate", "dropout", "permute", "reshape"),
    *("nested", "nested_twice", "sequential", "time_distributed", "shared"),
    *("where", "clip", "layer_norm"),
)
_ENDS = ("flatten", "global_average", "global_max", "none")

recipes = st.fixed_dictionaries(
    {
        "steps": st.lists(st.sampled_from(_STEPS), min_size=1, max_size=7),
        "end": st.sampled_from(_ENDS),
        "seed": st.integers(0, 2**16),
        "center": st.sampled_from([0.0, 0.5, -3.0, 128.0]),
        "width": st.sampled_from([0.0, 0.01, 1.0, 127.0]),
        "shift": st.sampled_from([0.0, -2.0, 2.0]),
    }
)


def build(recipe):
    """The model of a recipe: random weights, some of them far from usual."""
    keras.utils.set_random_seed(recipe["seed"])
    inputs = x = keras.Input((6, 6, 3))
    for index, step in enumerate(recipe["steps"]):
        x = _step(step, x, inputs, index)
    x = _end(recipe["end"], x)
    x = layers.Dense(5, activation="relu", name="last")(x)
    model = keras.Model(inputs, x)
    model(np.zeros((1, 6, 6, 3)))  # builds what stands in `activation`
    rng = np.random.default_rng(recipe["seed"])
    for weight in model.weights:
        value = rng.normal(size=weight.shape)
        if "variance" in weight.path:
            value = rng.uniform(0.0, 2.0, weight.shape)
        elif "kernel" in weight.path and rng.random() < 0.3:
            value = -np.abs(value)
        elif "bias" in weight.path or "beta" in weight.path:
            value = value + recipe["shift"]
        weight.assign(value.astype(weight.dtype))
    return model


def inputs_for(recipe, samples=24):
    """Inputs in the range of a recipe: random ones, corners, and both ends."""
    lo, hi = range_of(recipe)
    rng = np.random.default_rng(recipe["seed"] + 1)
    shape = (samples, 6, 6, 3)
    x = rng.uniform(lo, hi, shape)
    corners = rng.random(shape) < 0.5
    x[::3] = np.where(corners, lo, hi)[::3]
    x[1], x[2] = lo, hi
    by_channel = rng.random((samples, 1, 1, 3)) < 0.5
    x[4::3] = np.where(by_channel, lo, hi)[4::3]
    x = x.astype("float32")
    return np.clip(x, np.float32(lo), np.float32(hi))


def range_of(recipe):
    """Lower and upper end of a recipe's inputs."""
    lo = recipe["center"] - recipe["width"]
    return lo, recipe["center"] + recipe["width"]


def _step(name, x, first, index):  # noqa: PLR0915 (one case for each step)
    channels = x.shape[-1]
    match name:
        case "conv":
            return layers.Conv2D(4, 3, padding="same")(x)
        case "conv_same":
            return layers.Conv2D(5, 2, padding="same", activation="relu")(x)
        case "conv_strided":
            made = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(x)
            return layers.UpSampling2D(2)(made)
        case "conv_groups":
            return layers.Conv2D(channels * 2, 1, groups=channels)(x)
        case "conv_transpose":
            return layers.Conv2DTranspose(3, 3, padding="same")(x)
        case "depthwise":
            return layers.DepthwiseConv2D(
                3, depth_multiplier=2, padding="same", activation="relu"
            )(x)
        case "separable":
            return layers.SeparableConv2D(4, 3, padding="same", activation="relu")(x)
        case "dense":
            return layers.Dense(4)(x)
        case "norm":
            return layers.BatchNormalization(scale=index % 2 == 0)(x)
        case "normalization":
            statistics = np.linspace(-1, 1, channels)
            return layers.Normalization(mean=statistics, variance=statistics**2)(x)
        case "relu":
            return layers.ReLU()(x)
        case "relu6":
            return layers.Activation("relu6")(x)
        case "leaky":
            return layers.LeakyReLU(0.3)(x)
        case "prelu":
            return layers.PReLU(shared_axes=[1, 2] if index % 2 else None)(x)
        case "threshold":
            return layers.ReLU(threshold=0.7, max_value=4.0, negative_slope=0.2)(x)
        case "fused_relu":
            return layers.Dense(3, activation=layers.PReLU(shared_axes=[1, 2]))(x)
        case "ops_relu":
            return ops.maximum(x, 0.0)
        case "where":
            return ops.where(x > 0, x, 0.0)
        case "clip":
            return ops.clip(x, 0, 4)
        case "max_pool":
            return _back(layers.MaxPooling2D(2)(x))
        case "average_pool":
            return _back(layers.AveragePooling2D(2)(x))
        case "average_same":
            return layers.AveragePooling2D(3, strides=1, padding="same")(x)
        case "pad":
            return layers.Cropping2D(((1, 0), (0, 1)))(
                layers.ZeroPadding2D(((1, 0), (0, 1)))(x)
            )
        case "crop":
            return layers.ZeroPadding2D(1)(layers.Cropping2D(1)(x))
        case "upsample":
            return layers.Cropping2D(3)(
                layers.UpSampling2D(2, interpolation="bilinear")(x)
            )
        case "add":
            return layers.Add()([x, layers.Dense(channels)(first)])
        case "subtract":
            return layers.Subtract()([x, layers.Dense(channels)(first)])
        case "multiply":
            return x * layers.Dense(channels)(first)
        case "average":
            return layers.Average()([x, layers.Dense(channels)(first)])
        case "maximum":
            return ops.maximum(x, layers.Dense(channels)(first))
        case "concatenate":
            return layers.Concatenate(axis=index % 3 + 1)([x, x])[:, :6, :6]
        case "rescale":
            return layers.Rescaling(1 / 127.5, offset=-1.0)(x)
        case "affine":
            return (2.0 - x) / 3.0
        case "gate":
            return x * (layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0))
        case "dropout":
            return layers.SpatialDropout2D(0.3)(layers.Dropout(0.3)(x))
        case "permute":
            return layers.Permute((2, 1, 3))(x)
        case "reshape":
            flat = layers.Reshape((36, channels))(x)
            made = layers.Conv1D(3, 2, padding="causal", activation="relu")(flat)
            return layers.Reshape((6, 6, 3))(made)
        case "nested":
            return _inner(channels)(x)
        case "nested_twice":
            inner = _inner(channels)
            return inner(inner(x))
        case "sequential":
            return keras.Sequential(
                [layers.Dense(3, activation="relu"), layers.BatchNormalization()]
            )(x)
        case "time_distributed":
            return layers.TimeDistributed(layers.Conv1D(3, 1, activation="relu"))(x)
        case "shared":
            layer = layers.Conv2D(channels, 1, activation="relu")
            return layer(layer(x))
        case "layer_norm":
            return layers.LayerNormalization()(x)
    return layers.Activation(name)(x)


def _inner(channels):
    inputs = keras.Input((6, 6, channels))
    x = layers.Conv2D(channels, 3, padding="same")(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(inputs, x)


def _back(x):
    return layers.UpSampling2D(2)(x)


def _end(name, x):
    match name:
        case "flatten":
            return layers.Flatten()(x)
        case "global_average":
            return layers.GlobalAveragePooling2D()(x)
        case "global_max":
            return layers.GlobalMaxPooling2D()(x)
    return x
