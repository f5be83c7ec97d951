"""Tables in terminals of any width: words stay whole, and nothing is left out.

Where a table is too wide, cells with several words are wrapped at spaces. Where that
is not enough the frame goes, then distance between the columns; at last each row
becomes separate lines. rich is imported when something is shown.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    from keras_rectifiers.tables import Table

#: A column of sentences is no narrower than this.
_SENTENCE = 20
#: Forms of a table, the widest first: with a frame, without one, and without a margin;
#: and the characters that each takes beside its columns: for each column, and in all.
_FRAME, _BARE, _CLOSE = "frame", "bare", "close"
_BESIDE = {_FRAME: (3, 1), _BARE: (2, 0), _CLOSE: (1, -1)}


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A table as a renderable of rich, which takes the width that there is."""

    table: Table
    #: Whether it has a frame where there is room for one.
    framed: bool = True

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        """Render it, as rich asks for it."""
        room: int = options.max_width
        for form, (each, more) in _BESIDE.items():
            if form == _FRAME and not self.framed:
                continue
            widths = fitting(self.table, room - each * len(self.table.head) - more)
            if widths is not None:
                yield _grid(self.table, widths, form)
                return
        yield from _lines(self.table)


def fitting(table: Table, room: int) -> list[int] | None:
    """Widths of columns that fit and break no word; None where there are none.

    Args:
        table: The table.
        room: Characters of all columns together, without what is between them.
    """
    lines = [table.head, *table.rows, *([table.footer] if table.footer else [])]
    columns = list(zip(*lines, strict=True))
    widths = [max(map(len, cells)) for cells in columns]
    least = [_least(cells) for cells in columns]
    while sum(widths) > room:
        wide = [i for i, each in enumerate(widths) if each > least[i]]
        if not wide:
            return None
        widths[max(wide, key=widths.__getitem__)] -= 1
    return widths


def _least(cells: Sequence[str]) -> int:
    """The narrowest that a column may be."""
    word = max((len(word) for cell in cells for word in cell.split()), default=0)
    longest = max(map(len, cells))
    return max(word, min(longest, _SENTENCE) if longest > 2 * _SENTENCE else 0)


def _grid(table: Table, widths: Sequence[int], form: str) -> Any:
    """A table of rich with columns of these widths."""
    from rich import box  # noqa: PLC0415
    from rich.table import Table as RichTable  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = RichTable(
        show_footer=bool(table.footer),
        box=box.HEAVY_HEAD if form == _FRAME else None,
        padding=(0, 1, 0, 0) if form == _CLOSE else (0, 1),
        pad_edge=form != _CLOSE,
    )
    for index, name in enumerate(table.head):
        grid.add_column(
            Text(name),
            footer=_styled(table.footer[index]) if table.footer else "",
            justify="right" if name in table.numbers else "left",
            width=widths[index],
            overflow="fold",
        )
    for row in table.rows:
        grid.add_row(*map(_styled, row))
    return grid


def _lines(table: Table) -> Iterator[Any]:
    """Each row as its first cell, and below it the others with their heads."""
    from rich.padding import Padding  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    for row in (*table.rows, *([table.footer] if table.footer else [])):
        first, *rest = row
        yield Text.assemble(
            f"{table.head[0]} " if table.head[0] else "", _styled(first)
        )
        pairs = [
            Text.assemble(f"{name}: " if name else "", _styled(cell))
            for name, cell in zip(table.head[1:], rest, strict=True)
            if cell
        ]
        yield Padding(Text("; ").join(pairs), (0, 0, 0, 2))


def _styled(cell: str) -> Any:
    from rich.text import Text  # noqa: PLC0415

    from keras_rectifiers.tables import Mark  # noqa: PLC0415

    return Text(cell, style="bold red" if isinstance(cell, Mark) else "")
