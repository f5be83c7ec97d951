"""What differs between two models, as plain data that prints."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import ClassVar

from keras_rectifiers.results import Result
from keras_rectifiers.shares import percent
from keras_rectifiers.tables import Part
from keras_rectifiers.tables import Table

#: Lines of one kind that are printed; the JSON has them all.
_SHOWN = 20
#: Characters of a value that are printed.
_LENGTH = 60


@dataclasses.dataclass(frozen=True)
class SiteChange:
    """A rectifier that is written differently, or is in one model only."""

    #: Its path.
    path: str
    #: How it is written in the first model, such as `ReLU()`; None where it is not.
    a: str | None
    #: The same for the second model.
    b: str | None


@dataclasses.dataclass(frozen=True)
class SlopeChange:
    """A rectifier with different slopes. Slopes have no unit."""

    #: Its path.
    path: str
    #: Least and greatest slope in the first model; 0 and 0 for a ReLU.
    a: tuple[float, float]
    #: The same for the second model.
    b: tuple[float, float]
    #: How far the slopes of one channel are apart at most; None where their numbers
    #: differ.
    distance: float | None


@dataclasses.dataclass(frozen=True)
class WeightChange:
    """An array that differs, or is in one model only."""

    #: Its layer and its name there, such as `conv1/kernel`.
    name: str
    #: Its Euclidean norm in the first model; None where it is not there, or holds no
    #: numbers.
    a: float | None
    #: The same for the second model.
    b: float | None
    #: Euclidean norm of the difference; None where it is in one model only, or has
    #: another shape.
    distance: float | None
    #: Shapes and types, where they differ; else empty.
    form: str = ""

    @property
    def relative(self) -> float | None:
        """The distance as a share of the norm in the first model, or None."""
        return self.distance / self.a if self.distance and self.a else None


@dataclasses.dataclass(frozen=True)
class ConfigChange:
    """A place where the configs differ."""

    #: Keys that lead there, layers by their names, such as `conv1.filters`.
    path: str
    #: What the first model says, as JSON text; None where it says nothing.
    a: str | None
    #: The same for the second model.
    b: str | None


@dataclasses.dataclass(frozen=True, repr=False)
class ModelDiff(Result):
    """The differences between two models: print them, or save them as JSON."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("kind", "path", "a", "b", "distance")

    #: What the two are called: paths, or names of live models.
    a: str
    b: str
    sites: tuple[SiteChange, ...]
    slopes: tuple[SlopeChange, ...]
    weights: tuple[WeightChange, ...]
    #: The config, without what the rectifiers are.
    config: tuple[ConfigChange, ...]
    #: What the models were compiled with.
    compiled: tuple[ConfigChange, ...]
    #: The state of the optimizer.
    optimizer: tuple[WeightChange, ...]
    #: How many of each kind were compared.
    counts: dict[str, int]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not any(getattr(self, kind) for kind in KINDS)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each difference.

        `kind` is one of `"sites"`, `"slopes"`, `"weights"`, `"config"`, `"compiled"`
        and `"optimizer"`; `a` and `b` are texts, the least and greatest slope, or
        norms, and `distance` is None where there is none.
        """
        return [
            self._row(
                *(kind, getattr(each, "path", None) or each.name, each.a, each.b),
                getattr(each, "distance", None),
            )
            for kind in KINDS
            for each in getattr(self, kind)
        ]

    def to_dict(self) -> dict[str, Any]:
        """The differences as plain data."""
        return {"same": self.same, **super().to_dict()}

    @property
    def headline(self) -> str:
        """In one line: whether they differ, and how much."""
        counts = self.counts
        seen = f"{counts['sites']:,} rectifiers and {counts['weights']:,} arrays"
        if self.same:
            return f"{self.a} and {self.b} are the same: {seen} compared."
        found = ", ".join(
            f"{len(getattr(self, kind)):,} in {said}"
            for kind, said in KINDS.items()
            if getattr(self, kind)
        )
        return f"{self.a} and {self.b} differ: {found} ({seen} compared)."

    def parts(self) -> list[Part]:
        """The lines and tables of its display."""
        rows: list[tuple[str, ...]] = []
        for kind, said in KINDS.items():
            rows += _some(said, [_LINES[kind](each) for each in getattr(self, kind)])
        head = ("in", "where", "change")
        return [self.headline, *([Table.of(head, rows)] if rows else [])]


#: The kinds of difference, and what people call them.
KINDS = {
    "sites": "rectifiers",
    "slopes": "slopes",
    "weights": "weights",
    "config": "config",
    "compiled": "compile state",
    "optimizer": "optimizer state",
}


def _some(said: str, lines: list[tuple[str, str]]) -> Iterator[tuple[str, ...]]:
    yield from ((said, *line) for line in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        yield said, f"and {len(lines) - _SHOWN:,} more", ""


def _pair(change: Any) -> str:
    return f"{_short(change.a)} -> {_short(change.b)}"


def _site(change: SiteChange | ConfigChange) -> tuple[str, str]:
    return change.path, _pair(change)


def _slope(change: SlopeChange) -> tuple[str, str]:
    text = f"{_range(change.a)} -> {_range(change.b)}"
    if change.distance is not None:
        text += f", at most {change.distance:.4g} apart"
    return change.path, text


def _weight(change: WeightChange) -> tuple[str, str]:
    norms = (
        "none" if each is None else f"norm {each:.6g}" for each in (change.a, change.b)
    )
    text = " -> ".join(norms)
    if change.form:
        text += f", {change.form}"
    if change.distance is not None:
        share = "" if change.relative is None else f" ({percent(change.relative)})"
        text += f", distance {change.distance:.4g}{share}"
    return change.name, text


def _range(bounds: Iterable[float]) -> str:
    low, high = bounds
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _short(text: str | None) -> str:
    if text is None:
        return "nothing"
    return text if len(text) <= _LENGTH else f"{text[:_LENGTH]}..."


_LINES: dict[str, Any] = {
    "sites": _site,
    "slopes": _slope,
    "weights": _weight,
    "config": _site,
    "compiled": _site,
    "optimizer": _weight,
}
