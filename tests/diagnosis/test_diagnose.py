import keras
import numpy as np
import pytest
from keras import layers

import keras_rectifiers
from keras_rectifiers.diagnosis.diagnose import Diagnostician
from keras_rectifiers.diagnosis.diagnose import diagnose
from keras_rectifiers.errors import DataError
from keras_rectifiers.layers import PReLU

_X = np.abs(np.random.default_rng(1).normal(size=(40, 3))).astype("float32")


def _dense(activation="relu"):
    """One dead unit, one that is always on, one that fires sometimes."""
    layer = layers.Dense(3, activation=activation, name="hidden")
    model = keras.Sequential([keras.Input((3,)), layer])
    kernel = np.diag([-1.0, 1.0, 1.0])
    kernel[0, 2] = -1.0
    biases = np.array([0.0, 0.1, 0.0])
    model(_X[:1])
    layer.kernel.assign(kernel)
    layer.bias.assign(biases)
    return model


def test_verdicts_of_known_units():
    """A unit built to die is dead, one built to pass everything is linear."""
    diagnosis = keras_rectifiers.diagnose(_dense(), _X)

    assert [row["verdict"] for row in diagnosis.rows] == ["dead", "linear", "alive"]
    assert diagnosis.dead_fraction == pytest.approx(1 / 3)


def test_dead_unit_leaks_after_a_conversion():
    """With a slope the same unit is silent, and no longer dead."""
    activation = PReLU(alpha_initializer=keras.initializers.Constant(0.25))

    rows = diagnose(_dense(activation), _X).rows

    assert [row["verdict"] for row in rows] == ["leaking", "linear", "alive"]
    assert [row["slope"] for row in rows] == [0.25] * 3


def test_slope_of_zero_is_dead_whatever_the_layer():
    """A PReLU that starts at 0 passes no gradient to what is before it."""
    diagnosis = diagnose(_dense(PReLU()), _X)

    assert diagnosis.rows[0]["verdict"] == "dead"


def test_diagnoses_of_two_halves_are_that_of_the_whole():
    """Counts of two data sets merge to those of both."""
    model = _dense()

    both = diagnose(model, _X[:17]) + diagnose(model, _X[17:])

    whole = diagnose(model, _X)
    for merged, expected in zip(both.rows, whole.rows, strict=True):
        assert merged == {
            **expected,
            "mean_abs": pytest.approx(expected["mean_abs"]),
            "dormancy": pytest.approx(expected["dormancy"]),
        }


def test_dataset_and_array_agree():
    """A data set of batches gives what its arrays give."""
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices((_X, _X)).batch(7)

    rows = diagnose(_dense(), dataset).rows

    expected = diagnose(_dense(), _X, batch_size=7).rows
    assert [row["fired"] for row in rows] == [row["fired"] for row in expected]


def test_inputs_by_name():
    """A model of several inputs takes a dict of arrays."""
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    model = keras.Model([a, b], layers.ReLU(name="r")(a - b))

    diagnosis = diagnose(model, {"b": _X, "a": _X + 1})

    assert [row["verdict"] for row in diagnosis.rows] == ["linear"] * 3


def test_steps_limit_the_samples():
    """Only so many batches are seen."""
    diagnosis = diagnose(_dense(), _X, batch_size=8, steps=2)

    assert diagnosis.rows[0]["samples"] == 16


# TensorFlow refuses a model's name that begins with an underscore.
class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.blocks = [layers.Dense(4, activation="relu", name=f"d{i}") for i in "ab"]

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def test_unbuilt_subclassed_model():
    """A subclassed model is built on the first batch and watched like any other."""
    model = Subclassed()

    diagnosis = diagnose(model, _X)

    assert [layer.layer for layer in diagnosis.layers] == ["da", "db"]
    h = np.maximum(
        _X @ keras.ops.convert_to_numpy(model.blocks[0].kernel), 0
    )  # biases are 0
    assert diagnosis.layers[0].statistics.fired.tolist() == (h > 0).sum(0).tolist()


def test_subclassed_model_that_rejects_the_data():
    """A model without declared inputs still answers bad data in one sentence."""
    model = Subclassed()
    model(_X)

    with pytest.raises(DataError, match="does not accept"):
        diagnose(model, _X[:, :2])


def test_model_without_rectifiers():
    """A model without ReLU is no error: the diagnosis is empty and says so."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, activation="tanh")])

    diagnosis = diagnose(model, _X)

    assert diagnosis.layers == ()
    assert "no rectifier" in str(diagnosis)


def test_model_under_mixed_precision():
    """Counts under float16 are those of what the units computed."""
    dtype = keras.DTypePolicy("mixed_bfloat16")
    hidden = layers.Dense(8, activation="relu", dtype=dtype)
    model = keras.Sequential([keras.Input((3,)), hidden])

    (layer,) = diagnose(model, _X, batch_size=64).layers

    h = model.predict(_X, batch_size=64, verbose=0)
    assert layer.statistics.fired.tolist() == (h.astype("float32") > 0).sum(0).tolist()


def test_repeated_diagnosis_follows_training():
    """One diagnostician compiles once and sees the weights of each moment."""
    model = _dense()
    observer = Diagnostician(model)
    before = observer.diagnose(_X)
    model.layers[0].bias.assign([-100.0] * 3)

    after = observer.diagnose(_X)

    assert (before.count("dead"), after.count("dead")) == (1, 3)


@pytest.mark.parametrize("empty", [_X[:0], [], iter([])])
def test_no_data_is_an_error(empty):
    """A diagnosis without samples would call everything dead."""
    with pytest.raises((DataError, TypeError), match="Received"):
        diagnose(_dense(), empty)


def test_wrong_shape_is_an_error():
    """Data of another width names the input and both shapes."""
    with pytest.raises(DataError, match=r"\(batch, 3\).*\(32, 2\)"):
        diagnose(_dense(), _X[:, :2])


def test_something_else_than_a_model():
    """A path is not a model: load it first."""
    with pytest.raises(TypeError, match="load_model"):
        diagnose("model.keras", _X)


@pytest.mark.parametrize(
    "option",
    [
        {"batch_size": 0},
        {"steps": 0},
        {"dormant_threshold": -1.0},
        {"dormant_threshold": float("nan")},
        {"confidence": 1.0},
    ],
)
def test_numbers_out_of_range(option):
    """Each number names its range."""
    with pytest.raises(ValueError, match=next(iter(option))):
        diagnose(_dense(), _X, **option)


@pytest.mark.parametrize(("trainable", "said"), [(True, True), (False, False)])
def test_slopes_that_learn_are_named(trainable, said):
    """Right after a conversion as many units are dead as before, but not for good."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), PReLU()])
    model.layers[0].bias.assign([-90.0, -90.0, 90.0, 90.0])
    model.layers[1].trainable = trainable

    text = str(diagnose(model, np.ones((8, 3), "float32")))

    assert ("The slopes of 2 dead units are 0 now and learn" in text) is said
