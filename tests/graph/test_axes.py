"""The axis of the channels: the same for a plan, a diagnosis, and Keras itself."""

import hypothesis
import keras
import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from keras import layers

import keras_rectifiers
from keras_rectifiers.diagnosis.units import UnitShape
from keras_rectifiers.live import rectifiers
from keras_rectifiers.surgery.live import LiveModel
from tests.strategies import Wandering
from tests.strategies import wandering_recipes


class _Output:
    def __init__(self, rank):
        self.shape = (None,) * rank


def _planned(model):
    return {each.site.path: each.site for each in LiveModel(model).survey.found}


def _watched(model):
    return {each.path: each for each in rectifiers.find(model)}


def _check(made, folder):
    sites, watched = _planned(made.model), _watched(made.model)
    assert set(made.units) == set(sites) == set(watched)
    for path, (axis, units) in made.units.items():
        site, live = sites[path], watched[path]
        rank = len(site.shapes[0])
        assert site.channel_axis % rank == axis, path
        assert set(site.widths) == {units}, path
        assert live.channel_axis % rank == axis, path
        assert UnitShape.of(live, _Output(rank), None).axes == (axis,), path
    plan = keras_rectifiers.plan(made.model, of=("relu", "leaky_relu"))
    source = folder / "model.keras"
    made.model.save(source)
    filed = keras_rectifiers.plan(source, of=("relu", "leaky_relu"))
    assert filed == plan
    for step in plan.steps:
        _, units = made.units[step.site.path]
        assert [each.parameters for each in step.replacements] == [units]
    new = plan.apply(made.model)
    for old, converted in zip(made.model.outputs, new.outputs, strict=True):
        assert old.shape == converted.shape


@given(recipe=wandering_recipes)
@settings(
    deadline=None,
    max_examples=40,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)
def test_axis_of_keras(tmp_path_factory, recipe):
    """A plan, a diagnosis and Keras agree on the axis and the number of channels."""
    _check(Wandering(recipe), tmp_path_factory.mktemp("axes"))


def _first(filters=4, **options):
    return layers.Conv1D(filters, 3, data_format="channels_first", **options)


def _axes(model):
    """Axis and width of each rectifier: of a plan, then of a diagnosis."""
    planned = {path: each.channel_axis for path, each in _planned(model).items()}
    watched = {path: each.channel_axis for path, each in _watched(model).items()}
    assert planned == watched
    return {
        path: (each.channel_axis, each.channels)
        for path, each in _planned(model).items()
    }


def test_dense_makes_channels_on_the_last_axis():
    """What a Dense makes after a channels-first convolution is on the last axis."""
    x = inputs = keras.Input((3, 16))
    x = layers.Dense(5, "relu", name="r")(_first()(x))

    assert _axes(keras.Model(inputs, x)) == {"r": (-1, 5)}


def test_repeat_vector_puts_the_channels_last():
    """A repeated vector has its channels on the last axis, not the time."""
    x = inputs = keras.Input((3, 16))
    x = layers.GlobalAveragePooling1D(data_format="channels_first")(_first()(x))
    x = layers.ReLU(name="r")(layers.RepeatVector(7)(x))

    assert _axes(keras.Model(inputs, layers.Dense(2)(x))) == {"r": (-1, 4)}


def test_channels_of_each_step():
    """Around a TimeDistributed convolution the channels are one axis further on."""
    x = inputs = keras.Input((5, 3, 16))
    x = layers.TimeDistributed(_first(activation="relu", name="f"), name="t")(x)
    x = layers.ReLU(name="r")(x)
    model = keras.Model(inputs, layers.Flatten()(x))

    assert _axes(model) == {"t/f": (1, 4), "r": (2, 4)}


@pytest.mark.parametrize("portable", [False, True])
def test_slopes_between_other_axes(portable):
    """Where channels are neither first nor last, a PReLU shares the other axes."""
    x = inputs = keras.Input((6, 6, 3))
    x = layers.Permute((1, 3, 2))(layers.Conv2D(4, 1)(x))
    x = layers.Dense(2)(layers.ReLU(name="r")(x))
    model = keras.Model(inputs, x)

    new = keras_rectifiers.convert(model, "prelu", alpha=0.25, portable=portable)

    assert tuple(new.get_layer("r").alpha.shape) == (1, 4, 1)
    assert new.get_layer("r").shared_axes == [1, 3]


def test_dead_units_between_other_axes():
    """Slopes that learn for dead units alone are refused there, in a sentence."""
    x = inputs = keras.Input((6, 6, 3))
    conv = layers.Conv2D(4, 1, bias_initializer=keras.initializers.Constant(-99.0))
    x = layers.ReLU(name="r")(layers.Permute((1, 3, 2))(conv(x)))
    model = keras.Model(inputs, layers.Dense(2)(x))
    diagnosis = keras_rectifiers.diagnose(model, np.zeros((4, 6, 6, 3)))

    assert diagnosis.units == 4
    assert keras_rectifiers.plan(model, where=diagnosis).skips[0].reason == "channels"
    fixed = keras_rectifiers.convert(model, where=diagnosis, trainable=False)
    assert tuple(fixed.get_layer("r").alpha.shape) == (1, 4, 1)


def test_diagnosis_of_a_dense_is_taken():
    """`plan` takes the diagnosis of a Dense that follows channels-first layers."""
    x = inputs = keras.Input((3, 16))
    x = layers.ZeroPadding1D(0, data_format="channels_first")(x)
    dense = layers.Dense(
        5, "relu", name="r", bias_initializer=keras.initializers.Constant(-99.0)
    )
    model = keras.Model(inputs, layers.Dense(2)(dense(x)))
    diagnosis = keras_rectifiers.diagnose(model, np.zeros((4, 3, 16)))

    plan = keras_rectifiers.plan(model, where=diagnosis)

    assert diagnosis.units == 5
    assert [step.parameters for step in plan.steps] == [5]


def test_calls_on_different_axes():
    """A rectifier whose calls have their channels elsewhere gets no slopes."""
    relu = layers.ReLU(name="r")
    inputs = keras.Input((4, 16))
    x = layers.Flatten()(relu(_first()(inputs)))
    y = layers.Flatten()(relu(layers.Dense(4)(inputs)))
    model = keras.Model(inputs, layers.Dense(2)(layers.Concatenate()([x, y])))

    skip = keras_rectifiers.plan(model).skips[0]

    assert (skip.reason, "different axes" in skip.detail) == ("channels", True)
    assert keras_rectifiers.plan(model, "leaky_relu").steps


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("of", ["ConvLSTM1D", "LSTM"])
def test_slopes_inside_a_recurrence(of, sequences, portable):
    """Slopes inside a recurrent layer have the shape of one step."""
    options = {"return_sequences": sequences, "activation": "relu", "name": "r"}
    inputs = keras.Input((5, 6, 3) if of == "ConvLSTM1D" else (5, 3))
    made = {
        "ConvLSTM1D": lambda: layers.ConvLSTM1D(4, 2, **options),
        "LSTM": lambda: layers.LSTM(4, **options),
    }
    x = layers.Flatten()(made[of]()(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))
    data = np.random.default_rng(0).normal(size=(2, *inputs.shape[1:]))

    new = keras_rectifiers.convert(model, roles="recurrent", portable=portable)

    alpha = new.get_layer("r").cell.activation.alpha
    assert alpha.shape[-1] == 4
    before, after = (np.asarray(each(data)) for each in (model, new))
    assert before.tobytes() == after.tobytes()
