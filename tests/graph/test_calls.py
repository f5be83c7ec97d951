"""The calls of a model as one flat graph, and passes over it."""

import sys

import hypothesis
import keras
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from keras import layers

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph import calls as module
from keras_rectifiers.graph.calls import Calls
from keras_rectifiers.graph.calls import Tensor
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.passes import Backward
from keras_rectifiers.graph.passes import Forward
from keras_rectifiers.graph.view import View
from keras_rectifiers.surgery.live import LiveModel
from tests import strategies
from tests.surgery.documents import call
from tests.surgery.documents import dense
from tests.surgery.documents import functional
from tests.surgery.documents import layer
from tests.surgery.documents import operation
from tests.surgery.documents import sequential
from tests.surgery.documents import slot
from tests.surgery.documents import start
from tests.surgery.documents import tensor


def _calls(document):
    return Calls(View(document))


def _edges(calls):
    """Each call by its path, with the paths of what it takes."""
    return [
        (each.place.path, [calls[source.call].place.path for source in each.takes])
        for each in calls
    ]


def _ends(calls):
    return [(calls[end.call].place.path, end.index) for end in calls.ends]


def _inner(*nodes):
    return functional(
        start("i"),
        dense("d", call("i")),
        layer("ReLU", "r", call("d")),
        inputs=("i",),
        name="inner",
        calls=nodes,
    )


def test_layers_of_a_model_run_once_for_each_of_its_calls():
    """What is inside takes what the model is given, and its outputs are the ends."""
    model = functional(
        start(),
        _inner(call("x"), call("inner")),
        outputs=[["inner", 2, 0], ["inner", 1, 0]],
    )

    calls = _calls(model)

    assert _edges(calls) == [
        ("x", []),
        ("inner/d", ["x"]),
        ("inner/r", ["inner/d"]),
        ("inner/d", ["inner/r"]),
        ("inner/r", ["inner/d"]),
    ]
    assert [end.call for end in calls.ends] == [4, 2]
    assert [[each.node for each in calls[i].around] for i in (0, 1, 3)] == [
        [],
        [0],
        [1],
    ]
    inner = calls.view.child(calls.view.places[0], "inner")
    assert [each.number for each in calls.of(inner)] == [-1, -1]
    assert [each.number for each in calls.of(calls.view.child(inner, "r"))] == [2, 4]


def test_a_shared_layer_has_a_call_for_each_node():
    """Both calls belong to one place, and each has its own takers."""
    calls = _calls(
        functional(
            start(),
            dense("a", call("x"), call("a")),
            layer("Add", "s", call([tensor("a", 1), tensor("a", 0)])),
        )
    )

    assert _edges(calls)[1:] == [("a", ["x"]), ("a", ["a"]), ("s", ["a", "a"])]
    assert [each.node for each in calls.of(calls[1].place)] == [0, 1]
    assert calls[3].takes == (Tensor(2, 0), Tensor(1, 0))
    assert [
        [(taker.number, position) for taker, position in calls.takers(Tensor(i, 0))]
        for i in range(4)
    ] == [[(1, 0)], [(2, 0), (3, 1)], [(3, 0)], []]


@pytest.mark.parametrize("entries", [[start()], []])
def test_a_chain_begins_with_its_input_or_with_a_layer(entries):
    """A Sequential may state its input, or not."""
    calls = _calls(sequential(*entries, dense("a"), layer("ReLU", "r")))

    assert _edges(calls)[len(entries) :] == [
        ("a", [each["name"] for each in entries]),
        ("r", ["a"]),
    ]
    assert _ends(calls) == [("r", 0)]


@pytest.mark.parametrize("entries", [[start("i")], []])
def test_a_chain_inside_takes_what_it_is_given(entries):
    """With and without an input of its own; an empty one hands it on."""
    chain = sequential(*entries, dense("a"), name="chain", calls=[call("x")])
    empty = sequential(name="empty", calls=[call("chain")])
    model = functional(start(), chain, empty, layer("ReLU", "r", call("empty")))

    assert _edges(_calls(model)) == [
        ("x", []),
        ("chain/a", ["x"]),
        ("r", ["chain/a"]),
    ]


def test_what_runs_at_each_step_is_opened():
    """A layer or a model in `TimeDistributed`; other wrappers are one call."""
    inside = sequential(dense("d"), layer("ReLU", "r"), name="inside")
    twice = layer("TimeDistributed", "t", layer=slot(inside))
    model = functional(
        start(shape=(None, 5, 6, 4)),
        layer("TimeDistributed", "tt", call("x"), layer=slot(twice)),
        layer("TimeDistributed", "one", call("tt"), layer=slot(dense("e"))),
        layer("Bidirectional", "b", call("one"), layer=slot(layer("LSTM", "l"))),
    )

    calls = _calls(model)

    assert _edges(calls) == [
        ("x", []),
        ("tt/t/inside/d", ["x"]),
        ("tt/t/inside/r", ["tt/t/inside/d"]),
        ("one/e", ["tt/t/inside/r"]),
        ("b", ["one/e"]),
    ]
    assert [each.steps for each in calls] == [0, 2, 2, 1, 0]
    assert [each.member.path for each in calls[3:]] == ["one", "b"]
    by_path = {place.path: place for place in calls.view.places}
    assert [each.number for each in calls.of(by_path["b/l"])] == [4]
    assert [each.number for each in calls.of(by_path["one"])] == [3]
    assert [each.number for each in calls.of(by_path["one/e"])] == [3]
    assert [each.place.path for each in calls.of(by_path["tt"])] == ["tt/t/inside"]


def test_operands_have_tensors_in_place_of_references():
    """Plain values stay what they are, however deep a tensor is."""
    calls = _calls(
        functional(
            start(),
            dense("a", call("x")),
            layer("Own", "b", call(2.0, "x", mask=[{"deep": tensor("a")}], scale=3)),
        )
    )

    assert calls[2].args == (2.0, Tensor(0, 0))
    assert calls[2].kwargs == {"mask": [{"deep": Tensor(1, 0)}], "scale": 3}
    assert calls[2].takes == (Tensor(0, 0), Tensor(1, 0))


def test_plain_values_stay_among_the_operands():
    """Numbers are operands too: `maximum(0, x)`."""
    calls = _calls(functional(start(), operation("Maximum", "m", call(0, "x"))))

    assert calls[1].args == (0, Tensor(0, 0))
    assert calls.producer(0) is None
    assert calls.producer(Tensor(1, 0)) == ("Maximum", (0, Tensor(0, 0)))


def test_shapes_are_those_that_takers_state():
    """Each output has its own, and one that nobody takes has none."""
    taken = call(tensor("a", 0, 1, shape=(9,)), tensor("a", shape=(2, 3)))
    calls = _calls(functional(start(), dense("a", call("x")), layer("Own", "b", taken)))

    assert calls.stated(Tensor(1, 0)).shape == (2, 3)
    assert calls.stated(Tensor(1, 1)).shape == (9,)
    assert calls.stated(Tensor(2, 0)).shape is None


def test_several_outputs_of_one_call():
    """The states of an LSTM are outputs of the same call, with their own shapes."""
    sequence, state = (
        tensor("l", shape=(None, 5, 3)),
        tensor("l", 0, 2, shape=(None, 3)),
    )
    calls = _calls(
        functional(
            start(),
            layer("LSTM", "l", call("x"), return_state=True, return_sequences=True),
            layer("LSTM", "m", call(sequence, initial_state=[state, state])),
            outputs={"a": ["m", 0, 0], "b": ["l", 0, 1]},
        )
    )

    assert calls[2].takes == (Tensor(1, 0), Tensor(1, 2), Tensor(1, 2))
    assert list(calls.outputs(calls[1])) == [Tensor(1, i) for i in range(3)]
    assert [calls.stated(each).shape for each in calls.outputs(calls[1])] == [
        (None, 5, 3),
        None,
        (None, 3),
    ]
    assert _ends(calls) == [("m", 0), ("l", 1)]
    assert calls.stated(Tensor(1, 2)).dtype == "float32"


def test_shapes_are_those_of_one_step():
    """What a document says about a whole sequence holds for a step without the time."""
    inside = sequential(dense("d"), name="inside")
    made = tensor("t", shape=(None, 5, 7))
    calls = _calls(
        functional(
            start(shape=(None, 5, 4)),
            layer("TimeDistributed", "t", call("x"), layer=slot(inside)),
            layer("ReLU", "r", call(made)),
        )
    )

    assert calls[1].place.path == "t/inside/d"
    assert calls.stated(Tensor(1, 0)).shape == (None, 7)


def test_what_depends_on_what():
    """A call depends on itself and on all that it takes from, near or far."""
    calls = _calls(
        functional(
            start(),
            dense("a", call("x")),
            dense("b", call("x")),
            layer("ReLU", "r", call("a")),
            layer("Add", "s", call([tensor("r"), tensor("b")])),
        )
    )
    number = {each.place.path: each for each in calls}

    assert calls.depends(number["s"], number["a"])
    assert calls.depends(number["r"], number["r"])
    assert not calls.depends(number["r"], number["b"])


def test_an_intermediate_tensor_as_input():
    """What is before it is not run; the call itself is where the model begins."""
    model = functional(
        start(), dense("a", call("x")), layer("ReLU", "r", call("a")), inputs=("a",)
    )

    assert _edges(_calls(model)) == [("a", []), ("r", ["a"])]


def test_a_cycle_is_refused():
    """In a sentence that names a layer of it."""
    model = functional(start(), dense("a", call("b")), dense("b", call("a")))

    with pytest.raises(
        ArchiveError, match=r"must not have a cycle. Received: .*'[ab]'"
    ):
        _calls(model)


def test_a_tensor_from_nowhere_is_refused():
    """In a sentence that names what is not there."""
    model = functional(start(), dense("a", call("gone")))

    with pytest.raises(ArchiveError, match=r"come from a layer .* a tensor of 'gone'"):
        _calls(model)


def test_models_that_multiply_calls_are_refused(monkeypatch):
    """A small file cannot ask for more calls than anybody would wait for."""
    monkeypatch.setattr(module, "MAX_CALLS", 500)
    model = sequential(name="m")
    for depth in range(60):  # 2 ** 60 calls, though no layer is in there
        name = f"m{depth}"
        model["inbound_nodes"] = [call("x"), call(model["name"])]
        ends = [model["name"], 2 if depth else 1, 0]
        model = functional(start(), model, outputs=ends, name=name)

    with pytest.raises(ArchiveError, match=r"500 layer calls. Received: .* at 'm"):
        _calls(model)


class _Depth(Forward):
    def made(self, call, taken):
        return [1 + max(taken, default=0)]


class _Height(Backward):
    def value(self, call, takers):
        return 1 + max(map(self.of, takers), default=0)


class _Met(Forward):
    def __init__(self, calls):
        super().__init__(calls, unknown=False)
        self.visited = []

    def made(self, call, taken):
        self.visited.append(call.place.path)
        return [] if call.class_name == "Flatten" else [True]


def _diamond():
    return _calls(
        functional(
            start(),
            dense("a", call("x")),
            layer("ReLU", "r", call("a")),
            layer("Flatten", "f", call("r")),
            operation("Add", "s", call("a", "r")),
            layer("Add", "t", call([tensor("s"), tensor("f")])),
        )
    )


def test_a_forward_pass_has_the_values_of_what_a_call_takes():
    """And gives one to each tensor; the last one serves outputs without their own."""
    calls = _diamond()
    depth = _Depth(calls, 0)

    depth.run()

    assert [depth.of(Tensor(i, 0)) for i in range(len(calls))] == [1, 2, 3, 4, 4, 5]
    assert depth.of(Tensor(1, 7)) == 2


def test_a_forward_pass_from_some_calls_visits_what_it_reaches():
    """It stops where nothing is made of what comes, and visits each call once."""
    calls = _diamond()
    met = _Met(calls)

    met.run(calls.of(calls[2].place))

    assert met.visited == ["r", "f", "s", "t"]
    assert [met.of(Tensor(i, 0)) for i in (0, 2, 3)] == [False, True, False]


def test_a_backward_pass_has_the_values_of_the_takers():
    """Each call comes after all that take what it makes."""
    calls = _diamond()
    height = _Height(calls)

    height.run()

    assert [height.of(each) for each in calls] == [5, 4, 3, 2, 2, 1]
    assert [each.place.path for each in calls if height.ends(each)] == ["t"]


def _deep(count):
    names = [f"d{number}" for number in range(count)]
    before = ["x", *names]
    return functional(
        start(),
        *(dense(name, call(*before[i : i + 1])) for i, name in enumerate(names)),
    )


def _functions_called(document):
    count = 0

    def watch(_, event, __):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(watch)
    try:
        calls = _calls(document)
        _Depth(calls, 0).run()
        _Height(calls).run()
    finally:
        sys.setprofile(None)
    return count


def test_a_deep_model_costs_what_its_layers_cost():
    """5,000 layers take about 50 times as many function calls as 100."""
    few = _functions_called(_deep(100))

    assert few > 1000
    assert _functions_called(_deep(5_000)) < 60 * few


@given(recipe=strategies.recipes)
@settings(
    deadline=None,
    max_examples=15,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[hypothesis.Phase.generate],
)
def test_random_models_are_opened_whole(recipe):
    """Each layer runs as often as Keras runs it, after all that it takes from."""
    model = strategies.build(recipe)
    calls = _calls(LiveModel(model).survey.document)

    assert len(calls.ends) == len(model.outputs)
    for each in calls:
        assert all(source.call < each.number for source in each.takes)
        assert each.takes or each.class_name == "InputLayer"
    for place in calls.view.places:
        if not is_model(place.entry) and place.names and place.address[-1] != "layer":
            assert len(calls.of(place)) >= (place.entry["class_name"] != "InputLayer")
    for end, output in zip(calls.ends, model.outputs, strict=True):
        assert calls[end.call].place.names[-1] in {
            *(each.name for each in model._flatten_layers()),
            output._keras_history.operation.name,
        }


def test_states_of_a_live_model():
    """An LSTM that returns its states, as Keras writes it."""
    inputs = keras.Input((5, 3))
    sequence, *states = layers.LSTM(4, return_state=True, return_sequences=True)(inputs)
    outputs = layers.LSTM(4, name="m")(sequence, initial_state=states)
    model = keras.Model(inputs, [outputs, states[1]])
    calls = _calls(LiveModel(model).survey.document)

    (last,) = [each for each in calls if each.place.path == "m"]
    assert [source.index for source in last.takes] == [0, 1, 2]
    assert [calls.stated(each).shape for each in last.takes] == [
        (None, 5, 4),
        (None, 4),
        (None, 4),
    ]
    assert [end.index for end in calls.ends] == [0, 2]
