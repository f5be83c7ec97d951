"""How models are put together: inputs, outputs, nesting, sharing, operations."""

import keras

from tests.legacy.zoo.cases import OwnModel
from tests.legacy.zoo.cases import backbone
from tests.legacy.zoo.cases import case
from tests.legacy.zoo.cases import floats

layers = keras.layers
ops = keras.ops
Input = keras.Input
Model = keras.Model
Sequential = keras.Sequential


@case()
def sequential(rng):
    """The plainest."""
    model = Sequential(
        [Input((6,)), layers.Dense(4, activation="relu"), layers.Dense(3)]
    )
    return model, floats(rng, 3, 6)


@case()
def sequential_by_data(rng):
    """Built by its first data."""
    model = Sequential([layers.Dense(4, activation="relu"), layers.Dense(3)])
    x = floats(rng, 3, 6)
    model(x)
    return model, x


@case()
def sequential_by_build(rng):
    """Built by `build`."""
    model = Sequential([layers.Dense(4, activation="relu"), layers.Dense(3)])
    model.build((None, 6))
    return model, floats(rng, 3, 6)


@case()
def sequential_by_argument(rng):
    """Built by its first layer's `input_shape`."""
    model = Sequential(
        [layers.Dense(4, activation="relu", input_shape=(6,)), layers.Dense(3)]
    )
    return model, floats(rng, 3, 6)


@case()
def sequential_named_layers(rng):
    """Layers with names of their own, one of them with a dot."""
    model = Sequential(name="My.Model")
    model.add(Input((6,), name="Start"))
    model.add(layers.Dense(4, activation="relu", name="block.one"))
    model.add(layers.Dense(3, name="Second One"))
    return model, floats(rng, 3, 6)


@case()
def functional(rng):
    """The plainest."""
    x = Input((6,))
    y = layers.Dense(4, activation="relu")(x)
    return Model(x, layers.Dense(3)(y)), floats(rng, 3, 6)


@case()
def functional_listed(rng):
    """One input and one output, in lists."""
    x = Input((6,))
    y = layers.Dense(4, activation="relu")(x)
    return Model([x], [layers.Dense(3)(y)]), floats(rng, 3, 6)


@case()
def functional_slashes(rng):
    """Names with `/`, as the models of TensorFlow have."""
    x = Input((6,), name="block")
    y = layers.Dense(4, activation="relu", name="block/one")(x)
    return Model(x, layers.Dense(3, name="block/two")(y)), floats(rng, 3, 6)


@case()
def functional_subclass(rng):
    """A subclass of Model, made like a Functional one."""
    x = Input((6,))
    y = layers.Dense(4, activation="relu")(x)
    return OwnModel(x, layers.Dense(3)(y)), floats(rng, 3, 6)


@case()
def dict_ends(rng):
    """Inputs and outputs in dicts, not in the order of the alphabet."""
    b, a = Input((6,), name="b"), Input((4,), name="a")
    y = layers.Dense(4, activation="relu")(layers.Concatenate()([b, a]))
    z = layers.Dense(3, name="z")(y)
    model = Model({"b": b, "a": a}, {"z": z, "y": layers.ReLU(name="y")(y)})
    return model, {"b": floats(rng, 3, 6), "a": floats(rng, 3, 4)}


@case()
def dict_input(rng):
    """One input in a dict."""
    x = Input((6,), name="only")
    return Model({"only": x}, layers.Dense(3)(x)), {"only": floats(rng, 3, 6)}


@case()
def dict_output(rng):
    """One output in a dict."""
    x = Input((6,), name="only")
    return Model(x, {"answer": layers.Dense(3)(x)}), floats(rng, 3, 6)


@case()
def list_ends(rng):
    """Two inputs and two outputs."""
    b, a = Input((6,), name="b"), Input((4,), name="a")
    y = layers.Dense(4, activation="relu")(layers.Concatenate()([b, a]))
    model = Model([b, a], [layers.Dense(3, name="z")(y), layers.ReLU(name="y")(y)])
    return model, [floats(rng, 3, 6), floats(rng, 3, 4)]


@case()
def tuple_ends(rng):
    """Two inputs and two outputs in tuples."""
    b, a = Input((6,), name="b"), Input((4,), name="a")
    y = layers.Dense(4, activation="relu")(layers.Concatenate()([b, a]))
    model = Model((b, a), (layers.Dense(3, name="z")(y), layers.ReLU(name="y")(y)))
    return model, (floats(rng, 3, 6), floats(rng, 3, 4))


@case()
def nested_ends(rng):
    """Inputs and outputs in dicts of lists."""
    a, b, c = Input((6,), name="a"), Input((4,), name="b"), Input((2,), name="c")
    y = layers.Dense(4, activation="relu")(layers.Concatenate()([a, b, c]))
    outputs = {"first": [layers.Dense(3)(y), layers.ReLU()(y)], "second": y}
    model = Model({"one": a, "two": [b, c]}, outputs)
    inputs = {"one": floats(rng, 3, 6), "two": [floats(rng, 3, 4), floats(rng, 3, 2)]}
    return model, inputs


@case()
def unused_input(rng):
    """An input that leads nowhere."""
    a, b = Input((6,), name="a"), Input((4,), name="b")
    return Model([a, b], layers.Dense(3)(a)), [floats(rng, 3, 6), floats(rng, 3, 4)]


@case()
def input_as_output(rng):
    """An input that is an output as well."""
    a = Input((6,), name="a")
    return Model(a, [a, layers.Dense(3)(a)]), floats(rng, 3, 6)


@case(since=(3, 6))
def optional_input(rng):
    """An input that may be absent."""
    a, b = Input((6,), name="a"), Input((6,), name="b", optional=True)
    y = layers.Add()([a, b])
    return Model([a, b], layers.Dense(3)(y)), [floats(rng, 3, 6), floats(rng, 3, 6)]


@case()
def fixed_batch(rng):
    """A batch of stated size, and an input of another dtype."""
    a = Input(batch_shape=(3, 5), dtype="int32", name="a")
    y = layers.Embedding(7, 4)(a)
    model = Model(a, layers.Dense(2)(layers.Flatten()(y)))
    return model, rng.integers(0, 7, (3, 5)).astype("int32")


# --------------------------------------------------------------------------
# Models inside models


@case()
def backbone_in_sequential(rng):
    """What everybody does: a backbone, a pooling, a head."""
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3)]
    model = Sequential([Input((8, 8, 3)), backbone(), *head])
    return model, floats(rng, 2, 8, 8, 3)


@case()
def backbone_first(rng):
    """The same without an Input before it."""
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3)]
    return Sequential([backbone(), *head]), floats(rng, 2, 8, 8, 3)


@case()
def backbone_frozen(rng):
    """The same, with what is pretrained held still."""
    inner = backbone()
    inner.trainable = False
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3)]
    return Sequential([Input((8, 8, 3)), inner, *head]), floats(rng, 2, 8, 8, 3)


@case()
def backbone_listed(rng):
    """A backbone whose ends stand in lists, called in a Functional model."""
    x = Input((8, 8, 3))
    y = layers.Flatten()(backbone(listed=True)(x))
    return Model(x, layers.Dense(3)(y)), floats(rng, 2, 8, 8, 3)


@case()
def backbone_in_functional(rng):
    """A backbone called in inference mode, as the guide for transfer learning does."""
    x = Input((8, 8, 3))
    y = backbone()(layers.Rescaling(0.5)(x), training=False)
    y = layers.GlobalAveragePooling2D()(y)
    return Model(x, layers.Dense(3)(y)), floats(rng, 2, 8, 8, 3)


@case()
def backbone_extended(rng):
    """A backbone that is extended by its own tensors."""
    inner = backbone()
    y = layers.GlobalAveragePooling2D()(inner.output)
    return Model(inner.input, layers.Dense(3)(y)), floats(rng, 2, 8, 8, 3)


@case()
def backbone_extended_by_inputs(rng):
    """The same with `inputs` and `outputs`, which are lists."""
    inner = backbone()
    y = layers.GlobalAveragePooling2D()(inner.outputs[0])
    return Model(inner.inputs, [layers.Dense(3)(y)]), floats(rng, 2, 8, 8, 3)


@case()
def backbone_cut(rng):
    """A backbone up to one of its layers."""
    inner = backbone()
    y = layers.GlobalAveragePooling2D()(inner.get_layer("stem_relu").output)
    return Model(inner.input, layers.Dense(3)(y)), floats(rng, 2, 8, 8, 3)


@case()
def backbone_from_within(rng):
    """A model that begins at a tensor within another."""
    inner = backbone()
    model = Model(inner.get_layer("stem").output, inner.output)
    return model, floats(rng, 2, 6, 6, 4)


@case()
def backbone_twice(rng):
    """One backbone with BatchNormalization, called twice."""
    a, b = Input((8, 8, 3)), Input((8, 8, 3))
    inner = backbone()
    both = layers.Concatenate()([inner(a), inner(b)])
    model = Model([a, b], layers.Dense(3)(layers.Flatten()(both)))
    return model, [floats(rng, 2, 8, 8, 3), floats(rng, 2, 8, 8, 3)]


@case()
def backbone_of_two_outputs(rng):
    """A backbone with two outputs, one of which is used."""
    inner = backbone()
    inner = Model(inner.input, [inner.get_layer("stem").output, inner.output])
    x = Input((8, 8, 3))
    y = layers.GlobalAveragePooling2D()(inner(x)[0])
    return Model(x, layers.Dense(3)(y)), floats(rng, 2, 8, 8, 3)


@case()
def backbone_of_dicts(rng):
    """A backbone that takes and gives dicts."""
    a, b = Input((6,), name="a"), Input((4,), name="b")
    y = layers.Dense(4, activation="relu")(layers.Concatenate()([b, a]))
    inner = Model({"b": b, "a": a}, {"y": y, "x": layers.Dense(2)(y)})
    one, two = Input((6,), name="one"), Input((4,), name="two")
    found = inner({"a": one, "b": two})
    model = Model([one, two], layers.Add()([layers.Dense(2)(found["y"]), found["x"]]))
    return model, [floats(rng, 3, 6), floats(rng, 3, 4)]


@case()
def sequential_in_sequential(rng):
    """Three deep."""
    inner = Sequential([layers.Dense(4, activation="relu"), layers.Dense(4)])
    middle = Sequential([Input((5,)), inner, layers.BatchNormalization()])
    outer = Sequential([Input((6,)), layers.Dense(5), middle, layers.Dense(3)])
    return outer, floats(rng, 3, 6)


@case()
def sequential_in_functional(rng):
    """A block that is called twice."""
    block = Sequential([Input((6,)), layers.Dense(6, activation="relu")], name="block")
    x = Input((6,))
    return Model(x, layers.Dense(3)(block(block(x)))), floats(rng, 3, 6)


@case()
def backbone_in_wrapper(rng):
    """A backbone for each step in time."""
    x = Input((2, 8, 8, 3))
    y = layers.TimeDistributed(backbone())(x)
    return Model(x, layers.Dense(3)(layers.Flatten()(y))), floats(rng, 2, 2, 8, 8, 3)


@case()
def shared_layer(rng):
    """One layer called three times."""
    layer = layers.Dense(6, activation="relu")
    x = Input((6,))
    return Model(x, layers.Add()([layer(x), layer(layer(x))])), floats(rng, 3, 6)


@case()
def shared_across_models(rng):
    """One layer in two models of which one holds the other."""
    layer = layers.Dense(6, activation="relu", name="everywhere")
    a = Input((6,))
    inner = Model(a, layer(a), name="inner")
    x = Input((6,))
    return Model(x, layers.Add()([inner(x), layer(x)])), floats(rng, 3, 6)


@case()
def cloned(rng):
    """What `clone_model` makes."""
    x = Input((8, 8, 3))
    y = layers.GlobalAveragePooling2D()(backbone()(x))
    return keras.models.clone_model(Model(x, layers.Dense(3)(y))), floats(
        rng, 2, 8, 8, 3
    )


@case()
def cloned_sequential(rng):
    """What `clone_model` makes of a Sequential with a backbone."""
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3)]
    model = Sequential([Input((8, 8, 3)), backbone(), *head])
    return keras.models.clone_model(model), floats(rng, 2, 8, 8, 3)


@case()
def unfolded_layer(rng):
    """Layers whose order in depth is not the order of their making."""
    x = Input((6,))
    late = layers.Dense(4, name="late")
    early = layers.Dense(4, activation="relu", name="early")
    y = layers.Add()([late(layers.ReLU()(early(x))), layers.Dense(4, name="side")(x)])
    return Model(x, [y, layers.Dense(2, name="out")(x)]), floats(rng, 3, 6)


# --------------------------------------------------------------------------
# Calls and operations


@case()
def arithmetic(rng):
    """Python's operators on tensors."""
    x = Input((6,))
    y = -(1.0 - layers.Dense(6)(x) * 2.0 + x / 3.0)
    return Model(x, layers.Dense(3)(y**2 - 0.5)), floats(rng, 3, 6)


@case()
def slicing(rng):
    """Slices, an ellipsis, a new axis, a stride."""
    x = Input((5, 6))
    y = x[:, 1:4, ::2]
    z = x[..., 0]
    z = z[:, None, :3]
    return Model(x, layers.Dense(2)(ops.concatenate([y, z], axis=1))), floats(
        rng, 3, 5, 6
    )


@case()
def operations(rng):
    """Functions of `keras.ops` as layers."""
    x = Input((5, 6))
    y = ops.relu(layers.Dense(6)(x))
    y = ops.where(y > 0.5, y, ops.sigmoid(y))
    y = ops.maximum(y, 0.1)
    m = ops.mean(y, axis=1, keepdims=True)
    s = ops.sqrt(ops.var(y, axis=[1], keepdims=True) + 1e-3)
    y = ops.reshape((y - m) / s, (-1, 30))
    return Model(x, layers.Dense(2)(ops.cast(y, "float32"))), floats(rng, 3, 5, 6)


@case()
def operations_of_many(rng):
    """Operations that take or give several tensors."""
    x = Input((4, 6))
    a, b = ops.split(x, 2, axis=-1)
    y = ops.stack([a, b], axis=1)
    y = ops.transpose(y, (0, 2, 1, 3))
    z = ops.einsum("bij,bkj->bik", a, b)
    z = ops.softmax(ops.expand_dims(z, -1), axis=2)
    y = ops.concatenate([ops.reshape(y, (-1, 24)), ops.reshape(z, (-1, 16))], axis=-1)
    return Model(x, layers.Dense(2)(y)), floats(rng, 3, 4, 6)


@case()
def operations_more(rng):
    """Operations with arguments by name."""
    x = Input((8, 8, 3))
    y = ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="reflect")
    y = ops.max_pool(y, pool_size=(2, 2), strides=2, padding="valid")
    y = ops.leaky_relu(y, negative_slope=0.3)
    y = ops.clip(y, -1.0, 2.0)
    y = ops.matmul(y, ops.transpose(y, (0, 1, 3, 2)))
    y = ops.sum(ops.abs(y), axis=(1, 2))
    y = ops.squeeze(ops.expand_dims(y, 1), axis=1)
    z = ops.argmax(y, axis=-1)
    y = ops.take(y, [2, 0, 1], axis=-1)
    return Model(x, [layers.Dense(2)(y), z]), floats(rng, 2, 8, 8, 3)


@case()
def activation_layers(rng):
    """Everything that rectifies."""
    x = Input((6,))
    y = layers.Dense(6)(x)
    found = [
        layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2)(y),
        layers.LeakyReLU(negative_slope=0.2)(y),
        layers.PReLU()(y),
        layers.ELU(alpha=0.7)(y),
        layers.Softmax()(y),
        layers.Activation("relu6")(y),
        layers.Activation(keras.activations.gelu)(y),
        layers.Dense(6, activation=layers.LeakyReLU())(y),
        layers.Dense(6, activation="hard_sigmoid")(y),
        layers.Dense(6, activation="leaky_relu")(y),
        layers.Dense(6, activation="silu")(y),
        layers.Dense(6, activation=keras.activations.mish)(y),
        layers.Dense(6, activation=ops.relu)(y),
    ]
    return Model(x, layers.Concatenate()(found)), floats(rng, 3, 6)


@case()
def called_by_name(rng):
    """Tensors as arguments by name: masks, states, keys."""
    x, mask, h = Input((5, 4)), Input((5,), dtype="bool"), Input((4,))
    y = layers.GRU(4, return_sequences=True)(x, initial_state=h, mask=mask)
    attend = layers.MultiHeadAttention(2, 3)
    y = attend(query=y, value=x, attention_mask=mask[:, None, :])
    y = layers.Attention(use_scale=True)([y, y], mask=[mask, mask])
    model = Model([x, mask, h], layers.Dense(2)(y))
    full = rng.random((3, 5)) > 0.3
    full[:, 0] = True
    return model, [floats(rng, 3, 5, 4), full, floats(rng, 3, 4)]


@case()
def encoder_decoder(rng):
    """States that go from one recurrent layer to another, as lists."""
    x, z = Input((5, 4)), Input((5, 4))
    _, h, c = layers.LSTM(3, return_state=True)(x)
    y = layers.LSTM(3, return_sequences=True)(z, initial_state=[h, c])
    return Model([x, z], layers.Dense(2)(y)), [
        floats(rng, 3, 5, 4),
        floats(rng, 3, 5, 4),
    ]
