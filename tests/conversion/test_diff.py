"""What differs between two models is told kind by kind, and equal ones are the same."""

import json
import zipfile

import keras
import numpy as np
import pytest
from keras import layers

import keras_rectifiers
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError


@keras.saving.register_keras_serializable("diff_tests")
class Net(keras.Model):
    """A model whose layers are made in Python code."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.act = layers.Dense(4), layers.ReLU()

    def call(self, x):
        return self.act(self.first(x))


class Unsaved(layers.Layer):
    """A layer without a config."""

    def __init__(self, size):
        super().__init__()
        self.size = size


def _model(width=6):
    inputs = keras.Input((4,), name="in")
    hidden = layers.Dense(width, "relu", name="first")(inputs)
    hidden = layers.ReLU(name="second")(layers.BatchNormalization(name="norm")(hidden))
    return keras.Model(inputs, layers.Dense(2, name="head")(hidden), name="m")


def _trained():
    model = _model()
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(np.ones((8, 4)), np.zeros((8, 2)), verbose=0)
    return model


def test_a_model_is_the_same_as_itself(tmp_path):
    """Saved twice, whichever way, live or on file."""
    model = _trained()
    model.save(tmp_path / "a.keras")
    model.save(tmp_path / "b.keras")

    found = keras_rectifiers.diff(tmp_path / "a.keras", tmp_path / "b.keras")

    assert found.same
    assert "are the same: 2 rectifiers and 8 arrays compared." in str(found)
    assert found.counts == {"sites": 2, "weights": 8, "optimizer": 14}
    assert keras_rectifiers.diff(model, tmp_path / "a.keras").same
    assert keras_rectifiers.diff(model, model).same


def _words(found):
    """The words of each line that is printed."""
    return [line.split() for line in str(found).splitlines()]


def test_a_conversion_is_rectifiers_and_their_state(tmp_path):
    """Weights that were moved are told by their layers, so they are equal."""
    _trained().save(tmp_path / "a.keras")
    keras_rectifiers.convert_file(tmp_path / "a.keras", tmp_path / "b.keras")

    found = keras_rectifiers.diff(tmp_path / "a.keras", tmp_path / "b.keras")

    assert [(each.path, each.a, each.b) for each in found.sites] == [
        ("first", "Dense(activation='relu')", "Dense(activation=PReLU())"),
        ("second", "ReLU()", "PReLU()"),
    ]
    assert found.weights == found.config == found.compiled == found.slopes == ()
    assert {each.name for each in found.optimizer} == {
        f"{slot} of {name}/alpha"
        for slot in ("momentum", "velocity")
        for name in ("first/activation", "second")
    }
    assert ["rectifiers", "second", "ReLU()", "->", "PReLU()"] in _words(found)


def test_weights_are_told_by_norm():
    """An array that differs has both norms, and that of the difference."""
    model, other = _trained(), _trained()
    other.set_weights(model.get_weights())
    kernel = model.get_layer("head").kernel.numpy()
    other.get_layer("head").kernel.assign(kernel * 1.5)

    found = keras_rectifiers.diff(model, other)

    (change,) = found.weights
    assert change.name == "head/kernel"
    assert change.a == pytest.approx(np.linalg.norm(kernel))
    assert change.b == pytest.approx(1.5 * change.a)
    assert change.relative == pytest.approx(0.5)
    assert ["weights", "head/kernel", "norm"] in [each[:3] for each in _words(found)]
    assert "(50.0%)" in str(found)


def test_slopes_are_told_with_their_range():
    """So are slopes of a PReLU, and the one of a Leaky ReLU."""
    model = keras_rectifiers.convert(_model())
    other = keras_rectifiers.convert(model, "leaky_relu", of="prelu", include="first")
    other.get_layer("second").weights[0].assign([0, 0.1, 0, 0, -0.2, 0])
    other.get_layer("first").activation.negative_slope = 0.5

    found = keras_rectifiers.diff(model, other)

    first, second = found.slopes
    assert (first.path, first.a, first.b, first.distance) == (
        "first",
        (0.0, 0.0),
        (0.5, 0.5),
        0.5,
    )
    assert second.b == pytest.approx((-0.2, 0.1))
    assert second.distance == pytest.approx(0.2)
    assert "0 -> -0.2 to 0.1, at most 0.2 apart" in str(found)
    assert found.weights == ()


def test_configs_are_told_by_place():
    """A place of the config has its layers by name; shapes of weights follow."""
    found = keras_rectifiers.diff(_model(), _model(8))

    places = {each.path: (each.a, each.b) for each in found.config}
    assert places["first.units"] == ("6", "8")
    (kernel,) = [each for each in found.weights if each.name == "first/kernel"]
    assert kernel.form == "float32 (4, 6) -> float32 (4, 8)"
    assert kernel.distance is None


def test_layers_of_one_model_only_and_their_order():
    """What is in one only, and another order, are said."""
    names = [layers.Dense(4, name="a"), layers.Dense(4, name="b")]
    one = keras.Sequential([keras.Input((4,)), *names], name="m")
    names = [layers.Dense(4, name="b"), layers.Dense(4, name="a")]
    more = [*names, layers.ReLU(name="c")]
    other = keras.Sequential([keras.Input((4,)), *more], name="m")

    found = keras_rectifiers.diff(one, other)

    assert [each.path for each in found.sites] == ["c"]
    places = {each.path: (each.a, each.b) for each in found.config}
    assert places["c"][0] is None
    assert json.loads(places["order"][0])[-2:] == ["a", "b"]


def test_what_it_was_compiled_with(tmp_path):
    """Loss and optimizer, and the state that goes with it."""
    model, other = _model(), _model()
    other.set_weights(model.get_weights())
    model.compile(keras.optimizers.SGD(0.5), "mse")
    other.compile(keras.optimizers.SGD(0.25), "mae")

    found = keras_rectifiers.diff(model, other)

    told = {each.path: (each.a, each.b) for each in found.compiled}
    assert told["loss"] == ('"mse"', '"mae"')
    assert told["optimizer.learning_rate"] == ("0.5", "0.25")
    assert [each.name for each in found.optimizer] == ["learning_rate"]
    assert found.config == ()


def test_files_of_other_ages(tmp_path):
    """A `.h5` is brought up to date in memory, and has the same weights."""
    model = _trained()
    model.save(tmp_path / "a.keras")
    model.save(tmp_path / "a.h5")
    (tmp_path / "a.json").write_text(model.to_json())

    found = keras_rectifiers.diff(tmp_path / "a.keras", tmp_path / "a.h5")
    bare = keras_rectifiers.diff(tmp_path / "a.keras", tmp_path / "a.json")

    assert found.sites == found.weights == ()
    assert len(bare.weights) == 8
    assert all(each.b is None for each in bare.weights)


def test_layers_that_python_makes(tmp_path):
    """Their arrays go by the names in the file; rectifiers are seen live."""
    model = Net(name="net")
    model(np.ones((2, 3)))
    model.save(tmp_path / "a.keras")
    converted = keras_rectifiers.convert(model, roles=("hidden", "output", "custom"))
    converted.save(tmp_path / "b.keras")

    live = keras_rectifiers.diff(model, converted)
    filed = keras_rectifiers.diff(tmp_path / "a.keras", tmp_path / "b.keras")

    assert [(each.a, each.b) for each in live.sites] == [("ReLU()", "PReLU()")]
    assert not filed.same
    assert filed.sites == ()
    assert [each.a for each in filed.weights] == [None]
    assert keras_rectifiers.diff(tmp_path / "a.keras", model).config == ()


def test_bad_input_is_one_sentence(tmp_path):
    """What is no model is refused before anything is compared."""
    model = _model()
    model.save(tmp_path / "a.keras")
    with pytest.raises(TypeError, match=r"must be a keras\.Model or a path"):
        keras_rectifiers.diff(model, 3)
    with pytest.raises(ArchiveError, match="which does not"):
        keras_rectifiers.diff(tmp_path / "a.keras", tmp_path / "no.keras")
    with zipfile.ZipFile(tmp_path / "b.keras", "w") as file:
        file.writestr("config.json", json.dumps({"class_name": "Net", "config": {}}))
    with pytest.raises(ArchiveError, match=r"must contain 'model\.weights\.h5'"):
        keras_rectifiers.diff(tmp_path / "a.keras", tmp_path / "b.keras")
    odd = keras.Sequential([keras.Input((2,)), Unsaved(object())])
    with pytest.raises(UnsupportedModelError, match="that Keras can save"):
        keras_rectifiers.diff(odd, odd)


def test_json_has_everything():
    """Many differences are cut on the screen, and whole in JSON."""
    one = keras.Sequential([keras.Input((2,)), *_chain(30, "glorot_uniform")], name="m")
    other = keras.Sequential([keras.Input((2,)), *_chain(30, "ones")], name="m")

    found = keras_rectifiers.diff(one, other)

    assert ["weights", "and", "10", "more"] in _words(found)
    data = json.loads(found.to_json())
    assert data["same"] is False
    assert len(data["weights"]) == 30


def _chain(count, initializer):
    return [
        layers.Dense(2, name=f"d{n}", kernel_initializer=initializer)
        for n in range(count)
    ]
