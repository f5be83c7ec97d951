"""What cannot be looked into is listed, and what may hide a rectifier."""

import keras
import pytest
from keras import layers
from keras import ops

import keras_rectifiers
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.graph.unseen import Inside
from keras_rectifiers.graph.unseen import unseen
from keras_rectifiers.surgery.plan import Plan
from tests.surgery.documents import NN_OPS
from tests.surgery.documents import call
from tests.surgery.documents import dense
from tests.surgery.documents import functional
from tests.surgery.documents import layer
from tests.surgery.documents import operation
from tests.surgery.documents import plan_for
from tests.surgery.documents import sequential
from tests.surgery.documents import start
from tests.surgery.documents import tensor


@keras.saving.register_keras_serializable("another_package")
class Backbone(keras.Model):
    """A Functional model that saves its own arguments, as KerasHub's backbones do."""

    def __init__(self, units=4, **kwargs):
        inputs = keras.Input((3,))
        x = layers.Dense(units, activation="relu", name="first")(inputs)
        outputs = layers.ReLU(name="second")(layers.Dense(units)(x))
        super().__init__(inputs, outputs, **kwargs)
        self.units = units

    def get_config(self):
        return {"units": self.units, "name": self.name, "trainable": self.trainable}


@keras.saving.register_keras_serializable("another_package")
class Block(layers.Layer):
    """A layer that calls its layers in Python code."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dense(4, activation="relu")

    def build(self, shape):
        self.inner.build(shape)

    def call(self, x):
        return ops.relu(self.inner(x))


def _with_backbone():
    return keras.Sequential(
        [
            keras.Input((3,)),
            Backbone(name="body"),
            Block(name="block"),
            layers.Dense(4, activation="relu", name="head"),
            layers.Dense(2),
        ],
        name="whole",
    )


def test_a_model_of_another_package_is_listed_by_file(tmp_path):
    """Its class, its path, and what opens it; live its layers are looked into."""
    model = _with_backbone()
    model.save(tmp_path / "model.keras")

    live = keras_rectifiers.plan(model)
    filed = keras_rectifiers.plan(tmp_path / "model.keras")

    body, block = filed.unseen
    assert [step.site.path for step in filed.steps] == ["head"]
    assert (body.path, body.class_name, body.layers) == ("body", "Backbone", 4)
    assert "keras.Model(m.inputs, m.outputs)" in body.detail
    assert (block.path, block.class_name, block.layers) == ("block", "Block", 1)
    assert {body.reason, block.reason} == {"custom"}
    assert filed.summary.endswith(" Not inspected: 2 (5 layers inside).")
    assert Plan.from_json(filed.to_json()) == filed
    assert "head" in {step.site.path for step in live.steps}
    assert any(step.site.path.startswith("body/") for step in live.steps)
    assert "block/dense" in {
        step.site.path.rstrip("_0123456789") for step in live.steps
    }
    assert [skip.reason for skip in live.skips] == ["called_in_python"]


def test_what_a_file_does_not_tell_is_not_made_up():
    """Without weights the number of layers is not known."""
    model = sequential(
        start(),
        layer("Backbone", "body", module="hub", registered_name="hub>Backbone"),
        dense("d"),
    )

    found = plan_for(model)

    assert found.unseen[0].layers is None
    assert found.summary == "no rectifier found. Not inspected: 1."
    assert "body Backbone ? custom" in " ".join(str(found).split())


def test_one_count_that_is_not_known_makes_the_sum_a_lower_bound():
    """What is known is added up, and said to be the least."""
    model = sequential(
        start(),
        layer("One", "a", module="hub", registered_name="hub>One"),
        layer("Two", "b", module="hub", registered_name="hub>Two"),
    )
    found = Plan(
        "m",
        "prelu",
        (),
        (),
        (),
        unseen(Survey(model), lambda p: Inside(_COUNTS[p.path])),
    )

    assert found.summary.endswith("Not inspected: 2 (at least 7 layers inside).")


_COUNTS = {"a": 7, "b": None}


def test_a_class_of_main_is_a_custom_class():
    """Keras writes no module for it, but a registered name."""
    model = sequential(
        start(),
        layer("ReLU", "mine", module=None, registered_name="ReLU"),
        layer("Dense", "d", module=None, registered_name="Dense", activation="relu"),
    )

    found = plan_for(model)

    assert found.steps == ()
    assert [each.path for each in found.unseen] == ["mine", "d"]
    assert [skip.reason for skip in found.skips] == ["custom"]


def test_python_functions_may_hide_a_rectifier():
    """Lambda layers and functions of the user, in any layer and wrapper."""
    function = {
        "module": "builtins",
        "class_name": "function",
        "config": "mine>act",
        "registered_name": "function",
    }
    lambda_ = {"class_name": "__lambda__", "config": {"value": "code"}}
    own = {
        "module": "mine",
        "class_name": "Act",
        "config": {},
        "registered_name": "mine>Act",
    }
    inner = dense("inner", activation=own)
    model = sequential(
        start(),
        layer("Lambda", "code"),
        dense("one", activation=function),
        layer("LSTM", "two", activation="tanh", recurrent_activation=lambda_),
        layer("TimeDistributed", "three", layer=inner),
        dense("known", activation="gelu"),
    )

    found = plan_for(model)

    assert [(each.path, each.reason, each.detail) for each in found.unseen] == [
        ("code", "function", "its Python function may hide a rectifier"),
        ("one", "function", "activation=mine>act may hide a rectifier"),
        ("two", "function", "recurrent_activation=<lambda> may hide a rectifier"),
        ("three/inner", "function", "activation=Act() may hide a rectifier"),
    ]
    assert found.summary == "no rectifier found. May hide a rectifier: 4."


_POSITIVE = operation("Greater", "test", call("x", 0))
_BELOW = operation("Less", "test", call("x", 0))
_AS_FLOAT = operation("Cast", "mask", call("test"), dtype="float32")
_SIZE = operation("Absolute", "size", call("x"))
_SCALED = operation("Multiply", "scaled", call(0.1, "x"))
_NOTHING = operation("ZerosLike", "nothing", call("x"))


@pytest.mark.parametrize(
    ("entries", "spelled"),
    [
        ([_POSITIVE, operation("Multiply", "f", call("x", "test"))], "x * (x > 0)"),
        (
            [_POSITIVE, _AS_FLOAT, operation("Multiply", "f", call("mask", "x"))],
            "x * (x > 0)",
        ),
        (
            [_BELOW, operation("Where", "f", call("test", 1, "x"))],
            "where(x > 0, x, ...)",
        ),
        (
            [_POSITIVE, _SCALED, operation("Where", "f", call("test", "x", "scaled"))],
            "where(x > 0, x, ...)",
        ),
        (
            [
                _POSITIVE,
                operation("Select", "f", call([tensor("test")], [tensor("x")], 0)),
            ],
            "select([x > 0], [x], ...)",
        ),
        ([_SIZE, operation("Add", "f", call("x", "size"))], "x + |x|"),
        (
            [
                _SIZE,
                _SCALED,
                operation("Multiply", "half", call("size", 0.1)),
                operation("Subtract", "f", call("scaled", "half")),
            ],
            "x - |x|",
        ),
        (
            [_SCALED, operation("Maximum", "f", call("x", "scaled"))],
            "maximum(x, a * x)",
        ),
        (
            [_NOTHING, operation("Maximum", "f", call("x", "nothing"))],
            "maximum(x, a * x)",
        ),
        ([operation("Minimum", "f", call("x", 0.0))], "minimum(x, 0)"),
        (
            [operation("Threshold", "f", call("x"), module=NN_OPS, threshold=0.0)],
            "threshold(x, ...)",
        ),
        (
            [
                _POSITIVE,
                _AS_FLOAT,
                layer("Multiply", "f", call([tensor("x"), tensor("mask")])),
            ],
            "x * (x > 0)",
        ),
    ],
)
def test_operations_that_look_like_a_rectifier_are_listed(entries, spelled):
    """Each spelling that is not replaced is one line."""
    found = plan_for(functional(start(), *entries, dense("d", call("f"))))

    assert [(each.path, each.detail) for each in found.unseen] == [
        ("f", f"{spelled} may be a rectifier")
    ]


@pytest.mark.parametrize(
    "entries",
    [
        [_POSITIVE, operation("Where", "f", call("test", "x", 0))],
        [operation("Relu", "r", call("x")), operation("Add", "f", call("x", "r"))],
        [operation("Maximum", "f", call("x", 1e-6))],
        [operation("Minimum", "f", call("x", 6.0))],
        [
            operation("Sigmoid", "s", call("x"), module=NN_OPS),
            operation("Multiply", "f", call("x", "s")),
        ],
    ],
)
def test_what_is_replaced_or_no_rectifier_is_not_listed(entries):
    """A rectifier that is known, a guard, a cap and a gate are not in doubt."""
    assert plan_for(functional(start(), *entries, dense("d", call("f")))).unseen == ()


def test_layers_of_this_package_and_of_keras_are_looked_into():
    """Neither a PReLU of ours nor a nested model is listed."""
    inner = keras.Sequential([keras.Input((4,)), layers.ReLU(name="r")], name="inner")
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, activation="relu"),
            inner,
            layers.Dropout(0.1),
            layers.Dense(1),
        ]
    )

    converted = keras_rectifiers.convert(model)

    assert keras_rectifiers.plan(converted, of="prelu", to="relu").unseen == ()


def test_a_functional_model_with_arguments_of_its_own_keeps_its_class():
    """Or becomes a plain model, where that is asked for."""
    model, roles = Backbone(name="body"), ("hidden", "output")

    converted = keras_rectifiers.convert(model, roles=roles)
    plain = keras_rectifiers.convert(model, roles=roles, as_functional=True)

    assert isinstance(converted, Backbone)
    assert not isinstance(plain, Backbone)
    for each in (converted, plain):
        assert keras_rectifiers.verify(model, each).holds


class OwnCall(Backbone):
    """A Functional model whose own call does something else."""

    def call(self, inputs):
        return 2 * super().call(inputs)


def test_a_graph_that_is_not_what_the_model_computes_is_no_way():
    """Where `call` is overridden, the graph is another function: no plain model."""
    model = OwnCall()

    with pytest.raises(UnsupportedModelError, match="called by Python code"):
        keras_rectifiers.plan(model, as_functional=True)
    converted = keras_rectifiers.convert(model, roles=("hidden", "output"))

    assert isinstance(converted, OwnCall)
    assert keras_rectifiers.verify(model, converted).holds


def test_a_file_of_such_a_model_says_what_may_be_done(tmp_path):
    """Where its class is not at hand, the sentence says how to name its module."""
    Backbone().save(tmp_path / "model.keras")
    registered = dict(keras.saving.get_custom_objects())
    keras.saving.get_custom_objects().clear()
    try:
        with pytest.raises(ArchiveError, match=r"Python code.*'Backbone'.*--import"):
            keras_rectifiers.plan(tmp_path / "model.keras")
    finally:
        keras.saving.get_custom_objects().update(registered)

    assert len(keras_rectifiers.plan(tmp_path / "model.keras").steps) == 1
