"""NaN and infinity are a finding, and the layer in which they began is named."""

import json
import warnings

import keras
import numpy as np
import pytest
from keras import layers

import keras_rectifiers
from keras_rectifiers.callbacks import DeadUnitMonitor
from keras_rectifiers.diagnosis.broken import Broken
from keras_rectifiers.diagnosis.broken import BrokenWeight
from keras_rectifiers.diagnosis.finite import broken_samples
from keras_rectifiers.errors import DataError
from keras_rectifiers.errors import UnsupportedModelError

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = np.arange(64) % 3


def _model():
    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [keras.Input((8,)), layers.Dense(8, activation="relu", name="deep")],
        name="inner",
    )
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, activation="relu", name="first"),
            layers.Dense(8, name="second"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="rectified"),
            inner,
            layers.Dense(3, name="last"),
        ],
        name="net",
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.fixture(scope="module")
def model():
    """One model; each test puts back what it breaks."""
    return _model()


def _broken(layer, index, value):
    variable = layer.weights[index]
    before = np.array(keras.ops.convert_to_numpy(variable))
    values = before.copy()
    values.flat[0] = value
    variable.assign(values)
    return variable, before


_CASES = [
    (("first",), 0, np.nan, "first", "kernel", 17),
    # Where infinity meets a negative input, a backend may see -inf or only 0.
    (("first",), 0, np.inf, "first", "kernel", None),
    (("norm",), 3, np.nan, "norm", "moving_variance", 9),
    (("inner", "deep"), 1, np.nan, "inner/deep", "bias", 1),
    (("last",), 0, -np.inf, "last", "kernel", 0),
]


@pytest.mark.parametrize(("names", "index", "value", "path", "weight", "units"), _CASES)
def test_the_first_layer_with_broken_weights_is_named(
    model, tmp_path, names, index, value, path, weight, units
):
    """By a diagnosis, its explanation, an estimate of the file, and fine-tuning."""
    layer = model
    for name in names:
        layer = layer.get_layer(name)
    variable, before = _broken(layer, index, value)
    try:
        model.save(tmp_path / "m.keras")
        found = keras_rectifiers.diagnose(model, X)
        live = keras_rectifiers.estimate(model)
        with pytest.raises(UnsupportedModelError, match=f"layer '{path}' is the first"):
            keras_rectifiers.finetune(model, (X, Y), epochs=1, verbose=0)
    finally:
        variable.assign(before)

    expected = (BrokenWeight(path, weight, 1, before.size),)
    sentence = f"The first layer whose weights are not finite is {path!r} ({weight}: 1"
    assert found.broken == Broken(expected, 0)
    assert sentence in found.not_finite
    assert sentence in str(found)
    assert json.loads(found.to_json())["not_finite"]["weights"][0]["layer"] == path
    assert live.broken == expected
    assert keras_rectifiers.estimate(tmp_path / "m.keras").broken == expected
    assert sentence in str(live)
    cause = keras_rectifiers.explain(found).first
    assert (cause.kind, cause.layers[0]) == ("not_finite", path)
    assert found.count("not_finite") == cause.units
    assert units in (cause.units, None)
    assert "checkpoint" in cause.remedy


def test_data_are_the_cause_where_weights_are_finite(model):
    """Also where the sample is in a later batch, and by all three backends' tensors."""
    data = X.copy()
    data[50, 1] = np.nan

    found = keras_rectifiers.diagnose(model, data, batch_size=16)

    assert found.broken == Broken((), 1)
    assert "1 of 64 samples of the data are not finite, which is the cause." in str(
        found
    )
    cause = keras_rectifiers.explain(found).first
    assert cause.remedy.startswith("Remove or fill")
    with pytest.raises(DataError, match="sample 50 first"):
        keras_rectifiers.finetune(model, (data, Y), epochs=1, verbose=0)


def test_overflow_is_named_by_the_first_output(model):
    """Weights and data are finite, and the output is not."""
    kernel = model.get_layer("second").kernel
    before = keras.ops.convert_to_numpy(kernel)
    kernel.assign(np.full((8, 8), 3e38, "float32"))
    try:
        found = keras_rectifiers.diagnose(model, X)
    finally:
        kernel.assign(before)

    assert not found.broken
    assert found.not_finite.endswith(
        "Weights and data are finite; the first layer whose output is not is "
        "'rectified'."
    )
    assert "overflow" in keras_rectifiers.explain(found).first.remedy


def test_a_healthy_model_says_nothing(model):
    """Finite weights and data are not mentioned."""
    found = keras_rectifiers.diagnose(model, X)

    assert (found.not_finite, found.broken) == ("", Broken((), 0))
    assert (found + found).broken == Broken((), 0)
    assert keras_rectifiers.estimate(model).broken == ()


def test_samples_are_counted_over_all_inputs():
    """A sample counts once, whichever of the inputs is not finite."""
    one, two = np.ones((5, 2), "float32"), np.ones((5, 3), "float16")
    one[1, 0], two[1, 0], two[4, 2] = np.nan, np.inf, -np.inf

    assert broken_samples({"a": one, "b": two, "c": np.arange(5)}) == 2
    assert broken_samples([keras.ops.convert_to_tensor(one)]) == 1
    assert broken_samples(np.array(["a", "b"])) == 0


@pytest.mark.parametrize("probe", [None, X])
def test_the_monitor_warns_once_and_names_the_layer(probe):
    """Dead and silent shares are 0 then, so no threshold on them would tell."""
    model = _model()
    _broken(model.get_layer("first"), 0, np.nan)
    monitor = DeadUnitMonitor(probe)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, Y, epochs=2, verbose=0, callbacks=[monitor])

    told = [str(each.message) for each in caught if "NaN or infinity" in str(each)]
    assert len(told) == 1
    assert "The first layer whose weights are not finite is 'first'" in told[0]
