"""Quantized layers and those with LoRA, in files and alive."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_rectifiers

_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(16, 6)).astype("float32")
Y = _RNG.normal(size=(16, 2)).astype("float32")
MODES = ("int8", "int4", "float8")


def _model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="sigmoid", name="bounded"),
            layers.Dense(8, activation="relu", name="a"),
            layers.Dense(8, activation="relu", name="b"),
            layers.Dense(2, name="head"),
        ]
    )


def _fit(model):
    return model.fit(X, Y, batch_size=8, shuffle=False, verbose=0).history["loss"]


def _compiled(model):
    loss = keras.losses.MeanSquaredError()
    model.compile(keras.optimizers.Adam(0.01), loss, run_eagerly=True)
    return model


@pytest.fixture(params=MODES)
def quantized(request):
    """A quantized model, two units of which are dead by their biases."""
    model = _model()
    model.get_layer("a").bias.assign([-99.0, -99.0, *np.zeros(6)])
    for name in "ab":
        model.get_layer(name).quantize(request.param)
    return model


def test_a_quantized_file_is_converted_bit_for_bit(quantized, tmp_path):
    """Packed kernels, scales and histories of maxima are kept."""
    source, target = tmp_path / "a.keras", tmp_path / "b.keras"
    quantized.save(source)

    keras_rectifiers.convert_file(source, target)

    result = keras_rectifiers.verify(source, target, X)
    assert result.holds
    assert len(result.replaced) == 2


def test_nothing_is_proven_of_quantized_kernels(quantized, tmp_path):
    """The estimate names the layer that it cannot look through, live and by file."""
    path = tmp_path / "a.keras"
    quantized.save(path)

    for source in (quantized, path):
        found = keras_rectifiers.estimate(source)
        assert [each.layer for each in found.layers] == ["a", "b"]
        assert not any(np.any(each.dead) for each in found.layers)
        assert str(found).count("Dense 'a'") == 2


def test_a_fold_within_a_tolerance_says_what_it_could_not_bound(quantized, tmp_path):
    """The slopes are folded, and their effect is not called small."""
    source, target = tmp_path / "a.keras", tmp_path / "b.keras"
    leaky = keras_rectifiers.convert(quantized, "leaky_relu", negative_slope=0.01)
    leaky.save(source)

    live = keras_rectifiers.fold(leaky, tolerance=0.1)
    filed = keras_rectifiers.fold_file(source, target, tolerance=0.1)

    for result in (live, filed):
        assert str(result).count("not bounded (Dense 'a')") == 2
    assert keras_rectifiers.verify(quantized, target, X).holds


@pytest.mark.traced  # Keras differentiates it where a step is compiled only
def test_a_model_of_float8_trains_on_as_it_would_have():
    """Its scales and histories move while it trains, and are carried with the state."""
    model = _model()
    model.quantize("float8")
    model.compile(keras.optimizers.Adam(0.01), "mse")
    _fit(model)
    converted = keras_rectifiers.convert(model, "leaky_relu", negative_slope=0.0)

    expected = _fit(model)

    assert _fit(converted) == expected
    assert keras_rectifiers.verify(model, converted, X).holds


@pytest.mark.parametrize("names", ["a", "ab", ["head"]])
def test_the_optimizer_of_layers_with_lora_is_kept_in_a_file(names, tmp_path):
    """Keras merges the factors into the kernel as it saves, and keeps their slots."""
    model = _model()
    for name in names:
        model.get_layer(name).enable_lora(2)
    _fit(_compiled(model))
    source, target = tmp_path / "a.keras", tmp_path / "b.keras"
    model.save(source)

    made = keras_rectifiers.convert_file(source, target, keep_training_state=True)

    before, after = map(keras.saving.load_model, (source, target))
    slots = {np.asarray(each).tobytes() for each in after.optimizer.variables}
    kept = [np.asarray(each) for each in model.optimizer.variables]
    assert not made.repairs
    assert len(after.optimizer.variables) == len(kept) + 2 * 2
    assert slots >= {each.tobytes() for each in kept}
    np.testing.assert_array_equal(after(X), before(X))
