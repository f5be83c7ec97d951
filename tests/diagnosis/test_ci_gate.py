"""Thresholds on dead units, against diagnoses whose shares are known."""

import types

import pytest

from keras_rectifiers.diagnosis import ci_gate
from keras_rectifiers.diagnosis import document
from keras_rectifiers.diagnosis.ci_gate import Gate
from keras_rectifiers.diagnosis.ci_gate import Judgement
from keras_rectifiers.diagnosis.document import Entry


def _diagnosis(*shares, not_finite=""):
    """Layers `a`, `b`, ... of 100 units each, with these shares dead."""
    layers = [
        types.SimpleNamespace(layer=name, dead_fraction=share)
        for name, share in zip("abcdef", shares, strict=False)
    ]
    mean = sum(shares) / max(len(shares), 1)
    return types.SimpleNamespace(
        layers=layers, dead_fraction=mean, not_finite=not_finite
    )


def test_without_thresholds_there_is_no_outcome():
    """Even NaN is no failure where nobody asked."""
    judged = Gate().judge(_diagnosis(1.0, not_finite="All is NaN."))

    assert judged == Judgement("none")


@pytest.mark.parametrize(
    ("limit", "outcome"), [(0.3, "passed"), (0.25, "passed"), (0.2, "failed")]
)
def test_the_share_of_all_units(limit, outcome):
    """A share that is equal to the threshold passes."""
    judged = Gate(fail_above=limit).judge(_diagnosis(0.0, 0.5))

    assert judged.outcome == outcome
    assert judged.reasons[0].startswith("25.0% of the units are dead, ")


def test_layers_above_their_threshold_are_named_the_worst_first():
    """The share of each is told."""
    judged = Gate(fail_layer_above=0.4).judge(_diagnosis(0.5, 0.4, 0.0, 0.955))

    assert judged.outcome == "failed"
    (reason,) = judged.reasons
    assert reason.startswith("2 layers have more than 40% of their units dead ")
    assert reason.endswith("(--fail-layer-above): 'd' (95.5%), 'a' (50.0%).")


def test_one_threshold_that_does_not_hold_is_enough():
    """Only what does not hold is told."""
    judged = Gate(0.5, 0.4).judge(_diagnosis(0.6, 0.0))

    assert judged.outcome == "failed"
    (reason,) = judged.reasons
    assert reason == (
        "1 layer has more than 40% of its units dead (--fail-layer-above): 'a' (60.0%)."
    )


def test_both_hold():
    """Each has its sentence."""
    judged = Gate(0.5, 0.7).judge(_diagnosis(0.6, 0.0))

    assert judged.outcome == "passed"
    assert judged.reasons == (
        "30.0% of the units are dead, not more than 50% (--fail-above).",
        "No layer has more than 70% of its units dead (--fail-layer-above).",
    )


@pytest.mark.parametrize("limits", [{"fail_above": 1.0}, {"fail_layer_above": 1.0}])
def test_what_is_not_finite_fails(limits):
    """A NaN is a finding under either threshold."""
    judged = Gate(**limits).judge(_diagnosis(0.0, not_finite="1 unit gave NaN."))

    assert judged.outcome == "failed"
    assert judged.reasons == ("NaN or infinity was found: 1 unit gave NaN.",)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["none", "none"], "none"),
        (["passed", "none"], "passed"),
        (["passed", "failed"], "failed"),
        (["failed", "error", "passed"], "error"),
    ],
)
def test_the_outcome_of_several_is_the_gravest(outcomes, expected):
    """An error comes before a failure, and that before what passed."""
    entries = [Entry("m", Judgement(each)) for each in outcomes]

    assert document.outcome(entries) == expected
    known = {ci_gate.ERROR, ci_gate.FAILED, ci_gate.PASSED, ci_gate.NONE}
    assert set(outcomes) <= known
