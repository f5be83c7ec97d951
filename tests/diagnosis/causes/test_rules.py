import dataclasses

import numpy as np
import pytest

from keras_rectifiers.diagnosis.causes import rules
from keras_rectifiers.diagnosis.causes.case import Setting
from keras_rectifiers.diagnosis.causes.case import ramp
from keras_rectifiers.diagnosis.evidence.data import LayerChange
from keras_rectifiers.diagnosis.evidence.data import Spread
from keras_rectifiers.diagnosis.evidence.data import Training
from tests.diagnosis.causes import cases


def _scores(kind, *rectifiers, **changes):
    """What a rule says of the units of the first rectifier."""
    found = cases.diagnosis(*rectifiers, **changes)
    setting = Setting.of(found, found.evidence)
    return rules.RULES[kind](setting.cases[0], setting).scores


def _layer(**changes):
    return cases.rectifier("a", producer=cases.producer("a", **changes))


@pytest.mark.parametrize("kind", rules.RULES)
def test_an_ordinary_layer_is_accused_of_nothing(kind):
    """He's weights after ordinary training, on data in unit range."""
    np.testing.assert_allclose(_scores(kind, cases.rectifier("a")), 0, atol=0.01)


@pytest.mark.parametrize(
    ("spread", "score"),
    [
        (Spread(33.0, 79.0, 0.0, 255.0), 1.0),  # pixels as they come
        (Spread(-40.0, 5.0, -50.0, -20.0), 1.0),
        (Spread(1.0, 0.01, 0.98, 1.02), 1.0),  # next to no spread beside its mean
        (Spread(4.9, 6.1, 0.0, 16.0), 0.1),  # digits in 0..16 train well
        (Spread(0.45, 0.25, 0.0, 1.0), 0.0),  # photographs in 0..1
        (Spread(0.0, 1.0, -4.0, 4.0), 0.0),
    ],
)
def test_scale_and_offset_of_the_data(spread, score):
    """What the first layer takes must be near unit range, and not far from 0."""
    scores = _scores("input_scale", _layer(takes=spread))

    np.testing.assert_allclose(scores, score, atol=0.1)


def test_data_that_the_model_rescales_are_judged_after_it():
    """Pixels before a Rescaling layer are no cause."""
    pixels = Spread(33.0, 79.0, 0.0, 255.0)
    inputs = (cases.ModelInput("image", "uint8", pixels),)

    rescaled = _scores("input_scale", cases.rectifier("a"), inputs=inputs)
    unknown = _scores("input_scale", cases.rectifier("a", upstream=None), inputs=inputs)

    np.testing.assert_array_equal(rescaled, 0)
    np.testing.assert_array_equal(unknown, 1)


def test_a_unit_with_the_weights_of_its_birth_was_born_dead():
    """Training never reached it; one that moved died later."""
    moved = np.array([0.0, 0.3, 0.0, 0.3])

    np.testing.assert_allclose(
        _scores("initialization", _layer(moved=moved)), [0.9, 0, 0.9, 0]
    )


def test_a_bias_as_born_tells_the_same_after_a_file():
    """Any gradient would have moved the bias."""
    bias = np.array([0.0, -0.1, 0.0, 0.2])

    np.testing.assert_allclose(
        _scores("initialization", _layer(moved=None, bias=bias)), [0.9, 0, 0.9, 0]
    )


def test_an_untrained_unit_that_its_bias_holds_down_was_not_born_so():
    """Its kernel would let it fire."""
    born = cases.producer("a", moved=cases.full(0.0), bias=cases.full(-3.0))
    held = cases.rectifier("a", maximum=-1.0, producer=born)

    np.testing.assert_array_equal(_scores("initialization", held), 0)
    np.testing.assert_array_equal(_scores("bias_shift", held), 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"birth_norm": cases.full(0.0)},  # zeros
        {"birth_norm": cases.full(8.0)},  # nearly six times He's
        # Weights around -0.31, where He's deviation is 0.2.
        {"birth_norm": cases.full(2.6), "birth_mean": cases.full(-0.31)},
    ],
)
def test_initializers_of_the_wrong_size_or_sign(changes):
    """The distribution at birth is judged, however far training went."""
    np.testing.assert_array_equal(_scores("initialization", _layer(**changes)), 1)


def test_glorot_and_lecun_are_no_bad_initializers():
    """They are smaller than He's, and silence nobody."""
    for size in (0.3, 1.0):
        scores = _scores("initialization", _layer(birth_norm=cases.full(size)))
        np.testing.assert_array_equal(scores, 0)


def test_weights_that_went_far_speak_for_the_learning_rate():
    """The way from birth counts where it is known, the size where it is not."""
    far = _scores("learning_rate", _layer(moved=cases.full(2.0)))
    large = _scores("learning_rate", _layer(moved=None, norm=cases.full(4.0)))
    usual = _scores("learning_rate", _layer(moved=None))

    np.testing.assert_array_equal(far, 1)
    np.testing.assert_array_equal(large, 1)
    np.testing.assert_allclose(usual, 0, atol=0.01)


def test_one_layer_that_was_changed_is_no_learning_rate():
    """Steps that are too long throw the whole model."""
    still = [cases.rectifier(name) for name in ("b", "c", "d")]
    changed = cases.producer("a", moved=cases.full(1.4))

    scores = _scores("learning_rate", cases.rectifier("a", producer=changed), *still)

    np.testing.assert_allclose(scores, 0, atol=0.05)


def test_a_model_that_was_never_trained_has_no_learning_rate_to_blame():
    """Whatever its weights are."""
    training = dataclasses.replace(cases.ADAM, iterations=0)

    scores = _scores("learning_rate", _layer(moved=cases.full(9.0)), training=training)

    np.testing.assert_array_equal(scores, 0)


@pytest.mark.parametrize(
    ("training", "score"),
    [
        (Training("Adam", 0.1, 9, scale_free=True), 1.0),
        (Training("Adam", 1e-3, 9, scale_free=True), 0.0),
        (Training("SGD", 0.5, 9, scale_free=False, momentum=0.9), 1.0),
        (Training("SGD", 0.01, 9, scale_free=False, momentum=0.9), 0.0),
        (Training("SGD", 0.0, 9, scale_free=False, step_ratio={"a": 0.5}), 1.0),
        (None, 0.0),
    ],
)
def test_the_optimizer_itself_speaks(training, score):
    """A step beside the size of the weights, and SGD's rate beside the curvature."""
    scores = _scores("learning_rate", cases.rectifier("a"), training=training)

    np.testing.assert_allclose(scores, score, atol=0.05)


@pytest.mark.parametrize(("step", "score"), [(1, 1.0), (500, 0.0)])
def test_the_history_of_a_run_counts_by_the_step(step, score):
    """The same way in one step is too long, in five hundred it is not."""
    history = (
        (0, {"a": LayerChange(1.0, 0.0, 0.0, 0.0)}),
        (step, {"a": LayerChange(1.0, 0.4, 0.0, 0.0)}),
    )

    scores = _scores("learning_rate", cases.rectifier("a"), history=history)

    np.testing.assert_allclose(scores, score, atol=0.05)


@pytest.mark.parametrize(
    ("changes", "mean", "score"),
    [
        ({"beta": cases.full(-5.0)}, -5.0, 1.0),
        ({"beta": cases.full(-0.1), "gamma": cases.full(1e-4)}, -0.1, 1.0),
        ({"moving": False, "beta": cases.full(-5.0)}, -5.0, 1.0),
        ({}, -8.0, 0.0),  # moving statistics that are off are a cause of their own
        ({"beta": cases.full(-1.0)}, -1.0, 0.0),
    ],
)
def test_normalisation_that_silences(changes, mean, score):
    """Beta far below 0 beside gamma."""
    found = cases.rectifier(
        "a", mean=cases.full(mean), normalization=cases.normalization(**changes)
    )

    np.testing.assert_array_equal(_scores("batch_norm", found), score)


def test_the_bias_is_blamed_where_the_unit_would_fire_without_it():
    """A small bias, or a unit that is far below 0 anyway, is not."""
    bias = np.array([-3.0, -0.05, -0.5, 0.1])
    maximum = np.array([-1.0, -0.01, -1.0, -1.0])

    found = cases.rectifier("a", maximum, producer=cases.producer("a", bias=bias))

    np.testing.assert_array_equal(_scores("bias_shift", found), [1, 0, 0, 0])


def test_a_bias_before_a_normalisation_is_not_what_is_added_last():
    """The normalization would take it away again."""
    found = cases.rectifier(
        "a",
        producer=cases.producer("a", bias=cases.full(-3.0)),
        normalization=cases.normalization(),
    )

    np.testing.assert_array_equal(_scores("bias_shift", found), 0)


def test_without_a_known_producer_no_rule_accuses_its_weights():
    """There is less evidence, and no error."""
    found = cases.rectifier("a", producer=None, upstream=None)

    for kind in ("initialization", "learning_rate", "bias_shift"):
        np.testing.assert_array_equal(_scores(kind, found), 0)


def _sentence(kind, *rectifiers, **changes):
    """What a rule tells of the first rectifier."""
    found = cases.diagnosis(*rectifiers, **changes)
    setting = Setting.of(found, found.evidence)
    return rules.RULES[kind](setting.cases[0], setting).sentence


@pytest.mark.parametrize(("ratio", "told"), [(0.15, True), (8.7e-5, False)])
def test_a_step_is_told_only_where_it_is_long(ratio, told):
    """A step below the usual does not speak for too high a rate."""
    training = Training("SGD", 1e-3, 9, scale_free=False, step_ratio={"a": ratio})
    moved = _layer(moved=cases.full(3.0))

    sentence = _sentence("learning_rate", moved, training=training)

    assert "moved by 3x their initial norm" in sentence
    assert (f"{ratio:.2g}" in sentence) == told
    assert ("not high by itself" in sentence) == (not told)


def test_a_way_that_is_not_far_is_not_told():
    """Where a step speaks, the layer's own weights may have gone nowhere."""
    training = Training("Adam", 0.1, 9, scale_free=True)

    sentence = _sentence("learning_rate", cases.rectifier("a"), training=training)

    assert "moved" not in sentence
    assert "of the weights (usual is 0.001)" in sentence


def test_a_rate_that_diverges_is_told_by_the_number_that_speaks():
    """Of SGD it is the rate beside the size of the input."""
    training = Training("SGD", 0.5, 9, scale_free=False, momentum=0.9)

    sentence = _sentence("learning_rate", cases.rectifier("a"), training=training)

    assert "103" in sentence  # 0.5 / 0.1 * 50 * (0.4 ** 2 + 0.5 ** 2)
    assert "not high" not in sentence


def test_weights_at_birth_are_told_only_where_they_are_wrong():
    """Units that were born dead of good weights are told by their number alone."""
    born = _sentence("initialization", _layer(moved=cases.full(0.0)))
    large = _sentence("initialization", _layer(birth_norm=cases.full(8.0)))

    assert "4 of 4 silent units" in born
    assert "He's size" not in born
    assert "5.66 times He's size" in large
    assert "silent units" not in large


def test_figures_of_a_cause_are_those_of_the_units_that_it_explains():
    """Silent units that it does not explain are left out of its medians."""
    gamma, beta = cases.full(1.0), np.array([-8.0, 1.0, 1.0, 1.0])
    norm = cases.normalization(gamma=gamma, beta=beta)
    bias = np.array([-3.0, 0.4, 0.4, 0.4])
    held = cases.rectifier("a", -0.1, producer=cases.producer("a", bias=bias))

    assert "of 1 of 4 silent units is -8" in _sentence(
        "batch_norm", cases.rectifier("a", normalization=norm)
    )
    assert "1 of 4 silent units would fire without their bias (median -3;" in (
        _sentence("bias_shift", held)
    )


def test_data_are_told_by_what_is_wrong_with_them():
    """Their size, or their mean beside their deviation."""
    far = _sentence("input_scale", _layer(takes=Spread(33.0, 79.0, 0.0, 255.0)))
    flat = _sentence("input_scale", _layer(takes=Spread(1.0, 0.01, 0.98, 1.02)))

    assert far.endswith("a mean near 0 and a deviation near 1.")
    assert flat.endswith("a deviation that is not far below it.")


def test_ramp_is_straight_between_its_ends_and_zero_for_nan():
    """Infinity is beyond every end."""
    values = ramp(np.array([0.0, 1.0, 2.0, 3.0, np.inf, np.nan]), 1.0, 3.0)

    np.testing.assert_array_equal(values, [0, 0, 0.5, 1, 1, 0])
