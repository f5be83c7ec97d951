import keras
import numpy as np
import pytest
from keras import layers

from keras_rectifiers.diagnosis.diagnose import diagnose
from keras_rectifiers.layers import PReLU
from keras_rectifiers.live.rectifiers import find
from keras_rectifiers.live.tap import tap


def _model():
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, activation="relu")(inputs)
    x = layers.Conv2D(4, 3, activation=PReLU(alpha_initializer="ones"))(x)
    x = keras.ops.relu(x - 0.1)
    x = layers.ReLU()(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(2)(x))


_DATA = np.random.default_rng(0).normal(size=(5, 6, 6, 3)).astype("float32")


def _instances(model):
    """Every object that the tap may touch, and what its `__dict__` holds."""
    found = [*model.operations, *model._flatten_layers()]
    return [(each, dict(vars(each))) for each in found]


def test_tap_sees_input_and_output_of_each_form():
    """Layer, function, slot and operation hand over what they take and give."""
    model = _model()
    seen = {}

    with tap(find(model), lambda each, x, h: seen.update({each.path: (x, h)})):
        model(_DATA)

    assert list(seen) == [found.path for found in find(model)]
    for found in find(model):
        x, h = (keras.ops.convert_to_numpy(tensor) for tensor in seen[found.path])
        expected = x if found.function.kind == "prelu" else np.maximum(x, 0)
        np.testing.assert_array_equal(h, expected)


def test_tap_leaves_each_instance_as_it_was():
    """After the context no attribute of any layer is new, gone or another."""
    model = _model()
    before = _instances(model)

    with tap(find(model), lambda *_: None):
        pass

    for instance, attributes in before:
        now = vars(instance)
        assert now.keys() == attributes.keys()
        assert all(now[key] is attributes[key] for key in attributes)


def test_tap_cleans_up_after_an_error():
    """A model that fails under the tap is as before, too."""
    model = _model()

    with pytest.raises(RuntimeError, match="boom"), tap(find(model), print):
        raise RuntimeError("boom")

    assert all("call" not in vars(layer) for layer in model._flatten_layers())


def test_diagnosis_leaves_no_trace(tmp_path):
    """After a diagnosis the model predicts, saves and loads as before."""
    model = _model()
    before = model.predict(_DATA, verbose=0)
    weights = model.get_weights()
    function = model.predict_function

    diagnose(model, _DATA)

    assert model.predict_function is function
    np.testing.assert_array_equal(model.predict(_DATA, verbose=0), before)
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(_DATA, verbose=0), before, rtol=1e-6)
