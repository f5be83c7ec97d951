"""Rectifiers that Python code calls are seen, listed and watched, never missed."""

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

import keras_rectifiers
from keras_rectifiers.callbacks import DeadUnitMonitor
from keras_rectifiers.live.tap import tap
from keras_rectifiers.live.trace import seen

X = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
Y = np.zeros((32, 2), "float32")


class Block(layers.Layer):
    """Calls rectifiers in three ways, and others that are none."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(units, name="d")
        self.act = layers.ReLU(name="r")

    def call(self, x):
        y = ops.relu(self.act(self.dense(x)) - 0.1)
        y = y + ops.maximum(x, 0) + ops.maximum(x, y)
        return keras.activations.relu6(y) + ops.hard_sigmoid(x)


class Net(keras.Model):
    """A block, and a rectifier that it calls itself."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.block = Block(name="block")
        self.head = layers.Dense(2, name="head")

    def call(self, x):
        return ops.relu(self.head(self.block(x)))


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    made = Net()
    made.compile("sgd", "mse")
    made.fit(X, Y, verbose=0)
    return made


def _kinds(sites):
    return [(site.path.split(":")[0], site.kind, site.max_value) for site in sites]


def test_a_plan_lists_them_with_file_and_line(model):
    """Each is left with its reason; what only looks like one is not listed."""
    plan = keras_rectifiers.plan(model)

    assert [step.site.path for step in plan.steps] == ["block/r"]
    assert {skip.reason for skip in plan.skips} == {"called_in_python"}
    assert _kinds(skip.site for skip in plan.skips) == [
        ("block/relu", "relu", None),
        ("block/maximum", "relu", None),
        ("block/relu6", "relu", 6.0),
        ("relu", "relu", None),
    ]
    assert all("test_called.py line" in skip.detail for skip in plan.skips)
    assert "left: 4 called_in_python" in plan.summary


def test_a_name_does_not_take_them(model):
    """`include` takes a site whatever its role, but not what nothing can replace."""
    path = keras_rectifiers.plan(model).skips[0].site.path

    plan = keras_rectifiers.plan(model, include=["block/r", path])

    assert [step.site.path for step in plan.steps] == ["block/r"]


def test_the_rest_is_converted_and_the_function_stays(model):
    """The copy calls the same functions."""
    converted = keras_rectifiers.convert(model)

    assert keras_rectifiers.verify(model, converted, X).holds
    after = keras_rectifiers.plan(converted)
    assert [skip.reason for skip in after.skips].count("called_in_python") == 4


def test_a_diagnosis_counts_their_units(model):
    """As NumPy does, after the weights were set so that two outputs are dead."""
    model.head.bias.assign([-100.0, -100.0])

    diagnosis = keras_rectifiers.diagnose(model, X)

    seen = {each.layer.split(":")[0]: each for each in diagnosis.layers}
    assert list(seen) == [
        "block/r",
        "block/relu",
        "block/maximum",
        "block/relu6",
        "relu",
    ]
    assert set(seen["relu"].verdicts) == {"dead"}
    fired = seen["block/maximum"].statistics.fired
    np.testing.assert_array_equal(fired, (X > 0).sum(axis=0))


def test_the_monitor_watches_them(model):
    """Under the same paths, while the model trains."""
    monitor = DeadUnitMonitor()
    logs = model.fit(X, Y, verbose=0, callbacks=[monitor]).history

    paths = {key.split("/", 1)[1] for key in logs if key.startswith("dead_fraction/")}
    listed = {skip.site.path for skip in keras_rectifiers.plan(model).skips}
    assert listed <= paths


def test_two_watch_at_once(model):
    """Neither takes a call away from the other."""
    found = seen(model)
    one, other = [], []

    with (
        tap(found, lambda each, *_: one.append(each.path)),
        tap(found, lambda each, *_: other.append(each.path)),
    ):
        model(X)

    assert one == other
    assert sorted(one) == sorted(each.path for each in found)
    assert len(one) == 5


def test_keras_functions_are_as_before_afterwards(model):
    """Nothing stays behind in Keras or in its backend."""
    before = keras.src.backend.nn.relu
    keras_rectifiers.plan(model)

    assert keras.src.backend.nn.relu is before
