"""A model of which no copy can be made is changed itself, or left as it was."""

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

import keras_rectifiers
from keras_rectifiers.errors import ArgumentError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.live.layers import flat
from keras_rectifiers.surgery import in_place

RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 4)).astype("float32")
Y = RNG.normal(size=(16, 2)).astype("float32")


class Scale:
    """Something that no config can hold."""

    def __call__(self, x):
        return 2 * x


class Net(keras.Model):
    """A class without a `get_config`, with rectifiers in attributes and a list."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        self.first = layers.Dense(6, activation="relu")
        self.act = layers.ReLU()
        self.rest = [layers.Dense(3), layers.Activation("relu")]
        self.head = layers.Dense(2)

    def call(self, x):
        x = self.act(self.scale(self.first(x)))
        for layer in self.rest:
            x = layer(x)
        return self.head(x)


def _graph():
    inputs = keras.Input((4,))
    hidden = layers.Dense(5, activation="relu", name="fused")(inputs)
    hidden = layers.Dense(5)(ops.relu(ops.maximum(0, hidden) - 0.1))
    return keras.Model(inputs, layers.Dense(2)(layers.ReLU(name="layer")(hidden)))


def _trained(model, optimizer="adam"):
    keras.utils.set_random_seed(0)
    model.compile(optimizer, "mse")
    model.fit(X, Y, epochs=2, verbose=0)
    return model


def _state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return {each.path: keras.ops.convert_to_numpy(each).tobytes() for each in variables}


@pytest.mark.parametrize(
    ("made", "count"),
    [(lambda: Net(Scale()), 3), (_graph, 4)],
    ids=["class", "graph"],
)
@pytest.mark.parametrize("to", ["prelu", "leaky_relu"])
def test_the_model_given_is_changed_and_its_function_stays(made, count, to):
    """The same object; outputs, weights and the optimizer's state are as before."""
    model = _trained(made())
    before, state = model.predict(X, verbose=0), _state(model)
    options = {"negative_slope": 0.0} if to == "leaky_relu" else {}

    converted = keras_rectifiers.convert(model, to, in_place=True, **options)

    assert converted is model
    assert model.predict(X, verbose=0).tobytes() == before.tobytes()
    after = _state(model)
    kept = {path: value for path, value in after.items() if path in state}
    assert {k: state[k] for k in kept} == kept
    slopes = [each for each in model.trainable_variables if each.name == "alpha"]
    assert len(slopes) == (count if to == "prelu" else 0)
    assert int(model.optimizer.iterations) == 2
    model.fit(X, Y, verbose=0)
    assert int(model.optimizer.iterations) == 3
    learned = [np.any(keras.ops.convert_to_numpy(each)) for each in slopes]
    assert any(learned) == bool(slopes)


def test_a_model_that_was_never_compiled_is_changed_too():
    """It has no optimizer to make anew."""
    model = Net(Scale())
    before = model.predict(X, verbose=0)

    keras_rectifiers.convert(model, in_place=True)

    assert model.predict(X, verbose=0).tobytes() == before.tobytes()
    assert sum(each.name == "alpha" for each in model.weights) == 3


class Two(keras.Model):
    """Two parts that two optimizers train, as in a GAN."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        self.one = keras.Sequential([layers.Dense(4, activation="relu")])
        self.other = keras.Sequential([layers.Dense(2), layers.ReLU()])

    def compile(self, optimizers):
        super().compile(loss="mse")
        self.first, self.second = optimizers

    def call(self, x):
        return ops.exp(self.other(self.scale(self.one(x))))


def test_slopes_go_to_the_optimizer_of_their_part():
    """Each optimizer keeps its state, and trains the slopes of what it trained."""
    model = Two(Scale())
    model(X)
    optimizers = keras.optimizers.Adam(), keras.optimizers.SGD(momentum=0.9)
    model.compile(optimizers)
    parts = model.one, model.other
    for optimizer, part in zip(optimizers, parts, strict=True):
        optimizer.build(part.trainable_variables)
        optimizer.iterations.assign(5)

    keras_rectifiers.convert(model, in_place=True)

    for optimizer, part in zip((model.first, model.second), parts, strict=True):
        trained = {each.path for each in optimizer._trainable_variables}
        assert trained == {each.path for each in part.trainable_variables}
        assert int(optimizer.iterations) == 5
        assert any("alpha" in path for path in trained)


def test_without_it_the_refusal_names_both_ways():
    """A `get_config`, or the change of the model itself."""
    with pytest.raises(
        UnsupportedModelError, match=r"get_config method, or.*in_place=T"
    ):
        keras_rectifiers.convert(_trained(Net(Scale())))


@pytest.mark.parametrize("made", [lambda: Net(Scale()), _graph], ids=["class", "graph"])
def test_a_failure_half_way_leaves_the_model_as_it_was(made, monkeypatch):
    """Every attribute, every call of its graph, and what it computes."""
    model = _trained(made())
    before, state = model.predict(X, verbose=0), _state(model)
    kinds = [type(each) for each in flat(model)]

    def broken(*_):
        raise RuntimeError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(in_place, "_optimize_anew", broken)
        with pytest.raises(RuntimeError, match="no room"):
            keras_rectifiers.convert(model, in_place=True)

    model.predict_function = None
    assert [type(each) for each in flat(model)] == kinds
    assert model.predict(X, verbose=0).tobytes() == before.tobytes()
    assert _state(model) == state
    model.fit(X, Y, verbose=0)
    assert keras_rectifiers.convert(model, in_place=True) is model


def test_a_graph_changed_in_place_saves_and_opens(tmp_path):
    """Its config lists the layers that took the places of operations."""
    model = keras_rectifiers.convert(_trained(_graph()), in_place=True)
    model.fit(X, Y, verbose=0)

    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")

    assert (
        again.predict(X, verbose=0).tobytes() == model.predict(X, verbose=0).tobytes()
    )
    assert len(again.optimizer.variables) == len(model.optimizer.variables)


def test_it_does_not_go_with_a_new_model():
    """A plain model is another one."""
    with pytest.raises(ArgumentError, match="in_place=True as well"):
        keras_rectifiers.convert(_graph(), in_place=True, as_functional=True)
