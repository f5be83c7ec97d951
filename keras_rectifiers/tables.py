"""Lines and tables, of which displayed results are made.

Each renders as plain text, for a terminal with rich, and for a notebook. rich is
imported when it is asked for. Names come from untrusted files: no content of a cell is
interpreted as markup.
"""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

_RED = "#d1492b"  # readable on white and on black


class Mark(str):
    """A highlighted cell."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of text."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    #: Heads of the columns that are aligned to the right.
    numbers: tuple[str, ...] = ()
    #: The last line, such as one of sums; empty for none.
    footer: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        head: Sequence[str],
        rows: Iterable[Iterable[Any]],
        *,
        numbers: Sequence[str] = (),
        footer: Sequence[Any] = (),
    ) -> Table:
        """A table of values.

        Args:
            head: Names of the columns.
            rows: Their values, which become text.
            numbers: Heads of the columns that are aligned to the right.
            footer: The last line; empty for none.
        """
        lines = tuple(tuple(map(_cell, row)) for row in rows)
        return cls(tuple(head), lines, tuple(numbers), tuple(map(_cell, footer)))

    def text(self) -> str:
        """Lines with a column below each other."""
        lines = [self.head, *self.rows, *([self.footer] if self.footer else [])]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if name in self.numbers else cell.ljust(width)
                for name, cell, width in zip(self.head, line, widths, strict=True)
            ).rstrip()
            for line in lines
        )

    def rich(self, *, framed: bool = True) -> Any:
        """A renderable of rich, which fits into the width that there is.

        Args:
            framed: Whether it has a frame where there is room for one. Default True.
        """
        from keras_rectifiers.narrow import Fitted  # noqa: PLC0415 (rich)

        return Fitted(self, framed)

    def html(self) -> str:
        """A `<table>` that takes its colors from the page."""
        rows = "".join(self._line(row) for row in self.rows)
        footer = f"<tfoot>{self._line(self.footer)}</tfoot>" if self.footer else ""
        return (
            f"<table><thead>{self._line(self.head, 'th')}</thead>"
            f"<tbody>{rows}</tbody>{footer}</table>"
        )

    def _line(self, cells: tuple[str, ...], tag: str = "td") -> str:
        made = []
        for name, cell in zip(self.head, cells, strict=True):
            style = f"text-align: {'right' if name in self.numbers else 'left'}"
            if isinstance(cell, Mark):
                style += f"; color: {_RED}; font-weight: bold"
            made.append(f'<{tag} style="{style}">{html.escape(cell)}</{tag}>')
        return f"<tr>{''.join(made)}</tr>"


#: What a result is made of.
Part = str | Table


def as_text(parts: Iterable[Part]) -> str:
    """Lines, and tables with an empty line around them.

    Args:
        parts: Lines and tables.
    """
    lines: list[str] = []
    after_table = False
    for part in parts:
        is_table = isinstance(part, Table)
        if lines and (is_table or (after_table and part)):
            lines.append("")
        lines.append(part.text() if isinstance(part, Table) else part)
        after_table = is_table
    return "\n".join(lines)


def as_rich(parts: Iterable[Part]) -> list[Any]:
    """What a `rich.console.Console` prints.

    Args:
        parts: Lines and tables.
    """
    from rich.text import Text  # noqa: PLC0415

    return [part.rich() if isinstance(part, Table) else Text(part) for part in parts]


def as_html(parts: Iterable[Part]) -> str:
    """What a notebook shows.

    Args:
        parts: Lines and tables.
    """
    made = (
        part.html()
        if isinstance(part, Table)
        else f'<p style="white-space: pre-wrap">{html.escape(part)}</p>'
        for part in parts
        if part  # paragraphs have their distance
    )
    return f"<div>{''.join(made)}</div>"


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
