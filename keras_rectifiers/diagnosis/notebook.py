"""A diagnosis as a notebook shows it: a table that takes its colours from there.

Names come from files of strangers, so every one is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

from keras_rectifiers.diagnosis import verdicts

if TYPE_CHECKING:
    from keras_rectifiers.diagnosis.result import Diagnosis

#: Share of dead units from which a layer stands out.
_MANY = 0.1
_RED = "#d1492b"  # readable on white and on black


def table(diagnosis: Diagnosis, headline: str) -> str:
    """A table of layers as HTML, with the headline above.

    Args:
        diagnosis: The diagnosis.
        headline: Text.
    """
    words = [word for word in reversed(verdicts.VERDICTS) if diagnosis.count(word)]
    words.reverse()
    rows = [
        _row(
            layer.layer,
            (layer.units, *map(layer.count, words)),
            layer.dead_fraction,
        )
        for layer in diagnosis.layers
    ]
    total = (diagnosis.units, *map(diagnosis.count, words))
    names = ("units", *(word.replace("_", " ") for word in words), "dead share")
    return (
        f"<div><p>{_lines(headline)}</p><table>"
        f"<thead><tr>{_cell('layer', 'th', 'left')}{_cells(names, 'th')}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody>"
        f"<tfoot>{_row('all layers', total, diagnosis.dead_fraction)}</tfoot>"
        "</table></div>"
    )


def _row(name: str, counts: Iterable[int], dead: float) -> str:
    style = f"color: {_RED}; font-weight: bold" if dead >= _MANY else ""
    return (
        f"<tr>{_cell(name, 'td', 'left')}{_cells(f'{count:,}' for count in counts)}"
        f"{_cell(f'{dead:.1%}', style=style)}</tr>"
    )


def _cells(texts: Iterable[str], tag: str = "td") -> str:
    return "".join(_cell(text, tag) for text in texts)


def _cell(text: str, tag: str = "td", align: str = "right", style: str = "") -> str:
    return f'<{tag} style="text-align: {align}; {style}">{html.escape(text)}</{tag}>'


def _lines(text: str) -> str:
    return "<br>".join(map(html.escape, text.splitlines()))
