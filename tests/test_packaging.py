"""What goes to the package index, and what people look for in a repository."""

import re
import runpy
from pathlib import Path

import pytest
import yaml

from keras_rectifiers import __version__

_ROOT = Path(__file__).resolve().parents[1]
_SETUP = runpy.run_path(str(_ROOT / "setup.py"))
_README = (_ROOT / "README.md").read_text(encoding="utf-8")
_RELATIVE = re.compile(r"\]\((?!https?:|#)")


@pytest.mark.parametrize(
    ("source", "picture"),
    [
        (None, ""),
        ("https://example.org/it", "(https://example.org/it/raw/main/docs/demo.svg)"),
    ],
)
def test_the_readme_of_the_index_has_no_link_into_the_repository(source, picture):
    """Links and pictures lead to whole addresses, or are gone; the words stay."""
    shown = _SETUP["index_readme"](_README, source)

    assert _RELATIVE.search(_README)
    assert not _RELATIVE.search(shown)
    assert all(word in shown for word in ["changelog", "Apache-2.0", picture])


def test_a_picture_that_is_a_link_keeps_both_addresses():
    """The picture is served raw, and leads to the page."""
    text = "[![the report](docs/a.png)](docs/a.md), [design](docs/design.md)"

    shown = _SETUP["index_readme"](text, "https://example.org/it")

    assert shown == (
        "[![the report](https://example.org/it/raw/main/docs/a.png)]"
        "(https://example.org/it/blob/main/docs/a.md), "
        "[design](https://example.org/it/blob/main/docs/design.md)"
    )
    assert _SETUP["index_readme"](text, None) == ", design"


def test_the_version_is_the_same_everywhere():
    """The changelog begins with the version, and so does the citation."""
    changelog = (_ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = yaml.safe_load((_ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    version, date = re.findall(r"^## \[([^\]]+)\] - (\S+)$", changelog, re.MULTILINE)[0]

    assert (version, date) == (__version__, str(citation["date-released"]))
    assert citation["version"] == __version__


@pytest.mark.parametrize("name", ["bug", "model", "idea"])
def test_issue_forms_ask_something(name):
    """Each form has a name, a description, and fields with one identifier each."""
    path = _ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml"
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    fields = [each for each in form["body"] if each["type"] != "markdown"]

    assert form["name"]
    assert form["description"]
    assert fields
    assert len({each["id"] for each in fields}) == len(fields)


def test_the_readme_is_short():
    """A reader sees the end of it: at most 120 lines."""
    assert len(_README.splitlines()) <= 120
