"""Several devices and several processes, in interpreters of their own."""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests import ports

_ROOT = Path(__file__).resolve().parents[2]

#: Defines `fitted`, and prints what was counted as one line of JSON.
_COMMON = """
import json, sys
import keras, numpy as np
from keras_rectifiers.callbacks import DeadUnitMonitor

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(28, 6, 6, 2)), rng.normal(size=(28, 2))

def model_of(cls=keras.Sequential):
    keras.utils.set_random_seed(3)
    model = cls([
        keras.Input((6, 6, 2)),
        keras.layers.Conv2D(4, 3, activation="relu", name="conv"),
        keras.layers.Flatten(),
        keras.layers.Dense(3, name="inner"),
        keras.layers.LeakyReLU(0.1, name="leaky"),
        keras.layers.Dense(2, name="last"),
    ])
    return model

def fitted(model, *callbacks, **options):
    return model.fit(X, Y, batch_size=8, epochs=2, verbose=0, shuffle=False,
                     callbacks=list(callbacks), **options)

def told(diagnosis):
    print("COUNTS", json.dumps({
        each.layer: [
            each.statistics.samples, each.statistics.positions,
            each.statistics.fired.tolist(), each.statistics.fired_positions.tolist(),
            each.statistics.peaks.tolist(), each.statistics.maximum.tolist(),
            each.statistics.sum_abs.tolist(),
        ] for each in diagnosis.layers
    }), flush=True)
"""

_ONE = """
model = model_of()
model.compile(keras.optimizers.SGD(0.0), "mse")
monitor = DeadUnitMonitor()
fitted(model, monitor)
told(monitor.total)
"""

_MIRRORED = """
import tensorflow as tf
cpu, = tf.config.list_physical_devices("CPU")
half = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(cpu, [half, half])
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    model = model_of()
    model.compile(keras.optimizers.SGD(0.0), "mse", run_eagerly="eager" in sys.argv)
exact, probe = DeadUnitMonitor(), DeadUnitMonitor(X, per_layer=False)
fitted(model, exact, probe)
assert len(model.weights) == 6
assert probe.diagnosis.layers[0].statistics.samples == 28
told(exact.total)
"""

#: Keras 3.15 cannot `fit` under this strategy; these two overrides let it.
_WORKER = """
import os
import tensorflow as tf

class Worker(keras.Sequential):
    def _maybe_symbolic_build(self, **kwargs):
        pass  # reduces a batch that the strategy does not know as its own

    def train_step(self, data):  # logs are reduced over an axis that scalars lack
        return {key: value[None] for key, value in super().train_step(data).items()}

with tf.distribute.MultiWorkerMirroredStrategy().scope():
    model = model_of(Worker)
    model.compile(keras.optimizers.SGD(0.0), "mse")
monitor = DeadUnitMonitor()
fitted(model, monitor)
told(monitor.total)
"""

_DATA_PARALLEL = """
import jax
assert len(jax.devices()) == 4
keras.distribution.set_distribution(keras.distribution.DataParallel())
model = model_of()
model.compile(keras.optimizers.SGD(0.0), "mse")
exact = DeadUnitMonitor()
fitted(model, exact)
told(exact.total)
"""


def _start(code, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", _COMMON + code, *arguments],
        cwd=_ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _counts(process):
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error[-3000:]
    return _printed(out)


def _printed(out):
    (line,) = [each for each in out.splitlines() if each.startswith("COUNTS ")]
    return json.loads(line.removeprefix("COUNTS "))


def _same(found, expected):
    """Counts and peaks are equal, values but for the rounding of another batch."""
    assert list(found) == list(expected)
    for path, (*counts, maximum, total) in found.items():
        *other_counts, other_maximum, other_total = expected[path]
        assert counts == other_counts
        np.testing.assert_allclose(maximum, other_maximum, rtol=1e-5)
        np.testing.assert_allclose(total, other_total, rtol=1e-5)


def _only(backend):
    return pytest.mark.skipif(
        keras.backend.backend() != backend,
        reason=f"this way to distribute is that of {backend}",
    )


@pytest.fixture(scope="module")
def one():
    """What one process on one device counts."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(_COMMON + _ONE, {})
    return _printed(out.getvalue())


@_only("tensorflow")
@pytest.mark.parametrize(
    "mode", [pytest.param("compiled", marks=pytest.mark.slow), "eager"]
)
def test_mirrored_strategy(mode, one):
    """Two replicas count what one device counts, each sample once."""
    _same(_counts(_start(_MIRRORED, mode)), one)


@pytest.mark.slow
@_only("tensorflow")
def test_workers_in_two_processes(one):
    """Each worker tells the statistics of all: those of one process."""
    cluster = {"worker": [f"127.0.0.1:{ports.free()}" for _ in range(2)]}
    workers = [
        _start(
            _WORKER,
            TF_CONFIG=json.dumps(
                {"cluster": cluster, "task": {"type": "worker", "index": index}}
            ),
        )
        for index in range(2)
    ]

    for worker in workers:
        _same(_counts(worker), one)


@_only("jax")
def test_data_parallel_on_jax(one):
    """Four devices count what one counts, each sample once."""
    flags = "--xla_force_host_platform_device_count=4"

    _same(_counts(_start(_DATA_PARALLEL, XLA_FLAGS=flags)), one)
