"""What goes into a site's place: its arguments, its weights, or why nothing does."""

import keras
import numpy as np
import pytest

from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.surgery.replacements import Cannot
from keras_rectifiers.surgery.replacements import Target
from tests.surgery.documents import call
from tests.surgery.documents import dense
from tests.surgery.documents import functional
from tests.surgery.documents import layer
from tests.surgery.documents import sequential
from tests.surgery.documents import start


def _site(class_name="ReLU", **config):
    entry = layer(class_name, "r", call("x"), **config)
    (found,) = Survey(functional(start(), entry, dense("head", call("r")))).found
    return found.site


def _made(target, site, alpha=None):
    return target.replacement(site, lambda: alpha)


@pytest.mark.parametrize("slope", [None, 0.0, -0.5, 1e-9, 3, np.float32(0.25)])
def test_the_slope_is_the_one_asked_for(slope):
    """Any finite number, as a plain float that JSON can hold; 0.01 by default."""
    replacement, note = _made(Target("leaky_relu", slope), _site(max_value=6.0))

    assert replacement.config["negative_slope"] == (0.01 if slope is None else slope)
    assert type(replacement.config["negative_slope"]) is float
    assert replacement.config["max_value"] == 6.0
    assert (replacement.weights, note) == ((), "")


def test_a_leaky_relu_starts_a_prelu_at_its_slope():
    """The function stays what it was, unless a start is given."""
    site = _site("LeakyReLU", negative_slope=0.3)

    kept, note = _made(Target("prelu"), site)
    given, _ = _made(Target("prelu", alpha=0.1), site)

    assert (kept.weights[0].value, given.weights[0].value) == (0.3, 0.1)
    assert note == "starts at the slope it had"


@pytest.mark.parametrize(
    ("target", "site", "reason"),
    [
        (Target("leaky_relu"), _site("LeakyReLU"), "already"),
        (Target("prelu"), _site("PReLU"), "already"),
        (Target("prelu"), _site(threshold=1.0), "threshold"),
        (Target("leaky_relu", -0.1, portable=True), _site(), "portable"),
        (Target("leaky_relu", -0.1, portable=True), _site(max_value=6.0), "portable"),
        (
            Target("prelu", portable=True),
            _site(max_value=6.0, dtype="float64"),
            "portable",
        ),
        (Target(lambda _: None), _site(), "callable"),
        (Target("leaky_relu"), _site("PReLU"), "slopes"),
    ],
)
def test_what_cannot_be_replaced_says_why(target, site, reason):
    """A skip with a reason, and never a wrong layer."""
    made = _made(target, site, alpha=[np.inf, 1.0])

    assert isinstance(made, Cannot)
    assert (made.reason, bool(made.detail)) == (reason, True)


def test_a_prelu_needs_to_know_its_channels():
    """A deferred chain does not state them; a Leaky ReLU needs none."""
    (found,) = Survey(
        sequential(layer("ReLU", "r"), layer("Own", "o", module="own"))
    ).found

    assert _made(Target("prelu"), found.site).reason == "channels"
    assert not isinstance(_made(Target("leaky_relu"), found.site), Cannot)


def test_a_stock_prelu_shares_its_slopes_over_space():
    """Stock Keras wants the axes spelled out, and a weight of their rank."""
    entry = layer("ReLU", "r")
    shape = (None, 8, 8, 3)
    (found,) = Survey(sequential(start(shape=shape), entry, layer("Conv2D", "c"))).found

    replacement, _ = _made(Target("prelu", portable=True), found.site)

    assert replacement.module == "keras.layers"
    assert replacement.config["shared_axes"] == [1, 2]
    assert replacement.weights[0].shape == (1, 1, 3)


@pytest.mark.parametrize(
    ("to", "name"), [("prelu", "PReLU"), ("leaky_relu", "LeakyReLU")]
)
def test_a_stock_layer_is_put_under_the_bound(to, name):
    """Keras has no layer with both, but for a ReLU of several operations."""
    replacement, _ = _made(Target(to, portable=True), _site(max_value=6.0))

    assert (replacement.module, replacement.class_name) == ("keras.layers", name)
    assert replacement.cap == 6.0
    assert len(replacement.build_shape) == 2


def test_a_bound_that_no_minimum_can_be_is_a_relus():
    """A Functional model states the rank of its inputs, and float64 is lost in it."""
    relu6, unknown = layer("ReLU", "r", max_value=6.0), layer("Own", "o", module="own")
    (found,) = Survey(sequential(relu6, unknown)).found

    for site in (found.site, _site(max_value=6.0, dtype="float64")):
        replacement, _ = _made(Target("leaky_relu", 0.1, portable=True), site)

        assert (replacement.class_name, replacement.cap) == ("ReLU", None)
        assert replacement.config["max_value"] == 6.0


def test_a_layer_is_a_template_with_its_weights():
    """Its config and fresh weights are taken; the layer itself is not."""
    template = keras.layers.PReLU(alpha_initializer="ones", name="mine")

    replacement, _ = _made(Target(template), _site())

    assert replacement.class_name == "PReLU"
    assert not {"name", "trainable", "dtype"} & set(replacement.config)
    assert replacement.weights[0].value.tolist() == [1.0] * 4
    assert template.built is False


def test_a_callable_chooses_for_each_site():
    """A name, a layer or None; a name has the defaults of its kind."""
    replacement, _ = _made(Target(lambda site: "prelu" if site else None), _site())

    assert replacement.registered_name == "keras_rectifiers>PReLU"
