"""Ways in which people hold, share and pass rectifiers in their own classes."""

import keras
from keras import layers
from keras import ops

from benchmarks.sweep_models.case import Family
from benchmarks.sweep_models.case import Made
from benchmarks.sweep_models.case import normal

CASES = Family()


class Containers(keras.Model):
    """Layers in lists, tuples, dicts and lists of lists."""

    def __init__(self):
        super().__init__()
        self.listed = [layers.Dense(4, activation="relu"), layers.ReLU()]
        self.paired = (layers.Dense(4), layers.Activation("relu"))
        self.named = {"dense": layers.Dense(4), "relu": layers.ReLU()}
        self.nested = [[layers.Dense(4), layers.ReLU()], [layers.Dense(4)]]
        self.mixed = {"a": [layers.Dense(3, activation="relu")], "b": layers.ReLU()}

    def call(self, x):
        for layer in (*self.listed, *self.paired, *self.named.values()):
            x = layer(x)
        for row in self.nested:
            for layer in row:
                x = layer(x)
        return self.mixed["b"](self.mixed["a"][0](x) - 0.5) + x[:, :3]


class SharedAtOneWidth(keras.Model):
    """One activation object for several layers of the same width."""

    def __init__(self):
        super().__init__()
        self.relu = layers.ReLU()
        self.first, self.second = layers.Dense(4), layers.Dense(4)
        self.out = layers.Dense(2)

    def call(self, x):
        return self.out(self.relu(self.second(self.relu(self.first(x)))))


class SharedAtTwoWidths(SharedAtOneWidth):
    """One activation object for layers of different widths."""

    def __init__(self):
        super().__init__()
        self.second = layers.Dense(6)
        self.last = layers.ReLU()

    def call(self, x):
        x = self.relu(self.second(self.relu(self.first(x))))
        return self.out(self.last(x - 0.1))


class GivenActivation(layers.Layer):
    """Takes an activation in each form in which Keras takes it."""

    def __init__(self, units, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)
        self.dense = layers.Dense(units)

    def build(self, shape):
        self.dense.build(shape)
        self.built = True

    def call(self, x):
        return self.activation(self.dense(x))

    def get_config(self):
        config = super().get_config()
        return {
            **config,
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
        }


class PassedOn(layers.Layer):
    """Passes its argument to a layer inside."""

    def __init__(self, units, activation="relu", **kwargs):
        super().__init__(**kwargs)
        self.units, self.act = units, activation
        self.dense = layers.Dense(units, activation=activation)

    def build(self, shape):
        self.dense.build(shape)
        self.built = True

    def call(self, x):
        return self.dense(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "activation": self.act}


class OtherNames(keras.Model):
    """Functions under names of its own, and one in a list."""

    def __init__(self):
        super().__init__()
        self.nonlinearity = keras.activations.relu
        self.act_fn = keras.activations.get("relu")
        self.first, self.second = layers.Dense(4), layers.Dense(4)

    def call(self, x):
        return self.second(self.act_fn(self.nonlinearity(self.first(x)) - 0.1))


class Outer(keras.Model):
    """Models inside models: subclassed, Functional and Sequential."""

    def __init__(self, width=4):
        super().__init__()
        self.inner = SharedAtOneWidth()
        inputs = keras.Input((2,))
        x = layers.Dense(width, activation="relu")(inputs)
        self.graph = keras.Model(inputs, layers.ReLU()(layers.Dense(width)(x)))
        self.stack = keras.Sequential([GivenActivation(3, "relu"), layers.Dense(2)])

    def call(self, x):
        return self.stack(self.graph(self.inner(x)))


class MultiHead(keras.Model):
    """Inputs and outputs by name."""

    def __init__(self):
        super().__init__()
        self.image = keras.Sequential(
            [layers.Conv2D(2, 3, activation="relu"), layers.Flatten()]
        )
        self.table = layers.Dense(4, activation="relu")
        self.heads = {"price": layers.Dense(1), "kind": layers.Dense(3)}

    def call(self, inputs):
        image, table = self.image(inputs["image"]), self.table(inputs["table"])
        x = ops.concatenate([image, table], axis=-1)
        return {name: head(x) for name, head in self.heads.items()}


class Recurrent(keras.Model):
    """Recurrent layers whose activation is ReLU, and a dense one."""

    def __init__(self):
        super().__init__()
        self.first = layers.LSTM(3, activation="relu", return_sequences=True)
        self.both = layers.Bidirectional(layers.GRU(3, activation="relu"))
        self.dense = layers.Dense(4, activation="relu")
        self.out = layers.Dense(1)

    def call(self, x):
        return self.out(self.dense(self.both(self.first(x))))


class ReluCell(layers.Layer):
    """A recurrent cell with a ReLU layer."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.dense = layers.Dense(units)
        self.relu = layers.ReLU()

    def build(self, shape):
        self.dense.build((None, shape[-1] + self.units))
        self.built = True

    def call(self, inputs, states):
        joined = ops.concatenate([inputs, states[0]], axis=-1)
        after = self.relu(self.dense(joined))
        return after, [after]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class OwnCell(keras.Model):
    """Runs a cell of its own."""

    def __init__(self):
        super().__init__()
        self.rnn = layers.RNN(ReluCell(3))
        self.out = layers.Dense(2, activation="relu")
        self.last = layers.Dense(1)

    def call(self, x):
        return self.last(self.out(self.rnn(x)))


class Wrapped(keras.Model):
    """Rectifiers inside Keras' wrappers."""

    def __init__(self):
        super().__init__()
        self.each = layers.TimeDistributed(layers.Dense(4, activation="relu"))
        self.relu = layers.TimeDistributed(layers.ReLU())
        self.normed = layers.SpectralNormalization(layers.Dense(3, activation="relu"))
        self.out = layers.Dense(1)

    def call(self, x):
        return self.out(self.normed(self.relu(self.each(x) - 0.1)))


class Configured(keras.Model):
    """Has a config of its own, with a layer in it."""

    def __init__(self, block, head_units, **kwargs):
        super().__init__(**kwargs)
        self.block, self.head_units = block, head_units
        self.head = layers.Dense(head_units, activation="relu")
        self.out = layers.Dense(2)

    def call(self, x):
        return self.out(self.head(self.block(x)))

    def get_config(self):
        block = keras.saving.serialize_keras_object(self.block)
        base = super().get_config()
        return {**base, "block": block, "head_units": self.head_units}

    @classmethod
    def from_config(cls, config):
        block = keras.saving.deserialize_keras_object(config.pop("block"))
        return cls(block=block, **config)


class WithFunctional(keras.Model):
    """A subclass that gives its graph to keras.Model and trains in its own way."""

    def train_step(self, data):
        return super().train_step(data)


class GraphInConstructor(keras.Model):
    """A subclass that makes its graph in its constructor."""

    def __init__(self, units=4, **kwargs):
        inputs = keras.Input((5,))
        x = layers.Dense(units, activation="relu")(inputs)
        x = ops.relu(layers.Dense(units)(x) - 0.1)
        super().__init__(inputs=inputs, outputs=layers.Dense(2)(x), **kwargs)
        self.units = units

    def get_config(self):
        return {"units": self.units, "name": self.name}


class NoConfig(keras.Model):
    """Needs an argument that Keras cannot note."""

    def __init__(self, maker):
        super().__init__()
        self.hidden = maker.dense(4)
        self.out = layers.Dense(2)

    def call(self, x):
        return self.out(self.hidden(x))


class Tuned(keras.Model):
    """Optional arguments, which Keras notes at their defaults, and state in Python."""

    def __init__(self, rate=0.1, scale=1.0):
        super().__init__()
        self.hidden = layers.Dense(4, activation="relu")
        self.dropout = layers.Dropout(rate)
        self.out = layers.Dense(2)
        self.scale, self.steps = scale, 0

    def call(self, x, training=False):
        self.steps += 1
        return self.scale * self.out(self.dropout(self.hidden(x), training=training))


class Maker:
    """What makes layers for `NoConfig`."""

    def dense(self, units):
        """A dense layer with a ReLU."""
        return layers.Dense(units, activation="relu")


class Undefined(keras.Model):
    """A call that asks for numbers."""

    def __init__(self):
        super().__init__()
        self.first, self.relu = layers.Dense(4), layers.ReLU()
        self.out = layers.Dense(2)

    def call(self, x):
        x = self.first(x)
        if float(ops.max(x)) > -1e9:
            x = self.relu(x)
        return self.out(x)


class Defined(Undefined):
    """The same with a build."""

    def build(self, input_shape):
        self.first.build(input_shape)
        self.relu.build((*input_shape[:-1], 4))
        self.out.build((*input_shape[:-1], 4))
        self.built = True


class PreActivation(keras.Sequential):
    """A Sequential that fills itself."""

    def __init__(self, filters=4, **kwargs):
        super().__init__(**kwargs)
        self.add(layers.BatchNormalization())
        self.add(layers.ReLU())
        self.add(layers.Conv2D(filters, 3, padding="same"))

    def get_config(self):
        return {"filters": 4, "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        del custom_objects
        return cls(**config)


class UsesPreActivation(keras.Model):
    """Two such Sequentials."""

    def __init__(self):
        super().__init__()
        self.first, self.second = PreActivation(), PreActivation()

    def call(self, x):
        return self.second(self.first(x))


def _called(model, data):
    model(data)
    return Made(model, data)


@CASES.case
def containers():
    """Layers in lists, tuples and dicts."""
    return _called(Containers(), normal(4, 5))


@CASES.case
def shared_at_one_width():
    """A shared rectifier becomes one PReLU."""
    return _called(SharedAtOneWidth(), normal(4, 5))


@CASES.case
def shared_at_two_widths():
    """A shared rectifier that cannot become one PReLU."""
    return _called(SharedAtTwoWidths(), normal(4, 5))


@CASES.case
def activation_by_name():
    """`activation="relu"` of a custom layer."""
    return _given("relu")


@CASES.case
def activation_as_function():
    """`activation=keras.activations.relu` of a custom layer."""
    return _given(keras.activations.relu)


@CASES.case
def activation_as_operation():
    """`activation=keras.ops.relu` of a custom layer."""
    return _given(ops.relu)


@CASES.case
def activation_as_layer():
    """`activation=keras.layers.ReLU()` of a custom layer."""
    return _given(layers.ReLU())


def _given(activation):
    model = keras.Sequential(
        [
            keras.Input((5,)),
            GivenActivation(4, activation),
            layers.Dense(3, activation=activation),
            layers.Dense(2),
        ]
    )
    return Made(model)


@CASES.case
def activation_passed_on():
    """An argument that a custom layer passes to a layer inside."""
    model = keras.Sequential([keras.Input((5,)), PassedOn(4), layers.Dense(2)])
    return Made(model)


@CASES.case
def other_names():
    """Functions in attributes that are not called `activation`."""
    return _called(OtherNames(), normal(4, 5))


@CASES.case
def models_in_a_model():
    """Three kinds of models inside a subclassed one."""
    return _called(Outer(), normal(4, 5))


@CASES.case
def subclassed_in_functional():
    """A subclassed model as a layer of a Functional one."""
    inputs = keras.Input((5,))
    x = layers.Dense(5, activation="relu")(inputs)
    return Made(keras.Model(inputs, layers.Dense(2)(Containers()(x))))


@CASES.case
def several_inputs_and_outputs():
    """Dicts in and out."""
    data = {"image": normal(2, 6, 6, 1), "table": normal(2, 3)}
    return _called(MultiHead(), data)


@CASES.case
def recurrent():
    """Rectifiers in recurrent layers are left, and listed."""
    return _called(Recurrent(), normal(2, 4, 3))


@CASES.case
def recurrent_cell():
    """So are those in a cell of the user's."""
    return _called(OwnCell(), normal(2, 4, 3))


@CASES.case
def wrapped():
    """TimeDistributed and SpectralNormalization."""
    return _called(Wrapped(), normal(2, 4, 3))


@CASES.case
def own_config():
    """A get_config and a from_config that hold a layer."""
    block = keras.Sequential([layers.Dense(4, activation="relu"), layers.Dense(4)])
    return _called(Configured(block, 6), normal(4, 5))


@CASES.case
def own_training_of_a_graph():
    """A Functional model whose class has a train_step."""
    inputs = keras.Input((5,))
    x = layers.Dense(4, activation="relu")(inputs)
    model = WithFunctional(inputs, layers.Dense(2)(x))
    model.compile("adam", "mse")
    model.train_on_batch(normal(4, 5), normal(4, 2))
    return Made(model)


@CASES.case
def graph_made_in_constructor():
    """A Functional model behind arguments of its own, with an operation."""
    return Made(GraphInConstructor())


@CASES.case
def own_sequential():
    """A Sequential that fills itself."""
    return _called(UsesPreActivation(), normal(2, 6, 6, 4))


@CASES.case
def mixed_precision():
    """Made under mixed_float16."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return _called(Containers(), normal(4, 5))
    finally:
        keras.config.set_dtype_policy(before)


@CASES.case(refused="NoConfig, whose constructor takes arguments")
def no_config():
    """An argument that cannot be written down."""
    return _called(NoConfig(Maker()), normal(4, 5))


@CASES.case(refused="built")
def never_called():
    """A model without weights yet."""
    return Made(Containers(), normal(4, 5))


@CASES.case(refused="build(self, input_shape)")
def asks_for_numbers():
    """A call that cannot run on symbolic tensors; nothing notes its shapes."""
    model = Undefined()
    model.compile(run_eagerly=True)
    return _called(model, normal(4, 5))


@CASES.case
def asks_for_numbers_and_builds():
    """The same, whose build notes them."""
    model = Defined()
    model.compile(run_eagerly=True)
    return _called(model, normal(4, 5))


@CASES.case
def optional_arguments():
    """Keras notes the defaults, and the copy gets what was given."""
    model = _called(Tuned(rate=0.5, scale=2.0), normal(4, 5))
    model.model.steps = 7
    return model
