"""The truth is computed by plain numpy from whole activations."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

from keras_rectifiers.diagnosis import probe
from keras_rectifiers.diagnosis.diagnose import diagnose
from keras_rectifiers.diagnosis.probe import Probe
from keras_rectifiers.layers import LeakyReLU
from keras_rectifiers.layers import PReLU
from keras_rectifiers.live.rectifiers import find
from tests.backends import slow_on_jax

_RNG = np.random.default_rng(3)
_IMAGES = _RNG.normal(size=(11, 6, 6, 3)).astype("float32")
_ROWS = _RNG.normal(size=(11, 5)).astype("float32")


def _measured(model, data, batch_size=4):
    """What a compiled probe measures; one that begins uncompiled measures the same."""
    model(data[:1])  # builds what only a call builds
    parts = [data[i : i + batch_size] for i in range(0, len(data), batch_size)]
    batches = [ops.convert_to_tensor(each) for each in parts]
    found = Probe(model, find(model)).measure(batches)
    again = Probe(model, find(model), uncompiled=2).measure(batches)
    assert list(again) == list(found)
    for path, statistics in found.items():
        for field in dataclasses.fields(statistics):
            value = getattr(statistics, field.name)
            if value is not None:
                other = getattr(again[path], field.name)
                np.testing.assert_allclose(other, value, rtol=1e-5, atol=1e-6)
    return found


def _check(statistics, x, h):
    """Compare statistics with those of (samples, positions, units) arrays."""
    assert (statistics.samples, statistics.positions) == (len(x), x[..., 0].size)
    np.testing.assert_array_equal(statistics.fired, (x > 0).any(1).sum(0))
    np.testing.assert_array_equal(statistics.fired_positions, (x > 0).sum((0, 1)))
    np.testing.assert_array_equal(statistics.not_finite, 0)
    np.testing.assert_allclose(statistics.sum_abs, np.abs(h).sum((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(statistics.sum_squares, (h**2).sum((0, 1)), rtol=1e-5)
    np.testing.assert_array_equal(statistics.maximum, h.max((0, 1)))


def _positions(array):
    return array.reshape(len(array), -1, array.shape[-1])


@pytest.mark.parametrize(
    "rectifier",
    [
        layers.ReLU(),
        layers.ReLU(max_value=0.5),
        layers.ReLU(negative_slope=0.5, max_value=2.0),
        LeakyReLU(0.3),
        PReLU(alpha_initializer=keras.initializers.Constant(-0.7)),
        ops.relu,
        lambda x: ops.maximum(0.0, x),
        lambda x: ops.where(x > 0, x, 0.0),
        lambda x: ops.where(x <= 0, 0.0, x),
        lambda x: ops.clip(x, 0.0, 0.5),
    ],
)
def test_statistics_equal_numpy(rectifier):
    """Each form, whatever its slope, is counted by its pre-activation."""
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3)(inputs)
    h = rectifier(x)
    model = keras.Model(inputs, layers.Flatten()(h))

    (statistics,) = _measured(model, _IMAGES).values()

    whole = keras.Model(inputs, [x, h]).predict(_IMAGES, batch_size=4, verbose=0)
    _check(statistics, *map(_positions, whole))


@pytest.mark.parametrize("activation", ["relu", "relu6", PReLU(), LeakyReLU(0.3)])
def test_fused_rectifiers_equal_numpy(activation):
    """The pre-activation of a fused rectifier is seen, too."""
    fused = layers.Dense(4, activation=activation)
    plain = layers.Dense(4)
    model = keras.Sequential([keras.Input((5,)), fused])
    twin = keras.Sequential([keras.Input((5,)), plain])
    plain.set_weights([ops.convert_to_numpy(fused.kernel), fused.get_weights()[1]])

    (statistics,) = _measured(model, _ROWS).values()

    x, h = (each.predict(_ROWS, batch_size=4, verbose=0) for each in (twin, model))
    _check(statistics, *map(_positions, (x[:, None], h[:, None])))


def test_threshold_decides_what_fires():
    """A rectifier with a threshold fires above it, not above 0."""
    model = keras.Sequential([keras.Input((5,)), layers.ReLU(threshold=0.5)])

    (statistics,) = _measured(model, _ROWS).values()

    np.testing.assert_array_equal(statistics.fired, (_ROWS > 0.5).sum(0))


def test_channels_first_counts_channels():
    """With channels in front, units are still channels."""
    inputs = keras.Input((3, 6, 7))
    pooled = layers.AveragePooling2D(1, data_format="channels_first")(inputs)
    model = keras.Model(inputs, layers.ReLU()(pooled))
    data = _RNG.normal(size=(7, 3, 6, 7)).astype("float32")

    found = find(model)
    (statistics,) = Probe(model, found).measure([data]).values()

    assert found[0].channel_axis == 1
    x = _positions(np.moveaxis(data, 1, -1))
    _check(statistics, x, np.maximum(x, 0))


def test_calls_of_a_shared_layer_are_positions_of_one_sample():
    """A layer called twice saw each sample once, at two positions."""
    shared = layers.ReLU()
    inputs = keras.Input((5,))
    model = keras.Model(inputs, shared(inputs) + shared(-inputs))

    (statistics,) = _measured(model, _ROWS).values()

    x = np.stack([_ROWS, -_ROWS], axis=1)
    _check(statistics, x, np.maximum(x, 0))


def test_time_steps_are_positions_of_one_sample():
    """TimeDistributed calls its layer at each step: samples count once."""
    model = keras.Sequential(
        [keras.Input((6, 3)), layers.TimeDistributed(layers.ReLU())]
    )
    data = _RNG.normal(size=(9, 6, 3)).astype("float32")

    (statistics,) = _measured(model, data).values()

    _check(statistics, data, np.maximum(data, 0))


class _Folded(keras.layers.Layer):
    """Folds time steps into the batch, as many models do by hand."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.relu = layers.ReLU(name="relu")

    def call(self, x):
        steps, units = x.shape[1:]
        return ops.reshape(self.relu(ops.reshape(x, (-1, units))), (-1, steps, units))


def test_steps_folded_into_the_batch_are_positions():
    """Rows that are a multiple of the batch are unfolded behind its samples."""
    model = keras.Sequential([keras.Input((6, 3)), _Folded()])
    data = _RNG.normal(size=(9, 6, 3)).astype("float32")

    (statistics,) = _measured(model, data).values()

    _check(statistics, data, np.maximum(data, 0))


def test_mixed_precision_is_reduced_in_single():
    """Half precision neither overflows in sums nor stops counting at 2048."""
    model = keras.Sequential(
        [keras.Input((64, 64, 2)), layers.ReLU(dtype="mixed_bfloat16")]
    )
    data = np.full((2, 64, 64, 2), 3.0, "float32")

    (statistics,) = _measured(model, data).values()

    assert statistics.fired_positions.tolist() == [2 * 64 * 64] * 2
    assert statistics.sum_abs.tolist() == [3.0 * 2 * 64 * 64] * 2


def test_samples_with_nan_are_counted_apart():
    """NaN and infinity count as not finite and poison no sum."""
    model = keras.Sequential([keras.Input((2,)), layers.ReLU()])
    data = np.array([[1, 2], [np.nan, 3], [np.inf, 4], [-np.inf, 5]], "float32")

    (statistics,) = _measured(model, data).values()

    assert statistics.not_finite.tolist() == [2, 0]
    assert statistics.fired.tolist() == [1, 4]
    assert statistics.sum_abs.tolist() == [1.0, 14.0]
    assert statistics.mean_abs.tolist() == [0.5, 3.5]
    assert statistics.maximum.tolist() == [1.0, 5.0]


@pytest.mark.parametrize(
    "mode", [{"jit_compile": False}, slow_on_jax({"run_eagerly": True})]
)
def test_compile_modes_agree(mode):
    """The model's own choice of compilation changes no count."""
    model = keras.Sequential(
        [keras.Input((6, 6, 3)), layers.Conv2D(4, 3), layers.ReLU()]
    )
    (expected,) = _measured(model, _IMAGES).values()
    model.compile(**mode)

    (statistics,) = _measured(model, _IMAGES).values()

    np.testing.assert_array_equal(statistics.fired_positions, expected.fired_positions)


def test_probe_reads_the_weights_of_now():
    """A compiled probe follows the model's weights."""
    dense = layers.Dense(3, activation="relu", bias_initializer="ones")
    model = keras.Sequential([keras.Input((5,)), dense])
    probe = Probe(model, find(model))
    probe.measure([_ROWS])
    dense.set_weights([np.zeros((5, 3)), np.full(3, -1.0)])

    (statistics,) = probe.measure([_ROWS]).values()

    assert statistics.fired.tolist() == [0, 0, 0]


def test_statistics_do_not_depend_on_the_batch_size():
    """Batches merge to the statistic of the whole, the short last one included."""
    model = keras.Sequential(
        [keras.Input((6, 6, 3)), layers.Conv2D(4, 3), layers.ReLU()]
    )

    (small,) = _measured(model, _IMAGES, 3).values()
    (whole,) = _measured(model, _IMAGES, 11).values()

    for name in ("samples", "positions", "fired", "fired_positions"):
        np.testing.assert_array_equal(getattr(small, name), getattr(whole, name))
    np.testing.assert_allclose(small.sum_abs, whole.sum_abs, rtol=1e-6)


class _Loop(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.relu = layers.ReLU(name="relu")

    def call(self, x):
        return ops.while_loop(
            lambda i, _: i < 3,
            lambda i, y: (i + 1, self.relu(y)),
            (ops.cast(0, "int32"), x),
        )[1]


def test_rectifier_inside_a_loop_breaks_nothing():
    """What a loop of the graph hides is left out; the rest is measured."""
    model = keras.Sequential(
        [keras.Input((5,)), layers.ReLU(name="before"), _Loop(name="loop")]
    )

    diagnosis = diagnose(model, _ROWS)

    assert diagnosis.layer("before").statistics.samples == len(_ROWS)
    assert {*diagnosis.unseen, "loop/relu"} == {"loop/relu"}


def _shallow(*inner):
    inputs = keras.Input((8, 5))
    x = layers.Dense(4, activation="relu", name="hidden")(inputs)
    for each in inner:
        x = each(x)
    return keras.Model(inputs, x)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="compiles nothing")
@pytest.mark.parametrize(
    ("inner", "at_once"),
    [((), False), ((layers.LSTM(3),), True), ((layers.Dropout(0.5),), False)],
    ids=["plain", "recurrent", "random"],
)
def test_a_probe_compiles_when_short_runs_are_over(inner, at_once, monkeypatch):
    """And at once where a loop would be slow."""
    model, made = _shallow(*inner), []
    compiler = probe._COMPILERS[keras.backend.backend()]
    monkeypatch.setitem(
        probe._COMPILERS,
        keras.backend.backend(),
        lambda each, compiled: made.append(compiled) or compiler(each, compiled),
    )
    batches = [ops.convert_to_tensor(_RNG.normal(size=(2, 8, 5)))] * 3
    made_probe = Probe(model, find(model), uncompiled=2)

    made_probe.measure(batches[:2])
    before = list(made)
    made_probe.measure(batches)

    assert before == [at_once]
    assert True in made
