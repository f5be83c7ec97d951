import re
from pathlib import Path

import numpy as np

from tests.pages import demo_files
from tests.pages import run_python

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "monitoring.md"


def test_the_examples_about_monitoring_run(tmp_path, monkeypatch, capsys):
    """The page's examples run one after the other."""
    demo_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    text = _PAGE.read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))

    names = run_python(code, _PAGE.name)

    with np.load("data.npz") as data:
        samples = len(data["x_train"])
    assert names["exact"].total.layers[0].statistics.samples == 2 * samples
    assert "of 224 units are dead" in capsys.readouterr().out
