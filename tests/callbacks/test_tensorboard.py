import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_rectifiers
from keras_rectifiers.callbacks.tensorboard import UnitEvents
from keras_rectifiers.diagnosis.layer_diagnosis import LayerDiagnosis
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.diagnosis.statistics import UnitStatistics

pytest.importorskip("tensorboard", reason="needs the extra `tensorboard`")


def _diagnosis(fired=(0, 4, 10), slope=0.0, samples=10):
    fired = np.array(fired)
    units = len(fired)
    statistics = UnitStatistics(
        samples=samples,
        positions=samples,
        fired=fired,
        fired_positions=fired,
        not_finite=np.zeros(units, int),
        sum_abs=np.ones(units),
        sum_squares=np.ones(units),
        maximum=np.ones(units),
    )
    slopes = np.full(units, slope)
    return Diagnosis(
        "m", (LayerDiagnosis("block/conv1", statistics, slopes, slopes != 0),)
    )


def _read(folder):
    """What TensorBoard itself finds in a folder: numbers and histograms by tag."""
    from tensorboard.backend.event_processing import event_accumulator
    from tensorboard.util import tensor_util

    found = event_accumulator.EventAccumulator(
        str(folder), size_guidance={event_accumulator.TENSORS: 0}
    )
    found.Reload()
    return {
        tag: {
            event.step: tensor_util.make_ndarray(event.tensor_proto)
            for event in found.Tensors(tag)
        }
        for tag in found.Tags()["tensors"]
    }


def test_scalars_and_histograms_stand_under_sensible_tags(tmp_path):
    """Totals under `units`; each layer under the name of the quantity."""
    with UnitEvents(tmp_path) as events:
        events.write(_diagnosis(), step=0)

    assert set(_read(tmp_path)) == {
        "units/dead_fraction",
        "units/silent_fraction",
        "dead_fraction/block/conv1",
        "silent_fraction/block/conv1",
        "firing_rate/block/conv1",
    }


def test_values_come_back_at_their_steps(tmp_path):
    """What is read is what was written, step by step."""
    with UnitEvents(tmp_path) as events:
        events.write(_diagnosis(), step=0)
        events.write(_diagnosis((0, 0, 10)), step=50)

    read = _read(tmp_path)

    dead = read["units/dead_fraction"]
    assert {step: float(value) for step, value in dead.items()} == {
        0: pytest.approx(1 / 3),
        50: pytest.approx(2 / 3),
    }
    left, right, counts = read["firing_rate/block/conv1"][0].T
    assert (left[0], right[-1]) == (0.0, 1.0)
    assert counts.sum() == 3
    assert [counts[0], counts[12], counts[-1]] == [1, 1, 1]


def test_slopes_are_written_where_there_are_any(tmp_path):
    """A layer that leaks has a histogram of slopes; its silent units are not dead."""
    with UnitEvents(tmp_path) as events:
        events.write(_diagnosis(slope=0.25), step=3)

    read = _read(tmp_path)

    assert np.unique(read["slope/block/conv1"][3][:, :2]) == [0.25]
    assert float(read["units/dead_fraction"][3]) == 0
    assert float(read["units/silent_fraction"][3]) == pytest.approx(1 / 3)


def test_values_that_are_not_finite_are_left_out(tmp_path):
    """A slope that became NaN does not spoil the histogram of the others."""
    diagnosis = _diagnosis(slope=0.25)
    diagnosis.layers[0].slopes[0] = np.nan

    with UnitEvents(tmp_path) as events:
        events.write(diagnosis, step=0)

    histogram = _read(tmp_path)["slope/block/conv1"][0]
    assert np.isfinite(histogram).all()
    assert histogram[:, 2].sum() == 2


def test_events_can_be_read_while_the_run_goes_on(tmp_path):
    """`write` leaves nothing in a buffer."""
    events = UnitEvents(tmp_path)
    events.write(_diagnosis(), step=7)

    read = _read(tmp_path)
    events.close()

    assert list(read["units/dead_fraction"]) == [7]


def test_a_resumed_run_adds_to_what_is_there(tmp_path):
    """A second object in the same folder writes a second file."""
    for step in (0, 1):
        with UnitEvents(tmp_path / "new" / "logs") as events:
            events.write(_diagnosis(), step=step)

    assert len(list((tmp_path / "new" / "logs").iterdir())) == 2
    assert set(_read(tmp_path / "new" / "logs")["units/dead_fraction"]) == {0, 1}


def test_closing_twice_is_closing_once(tmp_path):
    """`close` may stand in a `finally` as well as at the end of training."""
    events = UnitEvents(tmp_path)
    events.close()

    events.close()

    with pytest.raises(ValueError, match="closed"):
        events.write(_diagnosis(), step=0)


def test_a_real_model_can_be_written(tmp_path, rng):
    """The diagnosis of a model with ReLU and PReLU, as a callback would write it."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, activation="relu", name="plain"),
            keras.layers.Dense(6, name="hidden"),
            keras_rectifiers.layers.PReLU("he_normal", name="learned"),
        ]
    )

    with UnitEvents(tmp_path) as events:
        events.write(keras_rectifiers.diagnose(model, rng.normal(size=(32, 4))), 0)

    slopes = {tag for tag in _read(tmp_path) if tag.startswith("slope/")}
    assert slopes == {"slope/learned"}


_WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None  # as if it were not installed
from keras_rectifiers.callbacks.tensorboard import UnitEvents
from keras_rectifiers.diagnosis.result import Diagnosis
with UnitEvents(sys.argv[1]) as events:
    events.write(Diagnosis("m", ()), 0)
"""


def test_tensorflow_is_not_needed(tmp_path):
    """Events are written where TensorFlow cannot be imported."""
    if keras.config.backend() == "tensorflow":
        backend = "jax"
        pytest.importorskip("jax", reason="needs a backend beside TensorFlow")
    else:
        backend = keras.config.backend()

    run = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TENSORFLOW, str(tmp_path)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert "units/dead_fraction" in _read(tmp_path)


def test_without_tensorboard_the_package_is_named(tmp_path, monkeypatch):
    """The error says what to install."""
    for name in [each for each in sys.modules if each.startswith("tensorboard.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as if not installed

    with pytest.raises(ImportError, match="pip install tensorboard"):
        UnitEvents(tmp_path).write(Diagnosis("m", ()), 0)
