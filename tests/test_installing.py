"""The command that installs what an extra needs."""

import configparser
import re
from importlib import metadata
from pathlib import Path

import pytest

from keras_rectifiers import installing

_ROOT = Path(__file__).resolve().parents[1]
_REQUIRED = [
    "numpy>=1.26",
    'numpy>=1.26; extra == "images"',
    'onnx>=1.16; extra == "export-onnx"',
    'ai-edge-litert>=1.3; extra == "export-litert"',
    'no-such-package>=1; extra == "export-onnx"',
    'another_one; extra == "export-onnx"',
]


@pytest.fixture
def required(monkeypatch):
    """What the metadata of the package say."""
    monkeypatch.setattr(metadata, "requires", lambda _: _REQUIRED)


def test_packages_that_are_missing_are_named(required):
    """No index has to know this package, and its extras, for that."""
    command = installing.command("export-onnx")

    assert command.endswith("no-such-package another_one")
    assert "keras_rectifiers" not in command


def test_only_what_cannot_be_imported_is_named(required):
    """Modules have the names of their packages, with underscores."""
    asked = installing.command("export-onnx", ["no_such_package"])

    assert asked == "pip install no-such-package"


def test_where_all_are_there_they_are_named_to_be_mended(required):
    """An import may fail though the package is installed."""
    command = installing.command("images", upgrade=True)

    assert command == "pip install --upgrade numpy"


def test_without_metadata_the_checkout_is_installed(monkeypatch):
    """As where a source tree is on the path, and was never installed."""

    def unknown(_):
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "requires", unknown)

    assert installing.command("report") == 'pip install -e ".[report]"'


def test_each_hint_names_an_extra_that_exists():
    """A misspelled extra would find nothing to install."""
    settings = configparser.ConfigParser()
    settings.read(_ROOT / "setup.cfg", encoding="utf-8")
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in (_ROOT / "keras_rectifiers").rglob("*.py")
    )

    named = set(re.findall(r"installing\.command\(['\"]([a-z-]+)", source))

    assert named >= {"report", "pandas", "images", "tensorboard", "tensorflow"}
    assert named <= set(settings["options.extras_require"])


def test_no_hint_and_no_page_asks_an_index_for_this_package():
    """It is installed from a checkout, or from a wheel."""
    pages = [*_ROOT.glob("*.md"), *(_ROOT / "docs").rglob("*.md")]
    files = [*(_ROOT / "keras_rectifiers").rglob("*.py"), *pages]

    asking = [
        path.name
        for path in files
        if re.search(
            r"pip install [^\n`]*(?<![/.])keras_rectifiers(?!-)",
            path.read_text(encoding="utf-8"),
        )
    ]

    assert asking == []
