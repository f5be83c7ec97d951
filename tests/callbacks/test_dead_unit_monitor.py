import csv

import keras
import numpy as np
import pytest
from keras import layers

from keras_rectifiers.callbacks import DeadUnitMonitor
from keras_rectifiers.diagnosis.diagnose import diagnose
from keras_rectifiers.errors import DataError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.layers import LeakyReLU
from keras_rectifiers.layers import PReLU
from tests.backends import slow_on_jax

_RNG = np.random.default_rng(5)
_X = np.abs(_RNG.normal(size=(24, 3))).astype("float32")
_Y = _RNG.normal(size=(24, 2)).astype("float32")


def _compiled(model, **options):
    model.compile("sgd", "mse", **options)
    return model


def _functional(activation="relu"):
    """Half of the hidden units are dead at first."""
    inputs = keras.Input((3,))
    hidden = layers.Dense(4, activation=activation, name="hidden")
    outputs = layers.Dense(2, name="out")(hidden(inputs))
    model = keras.Model(inputs, outputs)
    model(_X[:1])
    hidden.kernel.assign(np.repeat([[-1.0, -1.0, 1.0, 1.0]], 3, axis=0))
    return model


def _nested():
    inner = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4), layers.ReLU(name="r")], name="inner"
    )
    inputs = keras.Input((3,))
    return keras.Model(inputs, layers.Dense(2)(inner(inputs)))


def _shared():
    shared = layers.Dense(3, activation="relu", name="shared")
    inputs = keras.Input((3,))
    return keras.Model(inputs, layers.Dense(2)(shared(shared(inputs))))


# TensorFlow refuses a model's name that begins with an underscore.
class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(4, activation="relu", name="hidden")
        self.drop = layers.Dropout(0.5)
        self.out = layers.Dense(2)

    def call(self, x, training=None):
        return self.out(self.drop(self.hidden(x), training=training))


def _fit(model, *callbacks, **options):
    options = {"batch_size": 8, "epochs": 2, "verbose": 0, **options}
    return model.fit(_X, _Y, callbacks=list(callbacks), **options)


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (_functional, "hidden"),
        (_nested, "inner/r"),
        (_shared, "shared"),
        (Subclassed, "hidden"),
    ],
)
def test_figures_reach_the_history(make, path):
    """Every epoch has the share of the whole model and of each layer."""
    model = _compiled(make())

    history = _fit(model, DeadUnitMonitor(_X)).history

    expected = diagnose(model, _X)
    assert len(history["dead_fraction"]) == 2
    assert history["dead_fraction"][-1] == expected.dead_fraction
    assert history["silent_fraction"][-1] == expected.silent_fraction
    assert history[f"dead_fraction/{path}"][-1] == expected.layers[0].dead_fraction
    assert history[f"silent_fraction/{path}"][-1] == expected.layers[0].silent_fraction


def test_dead_units_of_a_relu_stay_dead():
    """Units that never fire get no gradient, so their share does not fall."""
    history = _fit(_compiled(_functional()), DeadUnitMonitor(_X)).history

    assert min(history["dead_fraction"]) >= 0.5


def test_converted_units_are_silent_and_come_back():
    """With a leak the same units are not dead, and training wakes them."""
    model = _functional(LeakyReLU(0.3))
    model.get_layer("out").kernel.assign(np.ones((4, 2)))
    model.compile(keras.optimizers.Adam(0.2), "mse")
    monitor = DeadUnitMonitor(_X)

    history = model.fit(_X, _Y + 9, epochs=12, verbose=0, callbacks=[monitor]).history

    assert history["dead_fraction"] == [0.0] * 12
    assert monitor.history[0]["silent_fraction"] == 0.5
    assert history["silent_fraction"][-1] < 0.5


def test_slot_with_weights_is_watched():
    """A PReLU in a layer's slot is watched while its slopes are learned."""
    monitor = DeadUnitMonitor(_X)

    _fit(_compiled(_functional(PReLU())), monitor)

    assert monitor.history[0]["dead_fraction"] == 0.5
    assert [layer.layer for layer in monitor.diagnosis.layers] == ["hidden"]


def test_loggers_after_it_see_the_figures(tmp_path):
    """CSVLogger writes them, and EarlyStopping can stop on them."""
    stop = keras.callbacks.EarlyStopping("dead_fraction", patience=1, mode="min")
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    model = _compiled(_functional())

    _fit(model, DeadUnitMonitor(_X), logger, stop, epochs=9)

    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert float(rows[0]["dead_fraction/hidden"]) == 0.5
    assert len(rows) == 2


@pytest.mark.parametrize(
    "options", [{"jit_compile": True}, slow_on_jax({"run_eagerly": True})]
)
def test_modes_of_compilation(options):
    """Compiled or eager, the figures are those of a diagnosis afterwards."""
    if keras.backend.backend() == "torch" and "jit_compile" in options:
        pytest.skip("Keras compiles torch models with a C++ compiler only")
    model = _compiled(_functional(), **options)
    monitor = DeadUnitMonitor(_X)

    _fit(model, monitor)

    afterwards = diagnose(model, _X, batch_size=128).rows
    assert monitor.diagnosis.rows == [
        {name: _about(value) for name, value in row.items()} for row in afterwards
    ]


def _about(value):
    return pytest.approx(value, rel=1e-5) if isinstance(value, float) else value


def test_mixed_precision():
    """A model that computes in half precision is watched alike."""
    policy = keras.DTypePolicy("mixed_bfloat16")
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, activation="relu", dtype=policy),
            layers.Dense(2, dtype=policy),
        ]
    )

    history = _fit(_compiled(model), DeadUnitMonitor(_X)).history

    assert history["dead_fraction"][-1] == diagnose(model, _X).dead_fraction


def test_measurements_between_steps():
    """every_steps measures inside an epoch, counted across epochs."""
    monitor = DeadUnitMonitor(_X, every_steps=2)

    _fit(_compiled(_functional()), monitor)

    assert [(each["epoch"], each["step"]) for each in monitor.history] == [
        (0, 0), (0, 2), (1, 3), (1, 4), (1, 6), (2, 6),
    ]  # fmt: skip


def test_epochs_between_measurements_repeat_the_latest():
    """With every=2 each epoch has figures, so that no logger loses a column."""
    monitor = DeadUnitMonitor(_X, every=2)

    history = _fit(_compiled(_functional()), monitor, epochs=3).history

    assert [each["epoch"] for each in monitor.history] == [0, 2]
    assert len(history["dead_fraction"]) == 3


def test_resumed_run_counts_on():
    """A run that begins at a later epoch says so in its first measurement."""
    monitor = DeadUnitMonitor(_X)

    _fit(_compiled(_functional()), monitor, initial_epoch=4, epochs=5)

    assert [each["epoch"] for each in monitor.history] == [4, 5]


def test_second_fit_starts_afresh():
    """One monitor serves several runs; its history is that of the latest."""
    monitor = DeadUnitMonitor(_X)
    _fit(_compiled(_functional()), monitor)

    _fit(_compiled(_nested()), monitor, epochs=1)

    assert len(monitor.history) == 2
    assert monitor.diagnosis.layers[0].layer == "inner/r"


def test_training_is_the_same_with_and_without():
    """Watching changes no weight: losses are equal, bit for bit."""
    losses = []
    for callbacks in ([], [DeadUnitMonitor(_X, every_steps=1)]):
        keras.utils.set_random_seed(7)
        model = _compiled(Subclassed())
        losses.append(_fit(model, *callbacks, epochs=3).history["loss"])

    assert losses[0] == losses[1]


def test_nothing_is_added_to_the_model(tmp_path):
    """The watched model has no new weight, and its file loads as ever."""
    model = _compiled(_functional())
    count = len(model.weights)

    _fit(model, DeadUnitMonitor(_X))

    model.save(tmp_path / "model.keras")
    assert len(keras.saving.load_model(tmp_path / "model.keras").weights) == count


def test_layers_can_be_left_out():
    """per_layer=False keeps the logs short."""
    history = _fit(
        _compiled(_functional()), DeadUnitMonitor(_X, per_layer=False)
    ).history

    assert sorted(history) == [
        "dead_fraction", "loss", "not_finite_fraction", "silent_fraction",
    ]  # fmt: skip


def test_verbose_prints_a_line(capsys):
    """verbose=1 says what was measured."""
    _fit(_compiled(_functional()), DeadUnitMonitor(_X, verbose=1), epochs=1)

    assert "Epoch 1: 50.0% of 4 units are dead, 50.0% never fired." in (
        capsys.readouterr().out
    )


def test_generator_is_refused():
    """A probe set is measured many times."""
    with pytest.raises(TypeError, match="iterate over it"):
        DeadUnitMonitor(batch for batch in [_X])


@pytest.mark.parametrize(
    "option",
    [{"every": 0}, {"every": 1.5}, {"every_steps": 0}, {"batch_size": 0}],
)
def test_numbers_out_of_range(option):
    """Arguments are checked when the callback is made."""
    with pytest.raises(ValueError, match=next(iter(option))):
        DeadUnitMonitor(_X, **option)


def test_model_without_rectifier_is_refused():
    """A monitor of nothing is a mistake, and is told before the first epoch."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])

    with pytest.raises(UnsupportedModelError, match="rectifier"):
        _fit(_compiled(model), DeadUnitMonitor(_X))


def test_probe_that_does_not_fit_is_refused():
    """A probe of another shape is told before the first step."""
    with pytest.raises(DataError, match=r"\(batch, 3\)"):
        _fit(_compiled(_functional()), DeadUnitMonitor(_X[:, :2]))
