"""Several processes that train one model decide alike, and each by all that it is told.

JAX: `keras.distribution` over two processes. torch: `DistributedDataParallel`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from tests import ports

_ROOT = Path(__file__).parents[2]
_PROCESSES = 2
_START = "from tests.finetuning import processes; processes.main()"


def _told(folder):
    """What each process printed."""
    port = str(ports.free())
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _START, str(rank), str(_PROCESSES), port, folder],
            cwd=_ROOT,
            env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(_PROCESSES)
    ]
    found = []
    for each in running:
        out, error = each.communicate(timeout=500)
        assert each.returncode == 0, error[-3000:]
        found.append(json.loads(out.splitlines()[-1]))
    return found


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="this way to distribute is that of JAX"
)
def test_two_processes_of_jax_decide_alike(tmp_path):
    """Each has half of the data; figures, choices and weights are one."""
    first, second = _told(str(tmp_path))

    assert first.pop("alone") == 512
    assert second.pop("alone") is None
    assert first == second
    assert first["processes"] == _PROCESSES
    assert first["monitor"] == [1.0] * 4
    assert first["counted"] == 3 * 512
    assert sum(first["revived"][0].values()) == 24
    assert first["finetune"][:2] == ["restart", True]
    assert first["resumed_weights"] == first["tuned_weights"]
    assert first["states"] == ["run-0.npz"]
    assert first["epochs_of_budget"] == 1
    assert "the same number of samples" in first["refused"]


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="this way to distribute is torch's"
)
def test_two_processes_of_torch_decide_alike(tmp_path):
    """Callbacks see and revive the same on each; `finetune` says what it cannot."""
    first, second = _told(str(tmp_path))

    assert first == second
    assert first["processes"] == _PROCESSES
    assert first["monitor"] == [1.0] * 4
    assert first["counted"] == 3 * 512
    for by in ("revived", "revived_by_counts"):
        assert sum(first[by][0].values()) == 24
    assert "torch.distributed" in first["refused"]
