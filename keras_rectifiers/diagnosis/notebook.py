"""A diagnosis as a notebook shows it: a table that takes its colours from there.

Names come from files of strangers, so every one is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from collections.abc import Sequence

from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.layer_diagnosis import LayerDiagnosis

#: Share of dead units from which a layer stands out.
_MANY = 0.1
_RED = "#d1492b"  # readable on white and on black


def table(layers: Sequence[LayerDiagnosis], headline: str, dead: float) -> str:
    """A table of layers as HTML, with the headline above.

    Args:
        layers: One row each.
        headline: Text.
        dead: Share of dead units in all layers, 0..1.
    """
    counts = {
        word: sum(layer.count(word) for layer in layers) for word in verdicts.VERDICTS
    }
    words = [word for word, count in counts.items() if count]
    rows = [
        _row(
            layer.layer,
            (layer.units, *map(layer.count, words)),
            layer.dead_fraction,
        )
        for layer in layers
    ]
    total = (sum(layer.units for layer in layers), *(counts[word] for word in words))
    names = ("units", *(word.replace("_", " ") for word in words), "dead share")
    return (
        f"<div><p>{_lines(headline)}</p><table>"
        f"<thead><tr>{_cell('layer', 'th', 'left')}{_cells(names, 'th')}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody>"
        f"<tfoot>{_row('all layers', total, dead)}</tfoot>"
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
