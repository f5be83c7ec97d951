"""Sites tell what stands where, in words, shapes and numbers."""

import pytest

from keras_rectifiers.graph.survey import Survey
from tests.surgery.documents import ACTIVATIONS
from tests.surgery.documents import NN_OPS
from tests.surgery.documents import call
from tests.surgery.documents import dense
from tests.surgery.documents import functional
from tests.surgery.documents import layer
from tests.surgery.documents import operation
from tests.surgery.documents import sequential
from tests.surgery.documents import slot
from tests.surgery.documents import start
from tests.surgery.documents import tensor


def _site(entry):
    (found,) = Survey(
        functional(start(), entry, dense("head", call(entry["name"])))
    ).found
    return found.site


@pytest.mark.parametrize(
    ("entry", "spelling"),
    [
        (layer("ReLU", "r", call("x")), "ReLU()"),
        (layer("ReLU", "r", call("x"), max_value=6.0), "ReLU(max_value=6)"),
        (layer("Activation", "r", call("x"), activation="relu"), "Activation('relu')"),
        (dense("r", call("x"), activation="relu"), "Dense(activation='relu')"),
        (
            dense("r", call("x"), activation=slot(layer("ReLU", "i"))),
            "Dense(activation=ReLU())",
        ),
        (operation("Relu", "r", call("x"), module=NN_OPS), "ops.relu(x)"),
        (operation("Relu6", "r", call("x"), module=NN_OPS), "ops.relu6(x)"),
        (operation("Maximum", "r", call(0, "x")), "ops.maximum(x, 0)"),
        (operation("Clip", "r", call("x"), x_min=0, x_max=4), "ops.clip(x, 0, 4)"),
        (
            operation("ReLU", "r", call("x"), module=ACTIVATIONS, max_value=5),
            "activations.relu(x, max_value=5)",
        ),
        (
            operation("LeakyRelu", "r", call("x"), module=NN_OPS, negative_slope=0.0),
            "ops.leaky_relu(x)",
        ),
    ],
)
def test_a_site_is_spelled_as_its_author_wrote_it(entry, spelling):
    """A reader must recognize the line in the code of the model."""
    assert _site(entry).spelling == spelling


def test_shapes_and_widths_are_one_for_each_call():
    """A layer called at two widths has no single number of channels."""
    twice = layer("ReLU", "r", call("x"), call(tensor("wide", shape=(None, 7))))
    model = functional(
        start(),
        twice,
        dense("wide", call(tensor("r", 0)), units=7),
        dense("head", call(tensor("r", 1, shape=(None, 7)))),
    )

    (found,) = Survey(model).found

    assert found.site.shapes == ((None, 4), (None, 7))
    assert (found.site.widths, found.site.channels) == ((4, 7), None)
    assert found.uses == (0, 1)


def test_a_chain_gives_shapes_from_its_neighbors():
    """A Sequential states none for a ReLU; the layers around it do."""
    model = sequential(
        start(shape=(None, 8, 8, 3)),
        layer("Conv2D", "c", filters=5, build=(None, 8, 8, 3)),
        layer("ReLU", "a"),
        layer("MaxPooling2D", "p"),
        layer("ReLU", "b"),
        layer("Conv2D", "d", filters=2, build=(None, 4, 4, 5)),
    )

    assert [found.site.channels for found in Survey(model).found] == [5, 5]


@pytest.mark.parametrize("between", [200, 1500])
def test_long_chains_are_walked_without_recursion(between):
    """A shape is found, however far back it is."""
    drops = [layer("Dropout", f"drop{i}", rate=0.1) for i in range(between)]
    model = sequential(start(), *drops, layer("ReLU", "r"), layer("Dense", "d"))

    (found,) = Survey(model).found

    assert found.site.channels == 4


def test_an_unknown_shape_is_none_and_no_guess():
    """A deferred chain does not know its width."""
    (found,) = Survey(
        sequential(layer("ReLU", "r"), layer("Own", "o", module="own"))
    ).found

    assert found.site.shapes == (None,)
    assert (found.site.widths, found.site.channels) == ((None,), None)


def test_a_layer_that_two_models_share_is_one_site_in_two_places():
    """It is found once, at its first path."""
    models = [
        functional(
            start("i"),
            {**dense("d", call("i"), activation="relu"), "shared_object_id": 3},
            dense("e", call("d")),
            inputs=("i",),
            name=name,
            calls=[call(before)],
        )
        for name, before in (("a", "x"), ("b", "a"))
    ]

    (found,) = Survey(functional(start(), *models, dense("head", call("b")))).found

    assert found.site.path == "a/d"
    assert [place.path for place in found.places] == ["a/d", "b/d"]
    assert found.group == ("layers", "functional", "layers", "dense", "activation")


def test_a_chain_of_thousands_of_layers_is_no_trap():
    """Shapes are worked out without recursion, once for each layer."""
    rectifiers = [layer("ReLU", f"r{number}") for number in range(3000)]
    chain = sequential(dense("first"), *rectifiers)

    sites = [found.site for found in Survey(chain).found]

    assert len(sites) == 3000
    assert {site.channels for site in sites} == {4}
