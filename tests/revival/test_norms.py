"""Batch normalizations set back to their start."""

import keras
import numpy as np

from keras_rectifiers.revival import reset_norms


def _model():
    inner = keras.Sequential(
        [keras.Input((3,)), keras.layers.BatchNormalization(name="deep")], name="inner"
    )
    layers = [
        keras.layers.Dense(3, name="d"),
        keras.layers.BatchNormalization(name="plain"),
        keras.layers.BatchNormalization(name="frozen"),
        keras.layers.BatchNormalization(name="no_scale", scale=False),
        inner,
    ]
    model = keras.Sequential([keras.Input((3,)), *layers], name="net")
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(2, 1, w.shape) ** 2 for w in model.get_weights()])
    model.get_layer("frozen").trainable = False
    return model


def test_small_gammas_and_low_betas_start_anew_and_all_else_stays():
    """At any depth; frozen ones keep theirs, and so do moving statistics."""
    model = _model()
    for layer in (model.get_layer("plain"), model.get_layer("frozen")):
        layer.gamma.assign([0.0, -1.0, 3.0])
        layer.beta.assign([-1.0, -2.5, -5.0])
    before = {v.path: keras.ops.convert_to_numpy(v.value) for v in model.variables}
    reset = reset_norms(model)

    assert {path.rsplit("/", 1)[-1] for path in reset} == {"plain", "no_scale", "deep"}
    np.testing.assert_array_equal(model.get_layer("plain").gamma, [1, 1, 3])
    np.testing.assert_array_equal(model.get_layer("plain").beta, [-1, 0, -5])
    for variable in model.variables:
        value = keras.ops.convert_to_numpy(variable.value)
        wanted = before[variable.path]
        if "frozen" not in variable.path:
            if variable.name == "gamma":
                wanted = np.maximum(wanted, 1)
            elif variable.name == "beta":
                continue
        np.testing.assert_array_equal(value, wanted)


def test_units_that_a_normalization_keeps_silent_fire_again():
    """Pressed to 0 with a beta below it, whatever the input."""
    layers = [keras.layers.BatchNormalization(name="bn"), keras.layers.ReLU()]
    model = keras.Sequential([keras.Input((4,)), *layers])
    norm = model.get_layer("bn")
    norm.gamma.assign([1e-3, 1e-3, 1.0, 1.0])
    norm.beta.assign([-0.1, -5.0, -5.0, 0.0])
    x = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
    fired = (model.predict(x, verbose=0) > 0).any(axis=0)
    reset_norms(model)
    now = (model.predict(x, verbose=0) > 0).any(axis=0)

    assert fired.tolist() == [False, False, False, True]
    assert now.all()
