"""Not every ReLU is an activation: gates, outputs and guards are told apart."""

import pytest

from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.surgery.selection import Selection
from tests.surgery.documents import NN_OPS
from tests.surgery.documents import call
from tests.surgery.documents import dense
from tests.surgery.documents import functional
from tests.surgery.documents import layer
from tests.surgery.documents import operation
from tests.surgery.documents import plan_for
from tests.surgery.documents import sequential
from tests.surgery.documents import slot
from tests.surgery.documents import start
from tests.surgery.documents import tensor

_RELU = layer("ReLU", "r", call("x"))


def _role(model):
    (found,) = Survey(model).found
    return found.site.role


def _ending(*entries):
    return functional(start(), *entries)


def _headed(*entries):
    last = entries[-1]["name"]
    return functional(start(), *entries, dense("head", call(last)))


def test_a_rectifier_before_a_layer_with_weights_is_hidden():
    """That is what most of them are."""
    assert _role(_headed(_RELU)) == "hidden"
    assert _role(sequential(start(), layer("ReLU", "r"), dense("d"))) == "hidden"


@pytest.mark.parametrize("number", [call("x", 3.0), call(3.0, "x")])
def test_a_hard_sigmoid_with_an_added_constant_is_a_gate(number):
    """`relu6(x + 3) / 6`, whichever side the constant stands on."""
    plus = operation("Add", "plus", number)
    relu6 = layer("ReLU", "r", call("plus"), max_value=6.0)
    scaled = operation("Multiply", "sixth", call("r", 1 / 6))

    assert _role(_headed(plus, relu6, scaled)) == "gate"


def test_a_hard_sigmoid_with_a_rescaling_is_a_gate():
    """The offset may stand in a layer."""
    plus = layer("Rescaling", "plus", call("x"), scale=1.0, offset=3.0)

    assert (
        _role(_headed(plus, operation("Relu6", "r", call("plus"), module=NN_OPS)))
        == "gate"
    )


def test_a_relu6_without_an_offset_is_hidden():
    """MobileNetV2's are activations."""
    scaled = layer("Rescaling", "scaled", call("x"), scale=2.0, offset=0.0)
    relu6 = layer("ReLU", "r", call("scaled"), max_value=6.0)

    assert _role(_headed(layer("ReLU", "r", call("x"), max_value=6.0))) == "hidden"
    assert _role(_headed(scaled, relu6)) == "hidden"


@pytest.mark.parametrize("make", [operation, layer])
def test_a_product_with_another_branch_is_a_gate(make):
    """As layer and as operation, through what only reshapes."""
    shaped = layer("Reshape", "shaped", call("r"), target_shape=[4])
    arguments = (
        call("shaped", "x")
        if make is operation
        else call([tensor("shaped"), tensor("x")])
    )

    assert _role(_headed(_RELU, shaped, make("Multiply", "m", arguments))) == "gate"


def test_a_product_with_itself_is_no_gate():
    """A square has one branch only."""
    square = operation("Multiply", "m", call("r", "r"))

    assert _role(_headed(_RELU, square)) == "hidden"


@pytest.mark.parametrize(
    "after",
    [
        [],
        [layer("Flatten", "f", call("r"))],
        [layer("Dropout", "f", call("r"), rate=0.5)],
        [layer("Reshape", "f", call("r"), target_shape=[2, 2])],
        [operation("Multiply", "f", call("r", 2.0))],
        [layer("Activation", "f", call("r"), activation="linear")],
        [layer("Flatten", "e", call("r")), layer("Dropout", "f", call("e"), rate=0.1)],
    ],
)
def test_what_the_model_puts_out_is_an_output(after):
    """Its sign is the prediction's range, reshaped or rescaled or not."""
    assert _role(_ending(_RELU, *after)) == "output"


def test_the_output_of_a_nested_model_is_what_the_outer_one_makes_of_it():
    """At the end it is the output, before a Dense it is hidden."""
    inner = functional(
        start("i"),
        layer("ReLU", "r", call("i")),
        inputs=("i",),
        outputs=[["r", 0, 0]],
        name="inner",
        calls=[call("x")],
    )

    assert _role(functional(start(), inner, outputs=[["inner", 1, 0]])) == "output"
    assert _role(_headed(inner)) == "hidden"


def test_a_fused_rectifier_at_the_end_is_an_output():
    """A Dense that ends the model with a ReLU, alone or in a wrapper."""
    fused = dense("d", call("x"), activation="relu")
    wrapped = layer("TimeDistributed", "td", call("x"), layer=slot(fused))

    assert _role(_ending(fused)) == "output"
    assert _role(_ending(wrapped)) == "output"


@pytest.mark.parametrize("name", ["Sqrt", "Rsqrt", "Log", "Log1p", "Reciprocal"])
def test_what_keeps_a_function_in_its_domain_is_a_guard(name):
    """A leak would make NaN of it, also after an epsilon is added."""
    plus = operation("Add", "plus", call("r", 1e-6))

    assert _role(_headed(_RELU, operation(name, "f", call("r")))) == "guard"
    assert _role(_headed(_RELU, plus, operation(name, "f", call("plus")))) == "guard"


def test_a_divisor_is_a_guard_and_a_numerator_is_not():
    """Only what may become zero or negative below the line is guarded."""
    below = operation("Divide", "f", call("x", "r"))
    above = operation("Divide", "f", call("r", "x"))

    assert _role(_headed(_RELU, below)) == "guard"
    assert _role(_headed(_RELU, above)) == "hidden"


@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN", "LSTMCell"])
def test_a_recurrent_cell_is_recurrent(name):
    """A leak in a recurrence changes its stability."""
    assert _role(_headed(layer(name, "r", call("x"), activation="relu"))) == "recurrent"


def test_an_argument_of_a_custom_class_is_custom():
    """What a foreign class does with its `activation` is not known."""
    own = layer(
        "Own", "r", call("x"), module="own", registered_name="own>O", activation="relu"
    )  # fmt: skip

    assert _role(_headed(own)) == "custom"


def test_a_shared_rectifier_has_the_role_of_any_of_its_calls():
    """One call that guards is enough."""
    twice = layer("ReLU", "r", call("x"), call("d"))
    model = functional(
        start(),
        twice,
        dense("d", call(tensor("r", 0))),
        operation("Sqrt", "s", call(tensor("r", 1))),
        dense("head", call("s")),
    )

    assert _role(model) == "guard"


def test_a_name_takes_any_role_and_a_glob_does_not():
    """Naming a site says that its role is known; roles= widens for all."""
    model = _ending(
        dense("d", call("x"), activation="relu"), layer("ReLU", "r", call("d"))
    )

    def taken(**options):
        plan = plan_for(model, selection=Selection(**options))
        return [step.site.path for step in plan.steps]

    assert taken() == ["d"]
    assert taken(include=("r",)) == ["r"]
    assert taken(include=("[rd]",)) == ["d"]
    assert taken(roles=("output",)) == ["r"]
    assert taken(roles=("hidden", "output")) == ["d", "r"]
