"""One ReLU layer behind layers of different widths, as many networks are written."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_rectifiers
from keras_rectifiers.callbacks import DeadUnitMonitor
from keras_rectifiers.diagnosis import widths

_X = np.random.default_rng(5).normal(size=(12, 5)).astype("float32")
_Y = np.random.default_rng(6).normal(size=(12, 1)).astype("float32")
NARROW, WIDE = "relu (4 units)", "relu (6 units)"


@pytest.fixture
def model():
    """Widths 4, 6, 4; unit 1 of the wide one is dead, and both of the other host."""
    relu = layers.ReLU(name="relu")
    inputs = keras.Input((5,))
    hidden = relu(layers.Dense(4, name="first")(inputs))
    hidden = relu(layers.Dense(6, name="second")(hidden))
    hidden = relu(layers.Dense(4, name="third")(hidden))
    hidden = layers.Dense(2, activation="relu", name="own")(hidden)
    made = keras.Model(inputs, layers.Dense(1, name="head")(hidden), name="m")
    for name, dead in (("second", [1]), ("own", [0, 1])):
        kernel, bias = made.get_layer(name).get_weights()
        bias[dead] = -50.0
        made.get_layer(name).set_weights([kernel, bias])
    made.compile("sgd", "mse")
    return made


def _taken(model, name):
    """What a layer puts out, by numpy."""
    made = keras.Model(model.input, model.get_layer(name).output)
    return made.predict(_X, verbose=0)


@pytest.mark.parametrize("gradients", [False, True])
def test_each_width_is_measured_on_its_own(model, gradients):
    """Calls of one width are positions of the same units; others have their own."""
    diagnosis = keras_rectifiers.diagnose(
        model, (_X, _Y), batch_size=5, gradients=gradients
    )

    assert [each.layer for each in diagnosis.layers] == [NARROW, WIDE, "own"]
    assert diagnosis.unseen == ()
    narrow = np.stack([_taken(model, "first"), _taken(model, "third")], axis=1)
    for name, x in ((NARROW, narrow), (WIDE, _taken(model, "second")[:, None])):
        seen = diagnosis.layer(name).statistics
        assert (seen.samples, seen.positions) == (12, 12 * x.shape[1])
        np.testing.assert_array_equal(seen.fired, (x > 0).any(1).sum(0))
        np.testing.assert_array_equal(seen.fired_positions, (x > 0).sum((0, 1)))
        h = np.maximum(x, 0)
        np.testing.assert_allclose(seen.sum_abs, h.sum((0, 1)), rtol=1e-5)
        np.testing.assert_allclose(seen.maximum, h.max((0, 1)), rtol=1e-5)
        assert (seen.with_gradient is not None) == gradients
    assert diagnosis.layer(WIDE).verdicts[1] == "dead"


def test_gradients_are_those_of_each_width(model):
    """Where all after it fires, a unit has a gradient in the samples it fires in."""
    model.get_layer("third").bias.assign(np.full(4, 50.0))
    model.get_layer("own").set_weights([np.ones((4, 2)), np.zeros(2)])

    found = keras_rectifiers.diagnose(model, (_X, _Y), gradients=True)

    wide, narrow = found.layer(WIDE).statistics, found.layer(NARROW).statistics
    np.testing.assert_array_equal(wide.with_gradient, wide.fired)
    assert wide.with_gradient[1] == 0
    assert narrow.with_gradient.tolist() == [12] * 4


def test_axes_of_ones_own_tell_widths_apart_too():
    """Units of places: a layer behind maps of two sizes has units of two numbers."""
    relu = layers.ReLU(name="relu")
    inputs = keras.Input((4, 4, 2))
    hidden = relu(layers.Conv2D(3, 1)(inputs))
    hidden = relu(layers.Conv2D(3, 1, strides=2)(hidden))
    model = keras.Model(inputs, layers.Flatten()(hidden))
    data = np.random.default_rng(7).normal(size=(6, 4, 4, 2)).astype("float32")

    found = keras_rectifiers.diagnose(model, data, unit_axes=(1, 2, 3))

    shapes = {each.layer: each.unit_shape for each in found.layers}
    assert shapes == {"relu (12 units)": (2, 2, 3), "relu (48 units)": (4, 4, 3)}
    (channels,) = keras_rectifiers.diagnose(model, data).layers
    assert (channels.layer, channels.unit_shape) == ("relu", (3,))


def test_a_monitor_counts_each_width(model):
    """What looks on while a model trains gives the same names."""
    for monitor in (DeadUnitMonitor(), DeadUnitMonitor(_X)):
        history = model.fit(_X, _Y, verbose=0, callbacks=[monitor]).history

        names = [each.layer for each in monitor.diagnosis.layers]
        assert names == [NARROW, WIDE, "own"]
        assert history[f"dead_fraction/{WIDE}"] == [pytest.approx(1 / 6)]


def test_causes_are_told_of_each_width(model):
    """What is known of the first call is not said of the others."""
    diagnosis = keras_rectifiers.diagnose(model, _X)

    evidence = {each.path: each for each in diagnosis.evidence.rectifiers}
    assert diagnosis.evidence.problem == ""
    assert list(evidence) == [NARROW, WIDE, "own"]
    assert evidence[NARROW].producer.path == "first"
    assert evidence[WIDE].producer is None
    assert evidence[WIDE].upstream is None
    second = _taken(model, "second")
    np.testing.assert_allclose(evidence[WIDE].mean, second.mean(0), rtol=1e-4)
    assert {*evidence["own"].upstream} == {NARROW, WIDE}
    assert WIDE in str(keras_rectifiers.explain(diagnosis))


def test_dead_units_of_each_width_are_converted(model):
    """A plan by a diagnosis finds the dead units of the width of each new layer."""
    model.get_layer("own").bias.assign([5.0, 5.0])  # now dead in the wide one only
    diagnosis = keras_rectifiers.diagnose(model, _X)
    assert diagnosis.count("dead") == 1

    plan = keras_rectifiers.plan(model, where=diagnosis)

    (step,) = plan.steps
    slopes = [each.weights[0].value for each in step.replacements]
    assert [np.flatnonzero(each).tolist() for each in slopes] == [[], [1]]
    new = plan.apply(model)
    narrow = new.get_layer(step.site.path)
    assert not narrow.trainable  # all its units live, and stay what they were
    x = keras.Model(new.input, new.get_layer("second").output).predict(_X, verbose=0)
    h = keras.Model(new.input, new.get_layer("third").input).predict(_X, verbose=0)
    np.testing.assert_allclose(h[:, 1], 0.25 * x[:, 1], rtol=1e-5)
    np.testing.assert_array_equal(h[:, 2:], np.maximum(x, 0)[:, 2:])


def test_diagnoses_of_several_widths_add_up(model):
    """Halves make the whole, width by width."""
    whole = keras_rectifiers.diagnose(model, _X)
    halves = [keras_rectifiers.diagnose(model, part) for part in (_X[:6], _X[6:])]

    both = halves[0] + halves[1]

    for each in whole.layers:
        seen = both.layer(each.layer).statistics
        np.testing.assert_array_equal(seen.fired, each.statistics.fired)


def test_a_path_has_its_width_beside_it_only_where_it_has_several():
    """Names stay what they were for all other rectifiers."""
    found = widths.named({("a", 1): 10, ("a", 2): 20, ("b", 2): 30})

    assert found == {"a (1 unit)": 10, "a (2 units)": 20, "b": 30}
    assert widths.is_of("a (2 units)", "a", 2)
    assert widths.is_of("b", "b", 2)
    assert not widths.is_of("a (2 units)", "a", 1)
    assert not widths.is_of("a (2 units)", "b", 2)
