"""Moving statistics estimated again from data."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_rectifiers.errors import DataError
from keras_rectifiers.revival import refresh_statistics

_X = np.random.default_rng(3).normal(4.0, 3.0, (90, 6)).astype("float32")


def _model(**options):
    """Two normalizations, with dropout between."""
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(5, name="first"),
            layers.BatchNormalization(name="one", momentum=0.999, **options),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.Dense(4, name="second"),
            layers.BatchNormalization(name="two", momentum=0.999),
        ],
        name="net",
    )


def _state(model):
    """Every variable there is: seeds and the optimizer's, too."""
    variables = [*model.variables, *model.optimizer.variables]
    return {
        f"{n} {v.path}": keras.ops.convert_to_numpy(v) for n, v in enumerate(variables)
    }


def _moved(name):
    return name.endswith(("moving_mean", "moving_variance"))


def test_statistics_become_those_of_the_data():
    """Of the first layer they are known exactly, whatever the batches were."""
    model = _model()
    taken = keras.ops.convert_to_numpy(model.get_layer("first")(_X))

    assert refresh_statistics(model, _X) == ("net/one", "net/two")
    mean, variance = model.get_layer("one").get_weights()[2:]
    np.testing.assert_allclose(mean, taken.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(variance, taken.var(0), rtol=1e-4)


def test_later_layers_see_what_they_saw_in_training():
    """With one batch the model computes at inference what it computes in training."""
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(5),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dense(4),
            layers.BatchNormalization(),
        ]
    )
    model.layers[0].kernel.assign(7 * model.layers[0].kernel)
    x = _X[:40]
    expected = keras.ops.convert_to_numpy(model(x, training=True))

    refresh_statistics(model, x)

    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=2e-4)


def test_nothing_else_changes():
    """Weights, the optimizer and the seeds of dropout keep every bit."""
    model = _model()
    model.compile("adam", "mse")
    model.fit(_X, np.zeros((90, 4)), batch_size=45, verbose=0)
    before = _state(model)

    refresh_statistics(model, _X)

    after = _state(model)
    changed = {name for name in before if (before[name] != after[name]).any()}
    assert changed == {name for name in before if _moved(name)}


def test_frozen_normalizations_keep_theirs():
    """Keras uses their moving statistics in training, too."""
    model = _model()
    model.get_layer("one").trainable = False
    before = model.get_layer("one").get_weights()
    taken = keras.Model(model.inputs, model.get_layer("second").output).predict(
        _X, verbose=0
    )

    assert refresh_statistics(model, _X) == ("net/two",)
    for old, new in zip(before, model.get_layer("one").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    mean = model.get_layer("two").get_weights()[2]
    np.testing.assert_allclose(mean, taken.mean(0), rtol=1e-3, atol=1e-4)


def test_data_sorted_by_class_give_what_shuffled_data_give():
    """Batches of arrays are spread over all samples."""
    x = np.concatenate([_X, _X + 40.0, _X - 40.0])
    order = np.random.default_rng(0).permutation(len(x))
    one, two = _model(), _model()
    two.set_weights(one.get_weights())

    refresh_statistics(one, x)
    refresh_statistics(two, x[order])

    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0.5, atol=0.1)


def test_a_data_set_gives_the_batches_that_it_has():
    """At most so many as asked for; labels are left out."""
    model = _model()
    taken = keras.ops.convert_to_numpy(model.get_layer("first")(_X[:20]))
    pairs = iter([(_X[:20], np.zeros(20)), (_X[20:], np.zeros(70))])

    refresh_statistics(model, pairs, batches=1)

    mean = model.get_layer("one").get_weights()[2]
    np.testing.assert_allclose(mean, taken.mean(0), rtol=1e-4, atol=1e-5)


def test_masked_steps_do_not_count():
    """A normalization takes the steps of the mask alone, as in training."""
    inputs = keras.Input((3, 2))
    outputs = layers.BatchNormalization(name="bn")(layers.Masking()(inputs))
    model = keras.Model(inputs, outputs)
    x = np.zeros((70, 3, 2), "float32")
    x[:, 0] = np.random.default_rng(0).normal(5.0, 2.0, (70, 2))

    refresh_statistics(model, x)

    mean, variance = model.get_layer("bn").get_weights()[2:]
    np.testing.assert_allclose(mean, x[:, 0].mean(0), rtol=1e-4)
    np.testing.assert_allclose(variance, x[:, 0].var(0), rtol=1e-3)


def test_half_precision_is_summed_in_full():
    """Moments are taken in float32 and pooled in float64."""
    policy = layers.BatchNormalization(name="bn", dtype="mixed_float16")
    model = keras.Sequential([keras.Input((6,)), policy])

    refresh_statistics(model, _X)

    mean, variance = policy.get_weights()[2:]
    np.testing.assert_allclose(mean, _X.mean(0), rtol=1e-3)
    np.testing.assert_allclose(variance, _X.var(0), rtol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((_X, 0), ValueError, "at least 1"),
        ((_X[:0],), DataError, "one batch"),
        ((np.full((4, 6), np.nan),), DataError, "must be finite"),
        ((np.zeros((4, 5)),), DataError, "shape"),
        (("data",), TypeError, "data must be"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(arguments, error, words):
    """One sentence says why."""
    model = _model()
    before = model.get_weights()

    with pytest.raises(error, match=words):
        refresh_statistics(model, *arguments)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_only_models_have_statistics():
    """A layer is refused by its class."""
    with pytest.raises(TypeError, match=r"keras\.Model"):
        refresh_statistics(layers.BatchNormalization(), _X)
