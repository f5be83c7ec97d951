"""Rectifiers are recognized however they are spelled, and nothing else is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_rectifiers.graph import forms
from keras_rectifiers.specs import LEAKY_RELU
from keras_rectifiers.specs import PRELU
from keras_rectifiers.specs import RELU
from keras_rectifiers.specs import Rectifier

_NUMPY = {"class_name": "__numpy__", "config": {"value": 0.25, "dtype": "float32"}}


@pytest.mark.parametrize(
    ("class_name", "config", "expected"),
    [
        ("ReLU", {}, Rectifier(RELU)),
        ("ReLU", {"max_value": 6}, Rectifier(RELU, max_value=6.0)),
        ("ReLU", {"threshold": 1.0}, Rectifier(RELU, threshold=1.0)),
        ("ReLU", {"negative_slope": 0.1}, Rectifier(LEAKY_RELU, 0.1)),
        ("LeakyReLU", {}, Rectifier(LEAKY_RELU, 0.3)),
        ("LeakyReLU", {"negative_slope": 0.0}, Rectifier(LEAKY_RELU, 0.0)),
        ("LeakyReLU", {"negative_slope": _NUMPY}, Rectifier(LEAKY_RELU, 0.25)),
        ("LeakyReLU", {"alpha": 0.2}, Rectifier(LEAKY_RELU, 0.2)),
        ("PReLU", {}, Rectifier(PRELU)),
        ("Activation", {"activation": "relu"}, Rectifier(RELU)),
        ("Activation", {"activation": "leaky_relu"}, Rectifier(LEAKY_RELU, 0.2)),
        ("Activation", {"activation": "elu"}, None),
        ("ELU", {}, None),
        ("Dense", {"activation": "relu"}, None),
    ],
)
@pytest.mark.parametrize("module", ["keras.layers", None])
def test_layers_of_keras_are_recognized(class_name, config, expected, module):
    """With Keras' defaults where a config is silent; legacy configs name no module."""
    assert forms.recognize_layer(class_name, module, None, config) == expected


def test_a_layer_of_another_package_is_not_taken_for_keras():
    """A class of the same name may compute anything."""
    for name in ("ReLU", "PReLU", "LeakyReLU", "Activation"):
        config = {"activation": "relu"}
        assert forms.recognize_layer(name, "own.layers", f"own>{name}", config) is None


def test_our_own_layers_are_recognized_in_new_and_legacy_configs():
    """By registered name, which legacy configs keep in `class_name`."""
    config = {"negative_slope": 0.5, "max_value": 6.0}
    expected = Rectifier(LEAKY_RELU, 0.5, 6.0)
    name = "keras_rectifiers>LeakyReLU"

    assert forms.recognize_layer("LeakyReLU", "any", name, config) == expected
    assert forms.recognize_layer(name, None, None, config) == expected


@pytest.mark.parametrize("module", ["builtins", "keras.activations", None])
def test_a_serialized_function_is_recognized(module):
    """Where it is Keras' own."""
    value = {"class_name": "function", "config": "relu6", "module": module}

    assert forms.recognize_activation(value) == Rectifier(RELU, max_value=6.0)


def test_a_function_of_another_module_is_not_recognized():
    """Somebody's own `relu` may be anything."""
    value = {"class_name": "function", "config": "relu", "module": "own"}

    assert forms.recognize_activation(value) is None


def test_a_layer_in_an_activation_is_recognized():
    """Keras allows layers there, and so do our own conversions."""
    value = {"module": "keras.layers", "class_name": "ReLU", "config": {"max_value": 2}}

    assert forms.recognize_activation(value) == Rectifier(RELU, max_value=2.0)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["class_name", "config", "module", "value", "activation"]),
            inner,
        )
    ),
    max_leaves=6,
)


@given(value=_JSON)
def test_no_other_value_is_a_rectifier(value):
    """An activation that is anything else is no rectifier, and no error."""
    modules = value.get("module") if isinstance(value, dict) else None
    if isinstance(modules, str | None):
        found = forms.recognize_activation(value)
        assert found is None or isinstance(found, Rectifier)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("keras.src.ops.nn", True),
        ("keras.src.activations.activations", True),
        ("keras.ops", True),
        ("keras.layers", False),
        ("keras_core.src.ops.nn", False),
        (None, False),
    ],
)
def test_operations_are_told_from_layers_by_their_module(module, expected):
    """Keras writes `ReLU` for both."""
    assert forms.is_operation(module) is expected


@pytest.mark.parametrize("value", [-0.0, 0, 0.0, {**_NUMPY, "config": {"value": 0.0}}])
def test_every_zero_bounds_a_maximum(value):
    """Python's, NumPy's, and the negative one."""
    found = forms.recognize_operation(
        "Maximum", "keras.src.ops.numpy", {}, [object(), value], lambda _: None, id
    )

    assert found == (Rectifier(RELU), 0)


@pytest.mark.parametrize("value", [math.nan, 1e-9, False, None, "0"])
def test_nothing_else_bounds_a_maximum_at_zero(value):
    """Not even what is false."""
    found = forms.recognize_operation(
        "Maximum", "keras.src.ops.numpy", {}, [object(), value], lambda _: None, id
    )

    assert found is None


@pytest.mark.parametrize(
    ("test", "operands", "expected"),
    [
        ("Greater", ("test", "x", 0), 1),
        ("GreaterEqual", ("test", "x", 0.0), 1),
        ("Less", ("test", 0, "x"), 2),
        ("LessEqual", ("test", 0.0, "x"), 2),
        ("Less", ("test", "x", 0), None),
        ("Greater", ("test", 0, "x"), None),
        ("Less", ("test", 1, "x"), None),
    ],
)
def test_a_choice_by_sign_is_recognized_both_ways(test, operands, expected):
    """`where(x > 0, x, 0)` and `where(x < 0, 0, x)` are ReLU; their mirrors are not."""
    found = forms.recognize_operation(
        "Where",
        "keras.src.ops.numpy",
        {},
        operands,
        lambda tensor: (test, ("x", 0)) if tensor == "test" else None,
        lambda a, b: a == b,
    )

    assert found == (None if expected is None else (Rectifier(RELU), expected))
