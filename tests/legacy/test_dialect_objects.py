"""Initializers, activations, Lambdas and the like, in the form of Keras 3."""

import json

import keras
import numpy as np
import pytest

from tests.legacy.dialect_helpers import layer_entry
from tests.legacy.dialect_helpers import modern_layer
from tests.legacy.dialect_helpers import opened
from tests.legacy.dialect_helpers import reference
from tests.legacy.dialect_helpers import texts
from tests.legacy.dialect_helpers import written


def _object(class_name, **config):
    return {"class_name": class_name, "config": config}


@pytest.mark.parametrize(
    ("key", "value", "class_name", "arguments"),
    [
        (
            "kernel_initializer",
            _object("RandomUniform", minval=-1, maxval=1, seed=None, dtype="float32"),
            "RandomUniform",
            {"minval": -1, "maxval": 1},
        ),
        (
            "kernel_initializer",
            _object(
                "VarianceScaling",
                scale=1.0,
                mode="fan_avg",
                distribution="normal",
                seed=None,
                dtype="float32",
            ),
            "VarianceScaling",
            {"distribution": "truncated_normal"},
        ),
        ("kernel_initializer", _object("Zeros", dtype="float32"), "Zeros", {}),
        ("kernel_initializer", "glorot_uniform", "GlorotUniform", {}),
        ("kernel_initializer", "one", "Ones", {}),
        ("kernel_regularizer", _object("L1L2", l1=0.0, l2=0.01), "L1L2", {"l2": 0.01}),
        ("kernel_regularizer", "l1_l2", "L1L2", {}),
        ("kernel_constraint", _object("MaxNorm", max_value=2, axis=0), "MaxNorm", {}),
        ("kernel_constraint", "maxnorm", "MaxNorm", {}),
        ("kernel_constraint", "nonneg", "NonNeg", {}),
        (
            "bias_initializer",
            {**_object("Zeros"), "module": "keras.src.initializers.initializers"},
            "Zeros",
            {},
        ),
    ],
)
def test_objects_are_opened(key, value, class_name, arguments):
    """Classes by name, strings of old, arguments that Keras 3 lacks."""
    entry, _ = modern_layer(layer_entry("Dense", units=2, **{key: value}))

    made = getattr(opened(entry), key)

    assert type(made).__name__ == class_name
    config = made.get_config()
    assert {name: config[name] for name in arguments} == arguments


def test_a_constraint_that_keras_3_lacks_is_left_out():
    """It acts in training only: a caution, and the model opens."""
    constraint = _object("RadialConstraint")
    entry, repairs = modern_layer(
        layer_entry("Conv2D", filters=2, kernel_size=3, kernel_constraint=constraint)
    )

    assert opened(entry).kernel_constraint is None
    assert [repair.caution for repair in repairs] == [True]


def test_a_custom_initializer_stays():
    """It is found by its registered name."""

    class Own(keras.initializers.Zeros):
        pass

    entry, _ = modern_layer(
        layer_entry("Dense", units=2, kernel_initializer=_object("Zoo>Own"))
    )

    layer = opened(entry, custom_objects={"Zoo>Own": Own})
    assert isinstance(layer.kernel_initializer, Own)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("relu", "relu"),
        ("swish", "silu"),
        ("softmax_v2", "softmax"),
        ("relu6", "relu6"),
        ({"class_name": "function", "config": "relu", "module": "builtins"}, "relu"),
        (
            {
                "class_name": "function",
                "config": "leaky_relu",
                "module": "tensorflow.python.ops.nn_ops",
                "registered_name": "leaky_relu",
            },
            "leaky_relu",
        ),
    ],
)
def test_activations_are_opened(value, name):
    """Names, and functions that Keras 2 serialized."""
    entry, _ = modern_layer(layer_entry("Dense", units=2, activation=value))

    assert entry["config"]["activation"] in keras.activations.__dict__
    assert opened(entry).activation.__name__ == name


def test_an_unknown_activation_is_looked_up_among_custom_objects():
    """Keras 3 takes no bare name that is not its own."""

    def snake(x):
        return x

    entry, _ = modern_layer(layer_entry("Dense", units=2, activation="snake"))

    assert opened(entry, custom_objects={"snake": snake}).activation is snake


def test_a_layer_as_an_activation_is_modern_too():
    """With its own arguments."""
    tf_keras = reference()
    old = tf_keras.layers.Dense(2, activation=tf_keras.layers.LeakyReLU(alpha=0.25))

    for form in ("new", "old"):
        entry, repairs = modern_layer(written(old, form=form))
        activation = opened(entry).activation
        assert type(activation).__name__ == "LeakyReLU"
        assert activation.negative_slope == 0.25
        assert "alpha → negative_slope" in texts(repairs)


def _lambda(**config):
    return layer_entry("Lambda", name="code", arguments={"n": 2}, **config)


CODE = ["4wEAAAAAAAAA\n", None, None]


def test_code_is_carried_over_verbatim():
    """It is never decoded; Keras opens it when its user says so."""
    old = _lambda(
        function=CODE,
        function_type="lambda",
        module="__main__",
        output_shape=None,
        output_shape_type="raw",
        output_shape_module=None,
    )

    entry, repairs = modern_layer(old)

    config = entry["config"]
    assert config["function"] == {
        "class_name": "__lambda__",
        "config": {"code": CODE[0], "defaults": None, "closure": None},
    }
    assert not {"function_type", "module", "output_shape_type"} & set(config)
    assert config["arguments"] == {"n": 2}
    assert [(each.text, each.caution) for each in repairs] == [
        ("holds Python code; Keras opens it with safe_mode=False only", True)
    ]
    with pytest.raises(ValueError, match="Python lambda"):
        opened(entry)


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize("form", ["new", "old"])
def test_a_lambda_of_keras_2_runs_where_its_user_says_so(form):
    """What was carried over is what was there."""
    old = reference().layers.Lambda(lambda x: x * 3.0)

    entry, _ = modern_layer(written(old, form=form))

    assert float(opened(entry, safe_mode=False)(np.ones(1) * 2)[0]) == 6.0


def test_a_function_of_a_lambda_is_named_and_not_imported(tmp_path, monkeypatch):
    """Its module is never imported, by this package or by Keras."""
    (tmp_path / "trap.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)

    def twice_n(x, n):
        return x * n

    for module in ("trap", "keras.src.backend"):
        entry, repairs = modern_layer(
            _lambda(function="twice_n", function_type="function", module=module)
        )
        assert repairs[0].caution
        assert "custom object" in repairs[0].text
        with pytest.raises((TypeError, ValueError)):
            opened(json.loads(json.dumps(entry)))
        layer = opened(entry, custom_objects={"twice_n": twice_n})
        assert float(layer(np.ones(1) * 3)[0]) == 6.0
