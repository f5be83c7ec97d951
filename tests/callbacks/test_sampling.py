import keras
import numpy as np
import pytest
from keras import layers

from keras_rectifiers.callbacks import DeadUnitMonitor
from keras_rectifiers.callbacks import sampling

_X = np.arange(600.0).reshape(300, 2).astype("float32")


def _values(batches):
    leaves = [keras.tree.flatten(batch)[0] for (batch,) in batches]
    return np.concatenate([keras.ops.convert_to_numpy(leaf) for leaf in leaves])


@pytest.mark.parametrize(
    ("steps", "size"), [(None, 32), (8, 32), (391, 187), (5000, 512)]
)
def test_size_follows_the_epoch(steps, size):
    """A sample costs about 1 % of an epoch, and is neither tiny nor large."""
    assert sampling.sample_size(steps) == size


def test_arrays_give_evenly_spread_samples():
    """The first and the last row are among them, whatever the order of the data."""
    found = _values(sampling.sampled((_X, _X), 40, batch_size=16, steps=None))

    assert len(found) == 40
    assert np.array_equal(found[0], _X[0])
    assert np.array_equal(found[-1], _X[-1])


def test_batches_give_the_first_samples():
    """What comes in batches is cut to the size, in the midst of a batch too."""
    batches = [(_X[:30], _X[:30]), (_X[30:60], _X[30:60])]

    found = _values(sampling.sampled(batches, 40, batch_size=16, steps=None))

    assert np.array_equal(found, _X[:40])


def test_steps_bound_the_sample():
    """`steps` stays the most batches that are used."""
    found = _values(sampling.sampled(_X, 300, batch_size=16, steps=2))

    assert np.array_equal(found, _X[:32])


@pytest.mark.parametrize(("wanted", "samples"), [("auto", 32), (50, 50), ("all", 300)])
def test_monitor_measures_as_many(wanted, samples):
    """probe_samples says how many samples of the probe set are measured."""
    model = keras.Sequential([keras.Input((2,)), layers.ReLU(), layers.Dense(1)])
    model.compile("sgd", "mse")
    monitor = DeadUnitMonitor(_X, probe_samples=wanted)

    model.fit(_X, _X[:, :1], batch_size=100, verbose=0, callbacks=[monitor])

    assert monitor.diagnosis.layers[0].statistics.samples == samples


@pytest.mark.parametrize("wanted", [0, 1.5, "some"])
def test_wrong_sizes(wanted):
    """A size is a whole number, or one of two words."""
    with pytest.raises(ValueError, match="probe_samples"):
        DeadUnitMonitor(_X, probe_samples=wanted)
