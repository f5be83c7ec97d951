"""What setup.cfg cannot say: the README as the package index shows it.

Nothing but the README goes to the index, so links into the repository lead nowhere
there. They become whole addresses where `project_urls` in setup.cfg names the
source; without it they become plain text, and pictures are left out.
"""

import configparser
import re
from pathlib import Path

from setuptools import setup

_ROOT = Path(__file__).resolve().parent
#: An image that is a link itself; an image; a link. None of them leads elsewhere.
_HERE = r"\((?!https?:|#)([^)\s]+)\)"
_LINKED_IMAGE = re.compile(rf"\[!\[([^\]]*)\]{_HERE}\]{_HERE}")
_IMAGE = re.compile(rf"!\[([^\]]*)\]{_HERE}")
_LINK = re.compile(rf"(?<!!)\[([^\]]+)\]{_HERE}")


def index_readme(text: str, source: str | None) -> str:
    """The README without relative links.

    Args:
        text: README.md.
        source: Address of the repository, without a slash at its end, or None.

    Returns:
        The text in Markdown. `source` must serve `raw/main/PATH` and
        `blob/main/PATH`, as GitHub does.
    """
    if source is None:
        text = _IMAGE.sub("", _LINKED_IMAGE.sub("", text))
        text = _LINK.sub(r"\1", text)
        return re.sub(r"\n{3,}", "\n\n", text)
    raw, page = f"{source}/raw/main", f"{source}/blob/main"
    text = _LINKED_IMAGE.sub(rf"[![\1]({raw}/\2)]({page}/\3)", text)
    text = _IMAGE.sub(rf"![\1]({raw}/\2)", text)
    return _LINK.sub(rf"[\1]({page}/\2)", text)


def source_address() -> str | None:
    """The address that `project_urls` in setup.cfg gives as `Source`, if any."""
    settings = configparser.ConfigParser()
    settings.read(_ROOT / "setup.cfg", encoding="utf-8")
    given = settings.get("metadata", "project_urls", fallback="")
    found = re.search(r"^Source\s*=\s*(\S+?)/?$", given, re.MULTILINE)
    return found[1] if found else None


if __name__ == "__main__":
    readme = (_ROOT / "README.md").read_text(encoding="utf-8")
    setup(
        long_description=index_readme(readme, source_address()),
        long_description_content_type="text/markdown",
    )
