"""What a reader of CONTRIBUTING.md sees of the benchmarks first."""

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]


def test_the_help_of_the_upgrade_benchmark_needs_no_test_tools():
    """It is printed where neither pytest nor Keras can be imported."""
    path = _ROOT / "benchmarks" / "upgrade.py"
    code = (
        "import runpy, sys\n"
        "sys.modules['pytest'] = sys.modules['keras'] = None\n"
        "sys.argv = ['upgrade.py', '--help']\n"
        f"runpy.run_path({str(path)!r}, run_name='__main__')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "--applications" in done.stdout
