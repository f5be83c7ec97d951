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
    """What each process found."""
    port = str(ports.free())
    printed = _printed(
        ["-c", _START, str(rank), str(_PROCESSES), port, folder]
        for rank in range(_PROCESSES)
    )
    return [json.loads(each.splitlines()[-1]) for each in printed]


def _printed(commands):
    """What each of several programs of Python printed that run at one time."""
    running = [
        subprocess.Popen(
            [sys.executable, *command],
            cwd=_ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(_ROOT),
                "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    found = []
    for each in running:
        out, error = each.communicate(timeout=500)
        assert each.returncode == 0, error[-3000:]
        found.append(out)
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
    keras.backend.backend() != "jax", reason="this way to distribute is that of JAX"
)
def test_the_example_rescues_a_model_and_saves_it_once(tmp_path):
    """The first process says so, and writes the file."""
    target = tmp_path / "rescued.keras"
    shared = ["--cpu", "--coordinator", f"127.0.0.1:{ports.free()}"]
    shared += ["--processes", str(_PROCESSES), "--out", str(target)]

    first, second = _printed(
        ["examples/several_processes.py", *shared, "--process", str(rank)]
        for rank in range(_PROCESSES)
    )

    assert "Rescued: accuracy" in first
    assert "Written" in first
    assert "Written" not in second
    assert keras.saving.load_model(target).count_params() > 0


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
