"""A converted model trains on the devices that the original trains on."""

import json

import keras
import pytest

from tests import fresh

_START = """
import json, os, sys
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"
from tests.surgery import distributed
told = getattr(distributed, sys.argv[1])(json.loads(sys.argv[2]))
print(json.dumps(told))
"""


def _told(folder, function, cases):
    return fresh.run(folder, _START, function, json.dumps(cases))


def _only(backend):
    return pytest.mark.skipif(
        keras.config.backend() != backend,
        reason=f"this way to distribute is that of {backend}",
    )


@_only("tensorflow")
@pytest.mark.parametrize(
    "cases",
    [
        [("subclassed", "adam")],
        pytest.param(
            [
                ("functional", "adam"),
                ("functional", "momentum"),
                ("sequential", "adam"),
                ("sequential", "momentum"),
                ("subclassed", "momentum"),
            ],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_model_of_a_mirrored_strategy_stays_on_its_replicas(cases, tmp_path):
    """Inside the scope or outside of it; state, outputs and losses are kept."""
    told = _told(tmp_path, "mirrored", cases)

    refused = told.pop("refused")
    assert len(told) == len(cases)
    assert all(all(found.values()) for found in told.values()), told
    assert "created in the scope of a MirroredStrategy" in refused
    assert "Leave that scope" in refused


@_only("jax")
@pytest.mark.parametrize(
    "cases",
    [
        [("model", "subclassed", "momentum")],
        pytest.param(
            [
                ("data", "functional", "adam"),
                ("data", "sequential", "momentum"),
                ("data", "subclassed", "adam"),
                ("model", "functional", "momentum"),
                ("model", "sequential", "adam"),
            ],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_variables_of_a_copy_are_laid_out_as_those_of_the_original(cases, tmp_path):
    """Inside the scope or outside of it; state, outputs and losses are kept."""
    told = _told(tmp_path, "laid_out", cases)

    assert told.pop("devices") == 4
    assert len(told) == len(cases)
    for name, found in told.items():
        assert found.pop("sharded") == name.startswith("model")
        assert all(found.values()), told
