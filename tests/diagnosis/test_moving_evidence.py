"""Silent units that fire where normalizations use the statistics of the batch."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_rectifiers.diagnosis.causes.explain import explain
from keras_rectifiers.diagnosis.diagnose import diagnose
from keras_rectifiers.diagnosis.evidence import gather
from keras_rectifiers.live.rectifiers import find

_X = np.random.default_rng(5).normal(3.0, 0.1, (64, 4)).astype("float32")


def _model():
    """Moving statistics are those of the start; no unit's input is above beta + 3."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(4, use_bias=False, kernel_initializer="identity"),
            layers.BatchNormalization(name="bn", beta_initializer="ones"),
            layers.ReLU(name="act"),
            layers.Dropout(0.5),
            layers.BatchNormalization(name="second"),
            layers.ReLU(name="last"),
        ]
    )
    model.get_layer("bn").beta.assign([-4.0, -4.0, 0.0, -9.0])
    return model


def _collected(model, x=_X):
    return gather.collect(model, find(model), keras.ops.convert_to_tensor(x))


def test_batch_statistics_are_those_of_what_the_layer_takes():
    """Beside them stand the moving ones, and the errors of a sample."""
    first, second = _collected(_model()).norms

    assert (first.path, second.path) == ("bn", "second")
    np.testing.assert_array_equal(first.mean, 0)
    np.testing.assert_array_equal(first.variance, 1)
    np.testing.assert_allclose(first.batch_mean, _X.mean(0), rtol=1e-4)
    np.testing.assert_allclose(first.batch_variance, _X.var(0), rtol=1e-3)
    np.testing.assert_allclose(first.mean_error, _X.std(0) / 8, rtol=1e-3)
    assert (first.epsilon, first.momentum, first.frozen) == (1e-3, 0.99, False)
    # Fed by what the first one normalized, with dropout off.
    size = np.sqrt(_X.var(0) + 1e-3)
    taken = np.maximum((_X - _X.mean(0)) / size + [-4, -4, 0, -9], 0)
    np.testing.assert_allclose(second.batch_mean, taken.mean(0), atol=1e-4)


def test_what_fires_with_the_batch_is_seen_for_each_unit():
    """The greatest value in that pass, next to that with moving statistics."""
    model = _model()
    model.get_layer("bn").moving_mean.assign([9.0, 9.0, 9.0, 9.0])

    act = _collected(model).rectifier("act")

    size = np.sqrt(_X.var(0) + 1e-3)
    expected = ((_X - _X.mean(0)) / size + [-4, -4, 0, -9]).max(0)
    np.testing.assert_allclose(act.batch_maximum, expected, atol=1e-3)
    assert act.norms == ("bn",)
    assert (act.maximum < 0).all()


def test_the_model_is_not_changed():
    """Weights, moving statistics and seeds keep every bit; the layers their calls."""
    model = _model()
    before = [keras.ops.convert_to_numpy(each) for each in model.variables]
    attributes = [set(vars(each)) for each in model.layers]

    _collected(model)

    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, keras.ops.convert_to_numpy(variable))
    assert attributes == [set(vars(each)) for each in model.layers]


def test_a_diagnosis_says_how_many_units_fire_with_the_batch():
    """No unit is called dead before that was looked at."""
    model = _model()
    model.get_layer("bn").moving_mean.assign([9.0, 9.0, 9.0, 9.0])

    found = diagnose(model, _X)

    sentence = "of 8 silent units fire with the batch's own statistics"
    assert found.waking in (2, 3)  # the third unit of each, and what it feeds
    assert f"{found.waking} {sentence}" in str(found)
    assert f"{found.waking} {sentence}" in explain(found).headline


def test_frozen_normalizations_are_looked_at_too():
    """That they keep their statistics in training is told by a flag."""
    model = _model()
    model.get_layer("bn").trainable = False

    norm = _collected(model).norm("bn")

    assert norm.frozen
    np.testing.assert_allclose(norm.batch_mean, _X.mean(0), rtol=1e-4)


def test_a_model_that_is_wired_in_python_is_looked_at():
    """Which normalizations are before a rectifier is not known there."""

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.norm = layers.BatchNormalization(name="bn")
            self.act = layers.ReLU(name="act")

        def call(self, x, training=None):
            return self.act(self.norm(x, training=training) - 30.0)

    model = Net()
    model(_X)

    found = _collected(model)

    assert [each.path for each in found.norms] == ["bn"]
    assert found.rectifier("act").norms is None
    assert (found.rectifier("act").batch_maximum < -20).all()


def test_steps_that_are_masked_do_not_count():
    """As in training."""
    inputs = keras.Input((3, 2))
    x = layers.BatchNormalization(name="bn")(layers.Masking()(inputs))
    model = keras.Model(inputs, layers.ReLU(name="act")(x))
    given = np.zeros((20, 3, 2), "float32")
    given[:, 0] = np.random.default_rng(0).normal(5.0, 2.0, (20, 2))

    norm = _collected(model, given).norm("bn")

    np.testing.assert_allclose(norm.batch_mean, given[:, 0].mean(0), rtol=1e-4)
    np.testing.assert_allclose(
        norm.mean_error, given[:, 0].std(0) / np.sqrt(20), rtol=1e-3
    )


@pytest.mark.parametrize("samples", [1, 7])
def test_few_samples_say_nothing(samples):
    """The statistics of so small a batch are not those of the data."""
    found = diagnose(_model(), _X[:samples] - 90.0)

    assert found.waking is None
    assert found.evidence.norms == ()


def test_healthy_statistics_wake_nobody_on_data_sorted_by_class():
    """The samples that are looked at come from all of the data."""
    x = np.concatenate([_X - 6.0, _X + 0.0, _X + 6.0])
    model = _model()
    norm = model.get_layer("bn")
    norm.moving_mean.assign(x.mean(0))
    norm.moving_variance.assign(x.var(0))

    found = diagnose(model, x, batch_size=16)

    assert found.layer("act").dead == 3
    assert found.waking == 0
    assert "lagging_statistics" not in [each.kind for each in explain(found).causes]
