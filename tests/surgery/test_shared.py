"""One object in several places of a live model: it stays one in the converted one."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_rectifiers
from keras_rectifiers.errors import UnsupportedModelError


def _dense(name, activation=None):
    return layers.Dense(4, activation=activation, name=name)


def _ends(make):
    """A model of what `make` makes of its input, with a rectifier before its end."""
    inputs = keras.Input((4,))
    x = _dense("rectified", "relu")(make(inputs))
    return keras.Model(inputs, layers.Dense(2, name="end")(x))


def _two_slots():
    shared = layers.PReLU(name="shared")
    return _ends(lambda x: _dense("b", shared)(_dense("a", shared)(x)))


def _three_slots():
    shared = layers.PReLU(name="shared")
    first, second, third = (_dense(name, shared) for name in "abc")
    return _ends(lambda x: third(second(first(x))))


def _layer_then_slot():
    shared = layers.PReLU(name="shared")
    return _ends(lambda x: _dense("b", shared)(shared(_dense("a")(x))))


def _slot_then_layer():
    shared = layers.PReLU(name="shared")
    return _ends(lambda x: shared(_dense("b")(_dense("a", shared)(x))))


def _slot_and_cell():
    shared = layers.PReLU(name="shared")
    cell = layers.SimpleRNNCell(4, activation=shared)
    recurrent = layers.RNN(cell, name="recurrent")
    return _ends(lambda x: _dense("a", shared)(recurrent(layers.Reshape((2, 2))(x))))


def _cell_of_two_layers():
    cell = layers.SimpleRNNCell(4)
    first = layers.RNN(cell, return_sequences=True, name="first")
    second = layers.RNN(cell, name="second")
    return _ends(lambda x: second(first(layers.Reshape((1, 4))(x))))


def _wrapped_then_layer():
    shared = _dense("shared", "relu")
    wrapped = layers.TimeDistributed(shared, name="wrapped")

    def make(x):
        return shared(layers.Flatten()(wrapped(layers.Reshape((1, 4))(x))))

    return _ends(make)


def _inner(layer, name, *before):
    inputs = keras.Input((4,))
    x = inputs
    for each in before:
        x = each(x)
    return keras.Model(inputs, layer(x), name=name)


def _inner_then_outer():
    shared = _dense("shared")
    inner = _inner(shared, "inner", _dense("hidden", "relu"))
    return _ends(lambda x: shared(inner(x)))


def _outer_then_inner():
    shared = _dense("shared")
    inner = _inner(shared, "inner", _dense("hidden", "relu"))
    return _ends(lambda x: inner(shared(shared(x))))


def _two_inner():
    shared = layers.BatchNormalization(name="shared")
    first = _inner(shared, "first", _dense("hidden", "relu"))
    second = _inner(_dense("hidden", "relu"), "second", shared)
    return _ends(lambda x: second(first(second(x))))


def _two_sequential():
    shared = _dense("shared")
    first = [keras.Input((4,)), _dense("p", "relu"), shared, _dense("q")]
    second = [keras.Input((4,)), shared, layers.ReLU(name="r")]
    models = [keras.Sequential(first), keras.Sequential(second)]
    return _ends(lambda x: models[1](models[0](shared(x))))


def _inner_model_of_two():
    inside = _inner(layers.ReLU(name="bare"), "inside", _dense("hidden", "relu"))
    around = _inner(inside, "around", _dense("before"))
    return _ends(lambda x: inside(around(x)))


def _features_and_all():
    whole = _inner(_dense("top"), "whole", _dense("low", "relu"), _dense("mid"))
    features = keras.Model(whole.input, whole.get_layer("mid").output, name="features")
    return _ends(lambda x: layers.Add()([whole(x), features(x)]))


CASES = {
    make.__name__.strip("_"): make
    for make in (
        _two_slots,
        _three_slots,
        _layer_then_slot,
        _slot_then_layer,
        _slot_and_cell,
        _cell_of_two_layers,
        _wrapped_then_layer,
        _inner_then_outer,
        _outer_then_inner,
        _two_inner,
        _two_sequential,
        _inner_model_of_two,
        _features_and_all,
    )
}


def _built(name):
    """A model of a case, called once, whose weights all differ and none is 0."""
    model = CASES[name]()
    # Nothing is compiled: the graphs are too small to be worth it.
    model.compile(keras.optimizers.SGD(1e-3), "mse", run_eagerly=True)
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    model(x)
    rng = np.random.default_rng(1)
    for variable in model.weights:
        variable.assign(rng.uniform(0.1, 1.0, variable.shape))
    return model, x


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_shared_object_stays_one(name):
    """Every bit is kept, and as many variables come as the plan adds."""
    model, _ = _built(name)
    plan = keras_rectifiers.plan(model)

    converted = plan.apply(model)

    verification = keras_rectifiers.verify(model, converted)
    assert verification.holds
    added = sum(len(each.weights) for step in plan.steps for each in step.replacements)
    assert (verification.added, verification.dropped) == (added, 0)
    before, after = verification.variables
    assert after == before + added


@pytest.mark.parametrize("name", ["two_slots", "slot_and_cell", "two_inner"])
def test_what_is_shared_trains_as_one(name):
    """The next step of training gives the weights that it gives the original."""
    model, x = _built(name)
    converted = keras_rectifiers.convert(model, "leaky_relu", negative_slope=0.0)

    for each in (model, converted):
        each.train_on_batch(x, x[:, :2])

    assert keras_rectifiers.verify(model, converted).holds


def test_the_object_in_two_slots_is_one_object():
    """Both slots hold the same layer, not two with the same slopes."""
    model, _ = _built("two_slots")

    converted = keras_rectifiers.convert(model)

    first, second = (converted.get_layer(name).activation for name in "ab")
    assert first is second
    assert first is not model.get_layer("a").activation


def test_one_slot_of_two_can_be_converted_alone():
    """The other one keeps the shared slopes."""
    model, _ = _built("two_slots")
    shared = model.get_layer("b").activation

    converted = keras_rectifiers.convert(
        model, "leaky_relu", of="prelu", include="a", negative_slope=0.5
    )

    assert converted.get_layer("a").activation.negative_slope == 0.5
    kept = converted.get_layer("b").activation
    np.testing.assert_array_equal(np.asarray(kept.alpha), np.asarray(shared.alpha))


@pytest.mark.parametrize("form", ["layer_then_slot", "slot_then_layer"])
def test_a_rectifier_in_a_slot_and_in_the_graph_becomes_two(form):
    """A ReLU without weights has nothing to share: each site gets its own slopes."""
    shared = layers.ReLU(name="shared")

    def make(x):
        if form == "layer_then_slot":
            return _dense("b", shared)(shared(_dense("a")(x)))
        return shared(_dense("b")(_dense("a", shared)(x)))

    model = _ends(make)

    converted = keras_rectifiers.convert(model)

    assert sum(each.name == "alpha" for each in converted.trainable_weights) == 3
    assert keras_rectifiers.verify(model, converted).holds


def test_one_initializer_and_regularizer_of_two_layers():
    """What has no weights may come back as two: penalties are the same."""
    regularizer = keras.regularizers.L2(0.1)
    initializer = keras.initializers.GlorotUniform(seed=1)
    options = {"kernel_initializer": initializer, "kernel_regularizer": regularizer}
    inputs = keras.Input((4,))
    x = layers.Dense(3, activation="relu", name="a", **options)(inputs)
    model = keras.Model(inputs, layers.Dense(2, name="b", **options)(x))

    converted = keras_rectifiers.convert(model)

    verification = keras_rectifiers.verify(model, converted)
    assert verification.holds
    assert verification.losses[0] > 0


@keras.saving.register_keras_serializable("tests")
class Pair(layers.Layer):
    """Holds one layer twice, and forgets that in its config."""

    def __init__(self, first, second, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = first, second

    def call(self, inputs):
        return self.second(self.first(inputs))

    def get_config(self):
        config = super().get_config()
        for name in ("first", "second"):
            layer = getattr(self, name)
            config[name] = {"units": layer.units, "name": layer.name}
        return config

    @classmethod
    def from_config(cls, config):
        for name in ("first", "second"):
            config[name] = layers.Dense(**config[name])
        return cls(**config)


#: What Keras saves and does not open again: it loses the mark of the first place.
FILED = (
    "two_slots",
    "three_slots",
    "slot_then_layer",
    "slot_and_cell",
    "cell_of_two_layers",
    "wrapped_then_layer",
)


@pytest.mark.parametrize("name", FILED)
def test_what_is_shared_stays_shared_in_a_file(name, tmp_path):
    """The first place is marked like the others, so that Keras opens the new file."""
    model, _ = _built(name)
    model.save(tmp_path / "a.keras")

    plan = keras_rectifiers.convert_file(tmp_path / "a.keras", tmp_path / "b.keras")

    assert plan == keras_rectifiers.plan(model)
    verification = keras_rectifiers.verify(model, tmp_path / "b.keras")
    assert verification.holds
    assert verification.added == len(plan.steps)


def test_slopes_of_several_places_are_not_dropped_in_a_file(tmp_path):
    """The other place would start anew: nothing is written, the way out is named."""
    model, _ = _built("two_slots")
    model.save(tmp_path / "a.keras")
    options = {"of": "prelu", "include": "a"}

    with pytest.raises(UnsupportedModelError, match=r"'a', which 2 places share"):
        keras_rectifiers.convert_file(
            tmp_path / "a.keras", tmp_path / "b.keras", "leaky_relu", **options
        )

    assert [path.name for path in tmp_path.iterdir()] == ["a.keras"]


def test_a_class_that_forgets_what_is_shared_is_refused():
    """Two layers in place of one would train apart: the class is named."""
    shared = _dense("shared")
    model = _ends(Pair(shared, shared, name="pair"))
    model(np.ones((2, 4), "float32"))

    with pytest.raises(UnsupportedModelError, match="pair"):
        keras_rectifiers.convert(model)
