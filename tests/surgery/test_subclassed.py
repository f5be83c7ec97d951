"""Models whose layers are made in Python code, as people write them.

The models are those of `python -m benchmarks.sweep --family subclassed`.
"""

from typing import Any
from typing import NamedTuple

import keras
import numpy as np
import pytest

import keras_rectifiers
from benchmarks.sweep_models import forms
from benchmarks.sweep_models import subclassed
from benchmarks.sweep_models import trainers
from benchmarks.sweep_models.case import normal
from keras_rectifiers.errors import RectifierError
from tests.backends import some_by_default

CASES = subclassed.cases()
OBJECTS = subclassed.custom_objects()
#: Keras cannot open the files of the originals either: their constructors take no
#: keyword arguments, or more than Keras notes.
CLOSED = {"transformer_functional", "optional_arguments"}
#: For the sweep alone: seconds each.
SLOW = {"fine_tuned"}
#: Those that take seconds, and are converted in the ways of others.
_LARGE = {"transformer", "mlp_mixer", "unet", "tcn", "vae_with_call"}
_NAMES = [n for n, case in CASES.items() if not case.refused and n not in SLOW]


# A class with a compile of its own is compiled by hand after loading.
@pytest.mark.filterwarnings("ignore:.compile... was not called")
@pytest.mark.parametrize("name", some_by_default(_NAMES, set(_NAMES) - _LARGE))
def test_a_model_is_converted_saved_and_opened_bit_for_bit(name, tmp_path):
    """The class is kept, and with slopes 0 so is every output."""
    made = CASES[name].make()

    converted = keras_rectifiers.convert(made.model)

    assert isinstance(converted, type(made.model))
    parts = made.parts or (lambda model: [(model, made.inputs)])
    for (one, inputs), (other, _) in zip(
        parts(made.model), parts(converted), strict=True
    ):
        assert len(other.variables) > len(one.variables)
        assert _equal(one, other, inputs)
    if name in CLOSED:
        return
    converted.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras", custom_objects=OBJECTS)
    assert isinstance(opened, type(made.model))
    for (one, inputs), (other, _) in zip(parts(converted), parts(opened), strict=True):
        assert len(other.variables) == len(one.variables)
        assert _equal(one, other, inputs)


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case.refused])
def test_what_cannot_be_copied_is_refused_with_what_to_do(name):
    """One sentence names the class."""
    case = CASES[name]
    made = case.make()

    with pytest.raises(RectifierError) as raised:
        keras_rectifiers.convert(made.model)

    assert case.refused in str(raised.value)


def _equal(one, other, inputs):
    """Whether two models give the same bytes."""
    if inputs is None:
        inputs = normal(3, *one.inputs[0].shape[1:])
    ones = keras.tree.flatten(one(inputs))
    others = keras.tree.flatten(other(inputs))
    arrays = [tuple(map(keras.ops.convert_to_numpy, each)) for each in (ones, others)]
    return all(
        a.dtype == b.dtype and a.tobytes() == b.tobytes()
        for a, b in zip(*arrays, strict=True)
    )


def test_a_rectifier_called_at_two_widths_stays_where_slopes_belong_to_channels():
    """It is left with a reason for PReLU, and becomes one Leaky ReLU."""
    model = CASES["shared_at_two_widths"].make().model

    prelu = keras_rectifiers.plan(model, "prelu")
    leaky = keras_rectifiers.plan(model, "leaky_relu")

    assert [skip.reason for skip in prelu.skips] == ["channels"]
    assert "4 and 6 channels" in prelu.skips[0].detail
    assert not leaky.skips


def test_rectifiers_inside_recurrent_layers_are_listed_as_left():
    """They have the path of the recurrent layer, or of the cell that is not Keras'."""
    plan = keras_rectifiers.plan(CASES["recurrent"].make().model)
    own = keras_rectifiers.plan(CASES["recurrent_cell"].make().model)

    assert len(plan.skips) == 3
    assert plan.skips[0].site.path.startswith("lstm")
    assert "/" not in plan.skips[0].site.path
    assert {skip.reason for skip in (*plan.skips, *own.skips)} == {"recurrent"}
    assert "/re_lu" in own.skips[0].site.path


@pytest.mark.parametrize("name", ["gan_with_config", "gan_made_inside"])
def test_each_optimizer_of_a_gan_is_kept_with_its_state(name):
    """Training goes on as it would have: a compile with other arguments is no loss."""
    model = CASES[name].make().model
    converted = keras_rectifiers.convert(model, "leaky_relu", negative_slope=0.0)

    for attribute in ("d_optimizer", "g_optimizer"):
        old, new = getattr(model, attribute), getattr(converted, attribute)
        assert new is not old
        assert new.get_config() == old.get_config()
        assert len(old.variables) == len(new.variables)
        assert all(map(_same, old.variables, new.variables))
    if keras.config.backend() == "tensorflow":
        for each in (model, converted):
            trainers._train(each, normal(8, 6))
        assert all(map(_same, model.variables, converted.variables))


def test_new_slopes_learn_by_the_optimizer_of_the_part_that_they_are_in():
    """The slopes of a generator are the generator's optimizer's."""
    model = CASES["gan_made_inside"].make().model

    converted = keras_rectifiers.convert(model)

    for part, attribute in (
        (converted.discriminator, "d_optimizer"),
        (converted.generator, "g_optimizer"),
    ):
        trained = getattr(converted, attribute)._trainable_variables
        assert {id(v) for v in trained} == {id(v) for v in part.trainable_variables}


def test_what_code_set_on_a_model_is_set_on_its_copy():
    """Keras notes no arguments of a model's constructor but their defaults."""
    made = CASES["optional_arguments"].make()

    converted = keras_rectifiers.convert(made.model)

    assert (converted.scale, converted.steps) == (2.0, made.model.steps)
    assert converted.dropout.rate == 0.5


def test_a_layer_with_a_rectifier_among_its_arguments_keeps_its_order_in_its_file(
    tmp_path,
):
    """An optimizer finds its state by the order of the variables."""
    model = CASES["activation_by_name"].make().model
    model.compile("adam", "mse")
    converted = keras_rectifiers.convert(model)
    converted.train_on_batch(normal(4, 5), normal(4, 2))

    converted.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras", custom_objects=OBJECTS)

    pairs = zip(opened.trainable_variables, converted.trainable_variables, strict=True)
    assert all(_same(a, b) for a, b in pairs)
    assert all(map(_same, converted.optimizer.variables, opened.optimizer.variables))


def test_a_layer_is_replaced_in_an_attribute_without_a_trace():
    """Keras would go on listing and saving the one that was there."""
    model = CASES["tcn"].make().model

    block = keras_rectifiers.convert(model).blocks[0]

    names = [type(each).__name__ for each in block._layers]
    assert "Activation" not in names
    assert names[-1] == "PReLU"


def test_a_converted_model_is_converted_again(tmp_path):
    """Its file has both rounds."""
    model = forms.Containers()
    model(normal(4, 5))
    once = keras_rectifiers.convert(model, alpha=0.25)

    twice = keras_rectifiers.convert(once, "leaky_relu", of="prelu")

    twice.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras", custom_objects=OBJECTS)
    assert len(twice.variables) == len(model.variables)
    assert _equal(once, twice, normal(4, 5))
    assert _equal(twice, opened, normal(4, 5))


class Pair(NamedTuple):
    """Two layers."""

    dense: Any
    act: Any


class Held(keras.Model):
    """Layers in a named tuple and in a set."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.pair = Pair(keras.layers.Dense(3), keras.layers.ReLU())
        self.only = {keras.layers.ReLU()}

    def call(self, x):
        return next(iter(self.only))(self.pair.act(self.pair.dense(x)) - 0.5) + 1.0


def test_a_layer_is_replaced_in_a_named_tuple_and_in_a_set():
    """The new one is what is called from then on, and nothing else."""
    model = Held()
    model(normal(4, 5))

    converted = keras_rectifiers.convert(model)

    assert type(converted.pair.act) is type(next(iter(converted.only)))
    assert converted.pair._fields == ("dense", "act")
    assert len(converted.only) == 1
    assert len(converted.variables) == len(model.variables) + 2
    assert _equal(model, converted, normal(4, 5))


class InSet(keras.layers.Layer):
    """A layer, and no model, that holds one in a set."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.only = {keras.layers.ReLU()}

    def call(self, x):
        return next(iter(self.only))(x)


class HoldsInSet(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner, self.head = InSet(), keras.layers.Dense(2)

    def call(self, x):
        return self.head(self.inner(x))


def test_slopes_are_not_put_where_keras_would_not_save_them():
    """It passes over sets in layers; a Leaky ReLU has no weights to lose."""
    model = HoldsInSet()
    model(normal(4, 5))

    with pytest.raises(RectifierError, match="in the set 'only' of 'in_set"):
        keras_rectifiers.convert(model)
    leaky = keras_rectifiers.convert(model, "leaky_relu", negative_slope=0.0)

    assert type(next(iter(leaky.inner.only))).__name__ == "LeakyReLU"
    assert _equal(model, leaky, normal(4, 5))


def _same(a, b):
    return np.array_equal(*map(keras.ops.convert_to_numpy, (a, b)))
