"""The layers and what watches them, on the backends that this run does not use."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import keras
import pytest

BACKENDS = ("tensorflow", "jax", "torch")
#: Tests that hold on every backend.
NEUTRAL = (
    "layers",
    "diagnosis",
    "live",
    "callbacks",
    "surgery/test_live.py",
    "finetuning",
)
#: ... and those that take long to compile on JAX; they run with the slow sweeps.
NEUTRAL_SLOW = (
    "initializers",
    "revival",
    "calibration",
    "folding",
    "surgery/test_borrowed.py",
    "surgery/test_shared.py",
    "graph/test_unseen.py",
    "surgery/test_verify.py",
)
#: Set for the runs that this test starts, so that they do not start others.
INNER_RUN = "KERAS_RECTIFIERS_INNER_TEST_RUN"


@pytest.mark.skipif(INNER_RUN in os.environ, reason="this is a run inside a run")
@pytest.mark.parametrize("backend", BACKENDS)
def test_other_backend(backend):
    """The backend-neutral tests pass on each backend that is installed."""
    _run(backend, NEUTRAL)


@pytest.mark.slow
@pytest.mark.skipif(INNER_RUN in os.environ, reason="this is a run inside a run")
@pytest.mark.parametrize("backend", BACKENDS)
def test_other_backend_at_length(backend):
    """So do those that are kept for the slow sweeps."""
    _run(backend, NEUTRAL_SLOW)


def _run(backend, folders):
    if backend == keras.config.backend():
        pytest.skip(f"the outer run is on {backend} already")
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f'{backend} is not installed: pip install "{backend}" to test it')
    tests = pathlib.Path(__file__).parent
    neutral = [tests / name for name in folders]

    options = ["-q", "-n", "0", "-p", "no:cacheprovider"]

    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *neutral],
        cwd=tests.parent,
        env={**os.environ, "KERAS_BACKEND": backend, INNER_RUN: "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
