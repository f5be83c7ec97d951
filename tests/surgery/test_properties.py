"""Laws of surgery, on random graphs."""

import zipfile

import hypothesis
import keras
import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings

import keras_rectifiers
from keras_rectifiers.surgery.plan import Plan
from tests.strategies import build
from tests.strategies import inputs_for
from tests.strategies import recipes

_SETTINGS = settings(
    deadline=None,
    max_examples=12,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)
_SAME_FUNCTION = (
    ("prelu", {}),
    ("leaky_relu", {"negative_slope": 0.0}),
)


def _outputs(model, x):
    return [np.asarray(each) for each in keras.tree.flatten(model(x, training=False))]


def _losses(model):
    """The penalties of the last call."""
    return sorted(float(each) for each in model.losses)


def _bytes(arrays):
    return [array.tobytes() for array in arrays]


def _check_laws(recipe, folder):
    model = build(recipe)
    x = inputs_for(model)
    before, losses = _bytes(_outputs(model, x)), _losses(model)
    source = folder / "source.keras"
    model.save(source)
    raw = source.read_bytes()
    for to, options in _SAME_FUNCTION:
        plan = keras_rectifiers.plan(model, to, **options)
        assert Plan.from_json(plan.to_json()) == plan
        assert keras_rectifiers.plan(source, to, **options).steps == plan.steps

        live = plan.apply(model)
        assert _bytes(_outputs(live, x)) == before
        assert _losses(live) == losses
        assert len(live.variables) == len(model.variables) + _new(plan)
        assert _bytes(_outputs(model, x)) == before

        target = folder / f"{to}.keras"
        keras_rectifiers.convert_file(source, target, to, overwrite=True, **options)
        filed = keras.saving.load_model(target)
        assert _bytes(_outputs(filed, x)) == before
        assert _losses(filed) == losses
        assert _bytes(filed.get_weights()) == _bytes(live.get_weights())

        again = folder / "again.keras"
        live.save(again)
        assert _bytes(_outputs(keras.saving.load_model(again), x)) == before
        _same_layout(again, target)
        assert source.read_bytes() == raw
        assert not keras_rectifiers.plan(target, to, **options).steps


def _new(plan):
    """How many variables a plan adds."""
    return sum(len(each.weights) for step in plan.steps for each in step.replacements)


def _same_layout(ours, theirs):
    """The file surgery stores arrays under the names that Keras gives them."""
    names = []
    for path in (ours, theirs):
        import h5py

        with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as raw:
            found = []
            with h5py.File(raw, "r") as file:
                file.visititems(
                    lambda name, item, found=found: (
                        found.append((name, item.shape, np.asarray(item).tobytes()))
                        if isinstance(item, h5py.Dataset)
                        else None
                    )
                )
            names.append(sorted(found))
    assert names[0] == names[1]


@_SETTINGS
@given(recipe=recipes)
def test_a_conversion_that_keeps_the_function_keeps_every_bit(recipe, tmp_path_factory):
    """Live, filed, saved and reloaded, the converted model is the original."""
    _check_laws(recipe, tmp_path_factory.mktemp("laws"))


@pytest.mark.slow
@settings(_SETTINGS, max_examples=1000)
@given(recipe=recipes)
def test_many_random_graphs_keep_every_bit(recipe, tmp_path_factory):
    """The same law, over many more graphs."""
    _check_laws(recipe, tmp_path_factory.mktemp("laws"))
