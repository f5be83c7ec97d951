"""Numbers that the dtype of a site cannot hold."""

import json

import keras
import numpy as np
import pytest
from keras import layers

import keras_rectifiers
from keras_rectifiers import precision
from keras_rectifiers.surgery.plan import Plan


def _model(dtype="float32", activation="relu"):
    return keras.Sequential(
        [
            keras.Input((3,), dtype=precision.computes(dtype)),
            layers.Dense(4, activation, name="h", dtype=dtype),
            layers.Dense(2, dtype=dtype),
        ]
    )


@pytest.mark.parametrize(
    ("dtype", "to", "options"),
    [
        ("float32", "prelu", {"alpha": 1e39}),
        ("float32", "prelu", {"alpha": -1e39, "portable": True}),
        ("float32", "leaky_relu", {"negative_slope": 1e39}),
        ("float16", "leaky_relu", {"negative_slope": 1e5}),
        ("float16", "prelu", {"alpha": 1e5}),
        ("mixed_float16", "prelu", {"alpha": 1e5}),
        ("bfloat16", "prelu", {"alpha": 3.4e38}),
    ],
)
def test_an_infinite_slope_is_refused(dtype, to, options):
    """A slope that is infinite in a layer's dtype is an error that names both."""
    computed = precision.computes(dtype)

    with pytest.raises(ValueError, match=rf"'h', which is infinite in {computed}"):
        keras_rectifiers.plan(_model(dtype), to, **options)


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16", "float32"])
def test_the_dtype_of_the_site_decides(dtype):
    """A slope that float16 cannot hold is taken where the dtype can."""
    plan = keras_rectifiers.plan(_model(dtype), "leaky_relu", negative_slope=1e5)

    assert plan.steps[0].replacement.config["negative_slope"] == 1e5


def test_a_slope_that_vanishes_is_noted():
    """A slope that is 0 in a layer's dtype makes a plain ReLU: the plan says so."""
    plan = keras_rectifiers.plan(_model("float16"), "leaky_relu", negative_slope=1e-9)

    assert "negative_slope is 0 in float16" in plan.steps[0].note
    assert "negative_slope is 0 in float16" in str(plan)
    plain = keras_rectifiers.plan(_model("float16"), "leaky_relu", negative_slope=0.0)
    assert not plain.steps[0].note


def test_a_template_in_another_dtype():
    """A template's numbers are checked in the dtype of the site, not in its own."""
    template = keras_rectifiers.layers.LeakyReLU(1e5)

    with pytest.raises(ValueError, match="'h', which is infinite in float16"):
        keras_rectifiers.plan(_model("float16"), template)


def test_a_slope_from_the_model_is_a_skip():
    """A slope of the model itself that cannot be held leaves its site as it is."""
    model = _model("float16", layers.LeakyReLU(1e5, dtype="float16"))

    skip = keras_rectifiers.plan(model, of="leaky_relu").skips[0]

    assert (skip.reason, "infinite in float16" in skip.detail) == ("slopes", True)


def test_slopes_that_are_stored_divided():
    """Slopes are checked as they are stored, too: divided by the multiplier."""
    fine, small = (
        keras_rectifiers.layers.PReLU(learning_rate_multiplier=each)
        for each in (1e-30, 5e-40)
    )
    model = _model()
    model.layers[0].bias.assign([-99.0, 1.0, 1.0, 1.0])
    model.layers[0].kernel.assign(np.zeros((3, 4)))
    diagnosis = keras_rectifiers.diagnose(model, np.ones((4, 3), "float32"))

    assert keras_rectifiers.plan(model, fine, where=diagnosis).steps
    with pytest.raises(ValueError, match="'h', which is infinite in float32"):
        keras_rectifiers.plan(model, small, where=diagnosis)


def test_a_plan_from_a_file_is_checked():
    """A plan that was changed by hand cannot bring an infinite slope in."""
    model = _model()
    data = json.loads(keras_rectifiers.plan(model, alpha=0.25).to_json())
    data["steps"][0]["replacements"][0]["weights"][0]["value"] = 1e39
    plan = Plan.from_json(json.dumps(data))

    with pytest.raises(ValueError, match="'h', which is infinite in float32"):
        plan.apply(model)


def test_a_bound_that_no_number_reaches_is_dropped():
    """An upper bound above the largest number of the dtype bounds nothing."""
    model = _model("float16", layers.ReLU(1e5, dtype="float16"))
    x = np.linspace(-9, 9, 12, dtype="float16").reshape(4, 3)

    new = keras_rectifiers.convert(model)

    assert new.layers[0].activation.max_value is None
    assert np.asarray(new(x)).tobytes() == np.asarray(model(x)).tobytes()


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda d: keras_rectifiers.layers.LeakyReLU(1e39), "negative_slope"),
        (lambda d: keras_rectifiers.layers.LeakyReLU(1e5, dtype=d), "negative_slope"),
        (lambda d: keras_rectifiers.layers.PReLU(max_value=1e5, dtype=d), "max_value"),
        (lambda d: keras_rectifiers.layers.NReLU(max_value=1e39), "max_value"),
        (lambda d: keras_rectifiers.layers.RReLU(0.1, 1e5, dtype=d), "upper"),
        (
            lambda d: keras_rectifiers.layers.PReLU(keras.initializers.Constant(1e39)),
            "alpha_initializer",
        ),
        (
            lambda d: keras_rectifiers.layers.PReLU(
                keras.initializers.Constant([[1.0, 1e5]]), dtype=d
            ),
            "alpha_initializer",
        ),
        (
            lambda d: keras_rectifiers.layers.PReLU(
                keras.initializers.Constant(1.0), learning_rate_multiplier=1e-39
            ),
            "alpha_initializer",
        ),
        (
            lambda d: keras_rectifiers.layers.PReLU(learning_rate_multiplier=1e39),
            "learning_rate_multiplier",
        ),
    ],
)
def test_arguments_of_layers(make, argument):
    """A layer refuses an argument that its own dtype cannot hold."""
    with pytest.raises(ValueError, match=f"^{argument} of .* must be finite in float"):
        make("float16")


def test_a_bound_of_zero():
    """An upper bound that is 0 in the dtype is refused: nothing would pass."""
    with pytest.raises(ValueError, match="must be above 0 in float16"):
        keras_rectifiers.layers.LeakyReLU(0.1, 1e-9, dtype="float16")
