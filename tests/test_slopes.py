"""Slopes are trained as the paper does: no decay, their own rate, in their bounds."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_rectifiers
from keras_rectifiers import slopes
from keras_rectifiers.constraints import SlopeRange
from keras_rectifiers.layers import PReLU

RATES = {
    "sgd": lambda: keras.optimizers.SGD(0.01),
    "momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01),
    "lion": lambda: keras.optimizers.Lion(0.01),
}
DECAYING = {
    "adamw": lambda: keras.optimizers.AdamW(0.1, weight_decay=0.1),
    "lamb": lambda: keras.optimizers.Lamb(0.1, weight_decay=0.1),
    "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.1),
    "lion": lambda: keras.optimizers.Lion(0.1, weight_decay=0.1),
    "loss_scaled": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.AdamW(0.1, weight_decay=0.1)
    ),
}


def _array(variable):
    return np.array(ops.convert_to_numpy(variable))


def _slopes_model(**options):
    """A model of slopes alone: each step depends on nothing but their own."""
    layer = PReLU(keras.initializers.Constant(0.25), name="prelu", **options)
    return keras.Sequential([keras.Input((3,)), layer])


def _trained(model, optimizer, steps=1):
    model.compile(optimizer, "mse")
    data = -np.abs(np.random.default_rng(0).normal(size=(8, 3))).astype("float32")
    # A target from which slopes of 0.25 are far.
    model.fit(data, 40 * data, batch_size=8, epochs=steps, shuffle=False, verbose=0)
    return _array(model.layers[-1].alpha)


@pytest.mark.parametrize("multiplier", [0.25, 4.0])
@pytest.mark.parametrize("name", RATES)
def test_a_step_of_any_optimizer_is_multiplied(name, multiplier):
    """The first step of the slopes is the multiple of what it is without."""
    plain = _trained(_slopes_model(), RATES[name]()) - 0.25
    fast = _slopes_model(learning_rate_multiplier=multiplier)

    moved = _trained(fast, RATES[name]()) - 0.25

    np.testing.assert_allclose(moved, multiplier * plain, rtol=1e-4)
    assert (plain != 0).all()


def test_a_multiplier_changes_neither_value_nor_gradient_of_the_input():
    """Slopes start where they are asked to, and act as they are."""
    x = np.linspace(-3, 3, 12, dtype="float32").reshape(4, 3)
    plain, fast = _slopes_model(), _slopes_model(learning_rate_multiplier=3.0)

    np.testing.assert_allclose(
        _array(plain(x)), _array(fast(x)), rtol=1e-6, atol=0, strict=True
    )
    np.testing.assert_allclose(_array(fast.layers[-1].alpha), 0.25, rtol=1e-6)


def test_options_survive_a_file(tmp_path):
    """Rate, channels, constraint and regularizer are in the layer's config."""
    model = _slopes_model(
        learning_rate_multiplier=4.0,
        trained_channels=[2, 0],
        alpha_constraint=SlopeRange(-0.5, 0.5),
        alpha_regularizer=keras.regularizers.L2(0.01),
    )
    expected = _trained(model, keras.optimizers.SGD(0.001), steps=2)
    model.save(tmp_path / "m.keras")

    loaded = keras.saving.load_model(tmp_path / "m.keras")

    layer = loaded.layers[-1]
    assert layer.get_config() == model.layers[-1].get_config()
    assert layer.trained_channels == (0, 2)
    np.testing.assert_array_equal(_array(layer.alpha), expected)
    assert expected[1] == np.float32(0.25)
    assert (expected[[0, 2]] != np.float32(0.25)).all()


def test_constraints_and_penalties_are_those_of_the_slopes():
    """Not of the variable, which holds a part of them."""
    bounded = _slopes_model(
        learning_rate_multiplier=4.0, alpha_constraint=SlopeRange(0.0, 0.5)
    )
    plain, fast = (
        _slopes_model(alpha_regularizer=keras.regularizers.L2(1.0), **options)
        for options in ({}, {"learning_rate_multiplier": 4.0})
    )

    reached = _trained(bounded, keras.optimizers.SGD(0.1), steps=3)

    np.testing.assert_allclose(reached, 0.5, rtol=1e-6)
    np.testing.assert_allclose(float(plain.losses[0]), float(fast.losses[0]), rtol=1e-6)


@pytest.mark.parametrize("multiplier", [1.0, 4.0])
def test_slopes_of_other_channels_stay_whatever_is_asked_of_slopes(multiplier):
    """Neither a penalty nor a constraint moves them."""
    model = _slopes_model(
        learning_rate_multiplier=multiplier,
        trained_channels=[1],
        alpha_constraint=SlopeRange(0.3, 0.5),
        alpha_regularizer=keras.regularizers.L1L2(0.1, 0.1),
    )

    reached = _trained(model, keras.optimizers.Adam(0.5), steps=3)

    np.testing.assert_allclose(reached, [0.25, 0.5, 0.25], rtol=1e-6)


def _decaying():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4, activation="relu", name="host")(inputs)
    hidden = keras.layers.ReLU(name="bare")(keras.layers.Dense(4)(hidden))
    return keras.Model(inputs, keras.layers.Dense(1, name="head")(hidden))


def _step(model):
    """One step with gradients of 0: what moves is moved by decay."""
    variables = model.trainable_variables
    optimizer = model.optimizer
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    optimizer.apply([ops.zeros(each.shape) for each in variables], variables)


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("name", DECAYING)
def test_slopes_do_not_decay_after_a_conversion(name, trained):
    """With the optimizer's state carried; what was excluded before stays excluded."""
    model = _decaying()
    optimizer = DECAYING[name]()
    model.compile(optimizer, "mse")
    if trained:
        model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0)
    made = keras_rectifiers.convert(model, alpha=0.5)
    inner = getattr(made.optimizer, "inner_optimizer", made.optimizer)
    if not inner.built:
        inner.exclude_from_weight_decay(var_list=[made.get_layer("head").kernel])
    state = len(made.optimizer.variables)

    slopes.without_decay(made)

    inner = getattr(made.optimizer, "inner_optimizer", made.optimizer)
    assert int(inner.iterations) == int(trained)
    assert not trained or len(made.optimizer.variables) <= state
    assert len(slopes.variables_of(made)) == 2
    decays = {
        variable.path: inner._use_weight_decay(variable)
        for variable in made.trainable_variables
    }
    assert not any(decays[each.path] for each in slopes.variables_of(made))
    assert decays["host/kernel"]
    assert decays["head/kernel"] == (trained or made.optimizer.built)


def test_decay_leaves_slopes_where_they_are():
    """A step with gradients of 0 shrinks kernels and no slope, also after a file."""
    model = keras_rectifiers.convert(_decaying(), alpha=0.5)
    model.compile(keras.optimizers.AdamW(0.1, weight_decay=0.1), "mse")
    slopes.without_decay(model)
    kernel = _array(model.get_layer("host").kernel)

    _step(model)

    np.testing.assert_allclose(
        _array(model.get_layer("host").kernel), kernel * 0.99, rtol=1e-6
    )
    for variable in slopes.variables_of(model):
        np.testing.assert_array_equal(_array(variable), 0.5)


def test_a_model_without_an_optimizer_is_refused():
    """One sentence, with what to do."""
    with pytest.raises(ValueError, match="not compiled"):
        slopes.without_decay(_decaying())


@pytest.mark.parametrize("where", ["live", "file"])
def test_scaled_slopes_are_read_as_they_act(where, tmp_path):
    """By a conversion to Leaky ReLU and by a diagnosis."""
    layer = PReLU(keras.initializers.Constant(0.25), learning_rate_multiplier=4.0)
    model = keras_rectifiers.convert(_decaying(), layer)
    source = model
    if where == "file":
        source = tmp_path / "m.keras"
        model.save(source)

    made = keras_rectifiers.plan(source, "leaky_relu", of="prelu")

    assert [s.replacement.config["negative_slope"] for s in made.steps] == [0.25, 0.25]
    found = keras_rectifiers.diagnose(model, np.ones((4, 3), "float32"))
    assert {row["slope"] for row in found.rows} == {0.25}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"learning_rate_multiplier": 0}, ValueError),
        ({"learning_rate_multiplier": float("nan")}, ValueError),
        ({"learning_rate_multiplier": "2"}, TypeError),
        ({"trained_channels": []}, ValueError),
        ({"trained_channels": [0, 0]}, ValueError),
        ({"trained_channels": [-1]}, ValueError),
        ({"trained_channels": [0.5]}, TypeError),
        ({"trained_channels": "01"}, TypeError),
        ({"trained_channels": [0], "shared_axes": None}, ValueError),
        ({"trained_channels": [3]}, ValueError),
    ],
)
def test_arguments_are_checked(options, error):
    """A channel that is not there is noticed when the layer is built."""
    with pytest.raises(error, match=r"Received: .*(multiplier|channel)"):
        _slopes_model(**options)


@pytest.mark.parametrize(
    ("bounds", "error"),
    [((1, 0), ValueError), ((0, float("inf")), ValueError), (("a", 1), TypeError)],
)
def test_bounds_are_checked(bounds, error):
    """One sentence."""
    with pytest.raises(error, match="SlopeRange"):
        SlopeRange(*bounds)
