"""Remedies are run: a planted cause, the code of its remedy, and a second look."""

import runpy
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from keras_rectifiers.diagnosis.causes import remedies
from keras_rectifiers.diagnosis.causes.explain import explain
from keras_rectifiers.diagnosis.causes.explanation import Cause
from keras_rectifiers.diagnosis.diagnose import diagnose
from tests.diagnosis.causes import cases

_BENCHMARK = Path(__file__).resolve().parents[3] / "benchmarks" / "explain.py"
_RNG = np.random.default_rng(0)
_X = _RNG.normal(0.0, 1.0, (192, 8)).astype("float32")
_Y = (_X[:, 0] > 0).astype("int32") + (_X[:, 1] > 0)


def _model(*inner, units=3, **head):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((8,)), *inner, layers.Dense(units, **head)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), "mse" if units == 1 else loss)
    return model


def _mended(cause, model, x=_X, y=_Y):
    """What the code of a remedy leaves behind under the names that it was given."""
    scope = {"model": model, "x": x, "y": y}
    exec(cause.code, scope)
    return scope["model"], scope["x"], scope["y"]


def test_lagging_statistics_are_mended_by_one_pass():
    """Every unit fires afterwards, and no weight was trained."""
    blocks = [
        each
        for _ in range(2)
        for each in (
            layers.Dense(24, use_bias=False),
            layers.BatchNormalization(momentum=0.999),
            layers.ReLU(),
        )
    ]
    model = _model(layers.Rescaling(0.2), *blocks)
    model.fit(_X, _Y, batch_size=16, epochs=1, verbose=0)
    model.layers[2].beta.assign(np.full(24, -0.5))
    cause = explain(diagnose(model, _X)).first
    weights = [each.numpy() for each in model.trainable_variables]

    assert cause.kind == "lagging_statistics"
    mended, x, _ = _mended(cause, model)
    assert mended is model
    assert diagnose(model, x).count("dead") == 0
    for old, new in zip(weights, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_samples_that_are_not_finite_are_taken_out():
    """The rest of the data is as it was."""
    model = _model(layers.Dense(16, activation="relu"))
    x = _X.copy()
    x[3, 2], x[50] = np.nan, np.inf
    cause = explain(diagnose(model, x)).first

    assert cause.kind == "not_finite"
    _, kept, labels = _mended(cause, model, x)
    np.testing.assert_array_equal(kept, np.delete(_X, [3, 50], axis=0))
    np.testing.assert_array_equal(labels, np.delete(_Y, [3, 50]))
    assert "not_finite" not in [e.kind for e in explain(diagnose(model, kept)).causes]


@pytest.mark.slow
def test_units_that_a_bias_holds_down_are_brought_back():
    """By `finetune`, which leaves the original as it was."""
    model = _model(layers.Dense(16, activation="relu", name="hidden"))
    model.fit(_X, _Y, epochs=1, verbose=0)
    model.get_layer("hidden").bias.assign([-30.0] * 2 + [0.0] * 14)
    cause = explain(diagnose(model, _X)).first

    assert cause.kind == "bias_shift"
    assert diagnose(*_mended(cause, model)[:2]).count("dead") == 0
    assert diagnose(model, _X).count("dead") == 2


def test_lost_weights_have_no_code():
    """Nothing that can be run brings them back."""
    model = _model(layers.Dense(16, activation="relu", name="hidden"))
    model.get_layer("hidden").bias.assign(np.full(16, np.nan))

    cause = explain(diagnose(model, _X)).first

    assert (cause.kind, cause.code) == ("not_finite", "")
    assert "lost" in cause.remedy


@pytest.mark.parametrize("kind", sorted(remedies._REMEDIES))
def test_every_remedy_names_what_its_code_does(kind):
    """The sentence alone is enough to know the call; the code is Python."""
    made = remedies.remedy(kind, origin="conv")

    compile(made.code, kind, "exec")
    for call in ("finetune(model, (x, y)", "refresh_statistics(model, x)"):
        assert (call in made.sentence) == (call in made.code)
    assert ("{" in made.sentence) is False
    assert ("conv" in made.sentence) == (kind == "collapsed_upstream") or (
        "convert" in made.sentence
    )


def test_a_remedy_names_a_rate_only_where_that_of_now_is_high():
    """A rate below the usual one would learn too slowly, and `finetune` has its own."""
    found = {}
    for rate in (0.3, 5e-3, float(np.float32(1e-3)), 1e-7):
        training = cases.Training("Adam", rate, 9, scale_free=True)
        diagnosed = cases.diagnosis(cases.rectifier("a"), training=training)
        setting = remedies.Setting.of(diagnosed, diagnosed.evidence)
        found[rate] = remedies.remedy("learning_rate", setting).call

    assert [call.count("learning_rate=0.001") for call in found.values()] == [
        1,
        1,
        0,
        0,
    ]


@pytest.mark.parametrize("kind", sorted(remedies._REMEDIES))
def test_a_remedy_read_on_the_command_line_is_a_command(kind):
    """Advice is written once; what has no command stays Python."""
    made = remedies.remedy(kind, origin="conv")
    cause = Cause(kind, ("a",), 1, 0.8, (), made.sentence, "", made.code, made.call)

    shown = cause.text(command_line=True)

    command = "keras-rectifiers finetune MODEL --data DATA --out OUT"
    assert shown.count(command) == ("finetune(" in made.call)
    assert "keras_rectifiers.finetune(" not in shown
    assert "keras_rectifiers.convert(" not in shown


@pytest.mark.parametrize("rate", [0.3, 1e-3])
def test_the_next_step_is_the_remedy_of_the_likeliest_cause(rate):
    """One place decides; in Python and on the command line."""
    far = cases.producer("a", moved=cases.full(3.0))
    found = cases.diagnosis(
        cases.rectifier("a", producer=far),
        training=cases.Training("Adam", rate, 9, scale_free=True),
    )

    cause = explain(found).first

    assert cause.kind == "learning_rate"
    for command_line in (False, True):
        (step,) = [
            part.removeprefix("Next step: ")
            for part in found.parts(command_line=command_line)
            if str(part).startswith("Next step: ")
        ]
        assert step in cause.text(command_line=command_line)
        assert ("0.001" in step) == (rate == 0.3)


def test_a_score_is_not_read_as_a_rate():
    """It is named, and is not next to the name of the cause."""
    cause = Cause("learning_rate", ("a", "b"), 7, 0.85, (), "Lower it.")

    assert str(cause).startswith("learning_rate: 7 units of a, b, score 0.85\n")


def test_a_model_without_a_loss_is_told_to_give_one():
    """`finetune` cannot know it."""
    found = explain(cases.diagnosis(cases.rectifier("a"), training=None))

    assert "pass its loss to finetune as loss=" in found.first.remedy


def test_several_inputs_are_scaled_each_by_itself():
    """Whatever structure they come in."""
    given = cases.ModelInput("x", "float32", cases.Spread(33.0, 79.0, 0.0, 255.0))
    found = cases.diagnosis(cases.rectifier("a"), inputs=(given, given))
    setting = remedies.Setting.of(found, found.evidence)
    code = remedies.remedy("input_scale", setting).code.split("\n\nmodel =")[0]

    scope = {"x": {"a": 9 * _X, "b": [_X - 40.0]}}
    exec(code.removesuffix("import keras_rectifiers"), scope)

    for each in keras.tree.flatten(scope["x"]):
        assert each.mean() == pytest.approx(0, abs=1e-3)
        assert each.std() == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "collapsed_upstream",
        "learning_rate",
        "input_scale",
        "initialization",
        "bias_shift",
        "batch_norm",
        "lagging_statistics",
        "dead_output",
    ],
)
def test_the_code_of_a_remedy_takes_its_cause_away(kind):
    """Planted, named, treated, and not named again."""
    benchmark = runpy.run_path(str(_BENCHMARK))
    for seed in range(40):
        model, x, y, killed = benchmark["plant"](kind, seed)
        found = benchmark["diagnose"](model, x, batch_size=128)
        if benchmark["named"](kind, found, killed) == kind and model.compiled:
            break
    cause = explain(found).first

    again = benchmark["diagnose"](*benchmark["mended"](cause, model, x, y))

    assert cause.kind == kind
    assert kind not in [each.kind for each in explain(again).causes]
    assert again.dead_fraction < found.dead_fraction
