"""Figures as SVG inside a page, in the colors of the page."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: matplotlib's counters, which would not be unique in a page; what is referred to
#: has a hash.
_COUNTED = re.compile(r".*_\d+$")
_FONT = re.compile(r"font-family: [^;]*;? ?")
_DECIMALS = re.compile(r"(\.\d\d)\d+")
_STILL = re.compile(r"rotate\(-?0(?=[ )])[^)]*\)")


def inline(figure: Figure, label: str) -> str:
    """A figure as an `<svg>` element whose width is `--width` in its style.

    Text stays text, in the font of the page. Every color of `plots` becomes a CSS
    variable (`--ink`, `--muted`, `--line`, `--accent`, and one for each verdict, such
    as `--dead`), so that one picture serves a light and a dark page.

    Args:
        figure: The figure.
        label: What the picture shows, for those who do not see it.

    Returns:
        Markup; what the figure and the label say is escaped.
    """
    label = "".join(char if char.isprintable() else "·" for char in label)
    root = ET.fromstring(_drawn(figure, label))  # noqa: S314 - matplotlib wrote it
    colors = _variables()
    for definitions in root.findall("{*}defs"):
        for style in definitions.findall("{*}style"):  # it would rule the whole page
            definitions.remove(style)
    for element in root.iter():
        _simplify(element, colors)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", label)
    root.set("style", f"--width: {figure.get_figwidth() * 72:.0f}px")
    return ET.tostring(root, encoding="unicode")


def _drawn(figure: Figure, salt: str) -> str:
    import matplotlib as mpl  # noqa: PLC0415

    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with (
        warnings.catch_warnings(),
        mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page has its fonts
        figure.savefig(buffer, format="svg", metadata=nothing)
    return buffer.getvalue()


def _variables() -> dict[str, str]:
    """The CSS variable for each color."""
    from keras_rectifiers.plots import colors  # noqa: PLC0415

    names = {
        colors.INK: "ink",
        colors.MUTED: "muted",
        colors.LINE: "line",
        colors.ACCENT: "accent",
        colors.NEVER: "never",
        **{color: word for word, color in colors.VERDICTS.items()},
    }
    return {color: f"var(--{name})" for color, name in names.items()}


def _simplify(element: ET.Element, colors: dict[str, str]) -> None:
    """No name spaces, no counters, no fonts; the colors of the page."""
    element.tag = _local(element.tag)
    attributes = {_local(name): value for name, value in element.attrib.items()}
    if _COUNTED.match(attributes.get("id", "")):
        del attributes["id"]
    style = _FONT.sub("", attributes.get("style", ""))
    for color, variable in colors.items():
        style = style.replace(color, variable)
    if style:
        attributes["style"] = style
    for name in ("d", "x", "y"):
        if name in attributes:
            attributes[name] = _DECIMALS.sub(r"\1", attributes[name]).strip()
    attributes["transform"] = _STILL.sub("", attributes.get("transform", "")).strip()
    if not attributes["transform"]:
        del attributes["transform"]
    element.attrib.clear()
    element.attrib.update(attributes)
    element.tail = None
    if not (element.text or "").strip():
        element.text = None


def _local(name: str) -> str:
    return name.rpartition("}")[2]
