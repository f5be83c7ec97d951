"""Data need not fit into memory: ten times the data take about the same memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="the peak of memory is asked from the system")

_ROOT = Path(__file__).parents[1]
#: Rows of 4 KiB: 40 MiB, and 400 MiB.
_FEW, _MANY = 10_240, 102_400
_MORE = 360  # MiB


def _run(folder, kind, rows):
    done = subprocess.run(
        [sys.executable, _ROOT / "tests" / "memory.py", kind, str(rows)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ["PYTHONPATH"]])
            if "PYTHONPATH" in os.environ
            else str(_ROOT),
        },
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "memory_map",
        "command_line",
        "tf_data",
        "py_dataset",
        "data_loader",
        "iterable_loader",
        "grain_data",
    ],
)
def test_ten_times_the_data_take_the_same_memory(tmp_path, kind):
    """`diagnose` and `finetune` hold a small part of 360 MiB more at any time."""
    if kind == "grain_data":
        pytest.importorskip("grain")

    for rows in (_FEW, _MANY):
        if kind in ("memory_map", "command_line"):
            _run(tmp_path, "files", rows)
    few, many = (_run(tmp_path, kind, rows) for rows in (_FEW, _MANY))

    for step in ("diagnose", "finetune"):
        more = (many[step] - many["before"]) - (few[step] - few["before"])
        assert more < _MORE / 4, (few, many)
