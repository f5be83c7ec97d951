"""A run says the truth about what came of it."""

import keras
import numpy as np
import pytest

import keras_rectifiers
from keras_rectifiers.diagnosis.causes.explanation import Cause
from keras_rectifiers.diagnosis.causes.explanation import Explanation
from keras_rectifiers.finetuning.outcome import Judged
from keras_rectifiers.finetuning.outcome import judge
from keras_rectifiers.finetuning.outcome import with_cause

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 6)).astype("float32")
Y = (np.abs(X @ RNG.normal(size=6)) + 0.5).astype("float32")


def _judged(before=(0.1, 0.8), after=(0.9, 0.0), **options):
    return Judged(
        {"accuracy": before[0], "dead_fraction": before[1]},
        {"accuracy": after[0], "dead_fraction": after[1]},
        "accuracy",
        "test data",
        **{"no_better": False, "at_chance": False, **options},
    )


def _with_dead_output(end="relu", width=1, head=()):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(16, activation="relu", name="h"),
            keras.layers.Dense(width, name="y"),
            *head,
            keras.layers.Activation(end, name="end"),
        ]
    )
    model.get_layer("y").bias.assign([-30.0] * width)
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize(
    ("options", "reason", "part"),
    [
        ({}, "", "Rescued: accuracy on the test data 0.1 before, 0.9 after; 80.0%"),
        (
            {"before": (0.1, 0.0)},
            "",
            "Better: accuracy on the test data 0.1 before, 0.9 after; 0.0%",
        ),
        ({"no_better": True}, "not_better", "no epoch was better than the original"),
        ({"at_chance": True, "no_better": True}, "at_chance", "still say nothing"),
        ({"dead_outputs": ("end",)}, "dead_output", "the output 'end' is dead"),
        ({"after": (0.9, 0.5)}, "still_dead", "50.0% after"),
        (
            {"before": (0.1, 0.0), "after": (0.9, 0.2)},
            "dying",
            "units died meanwhile",
        ),
    ],
)
def test_each_outcome_has_its_reason(options, reason, part):
    """The worst one comes first, and the sentence has the figures."""
    outcome = judge(_judged(**options))

    assert outcome.reason == reason
    assert outcome.rescued == (not reason)
    assert part in outcome.sentence


def test_what_failed_says_why_and_what_next():
    """The likeliest cause and its remedy are named; a rescue needs none."""
    cause = Cause("input_scale", ("h",), 3, 1.0, ("It takes 0..255.",), "Scale it.")
    explained = Explanation("m", "3 of 4", (cause,))
    failed = with_cause(judge(_judged(no_better=True)), explained)
    unknown = with_cause(judge(_judged(no_better=True)), None)
    rescued = with_cause(judge(_judged()), explained)

    assert failed.cause == "input_scale: It takes 0..255."
    assert failed.advice == "Scale it."
    assert not unknown.cause
    assert "learning_rate" in unknown.advice
    assert not rescued.cause
    assert not rescued.advice


def test_what_was_done_is_not_advised_again():
    """A remedy that is finetune itself gives its place to what is left to do."""
    remedy = "keras_rectifiers.finetune(model, (x, y)) revives them. Use more width."
    cause = Cause("bias_shift", ("h",), 3, 1.0, (), remedy)
    failed = with_cause(judge(_judged(no_better=True)), Explanation("m", "", (cause,)))

    assert "finetune(" not in failed.advice
    assert failed.advice.endswith("Use more width.")


def test_labels_that_a_rectifier_cannot_reach_are_the_cause():
    """It is said before training, and in the end."""
    said = []
    result = keras_rectifiers.finetune(
        _with_dead_output(), (X, -Y), epochs=2, tell=said.append
    )

    assert said[0].startswith("100.0% of the labels are below 0, and the output 'end'")
    assert result.outcome.cause == said[0]
    assert "linear last layer" in result.outcome.advice


@pytest.mark.parametrize("treatment", ["none", "convert"])
def test_a_constant_loss_is_no_rescue(treatment):
    """Where no epoch is better, the original comes back, and it is said."""
    model = _with_dead_output()
    options = {"to": "prelu"} if treatment == "convert" else {}
    result = keras_rectifiers.finetune(
        model, (X, Y), treatment=treatment, epochs=2, **options
    )

    assert not result.rescued
    assert result.best_epoch == 0
    assert result.plan is None
    assert [type(each) for each in result.model.layers] == [
        type(each) for each in model.layers
    ]
    assert result.model.get_layer("h").activation is keras.activations.relu
    for mine, theirs in zip(
        result.model.get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    assert result.outcome.reason == "dead_output"
    assert "'end'" in result.outcome.sentence
    assert result.to_dict()["rescued"] is False


def test_a_conversion_that_is_worse_gives_the_original_back():
    """A forced slope of the output changes the function: it is not kept."""
    model = _with_dead_output()
    result = keras_rectifiers.finetune(
        model,
        (X, Y),
        to="prelu",
        roles=("hidden", "output"),
        alpha=0.25,
        epochs=1,
        learning_rate=1e-9,
    )

    assert result.best_epoch == 0
    assert result.after == result.before
    np.testing.assert_array_equal(
        result.model.predict(X, verbose=0), model.predict(X, verbose=0)
    )


def test_a_dead_output_comes_back_as_a_relu():
    """Auto fits its weights to the labels, and the slope for training is gone."""
    model = _with_dead_output()
    said = []
    result = keras_rectifiers.finetune(
        model, (X, Y), epochs=10, treatment="revive", tell=said.append
    )

    assert result.rescued, result.outcome
    assert result.after["loss"] < 0.5 * result.before["loss"]
    assert result.after["dead_fraction"] < 0.1
    assert isinstance(result.model.get_layer("end"), keras.layers.ReLU)
    assert result.model.predict(X, verbose=0).min() >= 0
    assert "Weights for the output 'end' were fitted to the labels." in result.done
    assert said == list(result.notes)


def test_a_run_at_chance_is_no_rescue():
    """Labels that have nothing to do with the inputs cannot be learnt."""
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    labels = np.random.default_rng(5).normal(size=len(X)).astype("float32")
    result = keras_rectifiers.finetune(model, (X, labels), epochs=1)

    assert result.outcome.reason == "at_chance"
    assert "still say nothing about the labels" in result.outcome.sentence
    assert result.outcome.advice
