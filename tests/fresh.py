"""Run code in a fresh interpreter."""

import json
import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def run(folder, code, *arguments):
    """Run code in a fresh interpreter, in a folder; give its last line as JSON.

    Args:
        folder: The folder.
        code: The code; the package is found by it.
        *arguments: What it finds in `sys.argv`.
    """
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
