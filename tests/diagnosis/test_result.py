import json
import sys

import numpy as np
import pytest

from keras_rectifiers.diagnosis.layer_diagnosis import LayerDiagnosis
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.diagnosis.statistics import UnitStatistics


def _layer(path="conv1", fired=(0, 4), slope=0.0, samples=10, not_finite=0):
    fired = np.array(fired)
    units = len(fired)
    return LayerDiagnosis(
        path,
        UnitStatistics(
            samples=samples,
            positions=samples * 4,
            fired=fired,
            fired_positions=fired,
            not_finite=np.full(units, not_finite),
            sum_abs=fired.astype(float),
            sum_squares=fired.astype(float),
            maximum=np.ones(units),
        ),
        np.full(units, slope),
        np.full(units, slope != 0),
    )


def test_rows_have_the_promised_keys():
    """One row for each unit, with what a table of units needs."""
    row = Diagnosis("m", (_layer(),)).rows[0]

    assert row == {
        "layer": "conv1",
        "unit": 0,
        "samples": 10,
        "fired": 0,
        "fired_fraction": 0.0,
        "upper_bound": pytest.approx(1 - 0.05 ** (1 / 10)),
        "positive_fraction": 0.0,
        "mean_abs": 0.0,
        "dormancy": 0.0,
        "slope": 0.0,
        "verdict": "dead",
    }


def test_fractions_count_all_units():
    """Dead units have no gradient; silent ones never fired, leaking or not."""
    diagnosis = Diagnosis("m", (_layer(), _layer("conv2", (0, 0), slope=0.1)))

    assert diagnosis.dead_fraction == 0.25
    assert diagnosis.silent_fraction == 0.75
    assert [layer.dead_fraction for layer in diagnosis.layers] == [0.5, 0.0]


def test_layers_count_their_verdicts():
    """Each verdict of a layer is a number of its units, and they add up."""
    layer = _layer()

    counts = (layer.dead, layer.leaking, layer.dormant, layer.linear, layer.alive)

    assert counts == (1, 0, 0, 0, 1)
    assert sum(counts) + layer.not_finite == layer.units


def test_merged_diagnosis_is_that_of_both_data_sets():
    """A unit that fired on either data set is not dead on both."""
    first = Diagnosis("m", (_layer(fired=(0, 0)),))
    second = Diagnosis("m", (_layer(fired=(3, 0)),))

    both = first + second

    assert [row["samples"] for row in both.rows] == [20, 20]
    assert [row["verdict"] for row in both.rows] == ["alive", "dead"]


def test_merging_keeps_what_only_one_saw():
    """A rectifier that one data set never reached keeps the other's figures."""
    first = Diagnosis("m", (_layer("a"),), unseen=("b",))
    second = Diagnosis("m", (_layer("a"), _layer("b")))

    both = first + second

    assert [layer.statistics.samples for layer in both.layers] == [20, 10]
    assert both.unseen == ()


def test_other_models_do_not_merge():
    """Diagnoses of different rectifiers are refused with both lists."""
    with pytest.raises(ValueError, match=r"\['a'\] and \['b'\]"):
        Diagnosis("m", (_layer("a"),)) + Diagnosis("m", (_layer("b"),))


def test_json_holds_rows_and_summary():
    """The JSON has totals, layers and units, and null for what is not a number."""
    diagnosis = Diagnosis("m", (_layer(not_finite=10),))

    data = json.loads(diagnosis.to_json())

    assert data["units"] == 2
    assert data["layers"][0]["not_finite"] == 2
    assert data["rows"][0]["mean_abs"] is None
    assert "rows" not in json.loads(diagnosis.to_json(rows=False))


def test_pandas_has_the_rows():
    """The data frame has one row for each unit."""
    pytest.importorskip("pandas")
    diagnosis = Diagnosis("m", (_layer(),))

    frame = diagnosis.to_pandas()

    assert frame.to_dict("records") == diagnosis.rows


def test_missing_pandas_is_named(monkeypatch):
    """Without pandas the error says how to install it."""
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(ImportError, match="pip install pandas"):
        Diagnosis("m", (_layer(),)).to_pandas()


def test_printed_diagnosis_is_a_table_of_layers():
    """The text names the share, what the samples allow, and each layer."""
    text = str(Diagnosis("m", (_layer(),), unseen=("gone",)))

    assert text.splitlines() == [
        "m: 1 of 2 units are dead (50.0%).",
        "",
        "layer       units  dead  leaking  dormant  linear  alive  dead share",
        "conv1           2     1        0        0       0      1       50.0%",
        "all layers      2     1        0        0       0      1       50.0%",
        "",
        (
            "Dead: never positive on 10 samples, and its slope is 0. With this many "
            "samples, a unit that never fired fires on fewer than 25.9% of inputs (95% "
            "confidence)."
        ),
        "Next step: keras_rectifiers.finetune(model, (x, y))",
        "Never called on these data: gone",
    ]


def test_model_without_rectifiers_says_so():
    """An empty diagnosis is readable and counts nothing as dead."""
    diagnosis = Diagnosis("m", ())

    assert "no rectifier" in str(diagnosis)
    assert (diagnosis.rows, diagnosis.dead_fraction) == ([], 0.0)


def test_unknown_layer_lists_the_known():
    """Asking for a layer that is not there names those that are."""
    with pytest.raises(KeyError, match="conv1"):
        Diagnosis("m", (_layer(),)).layer("conv9")


def test_plain_data_needs_no_keras():
    """Numbers in, words out: the module never imports Keras."""
    assert "keras" not in vars(sys.modules[Diagnosis.__module__])
