"""RReLU and NReLU are watched like every rectifier, and conversions leave them."""

import keras
import numpy as np
import pytest

import keras_rectifiers
from keras_rectifiers.layers import NReLU
from keras_rectifiers.layers import RReLU
from keras_rectifiers.live import rectifiers

CASES = pytest.mark.parametrize(
    ("cls", "kind", "slope", "verdict"),
    [(RReLU, "leaky_relu", (1 / 8 + 1 / 3) / 2, "leaking"), (NReLU, "relu", 0, "dead")],
)


def _model(cls):
    """Two units are silent: one in a fused rectifier, one in a layer."""
    hidden = [
        keras.layers.Dense(3, activation=cls(max_value=9.0), name="fused"),
        keras.layers.Dense(3, name="dense"),
        cls(name="own"),
    ]
    model = keras.Sequential(
        [keras.Input((4,)), *hidden, keras.layers.Dense(1, name="out")]
    )
    for name in ("fused", "dense"):
        kernel, bias = model.get_layer(name).get_weights()
        bias[1] = -1000.0
        # What leaks from the silent unit must not drown the others behind it.
        kernel[1] = 0.0 if name == "dense" else kernel[1]
        model.get_layer(name).set_weights([kernel, bias])
    return model


@CASES
def test_are_found_as_what_they_compute_at_inference(cls, kind, slope, verdict):
    """In a slot and as a layer."""
    found = rectifiers.find(_model(cls))

    assert [(each.path, each.form) for each in found] == [
        ("fused", "fused"),
        ("own", "layer"),
    ]
    assert {each.function.kind for each in found} == {kind}
    assert {each.function.negative_slope for each in found} == {slope}
    assert [each.function.max_value for each in found] == [9.0, None]


@CASES
def test_diagnosis_judges_their_units(cls, kind, slope, verdict, rng):
    """A silent unit leaks behind RReLU, and is dead behind NReLU."""
    x = rng.normal(size=(64, 4)).astype("float32")

    diagnosis = keras_rectifiers.diagnose(_model(cls), x)

    for layer in diagnosis.layers:
        assert layer.verdicts[1] == verdict, layer.layer
        assert verdict not in np.delete(layer.verdicts, 1)


@CASES
def test_monitor_watches_a_fit(cls, kind, slope, verdict, rng):
    """Counting inside the step follows their units as well."""
    model = _model(cls)
    model.compile("sgd", "mse")
    x = rng.normal(size=(64, 4)).astype("float32")
    monitor = keras_rectifiers.callbacks.DeadUnitMonitor(x)

    history = model.fit(x, x[:, 0], epochs=1, verbose=0, callbacks=[monitor]).history

    assert history


@CASES
def test_conversion_leaves_them(cls, kind, slope, verdict):
    """They are no sites: nothing takes the draws out of a model unasked."""
    plan = keras_rectifiers.plan(_model(cls), "prelu")

    assert not plan.steps
