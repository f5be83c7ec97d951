"""Reviving units while a model trains."""

import functools
import warnings

import keras
import numpy as np
import pytest
from keras import layers

from keras_rectifiers.callbacks import ReviveDeadUnits
from keras_rectifiers.diagnosis.diagnose import diagnose
from keras_rectifiers.errors import UnsupportedModelError


def _dead(optimizer="adam", **compiled):
    """A model whose first layer is half dead, and its data."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, activation="relu", name="a"),
            layers.Dense(8, activation="relu", name="b"),
            layers.Dense(1),
        ]
    )
    bias = np.zeros(8)
    bias[:4] = -1e4
    model.get_layer("a").bias.assign(bias)
    model.compile(optimizer, "mse", **compiled)
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    return model, x, x[:, :1] ** 2


@pytest.mark.parametrize("data", ["probe", "training"])
def test_dead_units_come_back(data):
    """They are revived once, logged, and then train."""
    model, x, y = _dead()
    callback = ReviveDeadUnits(x if data == "probe" else None, tau=0.0, last_epoch=1)

    history = model.fit(x, y, epochs=3, verbose=0, callbacks=[callback])

    assert history.history["revived"] == [4.0, 0.0, 0.0]
    assert callback.history[0]["revived"]["a"] == 4
    assert diagnose(model, x).layer("a").dead == 0
    kernel = keras.ops.convert_to_numpy(model.get_layer("b").kernel)
    assert np.abs(kernel[:4]).max(axis=1).min() > 0


@pytest.mark.parametrize("jit_compile", [False, True])
def test_within_an_epoch(jit_compile):
    """Between steps what is revived is what the next step trains."""
    if jit_compile and keras.config.backend() == "torch":
        pytest.skip("torch compiles in its own way")
    model, x, y = _dead("sgd", jit_compile=jit_compile)
    callback = ReviveDeadUnits(x, every_steps=2, tau=0.0)

    model.fit(x, y, batch_size=16, epochs=1, verbose=0, callbacks=[callback])

    assert [each["step"] for each in callback.history] == [2, 4]
    assert callback.history[0]["revived"] == {"a": 4}
    assert diagnose(model, x).layer("a").dead == 0


def test_training_goes_on_from_the_same_outputs():
    """The loss after a revival is that of the same run without it."""
    losses = []
    for callbacks in ([], [ReviveDeadUnits(np.zeros((1, 4)), tau=0.0, max_fraction=1)]):
        model, x, y = _dead("sgd")
        for callback in callbacks:
            callback.data = x
        keras.utils.set_random_seed(0)
        fitted = model.fit(x, y, epochs=1, verbose=0, callbacks=callbacks)
        losses.append((fitted.history["loss"], model.evaluate(x, y, verbose=0)))
    assert losses[0] == losses[1]


def test_most_at_one_time():
    """A layer's share bounds what is revived at once."""
    model, x, y = _dead()
    callback = ReviveDeadUnits(x, tau=0.0, max_fraction=0.25)

    model.fit(x, y, epochs=2, verbose=0, callbacks=[callback])

    assert [each["revived"].get("a") for each in callback.history] == [2, 2]


def test_continual_replacement_takes_the_least_useful():
    """Dead units have no utility; new ones are left until they are mature."""
    model, x, y = _dead()
    callback = ReviveDeadUnits(x, method="continual", rate=0.05, maturity=3)

    model.fit(x, y, batch_size=16, epochs=3, verbose=0, callbacks=[callback])

    first = callback.history[0]["revived"]
    assert first["a"] == 1  # 8 mature units, 4 steps, 0.05 of them a step
    assert sum(sum(each["revived"].values()) for each in callback.history) > 4
    assert diagnose(model, x).layer("a").dead < 4


def test_criterion_by_name():
    """Instead of tau, a criterion of `diagnose`."""
    model, x, y = _dead()
    callback = ReviveDeadUnits(x, criterion="never_positive")

    model.fit(x, y, verbose=0, callbacks=[callback])

    assert callback.history[0]["revived"]["a"] == 4


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_an_output_that_is_dead_to_the_last_unit_is_redrawn(optimizer):
    """Its layer's initializer killed it; nothing below it learned anything."""
    keras.utils.set_random_seed(0)
    last = layers.Dense(
        1,
        activation="relu",
        kernel_initializer=keras.initializers.RandomNormal(-1, 0.1),
        name="y",
    )
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(32, activation="relu", name="h"), last]
    )
    model.compile(keras.optimizers.get(optimizer), "mse")
    x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
    y = np.abs(x[:, :1])
    callback = ReviveDeadUnits(x, tau=0.0, last_epoch=1)

    history = model.fit(x, y, epochs=20, verbose=0, callbacks=[callback]).history

    assert callback.history[0]["revived"]["y"] == 1
    assert diagnose(model, x).layer("y").dead == 0
    assert history["loss"][-1] < 0.5 * history["loss"][0]


def test_an_output_that_is_frozen_or_partly_dead_stays():
    """Columns that live are not put at risk; frozen weights are left, and named."""
    x = np.abs(np.random.default_rng(0).normal(size=(64, 4))).astype("float32")
    for dead, trainable in ((1, True), (2, False)):
        end = layers.Dense(2, activation="relu", name="y")
        model = keras.Sequential([keras.Input((4,)), end])
        end.bias.assign([-1e4, -1e4 if dead == 2 else 1e4])
        end.trainable = trainable
        before = end.get_weights()
        model.compile(keras.optimizers.SGD(0.0), "mse")
        callback = ReviveDeadUnits(x, tau=0.0, warn=False)

        model.fit(x, x[:, :2], verbose=0, callbacks=[callback])

        for mine, theirs in zip(before, end.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert "y" in callback.left


@pytest.mark.parametrize("warn", [True, False])
def test_sites_without_a_safe_answer_are_left_and_told_once(warn):
    """A residual sum is named, once (or not at all), and its weights are untouched."""
    inputs = keras.Input((4,))
    hidden = layers.Dense(
        4, "relu", bias_initializer=lambda shape, dtype: -100 * np.ones(shape), name="a"
    )(inputs)
    model = keras.Model(inputs, layers.Dense(1)(layers.Add()([hidden, inputs])))
    model.compile("sgd", "mse")
    x = np.ones((8, 4), "float32")
    callback = ReviveDeadUnits(x, warn=warn)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, x[:, :1], epochs=3, verbose=0, callbacks=[callback])

    told = [each for each in caught if "ReviveDeadUnits" in str(each.message)]
    assert len(told) == warn
    assert all("added" in str(each.message) for each in told)
    assert "added" in callback.left["a"]
    bias = keras.ops.convert_to_numpy(model.get_layer("a").bias)
    assert bias.max() == -100


class _Kills(keras.callbacks.Callback):
    """What too high a rate does: at each epoch's end most units are dead again."""

    def on_epoch_end(self, epoch, logs=None):
        bias = self.model.get_layer("a").bias
        bias.assign(np.full(8, -1e4, "float32"))


def _killed(callback, rate=0.1, epochs=3):
    model, x, y = _dead(keras.optimizers.Adam(rate))
    model.fit(x, y, epochs=epochs, verbose=0, callbacks=[_Kills(), callback])
    return model


def test_a_rate_that_kills_again_is_lowered():
    """A quarter of the units died since they were revived: a tenth of the rate."""
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    with pytest.warns(UserWarning, match="died again: the learning rate is lowered"):
        model = _killed(ReviveDeadUnits(x, tau=0.0))

    rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    assert rate == pytest.approx(0.001)  # the first time nothing was revived before
    momentums = [v for v in model.optimizer.variables if "momentum" in v.path]
    assert momentums
    assert not any(np.any(keras.ops.convert_to_numpy(each)) for each in momentums)


def test_a_rate_that_kills_in_one_fit_after_the_other_is_lowered():
    """As in reinforcement learning, where each `fit` is an epoch on new targets."""
    model, x, y = _dead(keras.optimizers.Adam(0.1))
    callback = ReviveDeadUnits(x, tau=0.0, warn=False)

    for _ in range(2):
        model.fit(x, y, verbose=0, callbacks=[_Kills(), callback])

    rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    assert rate == pytest.approx(0.01)
    other, _, _ = _dead(keras.optimizers.Adam(0.1))
    other.fit(x, y, verbose=0, callbacks=[_Kills(), callback])
    rate = float(keras.ops.convert_to_numpy(other.optimizer.learning_rate))
    assert rate == pytest.approx(0.1)


@pytest.mark.parametrize("case", ["left alone", "own schedule", "alive"])
def test_a_rate_is_left_where_it_should_be(case):
    """On request, where the optimizer has a schedule, and where nothing dies."""
    rate = 0.1
    if case == "own schedule":
        rate = keras.optimizers.schedules.ExponentialDecay(0.1, 1000, 1.0)
    lower = None if case == "left alone" else 0.1
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    callback = ReviveDeadUnits(x, tau=0.0, lower_rate=lower)
    if case == "alive":
        model, _, y = _dead(keras.optimizers.Adam(0.001))
        model.fit(x, y, epochs=3, verbose=0, callbacks=[callback])
        assert float(
            keras.ops.convert_to_numpy(model.optimizer.learning_rate)
        ) == pytest.approx(0.001)
        return
    model = _killed(callback, rate)

    now = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    assert now == pytest.approx(0.1)


def test_bad_arguments():
    """Each names the argument and what was received."""
    with pytest.raises(ValueError, match="method must be one of"):
        ReviveDeadUnits(method="magic")
    with pytest.raises(ValueError, match="max_fraction must be at least 0"):
        ReviveDeadUnits(max_fraction=2.0)
    with pytest.raises(ValueError, match="every must be at least 1"):
        ReviveDeadUnits(every=0)
    with pytest.raises(TypeError, match="iterate"):
        ReviveDeadUnits(iter([np.zeros((1, 4))]))
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(UnsupportedModelError, match="needs a model with a rectifier"):
        model.fit(
            np.zeros((2, 4)), np.zeros(2), verbose=0, callbacks=[ReviveDeadUnits()]
        )


def test_layers_made_in_python_are_refused():
    """No wiring can be read where layers do not stand in a config."""

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = layers.Dense(4, activation="relu")

        def call(self, inputs):
            return self.hidden(inputs)

    model = Own()
    model.compile("sgd", "mse")
    with pytest.raises(UnsupportedModelError, match="Functional or Sequential"):
        model.fit(
            np.zeros((2, 4)),
            np.zeros((2, 4)),
            verbose=0,
            callbacks=[ReviveDeadUnits(np.zeros((2, 4)))],
        )


@pytest.mark.parametrize("data", ["probe", "training"])
def test_units_that_only_moving_statistics_silence_are_left(data):
    """They fire in training: new weights would take away what they have learned."""
    x = np.random.default_rng(0).normal(20, 1, size=(256, 4)).astype("float32")
    norm = layers.BatchNormalization(momentum=0.999)
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(16), norm, layers.ReLU(name="r")]
    )
    kernel = model.layers[0].kernel
    kernel.assign(-np.abs(np.random.default_rng(0).normal(size=kernel.shape)))
    model.compile(keras.optimizers.SGD(1e-4), "mse")
    assert diagnose(model, x).layer("r").dead == 16

    callback = ReviveDeadUnits(x if data == "probe" else None, tau=0.0, every=1)
    fit = functools.partial(model.fit, x, np.ones((256, 16)), epochs=2, verbose=0)
    if data == "probe":
        with pytest.warns(UserWarning, match="statistics of BatchNormalization lag"):
            fit(callbacks=[callback])
    else:  # there are no data from which they could be estimated again
        fit(callbacks=[callback])

    assert diagnose(model, x).layer("r").dead == (0 if data == "probe" else 16)
    assert [each["revived"] for each in callback.history] == [{}, {}]


def test_a_look_follows_after_twice_the_time_where_all_is_well():
    """On a healthy network a measurement comes after 1, 2, 4 ... epochs."""
    model, x, y = _dead()
    model.get_layer("a").bias.assign(np.zeros(8))
    callback = ReviveDeadUnits(x, tau=0.0)

    history = model.fit(x, y, epochs=8, verbose=0, callbacks=[callback])

    assert [each["epoch"] for each in callback.history] == [1, 3, 7]
    assert history.history["revived"] == [0.0] * 8
