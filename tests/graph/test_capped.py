"""A stock rectifier under an upper bound: what is written, and what is recognized."""

import copy

import keras
import pytest

from keras_rectifiers.graph import capped
from keras_rectifiers.graph import forms
from keras_rectifiers.specs import Rectifier
from tests.surgery.documents import layer

_SHAPE = (None, None, 4)


def _entry(class_name="LeakyReLU", **config):
    inside = layer(class_name, "r", **{"negative_slope": 0.25, **config})
    return capped.entry(inside, 6.0, _SHAPE, "float32")


def test_keras_reads_and_writes_it():
    """What Keras makes of it is recognized as what was written."""
    made = keras.saving.deserialize_keras_object(copy.deepcopy(_entry()))

    again = keras.saving.serialize_keras_object(made)

    known = Rectifier("leaky_relu", 0.25, 6.0)
    assert made.name == "r"
    assert forms.recognize_activation(_entry()) == known
    assert forms.recognize_activation(again) == known
    assert capped.rectifier(again)["class_name"] == "LeakyReLU"


def test_the_slopes_are_below_its_groups():
    """In the `Activation` first, in the model that it holds next."""
    inside = layer("PReLU", "r", shared_axes=[1])
    whole = capped.entry(inside, 6.0, _SHAPE, "float32")

    assert capped.below(whole) == ("activation", "layers", "p_re_lu")
    assert capped.below(whole["config"]["activation"]) == ("layers", "p_re_lu")
    assert capped.below(inside) == ()
    assert capped.rectifier(inside) is inside


def _other_class(model):
    model["layers"][1]["class_name"] = "ELU"


def _other_module(model):
    model["layers"][1]["module"] = "mine"


def _registered(model):
    model["layers"][1]["registered_name"] = "mine>LeakyReLU"


def _other_operation(model):
    model["layers"][2]["class_name"] = "Maximum"


def _tensors(model):
    args = model["layers"][2]["inbound_nodes"][0]["args"]
    args[1] = copy.deepcopy(args[0])


def _called_twice(model):
    model["layers"][1]["inbound_nodes"] *= 2


def _past_the_rectifier(model):
    start = model["layers"][0]["config"]["name"]
    tensor = model["layers"][2]["inbound_nodes"][0]["args"][0]
    tensor["config"]["keras_history"][0] = start


def _before_the_bound(model):
    model["output_layers"] = ["r", 0, 0]


def _two_outputs(model):
    model["output_layers"] = [["r", 0, 0], ["r_cap", 0, 0]]


def _one_layer_more(model):
    model["layers"].append(copy.deepcopy(model["layers"][1]))


def _no_layers(model):
    model["layers"] = None


def _no_nodes(model):
    model["layers"][1]["inbound_nodes"] = "?"


@pytest.mark.parametrize(
    "change",
    [
        _other_class,
        _other_module,
        _registered,
        _other_operation,
        _tensors,
        _called_twice,
        _past_the_rectifier,
        _before_the_bound,
        _two_outputs,
        _one_layer_more,
        _no_layers,
        _no_nodes,
    ],
)
def test_any_other_model_is_none(change):
    """It would be taken for a function that it is not."""
    entry = _entry()
    change(entry["config"]["activation"]["config"])

    assert capped.parts(entry["config"]["activation"]) is None
    assert forms.recognize_activation(entry) is None
    assert capped.below(entry) == ()


@pytest.mark.parametrize("value", [None, "relu", 3, {"class_name": "Functional"}])
def test_what_is_no_layer_is_none(value):
    """A name, nothing, or what a damaged file has there."""
    assert capped.parts(value) is None
    assert capped.rectifier(value) is value
