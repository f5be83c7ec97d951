"""On several devices the figures and decisions are those of one device."""

import json

import keras
import pytest

from tests import fresh

_START = """
import os, sys
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"
from tests.finetuning import devices
devices.main(sys.argv[1])
"""
_BACKEND = keras.config.backend()
_WAYS = {"tensorflow": ["mirrored"], "jax": ["data_parallel", "model_parallel"]}

pytestmark = pytest.mark.skipif(
    _BACKEND not in _WAYS, reason="torch distributes models in user code only"
)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What is found on one device."""
    return fresh.run(tmp_path_factory.mktemp("alone"), _START, "alone")


@pytest.mark.slow
@pytest.mark.parametrize("way", _WAYS.get(_BACKEND, []))
def test_every_treatment_decides_as_on_one_device(way, alone, tmp_path):
    """Diagnosis, monitor, revival, annealing, calibration and fine-tuning."""
    together = fresh.run(tmp_path, _START, way)

    assert alone["diagnose"] == 1.0
    assert alone["finetune"]["treatment"] == "restart"
    assert together["places kept"]
    assert json.dumps(together, indent=1) == json.dumps(alone, indent=1)


@pytest.mark.slow
@pytest.mark.skipif(_BACKEND != "jax", reason="TensorFlow pads the last batch")
def test_arrays_that_devices_cannot_share_are_refused(tmp_path):
    """Keras would fail in the last batch of the first epoch."""
    told = fresh.run(tmp_path, _START, "uneven")

    assert "must be multiples of 4" in told
    assert "450 samples" in told
