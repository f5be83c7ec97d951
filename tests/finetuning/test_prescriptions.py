"""Which treatment a model gets, by its figures alone."""

import keras
import numpy as np
import pytest

from keras_rectifiers.diagnosis.diagnose import diagnose
from keras_rectifiers.finetuning.compare import program
from keras_rectifiers.finetuning.findings import Findings
from keras_rectifiers.finetuning.prescriptions import prescribe

X = np.abs(np.random.default_rng(0).normal(size=(64, 4))).astype("float32")


@pytest.fixture(scope="module")
def diagnoses():
    """Diagnoses of a layer with so many of ten units dead."""
    layers = [keras.layers.Dense(10, "relu", name="h"), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((4,)), *layers])

    def with_dead(count):
        kernel = np.ones((4, 10))
        kernel[:, :count] = -1
        layers[0].set_weights([kernel, np.zeros(10)])
        return diagnose(model, X)

    return {count: with_dead(count) for count in (0, 1, 2, 3, 8, 10)}


@pytest.mark.parametrize(
    ("dead", "skill", "norms", "treatments", "fresh"),
    [
        (0, 0.9, 0, ["none"], [False]),
        (0, 0.0, 3, ["none"], [False]),  # a new head on an old body says nothing, too
        (1, 0.6, 0, ["revive"], [False]),
        (2, 0.9, 3, ["revive"], [False]),
        (2, 0.4, 0, ["revive", "restart"], [False, True]),
        (3, 0.9, 0, ["revive", "restart"], [True, True]),
        (8, 0.05, 0, ["restart"], [True]),
        (8, 0.05, 3, ["norms", "restart"], [True, True]),
        (8, 0.9, 3, ["norms", "restart"], [True, True]),
    ],
)
def test_auto_goes_by_units_and_skill(diagnoses, dead, skill, norms, treatments, fresh):
    """Few dead units are revived, many call for more."""
    found = prescribe("auto", Findings(diagnoses[dead], skill, norms, None))

    assert [each.treatment for each in found] == treatments
    assert [each.fresh_optimizer for each in found] == fresh
    assert not dead or f"{dead} of 10 units" in found[0].why


@pytest.mark.parametrize(
    ("treatment", "dead", "fresh"),
    [
        ("revive", 2, False),
        ("revive", 8, True),
        ("restart", 0, True),
        ("norms", 2, False),
        ("slopes", 8, False),
        ("convert", 8, False),
        ("none", 8, False),
    ],
)
def test_what_is_asked_for_is_done(diagnoses, treatment, dead, fresh):
    """Only the optimizer depends on what was found then."""
    (found,) = prescribe(treatment, Findings(diagnoses[dead], 0.0, 1, None))

    assert (found.treatment, found.fresh_optimizer) == (treatment, fresh)


@pytest.mark.parametrize(
    ("treatment", "dead", "peak"),
    [
        ("revive", 2, 1.0),
        ("revive", 8, 1.0),
        ("revive", 10, 5.0),
        ("norms", 2, 3.0),
        ("restart", 0, 5.0),
        ("slopes", 8, 1.0),
        ("none", 8, 1.0),
    ],
)
def test_the_rate_goes_by_how_much_has_to_be_learned(diagnoses, treatment, dead, peak):
    """A layer that is revived as a whole has everything to learn."""
    (found,) = prescribe(treatment, Findings(diagnoses[dead], 0.0, 1, None))

    assert found.peak == peak


@pytest.mark.parametrize(
    ("treatment", "peak"), [("none", 3.0), ("revive", 3.0), ("restart", 5.0)]
)
def test_a_model_whose_statistics_lagged_learns_faster(diagnoses, treatment, peak):
    """It was trained for few steps."""
    found = Findings(diagnoses[0], 0.0, 1, None)

    (given,) = prescribe(treatment, found, lagged=True)

    assert given.peak == peak


@pytest.mark.parametrize(
    ("dead", "treatments"),
    [
        ((0, 10), ["revive", "restart"]),  # the first layer has learned something
        ((0, 9), ["restart"]),
        ((2, 10), ["restart"]),
        ((10, 0), ["restart"]),  # what comes after a dead layer has learned nothing
        ((10, 10), ["restart"]),
    ],
)
def test_what_lives_before_a_dead_layer_is_not_given_up_unseen(dead, treatments):
    """Its outputs cannot say what the layers before it have learned."""
    hidden = [keras.layers.Dense(10, "relu", name=name) for name in "ab"]
    model = keras.Sequential([keras.Input((4,)), *hidden, keras.layers.Dense(2)])
    for layer, count in zip(hidden, dead, strict=True):
        kernel = np.ones(layer.kernel.shape)
        kernel[:, :count] = -1
        layer.set_weights([kernel, np.full(10, 0.1)])
    hidden[1].bias.assign(np.where(np.arange(10) < dead[1], -1.0, 0.1))

    found = prescribe("auto", Findings(diagnose(model, X), 0.0, 0, None))

    assert [each.treatment for each in found] == treatments


@pytest.mark.parametrize(
    ("epochs", "count", "own", "trial"),
    [(20, 2, 16, 4), (5, 2, 4, 1), (3, 2, 2, 1), (2, 1, 2, 2), (1, 1, 1, 1)],
)
def test_trials_fit_into_the_epochs(diagnoses, epochs, count, own, trial):
    """Epochs of the trial that is given up are taken from the rest."""
    both = prescribe("auto", Findings(diagnoses[3], 0.9, 0, None))
    found = program(both, epochs)

    assert len(found.prescriptions) == count
    assert (found.epochs, found.trial) == (own, trial)


@pytest.mark.parametrize(
    ("dead", "treatments"), [(2, ["revive"]), (8, ["revive", "restart"])]
)
def test_nothing_is_given_up_unseen(diagnoses, dead, treatments):
    """Where the skill is not known, a trial must speak for a new start."""
    found = prescribe("auto", Findings(diagnoses[dead], None, 0, None))

    assert [each.treatment for each in found] == treatments
    if len(found) > 1:
        assert "is not known" in found[0].why
