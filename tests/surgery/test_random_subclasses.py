"""Laws of surgery, on random models whose layers Python code makes."""

import json
import os

import hypothesis
import keras
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

import keras_rectifiers
from tests.made_in_python import build
from tests.made_in_python import recipes

#: How many models the slow test draws.
MANY = int(os.environ.get("MADE_IN_PYTHON_EXAMPLES", "300"))
_SETTINGS = settings(
    deadline=None,
    max_examples=10,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)
#: What keeps the function, and what the new rectifiers can become in turn.
_SAME_FUNCTION = (
    ("prelu", {}, "leaky_relu"),
    ("leaky_relu", {"negative_slope": 0.0}, "prelu"),
)
_drawn = {
    "recipe": recipes,
    "target": st.sampled_from(_SAME_FUNCTION),
    "filed": st.booleans(),
}


def _outputs(model, x):
    """The bytes of every output."""
    made = keras.tree.flatten(model(x, training=False))
    return [keras.ops.convert_to_numpy(each).tobytes() for each in made]


def _state(model):
    """The config of a model, and the names and bytes of every variable."""
    config = keras.saving.serialize_keras_object(model)
    return json.dumps(config, sort_keys=True), _values(model)


def _values(model):
    """The bytes of every weight, and of the optimizer's state."""
    weights, slots = model.weights, model.optimizer.variables if model.compiled else []
    return [
        *((each.name, keras.ops.convert_to_numpy(each).tobytes()) for each in weights),
        *(keras.ops.convert_to_numpy(each).tobytes() for each in slots),
    ]


def _check_laws(recipe, target, folder, *, filed):
    made = build(recipe)
    model, x = made.model, made.inputs
    before, state = _outputs(model, x), _state(model)
    to, options, other = target
    plan = keras_rectifiers.plan(model, to, **options)
    assert len(plan.steps) + len(plan.skips) == made.rectifiers, str(plan)

    live = plan.apply(model)
    assert isinstance(live, made.classes["Top"])
    _same_function(model, live, x)
    assert len(live.variables) == len(model.variables) + _new(plan)
    again = keras_rectifiers.plan(live, other, of=to)
    left = [skip.site for skip in again.skips if skip.site.kind == to]
    assert _calls(again, left) == _calls(plan)  # each where the old one was
    _check_file(live, made, before, folder / "live.keras")
    if filed:
        source, path = folder / "source.keras", folder / "filed.keras"
        model.save(source)
        known = {"custom_objects": made.classes}
        keras_rectifiers.convert_file(source, path, to, **options, **known)
        _check_file(live, made, before, path, write=False)
    if plan.steps:
        back = keras_rectifiers.revert(live)
        assert _state(back) == state
        assert _outputs(back, x) == before
    assert _state(model) == state
    assert _outputs(model, x) == before


def _check_file(live, made, before, path, *, write=True):
    """A file opens as the model in memory."""
    if write:
        live.save(path)
    opened = keras.saving.load_model(path, custom_objects=made.classes)
    assert isinstance(opened, made.classes["Top"])
    assert _outputs(opened, made.inputs) == before
    assert _values(opened) == _values(live)


def _calls(plan, more=()):
    """The shapes with which each rectifier that a plan replaces is called, and more."""
    sites = [*(step.site for step in plan.steps), *more]
    return sorted(str(site.shapes) for site in sites)


def _same_function(one, other, x):
    verified = keras_rectifiers.verify(one, other, x)
    assert verified.holds, str(verified)
    assert verified.bit_equal, str(verified)
    assert not verified.slots_differing, str(verified)


def _new(plan):
    """How many variables a plan adds."""
    return sum(len(each.weights) for step in plan.steps for each in step.replacements)


@_SETTINGS
@given(**_drawn)
def test_what_python_makes_is_converted_and_reverted_bit_for_bit(
    recipe, target, filed, tmp_path_factory
):
    """Live, saved, filed and reverted; each rectifier is replaced or named."""
    _check_laws(recipe, target, tmp_path_factory.mktemp("laws"), filed=filed)


@pytest.mark.slow
@settings(_SETTINGS, max_examples=MANY, derandomize=False)
@given(**_drawn)
def test_much_that_python_makes(recipe, target, filed, tmp_path_factory):
    """The same laws, over many more models and never alike."""
    _check_laws(recipe, target, tmp_path_factory.mktemp("laws"), filed=filed)
