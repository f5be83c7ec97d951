"""Annealed slopes: in the compiled step, in checkpoints, and gone at the end."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

import keras_rectifiers
from keras_rectifiers.callbacks import AnnealSlope
from keras_rectifiers.callbacks import DeadUnitMonitor
from keras_rectifiers.layers import LeakyReLU
from keras_rectifiers.layers import PReLU


def _data(samples=24, width=5):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(samples, width)).astype("float32")
    return x, rng.normal(size=(samples, 2)).astype("float32")


def _leaky(slope=0.0, **compiled):
    """Fused, bare, capped, shared, nested and wrapped Leaky ReLUs."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((5,))
    shared = LeakyReLU(slope, name="shared")
    x = layers.Dense(6, activation=LeakyReLU(slope), name="fused")(inputs)
    x = shared(layers.Dense(6)(shared(x) - 0.5))
    inner = keras.Input((6,))
    y = LeakyReLU(slope, max_value=6.0, name="capped")(layers.Dense(6)(inner))
    x = keras.Model(inner, y, name="inner")(x)
    x = layers.Reshape((3, 2))(x)
    wrapped = layers.Dense(2, activation=LeakyReLU(slope), name="wrapped")
    x = layers.TimeDistributed(wrapped, name="each")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    model.compile(keras.optimizers.SGD(0.05), "mse", **compiled)
    return model


def _rectifiers(model, kind=LeakyReLU):
    return [layer for layer in model._flatten_layers() if isinstance(layer, kind)]


def _weights(model):
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


class _Watch(keras.callbacks.Callback):
    """The slope after each batch, and what the model then computes."""

    def __init__(self):
        super().__init__()
        self.slopes = []
        self.weights = set()

    def on_train_batch_end(self, batch, logs=None):
        self.slopes.append(_rectifiers(self.model)[0].negative_slope)
        self.weights.add(len(self.model.weights))


def test_the_compiled_step_uses_the_slope_of_each_step():
    """Training is that of a twin whose slope is set by hand at each step."""
    x, y = _data()
    anneal = AnnealSlope(peak=0.6, warmup=0.5)
    model = _leaky()
    watch = _Watch()
    count = len(model.weights)
    model.fit(
        x, y, batch_size=6, epochs=1, shuffle=False, verbose=0,
        callbacks=[anneal, watch],
    )  # fmt: skip

    twin = _leaky(run_eagerly=True)
    for step in range(4):
        for layer in _rectifiers(twin):
            layer.negative_slope = anneal.slope_at(step / 4)
        rows = slice(6 * step, 6 * step + 6)
        twin.train_on_batch(x[rows], y[rows])

    assert watch.slopes == [anneal.slope_at(step / 4) for step in range(1, 5)]
    assert watch.weights == {count}
    for a, b in zip(_weights(model), _weights(twin), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_what_is_left_is_a_relu():
    """At the end slopes are 0, nothing was added, and fold gives plain ReLUs."""
    x, y = _data()
    model = _leaky()
    names = [weight.path for weight in model.weights]
    model.fit(x, y, epochs=3, verbose=0, callbacks=[AnnealSlope()])

    assert [layer.negative_slope for layer in _rectifiers(model)] == [0.0] * 4
    assert [weight.path for weight in model.weights] == names
    assert len(model.variables) == len(names)
    assert all("call" not in vars(layer) for layer in _rectifiers(model))
    result = keras_rectifiers.fold(model, data=x)
    assert result.exact
    assert result.measured.bit_equal
    assert not result.plan.skips
    assert not _rectifiers(result.model)
    assert result.model.get_layer("fused").activation is keras.activations.relu


def test_dead_units_get_a_gradient_while_there_is_a_slope():
    """A layer that is dead learns under annealing, and not without."""
    x, y = _data()
    moved = []
    for callbacks in ([], [AnnealSlope(peak=0.5)]):
        keras.utils.set_random_seed(0)
        dead = layers.Dense(
            8,
            activation=LeakyReLU(0.0),
            bias_initializer=keras.initializers.Constant(-20.0),
        )
        model = keras.Sequential([keras.Input((5,)), dead, layers.Dense(2)])
        model.compile(keras.optimizers.SGD(0.01), "mse")
        before = _weights(model)[0]
        model.fit(x, y, epochs=3, verbose=0, callbacks=callbacks)
        moved.append(float(np.abs(_weights(model)[0] - before).max()))
    assert moved[0] == 0
    assert moved[1] > 0


def test_checkpoints_in_between_load(tmp_path):
    """A model saved at an epoch's end states its slope, and computes the same."""
    x, y = _data()
    model = _leaky()
    anneal = AnnealSlope(peak=0.4, warmup=0.5)
    outputs = {}

    class Outputs(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            outputs[epoch] = self.model(x, training=False)

    saved = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras"))
    history = model.fit(
        x, y, epochs=4, verbose=0, callbacks=[anneal, saved, Outputs()]
    ).history

    assert history["slope"] == [anneal.slope_at(done / 4) for done in range(1, 5)]
    for epoch, slope in enumerate(history["slope"]):
        loaded = keras.saving.load_model(tmp_path / f"{epoch + 1}.keras")
        assert [each.negative_slope for each in _rectifiers(loaded)] == [slope] * 4
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(loaded(x, training=False)),
            keras.ops.convert_to_numpy(outputs[epoch]),
            rtol=1e-5,
            atol=1e-6,
        )


def test_validation_sees_the_slope():
    """What is validated is the model with the slope that its checkpoint has."""
    x, y = _data()
    model = _leaky()
    history = model.fit(
        x, y, epochs=2, verbose=0, validation_data=(x, y), callbacks=[AnnealSlope()]
    ).history
    assert history["val_loss"][-1] == pytest.approx(
        model.evaluate(x, y, verbose=0), rel=1e-5
    )


def test_frozen_slopes_of_a_prelu():
    """Slopes that do not learn are set; where some are 0, these stay 0."""
    x, y = _data()
    keras.utils.set_random_seed(0)
    some = PReLU(name="some", trainable=False)
    every = PReLU(name="every", trainable=False)
    learned = PReLU(name="learned", alpha_initializer="ones")
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(4),
            some,
            layers.Dense(4),
            every,
            layers.Dense(4),
            learned,
            layers.Dense(2),
        ]
    )
    some.weights[0].assign([0.0, 0.1, 0.0, 0.2])
    model.compile("sgd", "mse")
    seen = []

    class Alphas(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append([np.array(keras.ops.convert_to_numpy(each.weights[0]))
                         for each in (some, every)])  # fmt: skip

    anneal = AnnealSlope(peak=0.5, warmup=0.0, schedule="linear")
    model.fit(x, y, epochs=2, verbose=0, callbacks=[anneal, Alphas()])

    np.testing.assert_allclose(seen[0][0], [0, 0.25, 0, 0.25])
    np.testing.assert_allclose(seen[0][1], [0.25] * 4)
    assert not np.any(seen[1])
    assert np.any(keras.ops.convert_to_numpy(learned.weights[0]) != 0)
    kinds = [site.path for site in keras_rectifiers.fold(model).sites]
    assert kinds == ["some", "every"]


def test_only_the_layers_that_are_named():
    """Globs choose; the others keep their slope."""
    x, y = _data()
    model = _leaky(0.3)
    chosen = AnnealSlope(layers=["inner/*", "fused"])
    model.fit(x, y, epochs=1, verbose=0, callbacks=[chosen])
    slopes = {layer.name: layer.negative_slope for layer in _rectifiers(model)}
    assert slopes["capped"] == 0
    assert slopes["shared"] == 0.3
    assert model.get_layer("fused").activation.negative_slope == 0


def test_stock_layers_are_annealed_like_ours():
    """Keras' own Leaky ReLU, and its ReLU with a slope, end as ReLUs."""
    x, y = _data()
    stock = [layers.LeakyReLU(0.1), layers.ReLU(6.0, negative_slope=0.1)]
    model = keras.Sequential([keras.Input((5,)), *stock, layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(x, y, epochs=2, verbose=0, callbacks=[AnnealSlope()])
    assert [layer.negative_slope for layer in stock] == [0.0, 0.0]


def test_a_resumed_run_goes_on_where_it_was():
    """Epochs count from 0, so that both halves together are one run."""
    x, y = _data()
    whole, halves = _Watch(), _Watch()
    _leaky().fit(
        x, y, batch_size=8, epochs=4, verbose=0, callbacks=[AnnealSlope(), whole]
    )
    model = _leaky()
    with pytest.warns(UserWarning, match="ended at slope"):
        model.fit(
            x, y, batch_size=8, epochs=2, verbose=0,
            callbacks=[AnnealSlope(epochs=4), halves],
        )  # fmt: skip
    model.fit(
        x, y, batch_size=8, initial_epoch=2, epochs=4, verbose=0,
        callbacks=[AnnealSlope(), halves],
    )  # fmt: skip
    assert whole.slopes == halves.slopes


def test_lengths_in_steps_and_data_without_length():
    """Steps count over epochs; a generator's length is learned in its first."""
    x, y = _data()

    def endless():
        while True:
            yield x[:8], y[:8]

    watch = _Watch()
    anneal = AnnealSlope(peak=0.5, warmup=0.0, schedule="linear", steps=5)
    model = _leaky()
    model.fit(
        endless(), steps_per_epoch=4, epochs=2, verbose=0, callbacks=[anneal, watch]
    )
    np.testing.assert_allclose(watch.slopes, [0.4, 0.3, 0.2, 0.1, 0, 0, 0, 0])

    def short():
        for _ in range(3):
            yield x[:8], y[:8]

    watch, model = _Watch(), _leaky()
    anneal = AnnealSlope(peak=0.5, warmup=0.0, schedule="linear")
    model.fit(short(), epochs=1, verbose=0, callbacks=[anneal, watch])
    assert watch.slopes == [0.5] * 3
    assert _rectifiers(model)[0].negative_slope == 0


def test_fewer_changes_where_they_are_asked_for():
    """With `every_steps` the slope changes every few steps."""
    x, y = _data()
    watch = _Watch()
    anneal = AnnealSlope(peak=0.6, warmup=0, schedule="linear", every_steps=3)
    _leaky().fit(x, y, batch_size=6, epochs=1, verbose=0, callbacks=[anneal, watch])
    np.testing.assert_allclose(watch.slopes, [0.6, 0.6, 0.15, 0.0])


def test_it_works_beside_the_monitor_and_early_stopping():
    """Callbacks that tap layers and restore weights do not meet its variables."""
    x, y = _data()
    model = _leaky()
    monitor = DeadUnitMonitor()
    stopping = keras.callbacks.EarlyStopping(
        monitor="loss", patience=9, restore_best_weights=True
    )
    for callbacks in ([AnnealSlope(), monitor, stopping],
                      [stopping, monitor, AnnealSlope()]):  # fmt: skip
        model.fit(x, y, epochs=3, verbose=0, callbacks=callbacks)
    assert len(monitor.history) >= 3
    assert [layer.negative_slope for layer in _rectifiers(model)] == [0.0] * 4


def test_an_error_leaves_a_model_that_can_be_put_right():
    """After `stop`, or with the next run, nothing is left of a run that failed."""
    x, y = _data()
    model = _leaky()

    class Fails(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("the disk is full")

    anneal = AnnealSlope(peak=0.2, warmup=0)
    with pytest.raises(RuntimeError):
        model.fit(x, y, epochs=2, verbose=0, callbacks=[anneal, Fails()])
    count = len(model.weights)
    slope = _rectifiers(model)[0].negative_slope
    assert slope == anneal.slope_at(0.5)
    model.fit(x, y, epochs=1, verbose=0, callbacks=[AnnealSlope()])
    anneal.stop()
    assert len(model.variables) == count
    assert _rectifiers(model)[0].negative_slope == 0


def test_mixed_precision_keeps_the_slope_in_full():
    """The variable has the variable dtype; the layer computes in its own."""
    x, y = _data()
    policy = "mixed_bfloat16"
    model = keras.Sequential(
        [keras.Input((5,)), LeakyReLU(0.0, dtype=policy), layers.Dense(2)]
    )
    model.compile("sgd", "mse")
    model.fit(x, y, epochs=2, verbose=0, callbacks=[AnnealSlope()])
    assert _rectifiers(model)[0].negative_slope == 0


#: Trains on one device and on two replicas, and compares the weights.
_MIRRORED = """
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from keras_rectifiers.callbacks import AnnealSlope
from keras_rectifiers.layers import LeakyReLU

x = np.random.default_rng(0).normal(size=(24, 5)).astype("float32")

def fitted():
    keras.utils.set_random_seed(0)
    hidden = keras.layers.Dense(8, activation=LeakyReLU(0.0))
    model = keras.Sequential([keras.Input((5,)), hidden, keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    model.fit(x, x[:, :2], batch_size=8, epochs=3, shuffle=False, verbose=0,
              callbacks=[AnnealSlope(peak=0.6)])
    assert hidden.activation.negative_slope == 0
    return model.get_weights()

one = fitted()
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    two = fitted()
for a, b in zip(one, two):
    np.testing.assert_allclose(a, b, atol=1e-5)
"""


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="its strategies")
def test_replicas_share_the_slope():
    """Two replicas train to the weights of one device."""
    done = subprocess.run(
        [sys.executable, "-c", _MIRRORED],
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"peak": float("inf")}, ValueError, "peak must be finite. Received: peak=inf"),
        ({"peak": "high"}, TypeError, "peak must be a number"),
        ({"warmup": 1.0}, ValueError, "warmup must be at least 0 and below 1"),
        ({"schedule": "step"}, ValueError, "schedule must be one of 'linear'"),
        ({"schedule": 3}, TypeError, "schedule must be one of 'linear'"),
        ({"epochs": 2, "steps": 3}, ValueError, "epochs or steps, not both"),
        ({"epochs": 0}, ValueError, "epochs must be above 0"),
        ({"every_steps": -1}, ValueError, "every_steps must be above 0"),
    ],
)
def test_bad_arguments_are_one_sentence(options, error, says):
    """Each wrong argument says what is wrong."""
    with pytest.raises(error, match=says):
        AnnealSlope(**options)


@pytest.mark.parametrize(
    ("layer", "named", "says"),
    [
        (layers.ReLU(name="r"), None, "which has none. Convert it"),
        (layers.ReLU(name="r"), "r", "it has no slope"),
        (PReLU(name="p"), None, "trainable=False"),
        (PReLU(name="p"), "p", "its slopes are learned"),
        (LeakyReLU(name="a"), "b", "which has none among layers"),
    ],
)
def test_models_without_slopes_to_anneal_are_refused(layer, named, says):
    """Before anything is trained, the error names the layer and the way out."""
    model = keras.Sequential([keras.Input((5,)), layer, layers.Dense(2)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=says):
        model.fit(*_data(), verbose=0, callbacks=[AnnealSlope(layers=named)])
