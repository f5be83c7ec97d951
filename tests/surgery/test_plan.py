"""Plans are plain data: they print, travel as JSON, and fit one model."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_rectifiers.errors import PlanMismatchError
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.selection import KINDS
from keras_rectifiers.surgery.selection import Selection
from tests.surgery.documents import call
from tests.surgery.documents import dense
from tests.surgery.documents import functional
from tests.surgery.documents import layer
from tests.surgery.documents import plan_for
from tests.surgery.documents import rewrite
from tests.surgery.documents import sequential
from tests.surgery.documents import start

MODEL = functional(
    start(),
    dense("first", call("x"), activation="relu"),
    layer("ReLU", "capped", call("first"), max_value=6.0),
    layer("LeakyReLU", "leaky", call("capped"), negative_slope=0.3),
    layer("PReLU", "slopes", call("leaky")),
    layer("ReLU", "last", call("slopes"), threshold=0.5),
)

_GOLDEN = """\
model: 2 of 5 rectifiers to replace (2 by PReLU), 8 parameters to add; left: 2 kind, 1 output.

path    form                      role    shape  replaced by                  +parameters
first   Dense(activation='relu')  hidden  4      PReLU(alpha=0)                         4
capped  ReLU(max_value=6)         hidden  4      PReLU(alpha=0, max_value=6)            4

left as it is  form                           role    shape  reason  why
leaky          LeakyReLU(negative_slope=0.3)  hidden  4      kind    it is a leaky_relu; of=relu
slopes         PReLU()                        hidden  4      kind    it is a prelu; of=relu
last           ReLU(threshold=0.5)            output  4      output  it is the model's output; if other models build on it, as on a backbone, --role hidden --role output includes it"""  # noqa: E501

_OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "of": st.lists(st.sampled_from(KINDS), min_size=1).map(tuple),
        "roles": st.just(("hidden", "output")),
        "exclude": st.just(("first",)),
    },
)


@given(
    options=_OPTIONS,
    target=st.one_of(
        st.fixed_dictionaries(
            {"to": st.just("leaky_relu")},
            optional={"negative_slope": st.floats(-9, 9), "portable": st.booleans()},
        ),
        st.fixed_dictionaries(
            {"to": st.just("prelu")},
            optional={"alpha": st.floats(-9, 9), "portable": st.booleans()},
        ),
    ),
)
def test_a_plan_comes_back_from_json_as_it_went(options, target):
    """Equal as data, in print, and in what it does."""
    plan = plan_for(
        MODEL,
        **target,
        selection=Selection(**options),
        read_alpha=lambda _: np.array([0.1, 0.4]),
    )

    again = Plan.from_json(plan.to_json())

    assert again == plan
    assert str(again) == str(plan)
    assert again.to_json() == plan.to_json()
    assert rewrite(MODEL, again).document == rewrite(MODEL, plan).document


def test_a_plan_prints_each_site_and_each_skip():
    """One row for each, with what is added and why the rest stays."""
    assert str(plan_for(MODEL, "prelu")) == _GOLDEN


def test_an_empty_plan_says_so():
    """A model without rectifiers is no error."""
    plan = plan_for(sequential(start(), dense("d")))

    assert str(plan) == "chain: no rectifier found."
    assert (plan.steps, plan.skips, plan.parameters) == ((), (), 0)


def test_a_mean_of_slopes_says_how_far_it_is_off():
    """PReLU to Leaky ReLU is not exact, and the plan says by how much."""
    plan = plan_for(
        MODEL,
        selection=Selection(of=("prelu",)),
        read_alpha=lambda _: np.array([0.1, 0.4, 0.1]),
    )

    assert plan.steps[0].note == "mean of 3 slopes, which differ from it by up to 0.2"
    assert plan.steps[0].replacement.config["negative_slope"] == pytest.approx(0.2)


def _changed(**changes):
    data = json.loads(plan_for(MODEL).to_json())
    return json.dumps({**data, **changes})


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "JSON written by Plan.to_json"),
        ("[]", "JSON written by Plan.to_json"),
        ("3", "JSON written by Plan.to_json"),
        ("{}", "KeyError"),
        (_changed(format=99), "Received: format 99"),
        (_changed(steps=3), "TypeError"),
        (_changed(steps=[{}]), "KeyError"),
        (
            _changed(steps=[{"site": {}, "replacements": [], "note": ""}]),
            "not a valid plan",
        ),
        (_changed(skips=[{"site": {"path": "x"}}]), "not a valid plan"),
        ("[" * 100_000, "not a valid plan"),
    ],
)
def test_what_is_no_plan_is_refused(text, match):
    """Garbage, other formats and plans with pieces missing."""
    with pytest.raises(PlanMismatchError, match=match):
        Plan.from_json(text)


def _with_site(**changes):
    """A plan in whose first step something is other than it was."""
    data = json.loads(plan_for(MODEL).to_json())
    data["steps"][0]["site"] |= changes
    return json.dumps(data)


def _with_weight(**changes):
    data = json.loads(plan_for(MODEL, "prelu").to_json())
    data["steps"][0]["replacements"][0]["weights"][0] |= changes
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (_with_site(path=0.5), "Site with path=0.5"),
        (_with_site(negative_slope="0"), "negative_slope='0'"),
        (_with_site(channel_axis=True), "channel_axis=True"),
        (_with_site(shapes=[[None, "4"]]), r"a shape \[None, '4'\]"),
        (_with_site(more=1), "KeyError: 'more'"),
        (_with_weight(shape=[-4]), r"a weight of shape \(-4,\)"),
        (_with_weight(value=[0.5]), r"values of shape \(1,\)"),
        (_with_weight(value=10**400), "OverflowError"),
        (_changed(model=None), "Plan with model=None"),
        (_changed(back=[1]), "not a valid plan"),
    ],
)
def test_each_field_of_a_plan_has_its_type(text, match):
    """A plan may come from a file that anyone wrote."""
    with pytest.raises(PlanMismatchError, match=match):
        Plan.from_json(text)


def test_a_plan_that_leaves_out_what_is_empty_is_written_again():
    """Defaults stand for what a plan in a file does not say."""
    data = json.loads(plan_for(MODEL).to_json())
    del data["steps"][0]["replacements"][0]["config"]

    again = Plan.from_json(json.dumps(data))

    assert Plan.from_json(again.to_json()) == again
