"""The marks of shared objects in a document, and the one that Keras loses."""

import copy

import pytest

from keras_rectifiers.surgery.marks import complete
from keras_rectifiers.surgery.marks import places_of
from tests.surgery.documents import call
from tests.surgery.documents import dense
from tests.surgery.documents import functional
from tests.surgery.documents import layer
from tests.surgery.documents import sequential
from tests.surgery.documents import start


def _slopes(mark=None, **config):
    """A PReLU as it stands in a slot."""
    entry = layer("PReLU", "slopes", build=(None, 4), **config)
    del entry["name"], entry["inbound_nodes"]
    return entry if mark is None else {**entry, "shared_object_id": mark}


def _model(*slots):
    hosts = [
        dense(name, call(before), activation=slot)
        for name, before, slot in zip("abc", ["x", "a", "b"], slots, strict=False)
    ]
    return functional(start(), *hosts)


def test_the_first_place_gets_the_mark_of_the_second():
    """An equal entry before the first mark is the place that lost its own."""
    document = _model(_slopes(), _slopes(7), _slopes(7))
    wanted = _model(_slopes(7), _slopes(7), _slopes(7))

    complete(document)

    assert document == wanted
    assert places_of(document)[7] == 3


@pytest.mark.parametrize(
    "document",
    [
        _model(_slopes(), _slopes()),
        _model(_slopes(), _slopes(), _slopes(7)),
        _model(_slopes(max_value=6.0), _slopes(7)),
        _model(_slopes(7), _slopes(7), _slopes()),
    ],
    ids=["no mark", "two equals", "another layer", "marked already"],
)
def test_what_is_not_certain_stays(document):
    """No mark is given where none is missing, or where two places could miss it."""
    before = copy.deepcopy(document)

    complete(document)

    assert document == before


def test_a_layer_that_several_models_call_stays_without_a_mark():
    """Keras would not find its calls again; in two Sequentials it has none to find."""
    shared = dense("shared", call("y"), build=(None, 4))
    marked = {**dense("shared", call("x"), build=(None, 4)), "shared_object_id": 7}
    inner = functional(start("y"), shared, inputs=("y",), name="inner")
    called = functional(start(), marked, {**inner, "inbound_nodes": [call("shared")]})
    plain = copy.deepcopy(called)
    chains = [
        sequential(start("z"), each, name=name, calls=[call(before)])
        for name, before, each in (("one", "x", shared), ("two", "one", marked))
    ]
    chained = functional(start(), *chains)

    for document in (called, chained):
        complete(document)

    assert called == plain
    assert places_of(called)[7] == 1
    assert places_of(chained)[7] == 2
