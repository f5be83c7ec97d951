import numpy as np
import pytest

from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.layer_diagnosis import LayerDiagnosis
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.diagnosis.statistics import UnitStatistics
from keras_rectifiers.diagnosis.timeline import Timeline


def _diagnosis(fired):
    fired = np.asarray(fired)
    size = len(fired)
    statistics = UnitStatistics(
        samples=4,
        positions=4,
        fired=fired,
        fired_positions=fired,
        not_finite=np.zeros(size, int),
        sum_abs=fired.astype(float),
        sum_squares=fired.astype(float),
        maximum=np.ones(size),
    )
    layer = LayerDiagnosis(
        "hidden", statistics, np.full(size, 0.5), np.zeros(size, bool)
    )
    return Diagnosis("net", (layer,))


def _timeline():
    timeline = Timeline("net")
    timeline.append(_diagnosis([0, 2, 4]), epoch=0, step=0)
    timeline.append(_diagnosis([1, 2, 0]), epoch=1, step=8)
    return timeline


def test_each_measurement_is_a_row():
    """Rows hold what each unit did at the time."""
    (layer,) = _timeline().layers

    assert layer.fired_fraction.tolist() == [[0, 0.5, 1], [0.25, 0.5, 0]]
    words = [[verdicts.VERDICTS[code] for code in row] for row in layer.codes]
    assert words == [["dead", "alive", "linear"], ["alive", "alive", "dead"]]
    assert layer.slopes.shape == (2, 3)


def test_rows_count_the_units_of_each_layer_at_each_measurement():
    """With epoch, step, the number of each verdict, and means."""
    first, second = _timeline().rows

    assert (first["epoch"], first["step"], first["layer"]) == (0, 0, "hidden")
    assert (first["dead"], first["linear"], first["alive"]) == (1, 1, 1)
    assert first["mean_fired_fraction"] == 0.5
    assert (second["epoch"], second["step"]) == (1, 8)
    assert (second["dead"], second["linear"], second["alive"]) == (1, 0, 2)
    assert second["mean_fired_fraction"] == 0.25


def test_one_measurement_is_no_line_to_draw():
    """A plot over time takes two."""
    timeline = Timeline("net")
    timeline.append(_diagnosis([0, 2, 4]), epoch=0, step=0)

    with pytest.raises(ValueError, match="at least two measurements"):
        timeline.plot()


def test_arrays_give_the_timeline_back(tmp_path):
    """Nothing is lost on the way through a file without pickles."""
    before = _timeline()
    np.savez(tmp_path / "t.npz", **before.to_arrays())

    with np.load(tmp_path / "t.npz", allow_pickle=False) as file:
        after = Timeline.from_arrays(dict(file))

    assert (after.model, after.epochs, after.steps) == ("net", [0, 1], [0, 8])
    for name in ("fired_fraction", "codes", "slopes"):
        old, new = (getattr(each.layers[0], name) for each in (before, after))
        assert np.array_equal(old, new)
        assert old.dtype == new.dtype
    after.append(_diagnosis([0, 0, 0]), epoch=2, step=16)
    assert len(after.layers[0].codes) == 3
