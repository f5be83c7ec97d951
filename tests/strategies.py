"""Random models for property tests: hypothesis draws a recipe, Keras builds it."""

import keras
import numpy as np
from hypothesis import strategies as st
from keras import layers
from keras import ops

#: Steps that keep the shape `(batch, 6, 6, channels)`.
_RECTIFIERS = (
    "ReLU",
    "ReLU6",
    "Activation",
    "Activation6",
    "ops.relu",
    "ops.relu6",
    "maximum",
    "maximum_flipped",
    "where",
    "clip",
    "activations.relu",
    "shared_relu",
    "penalized_relu",
)
_OTHERS = (
    "conv",
    "conv_relu",
    "depthwise_relu",
    "separable_relu",
    "norm",
    "dropout",
    "add",
    "concatenate",
    "nested",
    "nested_twice",
    "sequential",
    "time_distributed",
    "shared_conv",
    "gate",
    "branches",
    "stock_prelu",
)
_ENDS = ("dense", "dense_relu", "dict", "list", "convolutional")

recipes = st.fixed_dictionaries(
    {
        "steps": st.lists(
            st.tuples(st.sampled_from(_RECTIFIERS + _OTHERS), st.integers(2, 5)),
            min_size=2,
            max_size=9,
        ),
        "end": st.sampled_from(_ENDS),
        "seed": st.integers(0, 2**16),
    }
)


def build(recipe):
    """The model of a recipe, with weights that make every branch matter."""
    keras.utils.set_random_seed(recipe["seed"])
    inputs = keras.Input((6, 6, 3))
    builder = _Builder()
    x, earlier = inputs, [inputs]
    for step, channels in recipe["steps"]:
        x = builder.step(step, x, channels, earlier)
        earlier.append(x)
    model = keras.Model(inputs, builder.end(recipe["end"], x))
    rng = np.random.default_rng(recipe["seed"])
    for weight in model.weights:
        # Variances of batch normalization must stay positive.
        value = rng.uniform(0.1, 1.0, weight.shape)
        sign = 1 if "variance" in weight.path else rng.choice([-1, 1], weight.shape)
        weight.assign(value * sign)
    return model


def inputs_for(model, samples=3):
    """A batch with exact zeros of both signs in it."""
    x = np.random.default_rng(1).normal(size=(samples, *model.input.shape[1:]))
    x[0, :2] = 0.0
    x[1, :2] = -0.0
    return x.astype("float32")


class _Builder:
    def __init__(self):
        self.shared_relu = layers.ReLU()
        self.shared_convs = {}

    def step(self, name, x, channels, earlier):
        """One step of a recipe."""
        rectified = self._rectifier(name, x)
        if rectified is not None:
            return rectified
        same = [each for each in earlier if each.shape == x.shape]
        width = x.shape[-1]
        match name:
            case "conv" | "conv_relu":
                fused = "relu" if name == "conv_relu" else None
                return layers.Conv2D(channels, 3, padding="same", activation=fused)(x)
            case "depthwise_relu":
                return layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
            case "separable_relu":
                return layers.SeparableConv2D(
                    channels, 3, padding="same", activation="relu6"
                )(x)
            case "norm":
                return layers.BatchNormalization()(x)
            case "dropout":
                return layers.Dropout(0.3)(x)
            case "add":
                return layers.Add()([x, same[0]])
            case "concatenate":
                return layers.Concatenate()([x, earlier[0]])
            case "nested" | "nested_twice":
                inner = self._inner(width)
                return inner(inner(x)) if name == "nested_twice" else inner(x)
            case "sequential":
                return keras.Sequential(
                    [
                        keras.Input(x.shape[1:]),
                        layers.Dense(channels, activation="relu"),
                        layers.BatchNormalization(),
                        layers.ReLU(),
                    ]
                )(x)
            case "time_distributed":
                return layers.TimeDistributed(layers.Dense(channels, "relu"))(x)
            case "shared_conv":
                layer = layers.Conv2D(width, 1, activation="relu")
                conv = self.shared_convs.setdefault(width, layer)
                return conv(conv(x))
            case "gate":
                return x * (layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0))
            case "branches":
                left = layers.Conv2D(channels, 1)(x)
                left = ops.where(left > 0, left, 0.0)
                right = layers.Conv2D(channels, 1)(x)
                for _ in range(channels - 2):  # shorter, as deep, or deeper
                    right = layers.Conv2D(channels, 1, activation="relu")(right)
                return layers.Add()([left, right])
            case "stock_prelu":
                return layers.PReLU(shared_axes=[1, 2])(x)
        raise AssertionError(name)

    def end(self, name, x):
        """The outputs of a recipe."""
        flat = layers.Flatten()(x)
        match name:
            case "dense":
                return layers.Dense(2)(flat)
            case "dense_relu":
                return layers.Dense(2)(layers.Dense(4, activation="relu")(flat))
            case "dict":
                return {"a": layers.Dense(2)(flat), "b": layers.ReLU()(flat) + 1}
            case "list":
                return [layers.Dense(2)(flat), (ops.sqrt(layers.ReLU()(flat)),)]
            case "convolutional":
                return layers.Conv2D(1, 3)(x)
        raise AssertionError(name)

    def _rectifier(self, name, x):
        makers = {
            "ReLU": lambda: layers.ReLU()(x),
            "ReLU6": lambda: layers.ReLU(6.0)(x),
            "Activation": lambda: layers.Activation("relu")(x),
            "Activation6": lambda: layers.Activation("relu6")(x),
            "ops.relu": lambda: ops.relu(x),
            "ops.relu6": lambda: ops.relu6(x),
            "maximum": lambda: ops.maximum(x, 0.0),
            "maximum_flipped": lambda: ops.maximum(0, x),
            "where": lambda: ops.where(x > 0, x, 0.0),
            "clip": lambda: ops.clip(x, 0, 4),
            "activations.relu": lambda: keras.activations.relu(x, max_value=5),
            "shared_relu": lambda: self.shared_relu(x),
            "penalized_relu": lambda: layers.ReLU(activity_regularizer="l2")(x),
        }
        return makers[name]() if name in makers else None

    def _inner(self, width):
        inputs = keras.Input((6, 6, width))
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(inputs)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        return keras.Model(inputs, ops.maximum(x, 0.0))
