"""Batch normalisations set back to their start."""

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


def test_gammas_and_betas_start_anew_and_all_else_stays():
    """At any depth; frozen ones keep theirs, and so do moving statistics."""
    model = _model()
    before = {v.path: keras.ops.convert_to_numpy(v.value) for v in model.variables}
    reset = reset_norms(model)

    assert {path.rsplit("/", 1)[-1] for path in reset} == {"plain", "no_scale", "deep"}
    for variable in model.variables:
        value = keras.ops.convert_to_numpy(variable.value)
        wanted = {"gamma": 1.0, "beta": 0.0}.get(variable.name)
        if wanted is None or "frozen" in variable.path:
            wanted = before[variable.path]
        np.testing.assert_array_equal(value, np.broadcast_to(wanted, value.shape))
