"""The recipe on random models: none is refused, lost or made worse than it was."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from keras_rectifiers.finetuning.finetune import finetune
from tests.strategies import build
from tests.strategies import inputs_for
from tests.strategies import recipes

#: With one output; the others are for surgery.
RECIPES = recipes.filter(lambda each: each["end"] not in ("dict", "list"))
TREATMENTS = ("auto", "revive", "norms", "restart", "none")


def _check(recipe, treatment, seed):
    keras.utils.set_random_seed(seed)
    model = build(recipe)
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        if variable.name == "bias":  # some units are dead, some are not
            variable.assign(rng.choice([-3.0, 0.5], size=variable.shape))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    x = inputs_for(model, samples=24)
    y = rng.normal(size=(24, *model.output_shape[1:])).astype("float32")
    before = [weight.copy() for weight in model.get_weights()]
    result = finetune(
        model, (x, y), treatment=treatment, epochs=2, batch_size=8, seed=seed
    )

    for mine, theirs in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for weight in result.model.get_weights():
        assert np.isfinite(weight).all()
    assert result.after["loss"] <= result.before["loss"] * (1 + 1e-5)
    if result.treatment == "none":
        assert result.start_difference == 0


@given(recipe=RECIPES, treatment=st.sampled_from(TREATMENTS), seed=st.integers(0, 99))
@settings(max_examples=2, suppress_health_check=list(HealthCheck))
def test_any_model_is_treated(recipe, treatment, seed):
    """The original stays, the result is finite and no worse on what is held out."""
    _check(recipe, treatment, seed)


@pytest.mark.slow
@given(recipe=RECIPES, treatment=st.sampled_from(TREATMENTS), seed=st.integers(0, 99))
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
def test_any_model_is_treated_at_length(recipe, treatment, seed):
    """The same on many more."""
    _check(recipe, treatment, seed)
