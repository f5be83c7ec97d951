import dataclasses

import numpy as np
import pytest

from keras_rectifiers.diagnosis.causes import rules
from keras_rectifiers.diagnosis.causes.case import Setting
from keras_rectifiers.diagnosis.causes.explain import explain
from tests.diagnosis.causes import cases


def _finding(*rectifiers, norms=None, **changes):
    norms = norms or (cases.moving(),)
    found = cases.diagnosis(*rectifiers, norms=norms, **changes)
    setting = Setting.of(found, found.evidence)
    return rules.RULES["lagging_statistics"](setting.cases[-1], setting)


def test_units_that_fire_with_the_batch_and_statistics_that_are_off():
    """Both together are the cause; a unit that does not fire then is not explained."""
    finding = _finding(cases.waking("a", [1.0, 1.0, -1.0, 1.0]))

    np.testing.assert_array_equal(finding.scores, [1, 1, 0, 1])
    assert "3 of 4 silent units of 'a' fire with the batch's own" in finding.sentence


@pytest.mark.parametrize(
    ("changes", "score", "words"),
    [
        # The mean alone, and the variance alone, in both directions.
        ({"batch_mean": cases.full(2.0), "batch_variance": cases.full(1.0)}, 1, "mean"),
        ({"batch_mean": cases.full(0.0)}, 1, "variance is 91 times"),
        (
            {"batch_mean": cases.full(0.0), "batch_variance": cases.full(9.0)},
            1,
            "variance is 0.11 times",
        ),
        # As in the data, and next to them.
        ({"batch_mean": cases.full(0.0), "batch_variance": cases.full(1.0)}, 0, ""),
        ({"batch_mean": cases.full(0.2), "batch_variance": cases.full(1.3)}, 0, ""),
        # Channels that are nearly constant: epsilon outweighs both variances.
        (
            {
                "batch_mean": cases.full(0.0),
                "variance": cases.full(1e-6),
                "batch_variance": cases.full(1e-9),
            },
            0,
            "",
        ),
        # A few samples that scatter widely say nothing.
        ({"mean_error": cases.full(1.0), "variance_error": cases.full(1.0)}, 0, ""),
    ],
)
def test_mean_and_variance_count_beyond_the_error_of_a_sample(changes, score, words):
    """What is far off is told, and nothing else."""
    finding = _finding(cases.waking("a"), norms=(cases.moving(**changes),))

    np.testing.assert_array_equal(finding.scores, score)
    assert words in finding.sentence
    assert finding.sentence.count("the moving") == (words != "")


def test_a_layer_behind_one_that_lags_is_explained_by_it():
    """Its own statistics may be right, or it may have no normalization of its own."""
    right = cases.moving(
        "own", batch_mean=cases.full(0.0), batch_variance=cases.full(1)
    )
    behind = cases.waking(
        "b",
        norms=("bn", "own"),
        normalization=dataclasses.replace(cases.normalization(), path="own"),
    )
    unnormalized = cases.waking("b", norms=("bn",), normalization=None)

    for each in (behind, unnormalized):
        finding = _finding(each, norms=(cases.moving(), right))
        np.testing.assert_array_equal(finding.scores, 1)
        assert "in 'bn' the moving" in finding.sentence


def test_a_normalization_on_another_branch_explains_nothing():
    """Only those before a rectifier count; all where the wiring is not known."""
    elsewhere = cases.waking("a", norms=(), normalization=None)
    unknown = cases.waking("a", norms=None, normalization=None)

    np.testing.assert_array_equal(_finding(elsewhere).scores, 0)
    np.testing.assert_array_equal(_finding(unknown).scores, 1)


def test_beta_far_below_zero_stays_a_cause_of_the_normalization():
    """Such a unit does not fire with the batch's statistics either."""
    norm = cases.normalization(beta=cases.full(-8.0))

    found = explain(
        cases.diagnosis(
            cases.waking("a", peak=-5.0, normalization=norm), norms=(cases.moving(),)
        )
    )

    assert [each.kind for each in found.causes] == ["batch_norm"]
    assert "None of them fires with the batch's own statistics." in found.headline


def test_what_is_left_of_the_start_is_told():
    """A high momentum and few steps leave most of the initial values."""
    few = dataclasses.replace(cases.ADAM, iterations=30)

    assert "after 30 steps with momentum 0.999, 97.0% of" in (
        _finding(cases.waking("a"), training=few).sentence
    )
    many = dataclasses.replace(cases.ADAM, iterations=9000)
    assert "is left" not in _finding(cases.waking("a"), training=many).sentence


def test_a_layer_that_only_statistics_silence_is_no_collapse():
    """Later layers are judged by themselves; moving statistics are the one cause."""
    constant = {"std": cases.full(0.0), "std_over_samples": cases.full(0.0)}
    found = cases.diagnosis(
        cases.waking("a"),
        cases.waking("b", upstream=("a",), **constant),
        norms=(cases.moving(),),
    )

    explained = explain(found)

    assert [each.kind for each in explained.causes] == ["lagging_statistics"]
    assert explained.first.units == 8
    assert "8 of 8 silent units fire" in explained.headline
    assert found.waking == 8
    assert "Next step: keras_rectifiers.revival.refresh_statistics(model, x)" in str(
        found
    )


def test_frozen_layers_are_to_be_unfrozen_first():
    """Keras gives them no new statistics."""
    frozen = cases.moving(frozen=True)

    cause = explain(cases.diagnosis(cases.waking("a"), norms=(frozen,))).first

    assert "unfreeze them first" in cause.remedy
    assert cause.code.startswith("model.trainable = True\n")


def test_without_batch_normalization_nothing_was_looked_at():
    """Then nothing is said of it."""
    found = cases.diagnosis(cases.rectifier("a"))

    assert found.waking is None
    assert "batch's own" not in str(explain(found)) + str(found)
