"""Pages of the site that are made from other files while it is built.

The home page is README.md, and the reference has one page for each section of
docs/api.md, so that nothing is written twice. Nothing here imports the package: the
reference is read from its source.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_ROOT = Path(__file__).resolve().parents[1]
#: Files outside docs/ that are pages of the site.
_OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "keras_rectifiers/demo/README.md": "demo-data.md",
}
_SECTION = re.compile(r"^## `(keras_rectifiers(?:\.\w+)?)`$", re.MULTILINE)
_NAME = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
_FUNCTIONS = "functions"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that have no file in docs/."""
    from mkdocs.structure.files import File  # noqa: PLC0415 (tests need no builder)

    for source, target in _OUTSIDE.items():
        text = (_ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, target, content=_moved(text)))
    for target, text in reference().items():
        files.append(File.generated(config, target, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Let the names of docs/api.md lead to the reference."""
    if page.file.src_uri != "api.md":
        return markdown
    parts = []
    for module, names in _sections(markdown):
        parts.append(_NAME.sub(rf"| [`\1`][{module}.\1] |", names))
    return markdown[: _SECTION.search(markdown).start()] + "".join(parts)


def reference() -> dict[str, str]:
    """The pages of the reference: path of each, and its text."""
    text = (_ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    pages = {}
    for module, section in _sections(text):
        name = module.removeprefix("keras_rectifiers").lstrip(".")
        entries = [f"::: {module}.{each}" for each in _NAME.findall(section)]
        parts = [f"# {module if name else 'Functions'}", *entries]
        pages[f"reference/{name or _FUNCTIONS}.md"] = "\n\n".join(parts) + "\n"
    return pages


def _sections(text: str) -> list[tuple[str, str]]:
    """The module of each section of docs/api.md, and the whole section."""
    starts = [*_SECTION.finditer(text)]
    ends = [each.start() for each in starts[1:]] + [len(text)]
    return [
        (start[1], text[start.start() : end])
        for start, end in zip(starts, ends, strict=True)
    ]


def _moved(text: str) -> str:
    """Links as they are seen from docs/ instead of from the root."""
    text = re.sub(r"\]\((?:docs/)([^)]+)\)", r"](\1)", text)
    for source, target in _OUTSIDE.items():
        text = text.replace(f"]({source})", f"]({target})")
    return text
