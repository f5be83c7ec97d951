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
    "where_below",
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
    "channels_first",
    "permute",
    "reshape",
    "repeat",
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
            case "channels_first":
                first = {"data_format": "channels_first"}  # no convolution on a CPU
                y = layers.ZeroPadding2D(1, **first)(layers.Permute((3, 1, 2))(x))
                y = layers.ReLU(6.0)(layers.Cropping2D(1, **first)(y))
                return layers.Permute((2, 3, 1))(y)
            case "permute":
                y = layers.ReLU()(layers.Permute((1, 3, 2))(x))
                return layers.Permute((1, 3, 2))(y)
            case "reshape":
                y = ops.relu(layers.Reshape((36, width))(x))
                return layers.Reshape((6, 6, width))(y)
            case "repeat":
                y = layers.RepeatVector(36)(layers.GlobalAveragePooling2D()(x))
                return layers.Reshape((6, 6, width))(layers.ReLU()(y))
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
            "where_below": lambda: ops.where(x < 0, 0.0, x),
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


#: Steps of a model in which the channels wander from axis to axis.
_WANDERING = (
    "conv_first",
    "conv_last",
    "pool",
    "pad",
    "global",
    "global_keepdims",
    "dense",
    "einsum",
    "lstm",
    "repeat",
    "permute",
    "transpose",
    "expand",
    "mean",
    "reshape",
    "flatten",
    "norm",
    "dropout",
    "time_conv",
    "time_dense",
    "nested",
    "nested_twice",
    "sequential",
    "add",
    "gate",
    "shared_relu",
)

#: Of these, what no Sequential can hold.
_GRAPHS = frozenset(
    {"nested", "nested_twice", "add", "gate", "shared_relu"}
    | {"transpose", "expand", "mean"}
)

wandering_recipes = st.fixed_dictionaries(
    {
        "steps": st.lists(
            st.tuples(st.sampled_from(_WANDERING), st.integers(0, 5)),
            min_size=2,
            max_size=8,
        ),
        "rank": st.integers(3, 5),
        "sequential": st.booleans(),
    }
)


class Wandering:
    """A model whose channels wander, and where they lie by construction.

    Args:
        recipe: One of `wandering_recipes`.

    Attributes:
        model: The model.
        units: Axis and number of the channels of each rectifier, by path.
    """

    def __init__(self, recipe):
        self.units = {}
        self._count = 0
        self._relu = None
        shape = (None, 7, 8, 9, 6)[: recipe["rank"] - 1]
        inputs = keras.Input((*shape[1:], 5))
        self._plain = recipe["sequential"]
        x, axis = inputs, len(inputs.shape) - 1
        chain = [inputs]
        for step, number in recipe["steps"]:
            self._chain = []
            made = self._step(step, x, axis, number)
            if made is not None:
                x, axis = made
                x, axis = self._rectified(x, axis, number)
                chain += self._chain
        x = layers.Flatten()(x)
        self.model = keras.Model(inputs, layers.Dense(2, name="end")(x))
        if self._plain:
            members = [layers.Flatten(), layers.Dense(2, name="end")]
            self.model = keras.Sequential([*chain, *members])

    def _call(self, layer, x):
        self._chain.append(layer)
        return layer(x)

    def _name(self):
        self._count += 1
        return f"r{self._count}"

    def _note(self, path, x, axis):
        self.units[path] = axis, x.shape[axis]

    def _rectified(self, x, axis, number):
        name = self._name()
        makers = (
            layers.ReLU(name=name),
            layers.Activation("relu", name=name),
            layers.LeakyReLU(name=name),
        )
        x = self._call(makers[number % 3], x)
        self._note(name, x, axis)
        if number == 4 and not self._plain:
            x = ops.relu(x)
            self._note(x._keras_history.operation.name, x, axis)
        return x, axis

    def _step(self, name, x, axis, number):
        """What a step makes, and on which axis its channels are; None: no such."""
        if self._plain and name in _GRAPHS:
            return None
        for family in (self._layer, self._axes, self._around):
            made = family(name, x, axis, number)
            if made is not None:
                return made
        return None

    def _layer(self, name, x, axis, number):
        """A layer with units of its own, or one that keeps those of others."""
        rank = len(x.shape)
        first = axis == 1 and rank > 2
        form = "channels_first" if first else "channels_last"
        stated = (first or axis == rank - 1) and 2 < rank < 6
        small = any(size is None or size < 3 for size in x.shape[1:])
        match name:
            case "conv_first" | "conv_last" if 2 < rank < 6 and not small:
                fused = self._name()
                conv = getattr(layers, f"Conv{rank - 2}D")
                form = f"channels_{name[5:]}"
                conv = conv(
                    3 + number, 2, data_format=form, activation="relu", name=fused
                )
                x = self._call(conv, x)
                axis = 1 if form == "channels_first" else rank - 1
                self._note(fused, x, axis)
                return x, axis
            case "pool" if stated and not small:
                pool = getattr(layers, f"MaxPooling{rank - 2}D")
                return self._call(pool(2, data_format=form), x), axis
            case "pad" if stated:
                pad = getattr(layers, f"ZeroPadding{rank - 2}D")
                return self._call(pad(1, data_format=form), x), axis
            case "global" | "global_keepdims" if stated:
                keeps = name == "global_keepdims"
                pool = getattr(layers, f"GlobalAveragePooling{rank - 2}D")
                x = self._call(pool(data_format=form, keepdims=keeps), x)
                return x, axis if keeps else 1
            case "dense":
                dense = layers.Dense(2 + number, "relu", name=self._name())
                x = self._call(dense, x)
                self._note(dense.name, x, rank - 1)
                return x, rank - 1
            case "einsum" if rank == 3:
                made = layers.EinsumDense("abc,cd->adb", output_shape=(4, x.shape[1]))
                return self._call(made, x), 1
            case "lstm" if rank == 3:
                return self._call(layers.LSTM(3, return_sequences=number > 2), x), (
                    2 if number > 2 else 1
                )
            case "norm":
                return self._call(layers.BatchNormalization(axis=axis), x), axis
            case "dropout":
                return self._call(layers.Dropout(0.1), x), axis
        return None

    def _axes(self, name, x, axis, number):
        """A layer or operation that moves, adds or drops axes."""
        rank = len(x.shape)
        match name:
            case "repeat" if rank == 2:
                return self._call(layers.RepeatVector(6), x), 2
            case "permute" | "transpose" if rank > 2:
                places = list(range(1, rank))
                places = places[number % (rank - 1) :] + places[: number % (rank - 1)]
                if name == "permute":
                    x = self._call(layers.Permute(places), x)
                else:
                    x = ops.transpose(x, [0, *places])
                return x, places.index(axis) + 1
            case "expand" if rank < 5:
                place = 1 + number % rank
                return ops.expand_dims(x, place), axis + (place <= axis)
            case "mean" if rank > 2:
                place = 1 + number % (rank - 1)
                keeps = number > 2
                if place == axis:
                    return None
                x = ops.mean(x, axis=place, keepdims=keeps)
                return x, axis - (place < axis and not keeps)
            case "reshape" if rank > 2:  # what they were is lost: the last axis
                x = self._call(layers.Reshape((-1, x.shape[1])), x)
                return x, 2
            case "flatten":
                return self._call(layers.Flatten(), x), 1
        return None

    def _around(self, name, x, axis, number):
        """A wrapper, a model inside, or several branches."""
        rank = len(x.shape)
        small = any(size is None or size < 3 for size in x.shape[1:])
        match name:
            case "time_conv" if rank > 3 and not small:
                form = ("channels_first", "channels_last")[number % 2]
                conv = getattr(layers, f"Conv{rank - 3}D")
                conv = conv(
                    3 + number,
                    2,
                    data_format=form,
                    activation="relu",
                    name=self._name(),
                )
                wrapper = layers.TimeDistributed(conv, name=f"time_{conv.name}")
                x = self._call(wrapper, x)
                axis = 2 if number % 2 == 0 else rank - 1
                self.units[f"{wrapper.name}/{conv.name}"] = axis - 1, x.shape[axis]
                return x, axis
            case "time_dense" if rank > 2:
                x = self._call(layers.TimeDistributed(layers.Dense(2 + number)), x)
                return x, rank - 1
            case "nested" | "nested_twice" | "sequential":
                inner, after = self._inner(x, axis, number, name)
                x = self._call(inner, x)
                return (inner(x) if name == "nested_twice" else x), after
            case "add":
                return layers.Add()([x, layers.Dropout(0.1)(x)]), axis
            case "gate":
                gate = layers.Reshape(x.shape[1:])(layers.Flatten()(x))
                return layers.Multiply()([gate, x]), axis
            case "shared_relu":
                if self._relu is not None:
                    return None
                self._relu = layers.ReLU(name=self._name())
                x = self._relu(self._relu(x))
                self._note(self._relu.name, x, axis)
                return x, axis
        return None

    def _inner(self, x, axis, number, name):
        """A model inside: with a convolution of its own, or rectifying alone."""
        inputs = keras.Input(x.shape[1:])
        rank = len(x.shape)
        y, members = inputs, [inputs]
        small = any(size < 3 for size in x.shape[1:])
        if number > 2 and 2 < rank < 6 and name != "nested_twice" and not small:
            conv = getattr(layers, f"Conv{rank - 2}D")
            members.append(conv(4, 2, data_format="channels_first"))
            y, axis = members[-1](y), 1
        relu = layers.ReLU(name=self._name())
        members.append(relu)
        y = relu(y)
        model = keras.Model(inputs, y, name=f"m_{relu.name}")
        if name == "sequential":
            model = keras.Sequential(members, name=model.name)
        self._note(f"{model.name}/{relu.name}", y, axis)
        return model, axis
