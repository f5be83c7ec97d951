import json
import zipfile

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

from keras_rectifiers.callbacks import DeadUnitMonitor
from keras_rectifiers.callbacks import Threshold
from keras_rectifiers.layers import LeakyReLU
from keras_rectifiers.layers import PReLU
from tests.backends import slow_on_jax

_RNG = np.random.default_rng(3)
_X = _RNG.normal(size=(22, 6, 6, 2)).astype("float32")
_Y = _RNG.normal(size=(22, 2)).astype("float32")


def _convolutional():
    """Four forms of rectifiers; one unit of each kind of layer is dead."""
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(3, 3, activation="relu", name="fused")(inputs)
    x = layers.ReLU(max_value=6, name="capped")(layers.Conv2D(3, 1)(x))
    x = ops.relu(layers.Flatten()(x))
    x = layers.Dense(4, activation=LeakyReLU(0.1), name="leaky")(x)
    outputs = layers.Dense(2)(PReLU(name="slopes")(layers.Dense(3)(x)))
    model = keras.Model(inputs, outputs)
    for name in ("fused", "leaky"):
        kernel, bias = model.get_layer(name).get_weights()
        bias[0] = -99
        model.get_layer(name).set_weights([kernel, bias])
    return model


def _compiled(model, rate=0.0, **options):
    model.compile(keras.optimizers.SGD(rate), "mse", **options)
    return model


def _fit(model, *callbacks, **options):
    options = {"batch_size": 8, "epochs": 2, "verbose": 0, **options}
    return model.fit(_X, _Y, callbacks=list(callbacks), **options)


def _activations(model, monitor):
    """What each watched operation gives, by predict."""
    names = [layer.layer for layer in monitor.diagnosis.layers]
    found = {operation.name: operation for operation in model.operations}
    outputs = keras.Model(model.inputs, [found[name].output for name in names])
    values = outputs.predict(_X, verbose=0)
    return dict(zip(names, values, strict=True))


def _skip_where_keras_cannot(options):
    if keras.backend.backend() == "jax" and options.get("jit_compile"):
        pytest.skip("Keras compiles JAX models by default")
    if keras.backend.backend() != "torch":
        return
    if options.get("jit_compile"):
        pytest.skip("Keras compiles torch models with a C++ compiler only")
    if "steps_per_execution" in options:
        pytest.skip("Keras has no steps_per_execution on torch")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"jit_compile": True},
        slow_on_jax({"run_eagerly": True}),
        pytest.param({"steps_per_execution": 2}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_counts_are_those_of_numpy(options):
    """Each training sample is counted once an epoch, and validation never."""
    _skip_where_keras_cannot(options)
    model = _compiled(_convolutional(), **options)
    monitor = DeadUnitMonitor()

    _fit(model, monitor, validation_data=(_X[:9], _Y[:9]))

    assert len(monitor.diagnosis.layers) == 5
    for path, values in _activations(model, monitor).items():
        seen = monitor.diagnosis.layer(path).statistics
        flat = values.reshape(len(values), -1, values.shape[-1])
        assert (seen.samples, seen.positions) == (22, 22 * flat.shape[1])
        assert np.array_equal(seen.fired, (flat > 0).any(1).sum(0))
        assert np.array_equal(seen.fired_positions, (flat > 0).sum((0, 1)))
        np.testing.assert_allclose(seen.maximum, flat.max((0, 1)), rtol=1e-5)
        np.testing.assert_allclose(seen.sum_abs, np.abs(flat).sum((0, 1)), rtol=1e-5)
        assert seen.peaks.sum() == 22 * seen.units


def test_total_is_the_sum_of_the_epochs():
    """The figures are an epoch's, the total is the run's."""
    monitor = DeadUnitMonitor()

    history = _fit(_compiled(_convolutional()), monitor, epochs=3).history

    assert [each["layers"][0]["samples"] for each in monitor.history] == [22] * 3
    assert monitor.total.layer("fused").statistics.samples == 66
    assert history["dead_fraction/fused"] == [1 / 3] * 3
    assert history["silent_fraction/fused"] == [1 / 3] * 3
    assert min(history["silent_fraction/leaky"]) >= 1 / 4
    assert len(monitor.timeline) == 3


@pytest.mark.parametrize(
    "options",
    [
        {},
        pytest.param({"jit_compile": True}, marks=pytest.mark.slow),
        slow_on_jax({"run_eagerly": True}),
    ],
    ids=str,
)
def test_training_is_the_same_with_and_without(options):
    """Losses and weights are equal, bit for bit, with dropout and batch statistics."""
    _skip_where_keras_cannot(options)
    found = []
    for callbacks in ([], [DeadUnitMonitor()]):
        keras.utils.set_random_seed(7)
        model = keras.Sequential(
            [
                keras.Input((6, 6, 2)),
                layers.Conv2D(4, 3),
                layers.BatchNormalization(),
                layers.ReLU(),
                layers.Dropout(0.5),
                layers.Flatten(),
                layers.Dense(2),
            ]
        )
        model.compile(keras.optimizers.Adam(0.01), "mse", **options)
        losses = _fit(model, *callbacks, epochs=3).history["loss"]
        found.append((losses, model.get_weights()))

    assert found[0][0] == found[1][0]
    assert all(map(np.array_equal, found[0][1], found[1][1]))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy):
    """Half precision is counted as the step computes it."""
    dtype = keras.DTypePolicy(policy)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(4, 3, activation="relu", name="conv", dtype=dtype),
            layers.Flatten(),
            layers.Dense(2, dtype=dtype),
        ]
    )
    monitor = DeadUnitMonitor()

    _fit(_compiled(model), monitor)

    values = keras.Model(model.inputs, model.get_layer("conv").output)(_X)
    fired = (keras.ops.convert_to_numpy(ops.cast(values, "float32")) > 0).any((1, 2))
    seen = monitor.diagnosis.layer("conv").statistics
    assert seen.samples == 22
    assert np.abs(seen.fired - fired.sum(0)).max() <= 1


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.flat = layers.Flatten()
        self.shared = layers.Dense(72, activation="relu", name="shared")
        self.out = layers.Dense(2)

    def call(self, x, training=None):
        return self.out(self.shared(self.shared(self.flat(x))))


def test_subclassed_and_shared():
    """A layer that is called twice counts each sample once, and both positions."""
    monitor = DeadUnitMonitor()

    _fit(_compiled(Subclassed()), monitor)

    seen = monitor.diagnosis.layer("shared").statistics
    assert (seen.samples, seen.positions) == (22, 44)


def test_own_training_step_is_counted():
    """A model with a train_step of its own is counted alike."""

    class Own(keras.Model):
        steps = 0

        def train_step(self, *args):
            type(self).steps += 1
            return super().train_step(*args)

    inputs = keras.Input((6, 6, 2))
    outputs = layers.Dense(2, activation="relu", name="d")(layers.Flatten()(inputs))
    monitor = DeadUnitMonitor()

    _fit(_compiled(Own(inputs, outputs)), monitor)

    assert monitor.diagnosis.layer("d").statistics.samples == 22
    assert Own.steps > 0


def test_nothing_is_left_behind(tmp_path):
    """Weights, attributes and the files saved meanwhile are those of the model."""
    model = _compiled(_convolutional())
    before, weights = set(vars(model)), len(model.weights)
    model.save(tmp_path / "before.keras")

    _fit(
        model,
        DeadUnitMonitor(),
        keras.callbacks.ModelCheckpoint(tmp_path / "meanwhile.keras"),
    )

    assert not {"train_step", "stateless_call"} & (set(vars(model)) - before)
    assert len(model.weights) == weights
    assert model.train_function is None
    configs = [
        json.loads(zipfile.ZipFile(tmp_path / name).read("config.json"))
        for name in ("before.keras", "meanwhile.keras")
    ]
    assert configs[0]["config"] == configs[1]["config"]
    keras.saving.load_model(tmp_path / "meanwhile.keras")


def test_a_step_that_the_user_put_in_place_is_counted_and_comes_back():
    """What was in the way of `train_step` before is there after."""
    model = _compiled(_convolutional())
    calls = []
    original = model.train_step

    def mine(*args):
        calls.append(len(args))
        return original(*args)

    vars(model)["train_step"] = mine
    monitor = DeadUnitMonitor()

    _fit(model, monitor)

    assert calls
    assert monitor.total.layer("fused").statistics.samples == 44
    assert vars(model)["train_step"] is mine


class _Fails(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


def test_run_that_ended_in_an_error():
    """The next monitor of the model counts once, and takes away what was left."""
    model = _compiled(_convolutional())
    first, second = DeadUnitMonitor(), DeadUnitMonitor()
    with pytest.raises(KeyboardInterrupt):
        _fit(model, first, _Fails())

    _fit(model, second)

    assert second.total.layer("fused").statistics.samples == 44
    assert "train_step" not in vars(model)
    assert "stateless_call" not in vars(model)


def test_measurements_between_steps_cover_the_epoch_so_far():
    """every_steps adds to the history, and the epoch's figures stay the epoch's."""
    monitor = DeadUnitMonitor(every_steps=1)

    _fit(_compiled(_convolutional()), monitor)

    samples = [each["layers"][0]["samples"] for each in monitor.history]
    assert samples == [8, 16, 22, 22, 8, 16, 22, 22]


def test_several_epochs_in_one_figure():
    """With every=2 a measurement covers two epochs; each epoch has figures."""
    monitor = DeadUnitMonitor(every=2)

    history = _fit(_compiled(_convolutional()), monitor, epochs=4).history

    assert [each["layers"][0]["samples"] for each in monitor.history] == [44, 44]
    assert history["dead_fraction/fused"] == [1 / 3] * 4


def test_values_that_are_not_finite_are_reported():
    """An infinity in the last batch is no dead unit, and a threshold stops on it."""
    x = _X.copy()
    x[20] = np.inf
    model = _compiled(_convolutional())
    model.get_layer("fused").set_weights([np.ones((3, 3, 2, 3)), np.zeros(3)])
    stop = Threshold("not_finite_fraction", above=0, then="stop")
    monitor = DeadUnitMonitor(thresholds=[stop])

    with (
        pytest.warns(UserWarning, match="of 61 units gave NaN or infinity"),
        pytest.warns(UserWarning, match="Training stops: not_finite_fraction"),
    ):
        history = model.fit(
            x, _Y, batch_size=8, epochs=3, shuffle=False, verbose=0, callbacks=[monitor]
        )

    seen = monitor.diagnosis.layer("fused").statistics
    assert history.history["not_finite_fraction/fused"] == [1.0]
    assert np.array_equal(seen.not_finite, [1, 1, 1])
    assert seen.samples == 22


def test_batches_of_several_widths():
    """Inputs of open length are counted sample by sample, position by position."""
    inputs = keras.Input((None, 2))
    hidden = layers.Conv1D(3, 1, activation="relu", name="c")(inputs)
    model = _compiled(keras.Model(inputs, layers.GlobalMaxPooling1D()(hidden)))
    monitor = DeadUnitMonitor()
    batches = [(_RNG.normal(size=(4, n, 2)), _RNG.normal(size=(4, 3))) for n in (3, 5)]

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return tuple(part.astype("float32") for part in batches[index])

    model.fit(Batches(), epochs=1, verbose=0, shuffle=False, callbacks=[monitor])

    seen = monitor.diagnosis.layer("c").statistics
    truth = np.concatenate(
        [
            keras.ops.convert_to_numpy(model.layers[1](x)).reshape(-1, 3)
            for x, _ in batches
        ]
    )
    assert (seen.samples, seen.positions) == (8, 32)
    assert np.array_equal(seen.fired_positions, (truth > 0).sum(0))
