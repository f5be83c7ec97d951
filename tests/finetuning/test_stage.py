"""Runs that share one compiled model end as runs with a model for each."""

import keras
import numpy as np
import pytest

from keras_rectifiers import finetune
from keras_rectifiers.finetuning.prepare import Treated
from keras_rectifiers.finetuning.prescriptions import Prescription
from keras_rectifiers.finetuning.stage import Stage

_RNG = np.random.default_rng(3)
X = _RNG.normal(size=(256, 6)).astype("float32")
Y = (X.sum(1) > 0).astype("int32")


class Counted(keras.layers.Layer):
    """The identity; counts how often Python calls it in training."""

    calls = 0

    def call(self, x, training=False):
        type(self).calls += bool(training)
        return x


def _dying(optimizer, *extra):
    """A classifier of whose hidden units most are dead, and which says something."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            *extra,
            keras.layers.Dense(16, activation="relu", name="a"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(16, activation="relu", name="b"),
            keras.layers.Dense(2),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    model.fit(X, Y, epochs=2, verbose=0)
    for name in "ab":
        layer = model.get_layer(name)
        layer.bias.assign(np.where(np.arange(16) < 8, -50.0, 0.0))
    return model


def _apart(_, treated):
    """For `Stage.takes`: each run keeps its model.

    The first `fit` of a model whose metrics are not built takes a batch in advance,
    and so draws another order of samples: here they are built, as in what is shared.
    """
    treated.model.evaluate(X, Y, verbose=0)
    return False


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        ("adam", {}),
        pytest.param("adam", {"treatment": "revive"}, marks=pytest.mark.slow),
        pytest.param("adam", {"fold": True}, marks=pytest.mark.slow),
        pytest.param("momentum", {}, marks=pytest.mark.slow),
    ],
)
def test_sharing_changes_nothing(monkeypatch, optimizer, options):
    """History, choice and weights, bit for bit."""
    if optimizer == "momentum":
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    model = _dying(optimizer)
    shared = finetune(model, (X, Y), epochs=5, **options)
    monkeypatch.setattr(Stage, "takes", _apart)
    apart = finetune(model, (X, Y), epochs=5, **options)

    assert shared.tried == apart.tried
    assert shared.history == apart.history
    assert (shared.treatment, shared.best_epoch) == (apart.treatment, apart.best_epoch)
    assert shared.start_difference == apart.start_difference
    pairs = zip(shared.model.get_weights(), apart.model.get_weights(), strict=True)
    for mine, theirs in pairs:
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="torch calls a layer in each step"
)
def test_two_trials_are_compiled_once(monkeypatch):
    """The training step of the second one is that of the first."""

    def calls():
        model = _dying("adam", Counted())
        Counted.calls = 0
        assert len(finetune(model, (X, Y), epochs=5).tried) == 2
        return Counted.calls

    shared = calls()
    monkeypatch.setattr(Stage, "takes", _apart)

    assert 0 < shared <= calls() / 2


def test_the_original_is_not_changed():
    """What is shared is a copy."""
    model = _dying("adam")
    before = [*model.get_weights(), *map(np.array, model.optimizer.variables)]

    result = finetune(model, (X, Y), epochs=5)

    assert result.model is not model
    after = [*model.get_weights(), *map(np.array, model.optimizer.variables)]
    for mine, theirs in zip(before, after, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_run_with_its_own_model_writes_nothing_into_it():
    """Replicas of a mirrored model may differ: one value for all would change them."""
    model = _dying("adam")
    kernel = model.get_layer("a").kernel
    before = keras.ops.convert_to_numpy(kernel)
    own = Treated(Prescription("none", "asked for"), model, None, (), [], ())

    seat = Stage(model).seat(own)
    kernel.assign(before + 1)

    assert seat.values == []
    assert seat.model is model
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(kernel), before + 1)
