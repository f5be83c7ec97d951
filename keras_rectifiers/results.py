"""What all results have in common: rows, JSON, pandas, and display tables.

A result defines its rows and its lines and tables; everything else follows from them.
Nothing but the standard library is imported before it is needed.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
from typing import Any
from typing import ClassVar

from keras_rectifiers import installing
from keras_rectifiers import tables
from keras_rectifiers.json_values import plain


class Result:
    """Base of what the public functions return, which are dataclasses.

    It prints as text, as a table in a notebook and with `rich.print`, and is plain
    data by `to_dict()`, `to_json()` and `to_pandas()`. A dataclass of it is declared
    with `repr=False`, so that a prompt shows the tables, too.
    """

    #: Keys of a row, and columns of the data frame.
    COLUMNS: ClassVar[tuple[str, ...]] = ()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each line of the result, with the keys `COLUMNS`."""
        raise NotImplementedError

    def parts(self) -> list[tables.Part]:
        """The lines and tables of its display, in reading order."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data, without models."""
        return {
            field.name: plain(_as_data(getattr(self, field.name)))
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """`to_dict()` as JSON; numbers that are not finite become null.

        Args:
            indent: As in `json.dumps`. Default 2.
        """
        return json.dumps(plain(self.to_dict()), indent=indent, allow_nan=False)

    def to_pandas(self) -> Any:
        """The rows as a `pandas.DataFrame`.

        Raises:
            ImportError: If pandas is not installed.
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise ImportError(
                "to_pandas() needs pandas. Install it with "
                f"`{installing.command('pandas')}`, or use .rows."
            ) from error
        return pandas.DataFrame(self.rows, columns=list(self.COLUMNS))

    def __str__(self) -> str:
        return tables.as_text(self.parts())

    def __repr__(self) -> str:
        return str(self)

    def __rich__(self) -> Any:
        from rich.console import Group  # noqa: PLC0415

        return Group(*tables.as_rich(self.parts()))

    def _repr_html_(self) -> str:
        return tables.as_html(self.parts())

    def _row(self, *values: Any) -> dict[str, Any]:
        """A row of values in the order of `COLUMNS`."""
        return dict(zip(self.COLUMNS, values, strict=True))


class Summarized(Result):
    """Base of results with a row for each unit, and a summary of all of them."""

    def summary(self) -> dict[str, Any]:
        """The totals, and what they were taken over."""
        raise NotImplementedError

    def to_dict(self, *, rows: bool = True) -> dict[str, Any]:
        """The summary, with the rows, as plain data.

        Args:
            rows: Whether to add one dict for each unit. Default True.
        """
        data = self.summary()
        if rows:
            data["rows"] = self.rows
        return plain(data)

    def to_json(self, *, rows: bool = True, indent: int | None = 2) -> str:
        """The same as JSON; numbers that are not finite become null.

        Args:
            rows: Whether to add one object for each unit. Default True.
            indent: As in `json.dumps`.
        """
        data = self.to_dict(rows=rows)
        return json.dumps(data, indent=indent, allow_nan=False)


def _as_data(value: Any) -> Any:
    """Dataclasses in a value as dicts."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, tuple | list):
        return [_as_data(each) for each in value]
    return value
