"""An estimate as rich renderables."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from rich.table import Table
from rich.text import Text

from keras_rectifiers.diagnosis.broken import named

if TYPE_CHECKING:
    from keras_rectifiers.estimation.result import Estimate

#: Columns of text; the others are numbers.
_TEXT = ("layer", "blocked by")


def estimate_tables(estimate: Estimate) -> list[Any]:
    """An estimate: the totals, a line for each layer, and what the words mean.

    Args:
        estimate: The estimate.
    """
    if not estimate.layers:
        found = f"{estimate.model}: no rectifier was found, so nothing is estimated."
        return [found, *([named(estimate.broken)] if estimate.broken else [])]
    head, rows = estimate.table()
    table = Table()
    for name in head:
        justify: Any = "left" if name in _TEXT else "right"
        table.add_column(name, justify=justify, overflow="fold")
    for row in rows:
        # Names may hold brackets, which are rich's markup.
        table.add_row(*map(Text, row))
    meaning = (
        "P(active): expected share of positions at which a unit fires, as median "
        "(least..greatest) of the layer; it rests on the BatchNormalization directly "
        "before the rectifier, or (~) on those before a sum."
    )
    return [estimate.headline, table, meaning]
