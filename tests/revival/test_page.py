"""The examples of the page run."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "revival.md"


def test_examples_of_the_page(capsys):
    """All units of the first example come back, and none is left to revive."""
    code = "\n".join(
        re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    )
    names = {}

    exec(compile(code, "revival.md", "exec"), names)

    assert names["history"].history["revived"][0] == 16
    assert names["hidden"].dead == names["done"].count == 0
    assert "('batch_normalization" in capsys.readouterr().out
