"""The verb: slopes within the budget, the model that has them, and clear refusals."""

from importlib import resources

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

import keras_rectifiers
from keras_rectifiers.errors import DataError
from keras_rectifiers.errors import SelectionError


@pytest.fixture(scope="module")
def dying():
    """The demo's model with dead units, and digits for it."""
    demo = resources.files("keras_rectifiers.demo")
    model = keras.saving.load_model(str(demo / "dying_digits.keras"))
    with np.load(str(demo / "digits.npz")) as digits:
        return model, digits["x_train"][:256], digits["y_train"][:256]


@pytest.fixture
def small():
    """A small model that is not compiled, and inputs."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, activation="relu", name="h"),
            layers.ReLU(6.0, name="six"),
            layers.Dense(8, activation="relu", name="k"),
            layers.Dense(2, name="out"),
        ]
    )
    return model, np.random.default_rng(1).normal(size=(40, 4)).astype("float32")


def test_the_loss_moves_less_than_allowed(dying):
    """Some slopes are above 0, and Keras itself measures the same loss."""
    model, x, y = dying

    found = keras_rectifiers.calibrate(model, (x, y), max_change=0.02)

    assert found.measure == "loss"
    assert found.fits
    assert 0 < max(found.slopes.values()) <= 0.3
    loss = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    now = found.model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    assert found.before["loss"] == pytest.approx(loss, rel=1e-4)
    assert found.after["loss"] == pytest.approx(now, rel=1e-4)
    assert found.change == pytest.approx(max(0.0, now - loss), abs=1e-4)
    assert sum(found.silent.values()) > 100
    assert "rectifiers get a slope" in str(found)
    assert found.to_dict()["slopes"] == found.slopes


def test_compensation_lets_slopes_be_larger(dying):
    """At the same budget."""
    model, x, _ = dying
    options = {"max_change": 0.1}

    with_it = keras_rectifiers.calibrate(model, x, **options)
    without = keras_rectifiers.calibrate(model, x, compensate=False, **options)

    assert sum(with_it.slopes.values()) > 1.2 * sum(without.slopes.values())
    assert with_it.fits
    assert without.fits


def test_accuracy_moves_less_with_compensation(dying):
    """By the same slopes."""
    model, x, y = dying
    options = {"minimum": 0.05, "candidates": (0.05,)}

    with_it = keras_rectifiers.calibrate(model, (x, y), **options)
    without = keras_rectifiers.calibrate(model, (x, y), compensate=False, **options)

    assert with_it.after["accuracy"] > without.after["accuracy"]
    assert with_it.change < without.change


def test_a_budget_of_nothing_changes_nothing(small):
    """A slope is free only where the next ReLU takes back what it gives."""
    model, x = small

    found = keras_rectifiers.calibrate(model, x, max_change=0.0)

    assert found.slopes == {"h": 0.3, "six": 0.0, "k": 0.0}
    assert found.change == 0
    assert [skip.reason for skip in found.plan.skips] == ["slope"] * 2
    np.testing.assert_array_equal(
        found.model.predict(x, verbose=0), model.predict(x, verbose=0)
    )


def test_the_converted_model_has_the_slopes(small):
    """As Leaky ReLU with the cap kept, or as PReLU that starts there."""
    model, x = small

    leaky = keras_rectifiers.calibrate(model, x, max_change=0.1)
    prelu = keras_rectifiers.calibrate(model, x, max_change=0.1, to="prelu")

    assert leaky.slopes == prelu.slopes
    assert any(leaky.slopes.values())
    for path, slope in leaky.slopes.items():
        host = prelu.model.get_layer(path)
        alpha = getattr(host, "activation", host).alpha
        np.testing.assert_allclose(ops.convert_to_numpy(alpha), slope, rtol=1e-6)
        if slope:
            host = leaky.model.get_layer(path)
            assert getattr(host, "activation", host).negative_slope == slope
    if leaky.slopes["six"]:
        assert leaky.model.get_layer("six").max_value == 6
    np.testing.assert_allclose(
        leaky.model.predict(x, verbose=0),
        prelu.model.predict(x, verbose=0),
        rtol=1e-4,
        atol=1e-5,
    )


def test_the_same_model_and_data_give_the_same_slopes(small):
    """Nothing is random."""
    model, x = small

    first, second = (keras_rectifiers.calibrate(model, x) for _ in range(2))

    assert first.to_dict() == second.to_dict()


@pytest.mark.parametrize("kind", ["iterator", "batches", "labels"])
def test_other_forms_of_data(small, kind):
    """Streams give what arrays give; labels of a model without a loss are unused."""
    model, x = small
    forms = {
        "iterator": iter([x[:20], x[20:]]),
        "batches": [(x[:20],), (x[20:],)],
        "labels": (x, np.zeros(40)),
    }

    found = keras_rectifiers.calibrate(model, forms[kind], batch_size=20)

    assert found.samples == 40
    assert found.measure == "outputs"
    assert found.slopes == keras_rectifiers.calibrate(model, x, batch_size=20).slopes


def test_many_samples_are_thinned_evenly(small):
    """So that a file sorted by class is seen whole."""
    model, x = small

    assert keras_rectifiers.calibrate(model, x, samples=10).samples == 10


def test_several_inputs_and_outputs(rng):
    """By name, with a loss for each output, and weights for the samples."""
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    x = layers.Dense(8, activation="relu", name="h")(layers.Concatenate()([a, b]))
    outputs = {"u": layers.Dense(1, name="u")(x), "v": layers.Dense(3, name="v")(x)}
    model = keras.Model({"a": a, "b": b}, outputs)
    model.compile("sgd", {"u": "mse", "v": "mse"})
    data = {"a": rng.normal(size=(24, 3)), "b": rng.normal(size=(24, 2))}
    labels = {"u": rng.normal(size=(24, 1)), "v": rng.normal(size=(24, 3))}

    found = keras_rectifiers.calibrate(model, (data, labels), max_change=0.5)

    assert found.measure == "loss"
    risen = max(0.0, found.after["loss"] - found.before["loss"])
    assert found.change == pytest.approx(risen, abs=1e-4)
    assert found.compensated == {"h": "u, v"}


def test_a_shared_rectifier_has_one_slope(rng):
    """One layer at two widths becomes two PReLUs, and both have its slope."""
    shared = layers.ReLU(name="shared")
    given = keras.Input((4,))
    x = shared(layers.Dense(6)(given))
    x = shared(layers.Dense(5)(x))
    model = keras.Model(given, layers.Dense(2)(x))
    data = rng.normal(size=(32, 4)).astype("float32")

    found = keras_rectifiers.calibrate(model, data, minimum=0.1, to="prelu")

    alphas = [weight for weight in found.model.weights if weight.name == "alpha"]
    assert [tuple(alpha.shape) for alpha in alphas] == [(6,), (5,)]
    for alpha in alphas:
        slope = found.slopes["shared"]
        np.testing.assert_allclose(ops.convert_to_numpy(alpha), slope, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"to": "elu"}, "to must be"),
        ({"candidates": ()}, "candidates must be"),
        ({"candidates": (float("nan"),)}, "candidates must be"),
        ({"candidates": (-0.1,)}, "candidates must be"),
        ({"max_change": -1.0}, "max_change must be"),
        ({"minimum": float("inf")}, "minimum must be"),
        ({"measure": "speed"}, "measure must be"),
        ({"measure": "loss"}, "the data have no labels"),
        ({"samples": 0}, "samples must be"),
        ({"batch_size": 0}, "batch_size must be"),
    ],
)
def test_arguments_out_of_range_are_refused(small, options, words):
    """By name, with what was received."""
    model, x = small

    with pytest.raises(ValueError, match=words):
        keras_rectifiers.calibrate(model, x, **options)


def test_data_that_do_not_serve_are_refused(small, dying):
    """NaN, nothing, the wrong shape, labels that the loss cannot take."""
    model, x = small
    compiled, digits, labels = dying

    with pytest.raises(DataError, match="inputs with NaN"):
        keras_rectifiers.calibrate(model, np.where(x > 1, np.nan, x))
    with pytest.raises(DataError, match="without samples"):
        keras_rectifiers.calibrate(model, x[:0])
    with pytest.raises(DataError, match="must have the shape"):
        keras_rectifiers.calibrate(model, x[:, :3])
    with pytest.raises(DataError, match="labels"):
        keras_rectifiers.calibrate(compiled, (digits, np.stack([labels] * 3, 1)))


def test_models_that_do_not_serve_are_refused(small):
    """No model, no rectifier, weights with NaN, a pattern that matches nothing."""
    model, x = small

    with pytest.raises(TypeError, match="must be a keras"):
        keras_rectifiers.calibrate("model.keras", x)
    with pytest.raises(SelectionError, match="matches none"):
        keras_rectifiers.calibrate(model, x, include="nothing")
    bare = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    with pytest.raises(SelectionError, match="at least one ReLU"):
        keras_rectifiers.calibrate(bare, x)
    model.get_layer("h").kernel.assign(np.full((4, 8), np.nan))
    with pytest.raises(DataError, match="must be finite"):
        keras_rectifiers.calibrate(model, x)
