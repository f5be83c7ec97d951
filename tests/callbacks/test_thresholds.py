import warnings

import keras
import numpy as np
import pytest
from keras import layers

from keras_rectifiers.callbacks import DeadUnitMonitor
from keras_rectifiers.callbacks import Threshold
from keras_rectifiers.callbacks.thresholds import Streaks

_X = np.ones((8, 2), "float32")


def _fit(monitor, epochs=4):
    """Train a model with one dead unit of two."""
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(2, activation="relu", name="half")]
    )
    model.layers[0].set_weights([np.eye(2), np.array([-9.0, 1.0])])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model.fit(_X, _X, epochs=epochs, verbose=0, callbacks=[monitor]).history


def test_warning_names_figure_and_bound():
    """The default is a warning, each time that a measurement is above."""
    monitor = DeadUnitMonitor(thresholds=[Threshold("dead_fraction", above=0.2)])

    with pytest.warns(UserWarning, match=r"dead_fraction is 0\.5.*of 0\.2"):
        history = _fit(monitor, epochs=1)

    assert history["dead_fraction"] == [0.5]


def test_stop_ends_training():
    """Training ends after the epoch in which the bound was crossed too often."""
    stop = Threshold("dead_fraction/h*", above=0.2, then="stop", patience=2)

    with pytest.warns(UserWarning, match="Training stops: dead_fraction/half"):
        history = _fit(DeadUnitMonitor(thresholds=[stop]), epochs=9)

    assert len(history["loss"]) == 3


def test_function_gets_monitor_and_diagnosis():
    """A function can act on the model: here it wakes the unit up."""
    acted = []

    def revive(monitor, diagnosis):
        acted.append(diagnosis.layers[0].verdicts.tolist())
        monitor.model.layers[0].set_weights([np.eye(2), np.ones(2)])

    act = Threshold("dead_fraction", above=0, then=revive)

    history = _fit(DeadUnitMonitor(thresholds=[act], per_layer=False), epochs=3)

    assert history["dead_fraction"] == [0.5, 0.0, 0.0]
    assert [each[0] for each in acted] == ["dead"]


def test_nothing_happens_at_the_bound():
    """A figure must be above."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        history = _fit(
            DeadUnitMonitor(thresholds=[Threshold("dead_fraction", above=0.5)])
        )

    assert len(history["loss"]) == 4


def test_patience_counts_in_a_row():
    """A measurement below begins the count anew, and so does acting."""
    streaks = Streaks((Threshold("a", above=0, patience=1),))

    due = [bool(streaks.due({"a": value})) for value in (1, 0, 1, 1, 1, 1)]

    assert due == [False, False, False, True, False, True]


@pytest.mark.parametrize(
    ("options", "error"),
    [({"then": "explode"}, TypeError), ({"patience": -1}, ValueError)],
)
def test_wrong_thresholds(options, error):
    """Thresholds are checked when they are made."""
    with pytest.raises(error, match="Received"):
        Threshold("dead_fraction", above=0, **options)
