"""The public names: one list, the same for Python, editors and the documents."""

import ast
import html
import inspect
import io
import json
import re
import runpy
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

import keras_rectifiers
from keras_rectifiers import types
from keras_rectifiers.json_values import plain
from keras_rectifiers.results import Result
from tests.results import every_result

_ROOT = Path(__file__).parents[1]
_PAGE = (_ROOT / "docs" / "api.md").read_text(encoding="utf-8")
_MODULES = sorted(
    name
    for name in keras_rectifiers.__all__
    if isinstance(getattr(keras_rectifiers, name), ModuleType)
)
#: What rich draws around the cells of a table.
_FRAME = re.compile("[\u2500-\u257f]")
#: Names that look like paths of modules and are none.
_MEMBERS = ("keras_rectifiers.json",)


def _public(module):
    return sorted(getattr(keras_rectifiers, module).__all__)


def test_the_page_of_names_is_what_its_maker_writes_today():
    """docs/api.md has every name with the first line of its docstring."""
    maker = runpy.run_path(str(_ROOT / "docs" / "make_api.py"))

    assert maker["page"]() == _PAGE, "run: python docs/make_api.py"


@pytest.mark.parametrize("module", ["keras_rectifiers", *_MODULES])
def test_python_and_the_page_have_the_same_names(module):
    """`__all__`, `dir()` and the table of the page."""
    found = keras_rectifiers
    heading = "keras_rectifiers"
    if module != "keras_rectifiers":
        found = getattr(keras_rectifiers, module)
        heading = f"keras_rectifiers.{module}"
    section = _PAGE.partition(f"## `{heading}`\n")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    if module == "keras_rectifiers":
        named += re.findall(r"^## `keras_rectifiers\.(\w+)`", _PAGE, re.MULTILINE)

    assert sorted(named) == sorted(found.__all__)
    assert set(named) <= set(dir(found))
    assert all(hasattr(found, name) for name in named)


@pytest.mark.parametrize("path", ["__init__", "types", "calibration/__init__"])
def test_editors_see_the_names_that_are_imported_late(path):
    """What is listed under `TYPE_CHECKING` is what the lazy table has."""
    file = _ROOT / "keras_rectifiers" / f"{path}.py"
    tree = ast.parse(file.read_text(encoding="utf-8"))
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    listed = {
        (each.module.removeprefix("keras_rectifiers").lstrip("."), name.name)
        for each in checked.body
        for name in each.names
    }
    (call,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
    )
    homes = ast.literal_eval(call.args[1])
    modules = [ast.literal_eval(each.value) for each in call.keywords]
    table = {(home, name) for home, names in homes.items() for name in names}

    assert listed == table | {("", name) for names in modules for name in names}


@pytest.mark.parametrize("module", ["keras_rectifiers", "revival", "report"])
def test_signatures_say_every_argument(module):
    """No public function hides its options behind `**`."""
    found = keras_rectifiers
    if module != "keras_rectifiers":
        found = getattr(keras_rectifiers, module)
    functions = [
        getattr(found, name)
        for name in found.__all__
        if inspect.isfunction(getattr(found, name))
    ]
    kinds = {
        each.__name__: {p.kind for p in inspect.signature(each).parameters.values()}
        for each in functions
    }

    assert kinds
    assert all(inspect.Parameter.VAR_KEYWORD not in each for each in kinds.values())


_PATHS = [
    _ROOT / "README.md",
    *sorted((_ROOT / "docs").glob("*.md")),
    *sorted((_ROOT / "examples").glob("*.py")),
]


def _is_public(path):
    """Whether a dotted path below `keras_rectifiers` is on the page."""
    head, _, rest = path.partition(".")
    if head not in keras_rectifiers.__all__:
        return False
    return head not in _MODULES or not rest or rest.split(".")[0] in _public(head)


def _internal(text):
    """Imports and dotted paths in a text that are not on the page of names."""
    imports = re.findall(
        r"^ *from keras_rectifiers(\.[\w.]+)? import (\w+)", text, re.MULTILINE
    )
    used = {f"{module}.{name}".lstrip(".") for module, name in imports}
    bare = re.sub(r"^ *from keras_rectifiers.*$", "", text, flags=re.MULTILINE)
    for found in re.findall(r"(?<![\w/-])keras_rectifiers(?:\.\w+)+", bare):
        if found not in _MEMBERS and not found.endswith(".demo"):
            used.add(found.removeprefix("keras_rectifiers."))

    return sorted(each for each in used if not _is_public(each))


@pytest.mark.parametrize("path", _PATHS, ids=lambda path: path.name)
def test_documents_and_examples_use_public_names_only(path):
    """Every import and every dotted path is one that the page of names has."""
    assert _internal(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("module", ["keras_rectifiers", *_MODULES])
def test_docstrings_use_public_names_only(module):
    """So does what an editor shows of a public name."""
    found = keras_rectifiers
    if module != "keras_rectifiers":
        found = getattr(keras_rectifiers, module)
    texts = {name: inspect.getdoc(getattr(found, name)) or "" for name in found.__all__}

    found_in = {name: _internal(text) for name, text in texts.items()}

    assert {name: paths for name, paths in found_in.items() if paths} == {}


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """One real instance of each type of result."""
    return every_result(tmp_path_factory.mktemp("results"))


_RESULTS = sorted(
    name
    for name in types.__all__
    if issubclass(getattr(types, name), Result) and name != "Result"
)


def test_every_result_is_looked_at(results):
    """The instances are of all types of results, and of no other."""
    assert sorted(results) == _RESULTS


@pytest.mark.parametrize("name", _RESULTS)
def test_results_are_alike(results, name):
    """Rows, plain data, text and a table for a notebook, of one real instance."""
    pandas = pytest.importorskip("pandas")
    result = results[name]
    rows = result.rows
    frame = result.to_pandas()
    data = result.to_dict()

    assert type(result) is getattr(types, name)
    assert rows
    assert all(tuple(row) == result.COLUMNS for row in rows)
    assert isinstance(frame, pandas.DataFrame)
    assert (list(frame.columns), len(frame)) == (list(result.COLUMNS), len(rows))
    assert plain(data) == json.loads(result.to_json())
    assert json.loads(result.to_json(indent=None)) == json.loads(result.to_json())
    assert repr(result) == str(result)
    assert f"{name}(" not in str(result)  # no dump of a dataclass


@pytest.mark.parametrize("name", _RESULTS)
def test_a_notebook_shows_what_is_printed(results, name):
    """Each line and each cell of the text is in the markup, escaped."""
    result = results[name]
    markup = result._repr_html_()
    words = re.sub(r"<[^>]*>", " ", markup)
    printed = str(result).split()

    assert markup.startswith("<div>")
    assert ("<table>" in markup) == (name != "Verification")
    assert sorted(html.unescape(words).split()) == sorted(printed)


@pytest.mark.parametrize("name", _RESULTS)
def test_rich_prints_what_is_printed(results, name):
    """A terminal shows the same words in frames."""
    console = Console(width=2000, color_system=None, file=io.StringIO())
    console.print(results[name])

    shown = _FRAME.sub(" ", console.file.getvalue()).split()

    assert sorted(shown) == sorted(str(results[name]).split())


@pytest.mark.parametrize("name", ["Diagnosis", "Timeline"])
def test_pictures_are_figures(results, name):
    """`plot()` gives a figure of matplotlib."""
    figure = pytest.importorskip("matplotlib.figure")

    assert isinstance(results[name].plot(), figure.Figure)
