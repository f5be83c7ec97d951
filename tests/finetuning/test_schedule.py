"""The course of the learning rate, and of moving statistics."""

import keras
import numpy as np
import pytest

from keras_rectifiers.finetuning.momentum import QuickStatistics
from keras_rectifiers.finetuning.schedule import WarmupCosine

X = np.ones((40, 2), "float32")


def _model(rate=0.1, momentum=0.99):
    norm = keras.layers.BatchNormalization(momentum=momentum, name="bn")
    model = keras.Sequential([keras.Input((2,)), norm, keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


class _Rates(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.rates = []

    def on_train_batch_end(self, batch, logs=None):
        rate = self.model.optimizer.learning_rate
        self.rates.append(float(keras.ops.convert_to_numpy(rate)))


def test_the_rate_rises_and_falls_and_comes_back():
    """In a line to its peak, along a cosine to 0; afterwards it is what it was."""
    model = _model()
    schedule, seen = WarmupCosine(model.optimizer, 4, peak=2, warmup=0.25), _Rates()
    options = {"batch_size": 4, "verbose": 0, "callbacks": [schedule, seen]}
    model.fit(X, X[:, :1], epochs=2, **options)
    model.fit(X, X[:, :1], initial_epoch=2, epochs=4, **options)

    wanted = [0.2 * schedule.share_at((step + 0.5) / 40) for step in range(40)]
    np.testing.assert_allclose(seen.rates, wanted, atol=0.2 * 0.0051)
    assert schedule.share_at(0.25) == 1
    assert schedule.share_at(1.0) == pytest.approx(0)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)


def test_a_schedule_of_the_optimizer_is_left_alone():
    """It goes on as it would have."""
    own = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    model = _model(own)
    model.fit(
        *(X, X[:, :1]),
        batch_size=4,
        epochs=1,
        verbose=0,
        callbacks=[WarmupCosine(model.optimizer, 1)],
    )

    assert float(model.optimizer.learning_rate) == pytest.approx(0.05)


@pytest.mark.parametrize(("momentum", "in_training"), [(0.99, 0.5), (0.1, 0.1)])
def test_statistics_keep_up_with_few_steps(momentum, in_training):
    """With ten steps an epoch two are remembered; less than before, never more."""
    model = _model(momentum=momentum)
    seen = []

    class See(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(self.model.get_layer("bn").momentum)

    model.fit(
        *(X, X[:, :1]),
        batch_size=4,
        epochs=1,
        verbose=0,
        callbacks=[QuickStatistics(), See()],
    )

    assert set(seen) == {in_training}
    assert model.get_layer("bn").momentum == momentum
    left = 1 - in_training**10  # of the way from 0 to the data's mean, 1
    mean = keras.ops.convert_to_numpy(model.get_layer("bn").moving_mean)
    np.testing.assert_allclose(mean, left, rtol=1e-4)
