"""What Keras cannot name comes along from a live model as the same object."""

import functools
import threading

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops
from keras.src.saving import serialization_lib

import keras_rectifiers
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph import callables
from keras_rectifiers.live.rectifiers import find
from keras_rectifiers.specs import LEAKY_RELU
from keras_rectifiers.specs import RELU
from keras_rectifiers.surgery.borrowed import Borrowed


def _model(*added, steps=None):
    shape = (4,) if steps is None else (steps, 4)
    head = [layers.Dense(3, activation="relu", name="head"), layers.Dense(2)]
    return keras.Sequential([keras.Input(shape), *added, *head])


def _times(factor):
    def act(x):
        return factor * x

    return act


class Rectify:
    """A callable object that Keras cannot serialize."""

    def __call__(self, x):
        return ops.relu(x)


def relu(x):
    """A function of the user that has the name of one of Keras."""
    return ops.maximum(x, 0.1 * x)


def _ones(shape, dtype=None):
    return ops.ones(shape, dtype)


class Holds(layers.Layer):
    """Writes its function into its config, and takes it as it comes."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, x):
        return self.function(x)

    def get_config(self):
        return {**super().get_config(), "function": self.function}


class Outer(layers.Layer):
    """Has a layer in its config, which it builds itself."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        if isinstance(inner, dict):
            inner = keras.saving.deserialize_keras_object(inner)
        self.inner = inner

    def call(self, x):
        return self.inner(x)

    def get_config(self):
        inner = keras.saving.serialize_keras_object(self.inner)
        return {**super().get_config(), "inner": inner}


class Threes(keras.initializers.Initializer):
    """An initializer that nobody registered."""

    def __call__(self, shape, dtype=None):
        return 3 * ops.ones(shape, dtype)

    def get_config(self):
        return {}


def _everywhere():
    return _model(
        layers.Dense(4, activation=_times(2.0)),
        layers.Dense(4, activation=_times(3.0)),
        layers.Dense(4, activation=relu),
        layers.Dense(4, activation=lambda x: ops.relu(2 * x), name="hidden"),
        layers.Dense(4, activation=Rectify()),
        layers.Dense(4, activation=functools.partial(ops.clip, x_min=-1, x_max=1)),
        layers.Dense(4, activation=ops.sin),
        layers.Activation(lambda x: x + 1),
        layers.Dense(
            4,
            kernel_initializer=_ones,
            bias_initializer=functools.partial(_ones),
            kernel_regularizer=lambda w: ops.sum(w * w),
            kernel_constraint=lambda w: w,
            activity_regularizer=lambda y: ops.sum(y * y),
        ),
        layers.Dense(4, kernel_initializer=Threes()),
        layers.Lambda(
            lambda x, more: more(x),
            arguments={"more": lambda x: 2 * x},
            output_shape=lambda shape: shape,
            mask=lambda x, mask=None: None,
        ),
        Holds(_times(5.0)),
        Outer(Holds(lambda x: x - 1)),
    )


def test_functions_are_taken_over_wherever_they_are():
    """In any argument of any layer: nothing of the function changes."""
    model = _everywhere()

    converted = keras_rectifiers.convert(model)

    assert [each.name for each in converted.layers] == [e.name for e in model.layers]
    found = keras_rectifiers.verify(model, converted)
    assert (found.bit_equal, found.weights_equal) == (True, True)
    for one, other in zip(model.layers[:7], converted.layers[:7], strict=True):
        assert other.activation is one.activation
    assert converted.layers[8].kernel_constraint is model.layers[8].kernel_constraint
    assert converted.layers[11].function is model.layers[11].function


def test_functions_in_cells_and_wrappers_are_taken_over():
    """The function of a cell is an argument of its layer, or of the cell itself."""
    model = _model(
        layers.LSTM(
            4,
            return_sequences=True,
            activation=lambda x: ops.tanh(2 * x),
            recurrent_activation=functools.partial(ops.clip, x_min=0, x_max=1),
        ),
        layers.TimeDistributed(layers.Dense(4, activation=lambda x: ops.relu(2 * x))),
        layers.RNN([layers.GRUCell(3, activation=_times(0.5)), layers.LSTMCell(3)]),
        steps=5,
    )

    converted = keras_rectifiers.convert(model)

    assert keras_rectifiers.verify(model, converted).bit_equal
    assert converted.layers[0].activation is model.layers[0].activation


def test_a_plan_says_which_functions_may_hide_a_rectifier():
    """By their names; those of known libraries are not in doubt."""
    plan = keras_rectifiers.plan(_everywhere())

    told = [(each.class_name, each.detail) for each in plan.unseen]
    assert told == [
        ("Dense", "activation=act may hide a rectifier"),
        ("Dense", "activation=act may hide a rectifier"),
        ("Dense", "activation=relu may hide a rectifier"),
        ("Dense", "activation=<lambda> may hide a rectifier"),
        ("Dense", "activation=Rectify() may hide a rectifier"),
        ("Activation", "activation=<lambda> may hide a rectifier"),
        ("Lambda", "its Python function may hide a rectifier"),
    ]
    assert [step.site.path for step in plan.steps] == ["head"]


@pytest.mark.parametrize(
    ("function", "kind", "slope", "cap"),
    [
        (functools.partial(keras.activations.relu, max_value=6), RELU, 0.0, 6.0),
        (
            functools.partial(keras.activations.leaky_relu, negative_slope=0.3),
            LEAKY_RELU,
            0.3,
            None,
        ),
        (functools.partial(ops.leaky_relu), LEAKY_RELU, 0.2, None),
        (functools.partial(keras.activations.relu6), RELU, 0.0, 6.0),
    ],
)
def test_a_partial_of_a_rectifier_is_a_rectifier(function, kind, slope, cap):
    """Planning and watching agree on it, and it is replaced bit for bit."""
    model = _model(layers.Dense(4, activation=function, name="one"))

    of = ("relu", "leaky_relu")
    plan = keras_rectifiers.plan(model, of=of)
    site, watched = plan.steps[0].site, find(model)[0]

    assert (site.path, site.kind, site.max_value) == ("one", kind, cap)
    assert site.negative_slope == pytest.approx(slope)
    assert watched.function.kind == kind
    assert watched.function.negative_slope == pytest.approx(slope)
    assert plan.unseen == ()
    converted = plan.apply(model)
    assert keras_rectifiers.verify(model, converted).bit_equal


def test_a_partial_of_something_else_is_no_rectifier():
    """Positional arguments, others' functions and other keywords are not guessed."""
    for function in (
        functools.partial(keras.activations.elu, alpha=0.5),
        functools.partial(keras.activations.relu6, threshold=1.0),
        functools.partial(relu),
    ):
        model = _model(layers.Dense(4, activation=function, name="one"))
        plan = keras_rectifiers.plan(model)
        assert [step.site.path for step in plan.steps] == ["head"]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="its functions")
def test_functions_of_the_library_are_known_by_name_and_stay_what_they_are():
    """Keras would take its own gelu for TensorFlow's, which computes another."""
    import tensorflow as tf

    model = _model(
        layers.Dense(4, activation=tf.nn.relu, name="one"),
        layers.Dense(4, activation=tf.nn.gelu, name="two"),
        layers.Dense(4, activation=tf.nn.leaky_relu, name="three"),
    )

    plan = keras_rectifiers.plan(model, of=("relu", "leaky_relu"))
    converted = plan.apply(model)

    kinds = [(step.site.path, step.site.kind) for step in plan.steps]
    assert kinds == [("one", RELU), ("three", LEAKY_RELU), ("head", RELU)]
    assert plan.steps[1].site.negative_slope == pytest.approx(0.2)
    assert plan.unseen == ()
    assert converted.get_layer("two").activation is tf.nn.gelu
    assert keras_rectifiers.verify(model, converted).bit_equal


def _twice():
    class Same(layers.Layer):
        def call(self, x):
            return 2 * x

    first = Same

    class Same(layers.Layer):
        def call(self, x):
            return 5 * x

    return first, Same


def test_two_classes_of_one_name_stay_apart():
    """As in a notebook in which a class was defined again."""
    first, second = _twice()
    model = _model(first(), second())

    converted = keras_rectifiers.convert(model)

    assert [type(each) for each in converted.layers[:2]] == [first, second]
    assert keras_rectifiers.verify(model, converted).bit_equal


def test_a_class_that_was_registered_again_stays_the_old_one():
    """The name leads to the new class for Keras, and to the layer's own here."""
    register = keras.saving.register_keras_serializable("borrowed", name="Again")
    first, second = (register(each) for each in _twice())
    model = _model(Outer(first()), first())

    converted = keras_rectifiers.convert(model)

    assert keras.saving.get_registered_object("borrowed>Again") is second
    assert type(converted.layers[1]) is first
    assert type(converted.layers[0].inner) is first
    assert keras_rectifiers.verify(model, converted).bit_equal


def test_losses_and_metrics_keep_their_functions():
    """A model that was compiled with lambdas and partials converts."""
    model = _model(layers.Dense(4))
    model.compile(
        "adam",
        loss=functools.partial(keras.losses.mean_squared_error),
        metrics=[
            lambda y, p: ops.mean(y - p),
            keras.metrics.MeanMetricWrapper(lambda y, p: y - p, name="gap"),
        ],
    )
    data = np.ones((4, 4), "float32"), np.ones((4, 2), "float32")
    expected = model.evaluate(*data, verbose=0)

    converted = keras_rectifiers.convert(model)

    assert converted.evaluate(*data, verbose=0) == expected


def test_what_cannot_be_taken_over_is_named_with_its_argument():
    """The layer and the argument stand in the sentence."""

    class Table:
        pass

    layer = Holds(Table(), name="own")
    layer.call = lambda x: x
    model = _model(layer)

    with pytest.raises(UnsupportedModelError, match="argument 'function' of 'own'"):
        keras_rectifiers.plan(model)


class NeedsMore(layers.Layer):
    """Its config leaves out what its constructor needs."""

    def __init__(self, more, **kwargs):
        super().__init__(**kwargs)
        self.more = more

    def call(self, x):
        return x

    def get_config(self):
        return super().get_config()


def test_the_layer_that_does_not_come_back_is_named():
    """Also inside a wrapper, and with what its class said."""
    model = _model(layers.TimeDistributed(NeedsMore(1, name="bad")), steps=3)

    with pytest.raises(UnsupportedModelError, match=r"bad' of class NeedsMore.*'more'"):
        keras_rectifiers.convert(model)


class Chain(keras.Sequential):
    """A Sequential with arguments of its own."""

    def __init__(self, units):
        super().__init__([keras.Input((4,)), layers.Dense(units, "relu")])
        self.add(layers.Dense(1))


def test_a_sequential_with_arguments_of_its_own_is_told_the_way():
    """Its class cannot build it again; the plain model of the same layers can."""
    model = Chain(3)

    with pytest.raises(UnsupportedModelError, match="Or pass as_functional=True"):
        keras_rectifiers.convert(model)
    converted = keras_rectifiers.convert(model, as_functional=True)

    assert type(converted) is keras.Sequential
    assert keras_rectifiers.verify(model, converted).holds


def test_keras_serializes_as_before_afterwards_and_elsewhere():
    """The hook is gone once a model is serialized, and other threads never met it."""
    before = serialization_lib.serialize_keras_object
    seen = []
    lambda_ = _times(2.0)

    class Asks(layers.Layer):
        def call(self, x):
            return x

        def get_config(self):
            def other():
                seen.append(keras.saving.serialize_keras_object(lambda_))

            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
            return super().get_config()

    Borrowed().serialize(_model(Asks()))

    assert serialization_lib.serialize_keras_object is before
    assert keras.saving.serialize_keras_object is before
    assert [each["config"] for each in seen] == ["act"]


def test_a_description_is_plain():
    """Modules and names; a partial's arguments where they are plain."""
    inner = {"module": __name__, "class_name": "function", "config": "relu"}
    plain = functools.partial(relu, alpha=1.5)
    odd = functools.partial(relu, np.ones(2))

    assert callables.describe(relu) == inner
    assert callables.describe(plain) == {**inner, "keywords": {"alpha": 1.5}}
    assert callables.describe(odd) == {
        **inner,
        "module": "functools",
        "config": "partial(relu, ...)",
    }
    assert callables.describe(keras.activations.relu) is None
    assert callables.describe(layers.Dense(2)) is None
    assert callables.describe(layers.Dense) is None
    assert callables.describe("relu") is None
