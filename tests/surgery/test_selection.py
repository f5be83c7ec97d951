"""Which sites are converted: patterns, predicates, roles, kinds."""

import pytest

from keras_rectifiers.errors import SelectionError
from keras_rectifiers.surgery.selection import Selection
from tests.surgery.documents import call
from tests.surgery.documents import dense
from tests.surgery.documents import functional
from tests.surgery.documents import layer
from tests.surgery.documents import plan_for
from tests.surgery.documents import sequential
from tests.surgery.documents import start

_INNER = sequential(
    start("i"), dense("conv1", activation="relu"), layer("ReLU", "act", max_value=6.0),
    dense("e"), name="block", calls=[call("conv1")],
)  # fmt: skip
MODEL = functional(
    start(),
    dense("conv1", call("x"), activation="relu"),
    _INNER,
    layer("PReLU", "slopes", call("block")),
    dense("last", call("slopes"), activation="relu"),
)


def _taken(**options):
    plan = plan_for(MODEL, "leaky_relu", selection=Selection(**options))
    return [step.site.path for step in plan.steps]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["conv1", "block/conv1", "block/act"]),
        ({"include": ("conv1",)}, ["conv1", "block/conv1"]),
        ({"include": ("block/conv1",)}, ["block/conv1"]),
        ({"include": ("block/*",)}, ["block/conv1", "block/act"]),
        ({"include": ("a?t",)}, ["block/act"]),
        ({"exclude": ("conv*",)}, ["block/act"]),
        ({"include": ("block/*",), "exclude": ("act",)}, ["block/conv1"]),
        ({"where": lambda site: site.max_value is not None}, ["block/act"]),
        ({"roles": ("output",)}, ["last"]),
        ({"include": ("last", "act")}, ["block/act", "last"]),
    ],
)
def test_a_selection_takes_what_it_says(options, expected):
    """Globs match the path, or the last name where they have no slash."""
    assert _taken(**options) == expected


def test_what_is_left_says_why():
    """One word and a sentence for each site that is not taken."""
    plan = plan_for(MODEL, selection=Selection(exclude=("act",)))

    assert {skip.site.path: skip.reason for skip in plan.skips} == {
        "block/act": "exclude",
        "slopes": "kind",
        "last": "output",
    }
    assert all(skip.detail for skip in plan.skips)


@pytest.mark.parametrize("name", ["include", "exclude"])
def test_a_pattern_that_matches_nothing_names_the_nearest(name):
    """A slip of the finger is never a silent no-op."""
    with pytest.raises(SelectionError, match=r"Nearest: block/conv1"):
        _taken(**{name: ("blok/conv1",)})


def test_a_pattern_far_from_all_names_the_first_sites():
    """There is always something to copy from."""
    with pytest.raises(SelectionError, match="Nearest: conv1, block/conv1"):
        _taken(include=("zzzzzz",))


def test_a_selection_that_leaves_nothing_says_what_took_each():
    """The reasons of the nearest sites are in the message."""
    with pytest.raises(SelectionError, match=r"last \(output"):
        _taken(include=("l*t",))
    with pytest.raises(SelectionError, match="the predicate left it out"):
        _taken(where=lambda _: False)


def test_a_pattern_on_a_model_without_rectifiers_is_an_error_too():
    """It says that there are none."""
    model = sequential(start(), dense("d"))

    with pytest.raises(SelectionError, match="The model has none"):
        plan_for(model, selection=Selection(include=("d",)))


@pytest.mark.parametrize("options", [{"of": ("elu",)}, {"roles": ("gates",)}])
def test_unknown_kinds_and_roles_are_refused(options):
    """With the words that are known."""
    with pytest.raises(
        ValueError, match=r"must be one of 'relu'|must be one of 'hidden'"
    ):
        Selection(**options)
