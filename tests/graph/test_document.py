"""Documents as trees: places, groups in the weights file, names of classes."""

import inspect

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras.src.utils.naming import to_snake_case

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph.document import MAX_DEPTH
from keras_rectifiers.graph.document import at
from keras_rectifiers.graph.document import group_name
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import snake_case
from keras_rectifiers.graph.document import walk
from tests.surgery.documents import call
from tests.surgery.documents import dense
from tests.surgery.documents import functional
from tests.surgery.documents import layer
from tests.surgery.documents import operation
from tests.surgery.documents import sequential
from tests.surgery.documents import slot
from tests.surgery.documents import start

_CLASSES = [
    name for name, value in vars(keras.layers).items() if inspect.isclass(value)
]


def test_class_names_are_written_as_keras_writes_them():
    """The name of a group is Keras' own, for every layer that Keras has."""
    assert len(_CLASSES) > 100

    assert {name: snake_case(name) for name in _CLASSES} == {
        name: to_snake_case(name) for name in _CLASSES
    }


@given(st.text(max_size=30))
def test_any_class_name_is_written_as_keras_writes_it(name):
    """The same for class names that users give, whatever their alphabet."""
    assert snake_case(name) == to_snake_case(name)


def test_repeated_names_are_counted_from_the_second_on():
    """Keras appends `_1` to the second group of a class, not to the first."""
    used = {}

    names = [group_name(each, used) for each in ("ReLU", "Dense", "ReLU", "ReLU")]

    assert names == ["re_lu", "dense", "re_lu_1", "re_lu_2"]


def test_places_carry_paths_addresses_and_groups():
    """Each place is found again at its address; groups skip operations."""
    inner = functional(start("i"), dense("d", call("i")), inputs=("i",), name="inner")
    model = functional(
        start(),
        operation("Relu", "op", call("x")),
        inner,
        dense("e", call("op")),
        layer("TimeDistributed", "td", call("e"), layer=slot(dense("f"))),
    )

    places = {place.path: place for place in walk(model)}

    assert {path: "/".join(place.group) for path, place in places.items()} == {
        "": "",
        "x": "layers/input_layer",
        "op": "",
        "inner": "layers/functional",
        "inner/i": "layers/functional/layers/input_layer",
        "inner/d": "layers/functional/layers/dense",
        "e": "layers/dense",
        "td": "layers/time_distributed",
        "td/f": "layers/time_distributed/layer",
    }
    assert all(at(model, each.address) is each.entry for each in places.values())


def test_the_input_of_a_sequential_has_no_group():
    """Keras does not count the input among the layers of a chain."""
    model = sequential(start(), dense("d"), layer("ReLU", "r"), dense("e"))

    groups = ["/".join(place.group) for place in walk(model)]

    assert groups == ["", "", "layers/dense", "layers/re_lu", "layers/dense_1"]


def test_wrappers_store_their_layers_under_keras_attribute_names():
    """Bidirectional's `layer` is stored as `forward_layer`; cells are counted."""
    cell = slot(layer("LSTMCell", "c", units=2))
    model = sequential(
        layer(
            "Bidirectional",
            "b",
            layer=slot(layer("LSTM", "forward", units=2)),
            backward_layer=slot(layer("LSTM", "backward", units=2)),
        ),
        layer("RNN", "r", cell=slot(layer("StackedRNNCells", "s", cells=[cell]))),
    )

    groups = {place.path: "/".join(place.group) for place in walk(model)}

    assert groups["b/forward"] == "layers/bidirectional/forward_layer"
    assert groups["b/backward"] == "layers/bidirectional/backward_layer"
    assert groups["r/s/c"] == "layers/rnn/cell/cells/lstm_cell"


def test_a_custom_class_is_not_looked_into():
    """What the config of a foreign class means is its own affair."""
    inner = slot(dense("d", activation="relu"))
    model = sequential(layer("Wrap", "w", module="elsewhere", layer=inner))

    assert [place.path for place in walk(model)] == ["", "w"]


def test_a_shared_object_has_one_identity_in_all_places():
    """Two entries with one `shared_object_id` are one layer."""
    models = [
        functional(
            start("i"),
            {**layer("ReLU", "r", call("i")), "shared_object_id": 7},
            inputs=("i",),
            name=name,
        )
        for name in ("a", "b")
    ]

    shared = [
        place.identity
        for place in walk(functional(start(), *models))
        if place.path.endswith("/r")
    ]

    assert len(shared) == 2
    assert len(set(shared)) == 1


def test_nesting_beyond_the_cap_is_refused():
    """A file cannot make the walk run for ever into its depth."""
    model = sequential(dense("d"))
    for _ in range(MAX_DEPTH + 2):
        model = sequential(model)

    with pytest.raises(ArchiveError, match="nested at most 64 deep"):
        list(walk(model))


@pytest.mark.parametrize(
    ("entry", "model", "graph"),
    [
        (functional(start()), True, True),
        (sequential(start()), True, False),
        (dense("d"), False, False),
        ({"class_name": "Own", "config": {"layers": 3}}, False, False),
        ({"class_name": "Own", "config": {"layers": ["a"]}}, False, False),
        ({"class_name": "Own", "config": None}, False, False),
    ],
)
def test_models_are_told_from_layers_by_their_config(entry, model, graph):
    """A model has entries in `layers`; a Functional also has outputs."""
    assert (is_model(entry), is_functional(entry)) == (model, graph)
