"""Shares of a whole as text."""

import ast
import re
from pathlib import Path

import pytest

from keras_rectifiers import shares

_PACKAGE = Path(shares.__file__).parent


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0.0%"),
        (1e-6, "<0.01%"),
        (0.004464, "0.45%"),
        (0.53125, "53.1%"),
        (0.99999, ">99.9%"),
        (1.0, "100.0%"),
    ],
)
def test_a_measured_share_has_one_decimal_or_two_digits(share, text):
    """It shows 0 % and 100 % only where they are exact."""
    assert shares.percent(share) == text


def test_a_chosen_share_is_written_as_it_was_given():
    """No rounding of binary numbers shows."""
    assert [shares.stated(each) for each in (0.07, 0.2, 0.123456)] == [
        "7%",
        "20%",
        "12.3456%",
    ]


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.2, "20.0%"), (0.20004, "20.004%"), (0.1999, "19.99%"), (0.25, "25.0%")],
)
def test_a_share_is_told_from_a_threshold_next_to_it(share, text):
    """It has as many digits as that takes."""
    assert shares.apart(share, 0.2) == text


def test_no_other_module_formats_a_share():
    """A percentage reads alike wherever it is shown."""
    formats = [
        path.name
        for path in _PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FormattedValue)
        and node.format_spec is not None
        and re.search(r"%", ast.unparse(node.format_spec))
    ]

    assert formats == []
