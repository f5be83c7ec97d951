"""The tutorials and the how-to pages, followed from their first line to their last."""

import ast
import json
import re
import runpy
from pathlib import Path

import keras
import pytest
import yaml

from tests.pages import Reader
from tests.pages import demo_files

_ROOT = Path(__file__).resolve().parents[1]
_DOCS = _ROOT / "docs"
_PAGES = [
    *sorted([*_DOCS.glob("tutorials/*.md"), *_DOCS.glob("how-to/*.md")]),
    _DOCS / "finetune.md",
    _DOCS / "upgrade.md",
    _ROOT / "CONTRIBUTING.md",
]
#: What takes a quarter of a minute; most of it is tested elsewhere, too.
_SLOW = ("tutorials/study", "how-to/class-weights", "how-to/litert")
_SETTINGS = (_ROOT / "mkdocs.yml").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with what `keras-rectifiers demo` leaves behind, under short names."""
    demo_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    keras.backend.clear_session()  # names are counted from the start
    keras.utils.set_random_seed(0)
    return tmp_path


def _as_teachable_machine(path):
    """A model in a model, as Keras 2 saves it."""
    from tests.legacy import corpus
    from tests.legacy import corpus_models  # noqa: F401 (it registers its cases)

    model, _ = corpus.built("nested_sequential")
    model.save(path, save_format="h5")


def _name(path):
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(
            path, id=_name(path), marks=[pytest.mark.slow] * (_name(path) in _SLOW)
        )
        for path in _PAGES
    ],
)
def test_a_page_can_be_followed(folder, path):
    """Each block runs, and prints what the page shows."""
    if path.stem == "teachable-machine":
        _as_teachable_machine(folder / "keras_model.h5")

    Reader(path.name).follow(path.read_text(encoding="utf-8"))


def _last_value(code, name, names):
    """Run a cell, and give the value of the expression in its last line, if any."""
    tree = ast.parse(code, name)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), names)
    return last and eval(compile(ast.Expression(last.value), name, "eval"), names)


@pytest.mark.parametrize("name", ["first_look", "rescue"])
def test_a_notebook_runs_and_shows_what_it_shows(folder, name):
    """Each cell runs, and its value begins as the one that is kept in the file."""
    path = _ROOT / "examples" / f"{name}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    names = {}
    compared = 0

    for cell in (cell for cell in cells if cell["cell_type"] == "code"):
        value = _last_value("".join(cell["source"]), f"{name}.ipynb", names)
        for output in cell["outputs"]:
            if output["output_type"] == "execute_result":
                kept = "".join(output["data"]["text/plain"]).split()[:3]
                assert repr(value).split()[:3] == kept
                compared += 1

    assert compared >= 3
    assert path.stat().st_size < 50_000


def _named(nav):
    """The pages of a part of the navigation, in order."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in _named(part)]


def test_the_navigation_has_every_page_once():
    """Each file in docs/ and each page that is made while the site is built."""
    nav = yaml.safe_load(_SETTINGS[_SETTINGS.index("\nnav:") :])["nav"]
    hooks = (_DOCS / "site_hooks.py").read_text(encoding="utf-8")
    made = re.findall(r'^    "[^"]+": "([^"]+)",$', hooks, re.MULTILINE)
    modules = re.findall(
        r"^## `keras_rectifiers(?:\.(\w+))?`$",
        (_DOCS / "api.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    reference = [f"reference/{module or 'functions'}.md" for module in modules]
    files = [str(path.relative_to(_DOCS)) for path in _DOCS.rglob("*.md")]

    assert sorted(_named(nav)) == sorted([*files, *made, *reference])


def test_the_reference_has_every_public_name():
    """Each name of docs/api.md has an entry on the page of its module."""
    hooks = runpy.run_path(str(_DOCS / "site_hooks.py"))
    text = (_DOCS / "api.md").read_text(encoding="utf-8")
    names = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)

    entries = re.findall(
        r"^::: .*\.(\w+)$", "".join(hooks["reference"]().values()), re.MULTILINE
    )

    assert sorted(entries) == sorted(names)
