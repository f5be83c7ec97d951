"""Golden before and after of each form in which a rectifier can stand."""

import copy
import dataclasses

import pytest

from keras_rectifiers.errors import PlanMismatchError
from keras_rectifiers.graph import capped
from keras_rectifiers.surgery.plan_text import replacement_text
from keras_rectifiers.surgery.selection import Selection
from tests.surgery.documents import ACTIVATIONS
from tests.surgery.documents import NN_OPS
from tests.surgery.documents import assert_rewrite
from tests.surgery.documents import call
from tests.surgery.documents import dense
from tests.surgery.documents import functional
from tests.surgery.documents import layer
from tests.surgery.documents import leaky
from tests.surgery.documents import operation
from tests.surgery.documents import plan_for
from tests.surgery.documents import prelu
from tests.surgery.documents import rewrite
from tests.surgery.documents import sequential
from tests.surgery.documents import slot
from tests.surgery.documents import start
from tests.surgery.documents import tensor


def _model(*middle, end="r"):
    """Input, the entries, and a head on the entry called `end`."""
    return functional(start(), *middle, dense("head", call(end)))


@pytest.mark.parametrize(
    ("config", "cap"),
    [
        ({}, None),
        ({"max_value": 6.0, "negative_slope": 0.0, "threshold": 0.0}, 6.0),
        ({"max_value": None, "negative_slope": None, "threshold": None}, None),
    ],
)
def test_a_relu_layer_becomes_a_layer_of_its_name_with_its_cap(config, cap):
    """A `ReLU` keeps its name, calls and upper bound."""
    assert_rewrite(
        _model(layer("ReLU", "r", call("x"), **config)),
        _model(leaky("r", call("x"), max_value=cap)),
    )


@pytest.mark.parametrize(
    ("value", "cap"),
    [
        ("relu", None),
        ("relu6", 6.0),
        (
            {
                "module": "builtins",
                "class_name": "function",
                "config": "relu",
                "registered_name": "function",
            },
            None,
        ),
    ],
)
def test_an_activation_layer_becomes_a_rectifier(value, cap):
    """`Activation("relu")`, `"relu6"` and the serialized function are replaced."""
    assert_rewrite(
        _model(layer("Activation", "r", call("x"), activation=value)),
        _model(leaky("r", call("x"), max_value=cap)),
    )


@pytest.mark.parametrize("value", ["linear", "gelu", "relu7", None, 3, ["relu"]])
def test_other_activations_are_left_alone(value):
    """What is not a rectifier stays as it is, and is not even listed."""
    model = _model(layer("Activation", "r", call("x"), activation=value))
    assert_rewrite(model, model)


def test_a_fused_rectifier_is_replaced_in_its_slot():
    """The activation of a Dense becomes a layer inside it; no edge moves."""
    assert_rewrite(
        _model(dense("r", call("x"), units=7, activation="relu6")),
        _model(
            dense(
                "r",
                call("x"),
                units=7,
                activation=slot(leaky("activation", max_value=6.0)),
            )
        ),
    )


def test_a_fused_prelu_carries_the_shape_it_is_built_with():
    """Its slopes exist as soon as the layer is revived, one for each unit."""

    def model(activation):
        fused = dense("r", call("x"), units=7, activation=activation, build=(None, 4))
        head = dense("head", call(tensor("r", shape=(None, 7))))
        return functional(start(), fused, head)

    rewritten = assert_rewrite(
        model("relu"),
        model(slot(prelu("activation", build=(None, 7)))),
        "prelu",
    )

    (weights,) = rewritten.replaced.values()
    assert [(each.name, each.shape, each.value) for each in weights] == [
        ("alpha", (7,), 0.0)
    ]


@pytest.mark.parametrize(
    ("entry", "cap"),
    [
        (operation("Relu", "r", call("x"), module=NN_OPS), None),
        (operation("Relu6", "r", call("x"), module=NN_OPS), 6.0),
        (operation("Maximum", "r", call("x", 0.0)), None),
        (operation("Maximum", "r", call(0, "x")), None),
        (operation("Clip", "r", call("x"), x_min=0, x_max=4), 4.0),
        (
            operation(
                "ReLU",
                "r",
                call("x"),
                module=ACTIVATIONS,
                negative_slope=0.0,
                max_value=5,
                threshold=0.0,
            ),
            5.0,
        ),
    ],
    ids=["relu", "relu6", "maximum", "maximum_flipped", "clip", "activations"],
)
def test_an_operation_becomes_a_layer_of_its_name(entry, cap):
    """Only the tensor stays as operand: bounds and zeros go."""
    assert_rewrite(_model(entry), _model(leaky("r", call("x"), max_value=cap)))


@pytest.mark.parametrize(
    "entry",
    [
        operation("Maximum", "r", call("x", 1.0)),
        operation("Maximum", "r", call("x", "x")),
        operation("Maximum", "r", call(0.0, 0.0)),
        operation("Maximum", "r", call("x", False)),
        operation("Minimum", "r", call("x", 0.0)),
        operation("Clip", "r", call("x"), x_min=-1, x_max=4),
        operation("Clip", "r", call("x"), x_min=0, x_max=None),
        operation("Clip", "r", call("x"), x_min=0, x_max=0),
        operation("Relu", "r", call("x"), module="elsewhere.ops"),
    ],
)
def test_operations_that_only_look_alike_are_left_alone(entry):
    """Another bound, another operand or another module is no rectifier."""
    model = _model(entry)
    assert_rewrite(model, model)


_TESTS = [
    ("Greater", ("x", 0)),
    ("GreaterEqual", ("x", 0.0)),
    ("Less", (0, "x")),
    ("LessEqual", (0.0, "x")),
]


def _where(test, operands, *more, chosen="x", end="r"):
    return _model(
        operation(test, "test", call(*operands)),
        operation("Where", "r", call(tensor("test", dtype="bool"), chosen, 0.0)),
        *more,
        end=end,
    )


@pytest.mark.parametrize(("test", "operands"), _TESTS)
def test_where_loses_its_test_with_the_rectifier(test, operands):
    """All four spellings of `x > 0` are known, and go when nothing needs them."""
    assert_rewrite(_where(test, operands), _model(leaky("r", call("x"))))


def test_a_test_that_something_else_uses_stays():
    """`x > 0` goes on feeding its other consumer."""
    cast = operation("Cast", "cast", call(tensor("test", dtype="bool")))
    both = operation("Add", "both", call("r", "cast"))
    after = functional(
        start(),
        leaky("r", call("x")),
        operation("Greater", "test", call("x", 0)),
        cast,
        both,
        dense("head", call("both")),
    )
    before = _where("Greater", ("x", 0), cast, both, end="both")
    rewritten = rewrite(before, plan_for(before)).document

    def by_name(document):
        return {each["name"]: each for each in document["config"]["layers"]}

    assert by_name(rewritten) == by_name(after)


@pytest.mark.parametrize(
    "model",
    [
        _where("Greater", (0, "x")),
        _where("Greater", ("x", 1)),
        _where("Equal", ("x", 0)),
        _where("Greater", ("x", 0), chosen=tensor("x", 0, 1)),
    ],
    ids=["x<0", "x>1", "x==0", "another tensor"],
)
def test_where_with_another_test_is_no_rectifier(model):
    """Only `x > 0` on the very tensor that is chosen makes a ReLU."""
    assert_rewrite(model, model)


def test_a_threshold_is_skipped_and_said():
    """A ReLU that jumps has no Leaky ReLU or PReLU to become."""
    model = _model(layer("ReLU", "r", call("x"), threshold=1.0))
    assert_rewrite(model, model, skipped={"r": "threshold"})
    assert_rewrite(model, model, "prelu", skipped={"r": "threshold"})


def test_a_relu_with_a_slope_counts_as_leaky():
    """It is replaced only where Leaky ReLUs are asked for, at its own slope."""
    model = _model(layer("ReLU", "r", call("x"), negative_slope=0.25, max_value=2.0))
    assert_rewrite(model, model, skipped={"r": "kind"})
    assert_rewrite(
        model,
        _model(prelu("r", call("x"), build=(None, 4), start=0.25, max_value=2.0)),
        "prelu",
        selection=Selection(of=("relu", "leaky_relu")),
    )


def test_a_layer_inside_a_nested_model_is_replaced_there():
    """Depth does not matter; the outer graph stays as it is."""

    def model(rectifier):
        inner = functional(
            start("i"),
            rectifier,
            dense("d", call("r")),
            inputs=("i",),
            name="inner",
            calls=[call("x")],
        )
        return _model(inner, end="inner")

    assert_rewrite(model(layer("ReLU", "r", call("i"))), model(leaky("r", call("i"))))


def test_a_wrapped_layer_is_replaced_inside_its_wrapper():
    """TimeDistributed keeps its entry; the Dense in it gets the slot."""

    def model(activation):
        inner = slot(dense("d", units=5, activation=activation))
        return _model(layer("TimeDistributed", "r", call("x"), layer=inner))

    assert_rewrite(model("relu"), model(slot(leaky("activation"))))


def test_both_directions_of_a_wrapper_are_replaced_on_request():
    """Bidirectional has two cells; each is a site, recurrent by role."""

    def model(activation):
        def side(name):
            return slot(layer("LSTM", name, units=3, activation=activation))

        return _model(
            layer(
                "Bidirectional",
                "r",
                call("x"),
                layer=side("forward_l"),
                backward_layer=side("backward_l"),
            )
        )

    left = {"r/forward_l": "recurrent", "r/backward_l": "recurrent"}
    assert_rewrite(model("relu"), model("relu"), skipped=left)
    assert_rewrite(
        model("relu"),
        model(slot(leaky("activation"))),
        selection=Selection(roles=("recurrent",)),
    )


def test_a_recurrent_gate_is_never_touched():
    """`recurrent_activation` is no site, whatever stands in it."""
    model = _model(
        layer(
            "LSTM", "r", call("x"), units=3, activation="tanh",
            recurrent_activation="relu",
        )
    )  # fmt: skip
    assert_rewrite(model, model)


def test_a_sequential_keeps_its_order():
    """A chain has no edges to tidy."""

    def model(rectifier):
        return sequential(start(), dense("d", units=3), rectifier, dense("o"))

    assert_rewrite(model(layer("ReLU", "r")), model(leaky("r")))


def test_a_shared_layer_of_one_width_stays_one_layer():
    """Two calls at the same width share their slopes, as they shared the ReLU."""
    calls = [call("x"), call(tensor("a"))]
    after = prelu("r", *calls, build=(None, 4))

    def model(rectifier):
        return functional(
            start(),
            rectifier,
            dense("a", call(tensor("r", 0))),
            dense("head", call(tensor("r", 1))),
        )

    rewritten = rewrite(
        model(layer("ReLU", "r", *calls)),
        plan_for(model(layer("ReLU", "r", *calls)), "prelu"),
    )

    by_name = {each["name"]: each for each in rewritten.document["config"]["layers"]}
    assert by_name == {each["name"]: each for each in model(after)["config"]["layers"]}
    assert list(rewritten.replaced) == [("r", "")]


def _two_widths(first, second, second_name, second_node):
    """A rectifier called on 4, 7 and 4 channels; kwargs and ends use the second."""

    def out(node, width):
        return tensor(second_name if node == 1 else "r", *_node(node), 0, (None, width))

    def _node(node):
        return [{0: 0, 1: second_node, 2: 2 if second is None else 1}[node]]

    entries = [
        start(),
        first,
        *([] if second is None else [second]),
        dense("wide", call(out(0, 4)), units=7),
        dense("narrow", call(out(1, 7))),
        layer("Custom", "mixed", call(out(2, 4), other=[{"deep": out(1, 7)}])),
    ]
    ends = {"a": ["mixed", 0, 0], "b": [[second_name, second_node, 0]]}
    return functional(*entries, outputs=ends)


def _three_calls():
    return [
        call(tensor("x", shape=(None, 4))),
        call(tensor("wide", shape=(None, 7))),
        call(tensor("narrow", shape=(None, 4))),
    ]


def test_a_layer_called_at_two_widths_is_unshared_with_every_reference():
    """Arguments, nested keyword tensors and outputs follow the split layer."""
    first, wide, narrow = _three_calls()
    before = _two_widths(layer("ReLU", "r", first, wide, narrow), None, "r", 1)
    after = _two_widths(
        prelu("r", first, narrow, build=(None, 4)),
        prelu("r_1", wide, build=(None, 7)),
        "r_1",
        0,
    )
    plan = plan_for(before, "prelu", selection=Selection(include=("r",)))

    new = rewrite(before, plan)

    def by_name(document):
        return {each["name"]: each for each in document["config"]["layers"]}

    assert by_name(new.document) == by_name(after)
    ends = ("input_layers", "output_layers")
    assert [new.document["config"][key] for key in ends] == [
        after["config"][key] for key in ends
    ]
    assert plan.steps[0].note == "becomes 2 layers"
    assert {holder: weights[0].shape for holder, weights in new.replaced.items()} == {
        ("r", ""): (4,),
        ("r_1", ""): (7,),
    }


def test_a_layer_without_weights_is_not_unshared():
    """One Leaky ReLU serves every width."""
    first, wide, narrow = _three_calls()
    before = _two_widths(layer("ReLU", "r", first, wide, narrow), None, "r", 1)
    after = _two_widths(leaky("r", first, wide, narrow), None, "r", 1)

    new = rewrite(before, plan_for(before, selection=Selection(include=("r",))))

    names = {each["name"]: each for each in new.document["config"]["layers"]}
    assert names == {each["name"]: each for each in after["config"]["layers"]}


def test_a_split_layer_takes_a_free_name():
    """A name that is taken is not taken twice."""
    first, wide, narrow = _three_calls()
    before = _two_widths(layer("ReLU", "r", first, wide, narrow), None, "r", 1)
    entries = before["config"]["layers"]
    entries.append(dense("r_1", call(tensor("mixed"))))
    before["config"]["output_layers"]["c"] = ["r_1", 0, 0]
    plan = plan_for(before, "prelu", selection=Selection(include=("r",)))

    names = [
        each["name"] for each in rewrite(before, plan).document["config"]["layers"]
    ]

    assert sorted(names) == sorted(["x", "r", "r_2", "wide", "narrow", "mixed", "r_1"])


def test_mixed_precision_and_frozen_layers_keep_their_flags():
    """Policy and `trainable` of what was replaced go to the replacement."""
    assert_rewrite(
        _model(layer("ReLU", "r", call("x"), dtype="mixed_float16", trainable=False)),
        _model(leaky("r", call("x"), dtype="mixed_float16", trainable=False)),
    )


def test_an_operation_takes_the_policy_of_its_tensor():
    """A bare float16 tensor comes from a mixed policy: slopes stay in float32."""
    half = call(tensor("x", dtype="float16"))
    assert_rewrite(
        _model(operation("Relu", "r", half, module=NN_OPS)),
        _model(prelu("r", half, build=(None, 4), dtype="mixed_float16")),
        "prelu",
    )


def test_channels_first_puts_the_slopes_on_axis_one():
    """The nearest layer that states a data format decides."""
    shape = (None, 3, 8, 8)

    def model(rectifier):
        return functional(
            start(shape=shape),
            layer("MaxPooling2D", "p", call("x"), data_format="channels_first"),
            rectifier,
            dense("head", call("r")),
        )

    seen = call(tensor("p", shape=shape))
    before = model(layer("ReLU", "r", seen))
    before["config"]["layers"][-1]["inbound_nodes"] = [call(tensor("r", shape=shape))]
    after = model(prelu("r", seen, build=(None, 3, None, None), axis=1))
    after["config"]["layers"][-1]["inbound_nodes"] = [call(tensor("r", shape=shape))]

    assert_rewrite(before, after, "prelu")


def test_portable_replacements_are_stock_layers():
    """With `portable=True` a file opens without this package."""
    keras_leaky = layer("LeakyReLU", "r", call("x"), negative_slope=0.1)
    assert_rewrite(
        _model(layer("ReLU", "r", call("x"))),
        _model(keras_leaky),
        negative_slope=0.1,
        portable=True,
    )


def test_a_portable_bound_is_over_a_stock_layer():
    """The rectifier stays one entry of its name, which says the bound and the slope."""
    before = layer("ReLU", "r", call("x"), max_value=6.0, activity_regularizer=PENALTY)
    model = _model(before)

    plan = plan_for(model, negative_slope=0.1, portable=True)
    (_, entry, *_) = rewrite(model, plan).document["config"]["layers"]

    assert (entry["class_name"], entry["name"]) == ("Activation", "r")
    assert entry["inbound_nodes"] == [call("x")]
    assert entry["config"]["activity_regularizer"] == PENALTY
    inside = capped.rectifier(entry)
    assert (inside["class_name"], inside["config"]["negative_slope"]) == (
        "LeakyReLU",
        0.1,
    )
    assert replacement_text(plan.steps[0].replacement) == (
        "keras.LeakyReLU(0.1, max_value=6)"
    )


def test_applying_a_plan_twice_is_refused():
    """After a conversion the planned ReLU is gone, and the error says so."""
    model = _model(layer("ReLU", "r", call("x")))
    plan = plan_for(model)
    once = rewrite(model, plan).document

    with pytest.raises(PlanMismatchError, match=r"LeakyReLU.* in the model"):
        rewrite(once, plan)


@pytest.mark.parametrize(
    "other",
    [
        _model(dense("r", call("x"))),
        _model(dense("r", call("x"), activation="relu")),
        _model(layer("ReLU", "s", call("x")), end="s"),
        _model(layer("ReLU", "r", call(tensor("x", shape=(None, 5)))), end="x"),
    ],
    ids=["no rectifier", "another form", "another name", "another width"],
)
def test_a_plan_for_another_model_is_refused(other):
    """Form, kind, path and widths must be those of the plan; nothing changes."""
    plan = plan_for(_model(layer("ReLU", "r", call("x"))), "prelu")
    untouched = copy.deepcopy(other)

    with pytest.raises(PlanMismatchError, match="Make the plan again"):
        rewrite(other, plan)
    assert other == untouched


def test_a_plan_with_a_path_twice_is_refused():
    """Each site is replaced exactly once, or it is an error."""
    model = _model(layer("ReLU", "r", call("x")))
    plan = plan_for(model)
    doubled = dataclasses.replace(plan, steps=plan.steps * 2)

    with pytest.raises(PlanMismatchError):
        rewrite(model, doubled)


PENALTY = {
    "module": "keras.regularizers",
    "class_name": "L2",
    "config": {"l2": 0.01},
    "registered_name": None,
}


@pytest.mark.parametrize(
    ("before", "to", "of"),
    [
        (layer("ReLU", "r", call("x"), activity_regularizer=PENALTY), "prelu", "relu"),
        (
            layer(
                "Activation",
                "r",
                call("x"),
                activation="relu",
                activity_regularizer=PENALTY,
            ),
            "leaky_relu",
            "relu",
        ),
        (
            layer(
                "LeakyReLU",
                "r",
                call("x"),
                negative_slope=0.0,
                activity_regularizer=PENALTY,
            ),
            "relu",
            "leaky_relu",
        ),
    ],
)
@pytest.mark.parametrize("portable", [False, True])
def test_a_layers_penalty_goes_along(before, to, of, portable):
    """`activity_regularizer` is an argument of every layer."""
    model = _model(before)
    plan = plan_for(model, to, selection=Selection((of,)), portable=portable)

    after = rewrite(model, plan).document["config"]["layers"][1]

    assert after["class_name"] != before["class_name"]
    assert after["config"]["activity_regularizer"] == PENALTY


@pytest.mark.parametrize("to", ["relu", "leaky_relu", "prelu"])
def test_a_layer_in_a_slot_leaves_what_it_was_given(to):
    """Its name, dtype and penalty stay, so that no name can take its place."""
    inside = layer(
        "LeakyReLU",
        "inside",
        dtype="float16",
        trainable=False,
        negative_slope=0.0,
        activity_regularizer=PENALTY,
    )
    model = _model(dense("r", call("x"), activation=inside, build=(None, 4)))
    options = {"negative_slope": 0.0} if to == "leaky_relu" else {}
    plan = plan_for(model, to, selection=Selection(("leaky_relu",)), **options)

    after = rewrite(model, plan).document["config"]["layers"][1]["config"]["activation"]

    assert after["config"]["name"] == "inside"
    assert after["config"]["trainable"] is False
    assert after["config"]["dtype"]["config"]["name"] == "float16"
    assert after["config"]["activity_regularizer"] == PENALTY


def test_what_shared_an_object_does_not_get_its_replacement():
    """The replacement has no mark, or a slot elsewhere would hold it, too."""
    bare = {**layer("ReLU", "r", call("x")), "shared_object_id": 7}
    inside = {**layer("ReLU", "r"), "shared_object_id": 7}
    model = _model(bare, dense("host", call("r"), activation=inside), end="host")

    new = rewrite(model, plan_for(model, "prelu", selection=Selection(include=("r",))))

    _, first, host, _ = new.document["config"]["layers"]
    assert first["class_name"] == "PReLU"
    assert "shared_object_id" not in first
    assert host["config"]["activation"] == inside
