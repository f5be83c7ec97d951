"""A name leads to one place."""

import ast
import collections
from pathlib import Path

_PACKAGE = Path(__file__).parents[1] / "keras_rectifiers"
#: One class for each format, which is found by its module.
_BY_FORMAT = {"Runner"}


def test_no_two_modules_have_a_class_of_one_name():
    """Whoever searches for a class finds the class that is meant."""
    places = collections.defaultdict(list)
    for path in _PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(_PACKAGE)))

    assert len(places) > 100
    twice = {name: found for name, found in places.items() if len(found) > 1}
    assert set(twice) <= _BY_FORMAT, twice
