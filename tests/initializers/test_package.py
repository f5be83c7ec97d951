"""The package as a whole: names, examples, registration."""

import doctest
import re
import sys
from pathlib import Path

from keras_rectifiers import initializers


def test_examples_in_the_docstrings():
    """Each documented example prints what it says."""
    results = [
        doctest.testmod(sys.modules[f"{initializers.__name__}.{module}"])
        for module in ("he", "asymmetric", "redraw")
    ]
    # The classes name the package as their module, and are found there.
    results.append(doctest.testmod(initializers))

    assert sum(result.attempted for result in results) >= 12
    assert sum(result.failed for result in results) == 0


def test_the_page_of_the_family_runs():
    """The examples of docs/family.md, one after the other."""
    page = Path(__file__).parents[2] / "docs" / "family.md"
    code = "\n".join(
        re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    )
    names = {}

    exec(compile(code, page.name, "exec"), names)

    assert names["model"].count_params() == 64 * 32 + 32 + 32 * 32 + 32 + 320 + 10
