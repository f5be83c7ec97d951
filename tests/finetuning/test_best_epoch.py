"""The best epoch is kept, time is kept, rare classes weigh more."""

import keras
import numpy as np
import pytest

import keras_rectifiers
from keras_rectifiers.finetuning.best_epoch import Budget
from keras_rectifiers.finetuning.best_epoch import KeepBest
from keras_rectifiers.finetuning.best_epoch import is_less_better

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")


def _model(rate=0.01, metrics=("accuracy",)):
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(8, activation="relu", name="h"),
        keras.layers.Dense(2, activation="softmax"),
    ]
    model = keras.Sequential(layers)
    model.compile(
        keras.optimizers.Adam(rate),
        "sparse_categorical_crossentropy",
        metrics=list(metrics),
    )
    return model


class _Spoil(keras.callbacks.Callback):
    """Makes the model worse and worse after the first epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch:
            self.model.set_weights([0 * w for w in self.model.get_weights()])


def test_the_best_epoch_is_kept():
    """What a later epoch ruins is not what the user gets."""
    model = _model()
    model.fit(X, Y, epochs=40, verbose=0)
    result = keras_rectifiers.finetune(
        model, (X, Y), epochs=3, callbacks=[_Spoil()], learning_rate=1e-9
    )

    assert result.best_epoch <= 1
    assert result.after["accuracy"] == result.before["accuracy"] > 0.8


def test_the_start_counts_as_an_epoch():
    """A run that only makes it worse gives back the weights of the start."""
    model = _model()
    model.fit(X, Y, epochs=40, verbose=0)
    result = keras_rectifiers.finetune(
        model, (X, Y), treatment="none", epochs=2, learning_rate=10.0
    )

    assert result.best_epoch == 0
    for mine, theirs in zip(
        result.model.get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_the_last_epoch_is_kept_on_request():
    """Then no epoch is called the best."""
    result = keras_rectifiers.finetune(
        _model(), (X, Y), epochs=2, callbacks=[_Spoil()], keep_best=False
    )

    assert result.best_epoch is None
    assert len(result.history) == 2


def test_training_ends_when_its_time_is_over():
    """A budget ends a run within an epoch; the result is whole."""
    ended = []

    class Slow(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            ended.append(batch)

    result = keras_rectifiers.finetune(
        _model(), (X, Y), epochs=500, budget=1e-9, callbacks=[Slow()]
    )

    assert len(ended) == 1
    assert len(result.history) == 1


@pytest.mark.parametrize("budget", [0, -1, float("inf"), float("nan")])
def test_a_budget_is_a_time(budget):
    """Zero, less, no end and no number are refused."""
    with pytest.raises(ValueError, match="finite number of seconds > 0"):
        Budget(budget)


@pytest.mark.parametrize(
    ("metric", "less"),
    [
        ("accuracy", False),
        ("auc", False),
        ("loss", True),
        ("mean_absolute_error", True),
        ("r2_score", False),
        ("binary_crossentropy", True),
    ],
)
def test_whether_less_is_better(metric, less):
    """By the metric's name."""
    assert is_less_better(metric) is less


def test_nan_is_never_the_best():
    """An epoch without a number does not win."""
    model = _model()
    before = {"loss": 1.0, "accuracy": float("nan")}
    keeper = KeepBest(before, model.get_weights(), held_out=12)
    keeper.set_model(model)
    keeper.on_epoch_end(0, {"val_accuracy": float("nan")})
    assert keeper.best_epoch == 0
    keeper.on_epoch_end(1, {"val_accuracy": 0.25})
    assert keeper.best_epoch == 2


def test_of_epochs_within_a_standard_error_the_last_is_kept():
    """It trained longest; but nothing worse than the start is taken."""
    model = _model()
    keeper = KeepBest({"accuracy": 0.5}, model.get_weights(), held_out=100)
    keeper.set_model(model)
    kept = []
    for epoch, accuracy in enumerate([0.45, 0.9, 0.88, 0.86, 0.6]):
        keeper.on_epoch_end(epoch, {"val_accuracy": accuracy})
        kept.append(keeper.best_epoch)

    assert kept == [0, 2, 3, 3, 3]  # the standard error of 0.9 is 0.03


def test_an_epoch_before_the_first_is_not_kept():
    """While slopes are annealed, no epoch counts."""
    model = _model()
    keeper = KeepBest({"loss": 5.0}, model.get_weights(), first=3)
    keeper.set_model(model)
    for epoch, loss in enumerate([0.1, 0.2, 0.4]):
        keeper.on_epoch_end(epoch, {"loss": loss})

    assert keeper.best_epoch == 3
