"""The recipe end to end: what is wrong with a model decides what is done."""

import keras
import numpy as np
import pytest

from keras_rectifiers.errors import DataError
from keras_rectifiers.errors import SelectionError
from keras_rectifiers.files.data import Data
from keras_rectifiers.finetuning.finetune import finetune

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 4)).astype("float32")
Y = (X[:, 0] * X[:, 1] > 0).astype("int32")
LOSS = "sparse_categorical_crossentropy"


def _model(dead=0, rate=0.01, norm=False):
    """Two hidden layers of 8 units, of the first of which so many are dead."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(8, name="h")]
    layers += [keras.layers.BatchNormalization(name="bn")] if norm else []
    layers += [keras.layers.ReLU(name="r")]
    layers += [keras.layers.Dense(8, activation="relu", name="g")]
    layers += [keras.layers.Dense(2, activation="softmax", name="out")]
    model = keras.Sequential([keras.Input((4,)), *layers], name="net")
    model.get_layer("h").bias.assign([-50.0] * dead + [0.5] * (8 - dead))
    model.get_layer("g").bias.assign([0.5] * 8)
    if norm:
        model.get_layer("bn").beta.assign([-50.0] * dead + [0.5] * (8 - dead))
    model.compile(keras.optimizers.Adam(rate), LOSS, metrics=["accuracy"])
    return model


def _tuned(model, **options):
    return finetune(model, (X, Y), **{"epochs": 5, **options})


def test_few_dead_units_are_revived_and_the_outputs_stay():
    """Before the first step the function is the original's, bit for bit."""
    result = _tuned(_model(dead=1))

    assert result.treatment == "revive"
    assert result.why == "1 of 16 units is dead"
    assert result.start_difference == 0
    assert result.done == ("1 unit was given new weights.",)
    assert result.plan is None
    assert result.after["dead_fraction"] == 0


def test_a_network_at_chance_starts_anew():
    """All dead: nothing is kept but what it is, and a rate that killed is lowered."""
    model = _model(dead=8, rate=0.5)
    result = _tuned(model, epochs=30)

    assert result.treatment == "restart"
    assert abs(result.skill) < 0.1
    assert "at a rate of 0.001" in result.done[0]
    assert float(result.model.optimizer.learning_rate) == pytest.approx(0.001)
    assert result.after["dead_fraction"] < 0.2
    assert [w.shape for w in result.model.get_weights()] == [
        w.shape for w in model.get_weights()
    ]


def test_treatments_are_compared_where_it_is_not_clear():
    """Many dead, and yet it knows something: both are tried, one goes on."""
    model = _model(dead=6)
    model.fit(X, Y, epochs=20, verbose=0)
    result = _tuned(model, epochs=10)

    assert [each.treatment for each in result.tried] == ["revive", "restart"]
    values = {each.treatment: each.value for each in result.tried}
    assert result.treatment == max(values, key=values.get)
    assert len(result.history) == 8  # of 10 epochs 2 went into the other trial


def test_normalisations_that_killed_are_set_back():
    """Kernels stay: it is the gammas and betas that are new."""
    model = _model(dead=8, norm=True)
    model.get_layer("bn").gamma.assign([0.1] * 8)
    result = _tuned(model, treatment="norms", epochs=3)
    again = _tuned(
        model, treatment="norms", epochs=1, learning_rate=1e-30, keep_best=False
    )

    assert result.after["dead_fraction"] < result.before["dead_fraction"]
    np.testing.assert_allclose(again.model.get_layer("bn").gamma, 1.0)
    np.testing.assert_allclose(again.model.get_layer("bn").beta, 0.0, atol=1e-6)
    np.testing.assert_array_equal(
        again.model.get_layer("h").get_weights()[0],
        model.get_layer("h").get_weights()[0],
    )
    assert again.model.get_layer("bn").momentum == 0.99


def test_slopes_are_given_to_dead_units_alone():
    """Living units keep a slope of 0, also after training."""
    result = _tuned(_model(dead=3), treatment="slopes", keep_best=False)
    slopes = np.asarray(result.model.get_layer("r").get_weights()[0])

    assert np.count_nonzero(slopes) == 3
    assert np.all(slopes[3:] == 0)


def test_annealed_slopes_are_folded_back():
    """fold=True ends in a plain ReLU, whichever epoch is kept."""
    result = _tuned(_model(dead=3), treatment="slopes", fold=True)
    layer = result.model.get_layer("r")

    assert isinstance(layer, keras.layers.ReLU)
    assert not layer.get_weights()
    assert len(result.fold.plan.steps) == 1
    assert result.best_epoch == 0 or result.best_epoch >= 3


def test_where_revival_has_no_answer_dead_units_get_slopes():
    """Before a residual sum; the others are revived."""
    keras.utils.set_random_seed(2)
    inputs = keras.Input((4,))
    x = keras.layers.Dense(8, activation="relu", name="h")(inputs)
    branch = keras.layers.Dense(8, activation="relu", name="b")(x)
    total = keras.layers.Add(name="sum")([x, branch])
    hidden = keras.layers.Dense(8, activation="relu", name="g")(total)
    outputs = keras.layers.Dense(2, activation="softmax")(hidden)
    model = keras.Model(inputs, outputs)
    model.get_layer("b").bias.assign([-50.0] * 2 + [0.0] * 6)
    model.get_layer("g").bias.assign([-50.0] * 2 + [0.5] * 6)
    model.compile("adam", LOSS, metrics=["accuracy"])
    result = _tuned(model, treatment="revive", epochs=2, keep_best=False)

    converted = [step.site.path for step in result.plan.steps]
    assert all(path.endswith("b") for path in converted)
    assert any("new weights" in line for line in result.done)


def test_test_arrays_choose_nothing():
    """Other test labels give the same weights, epoch and trial: only other reports."""
    results = [
        finetune(
            _model(dead=6),
            Data(X, Y, X[:40], labels, source="data"),
            epochs=6,
        )
        for labels in (Y[:40], 1 - Y[:40])
    ]

    assert results[0].tried == results[1].tried
    assert results[0].best_epoch == results[1].best_epoch
    for mine, theirs in zip(*(r.model.get_weights() for r in results), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert results[0].after != results[1].after


def test_a_run_without_dead_units_is_plain_training():
    """Nothing is treated, and the optimizer goes on."""
    model = _model()
    model.fit(X, Y, epochs=1, verbose=0)
    result = _tuned(model, epochs=1)

    assert (result.treatment, result.why) == ("none", "no unit is dead")
    assert int(result.model.optimizer.iterations) == int(model.optimizer.iterations) + 5


def test_epochs_are_enough_where_none_are_given():
    """2,000 steps, but at most 50 epochs."""
    done = []

    class Count(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            done.append(epoch)
            if epoch == 1:
                self.model.stop_training = True

        def on_train_begin(self, logs=None):
            done.append(self.params["epochs"])

    finetune(_model(), (X, Y), callbacks=[Count()])

    assert done == [50, 0, 1]


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ((X[:, :3], Y), r"must have the shape \(batch, 4\)"),
        ((X, Y[:10]), "x 160, y 10"),
        ((X.astype(str), Y), "x of 'data' must hold numbers"),
        ((X, Y.astype(str)), "y of 'data' must hold numbers"),
        ((X[:0], Y[:0]), r"shape \(0, 4\)"),
        ((np.where(X > 2, np.nan, X), Y), "NaN or infinity in"),
        ((X, np.where(Y, np.inf, 0.0)), "y of 'data' must hold finite numbers"),
        (({"other": X}, Y), "one array for each input"),
        (None, "Received: None"),
    ],
)
def test_data_that_cannot_be_trained_on_are_refused(data, part):
    """In one sentence that says what and where, before anything is done."""
    with pytest.raises(DataError, match=part):
        finetune(_model(), data)


def test_nan_in_a_data_set_object_is_seen():
    """Where it stands among the first samples."""

    class Batches(keras.utils.PyDataset):
        num_batches = 2

        def __getitem__(self, index):
            return np.where(X > 2, np.nan, X)[:32], Y[:32]

    with pytest.raises(DataError, match="NaN or infinity in"):
        finetune(_model(), Batches())


@pytest.mark.parametrize(
    ("options", "kind", "part"),
    [
        ({"treatment": "magic"}, ValueError, "'auto', 'revive'"),
        ({"treatment": "revive", "to": "prelu"}, ValueError, "treatment='convert'"),
        ({"treatment": "slopes", "to": "prelu"}, ValueError, "treatment='convert'"),
        ({"treatment": "slopes"}, SelectionError, "none is dead"),
        ({"treatment": "slopes", "where": bool}, ValueError, "with where"),
        ({"schedule": "steep"}, ValueError, "'cosine', 'constant'"),
        ({"batch_size": 0}, ValueError, "batch_size=0"),
        ({"seed": -1}, ValueError, "seed=-1"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, kind, part):
    """The argument is named, and what it may be."""
    with pytest.raises(kind, match=part):
        finetune(_model(), (X, Y), **options)


def test_a_path_is_no_model():
    """It says how to load one."""
    with pytest.raises(TypeError, match="load_model"):
        finetune("model.keras", (X, Y))
