"""An export as text: the verdict, each rectifier, and the comparison with the twin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from keras_rectifiers.shares import percent
from keras_rectifiers.tables import Part
from keras_rectifiers.tables import Table

if TYPE_CHECKING:
    from keras_rectifiers.exporting.result import Differences
    from keras_rectifiers.exporting.result import ExportResult

_KIB = 1024


def parts(result: ExportResult) -> list[Part]:
    """The verdict, each rectifier, the twin, and what to know of it.

    Args:
        result: The result.
    """
    made: list[Part] = [result.headline]
    if result.refusal:
        made.append(result.refusal)
    if result.rectifiers:
        rows = (
            (
                each.path,
                each.kind,
                ", ".join(each.operations) or "not found",
                " x ".join(map(str, each.slope_shape)) or "one number",
            )
            for each in result.rectifiers
        )
        head = ("rectifier", "kind", "operations in the file", "slopes")
        made.append(Table.of(head, rows))
    columns = ("model",) if result.twin is None else ("model", "ReLU twin")
    made.append(Table.of(("figure", *columns), _figures(result), numbers=columns))
    versions = ", ".join(f"{name} {each}" for name, each in result.versions.items())
    batch = "any" if result.batch is None else str(result.batch)
    compared = f"Compared on {result.inputs}; batch {batch}. Versions: {versions}."
    return [*made, *result.fallbacks, *result.advice, compared]


def _figures(result: ExportResult) -> Iterator[tuple[str, ...]]:
    """One row for each figure, of the model and of its twin."""
    twin = result.twin
    both: list[Differences] = [result.differences]
    sizes = [result.size]
    if twin is not None:
        both.append(twin.differences)
        sizes.append(twin.size)
    yield "size (KiB)", *(f"{size / _KIB:,.1f}" for size in sizes)
    yield "largest difference", *(f"{each.maximum:.3g}" for each in both)
    yield "mean difference", *(f"{each.mean:.3g}" for each in both)
    if result.differences.agreement is not None:
        yield "same class on top", *(_percent(each.agreement) for each in both)
    if result.differences.metric is not None:
        name = result.differences.metric
        yield f"{name} in Keras", *(_number(each.metric_before) for each in both)
        yield f"{name} in the file", *(_number(each.metric_after) for each in both)
    if twin is not None:
        yield "ms of CPU time a run", *(f"{each:.3g}" for each in twin.milliseconds)
        yield "ratio to the twin", f"{twin.ratio:.2f}", "1.00"


def _percent(value: float | None) -> str:
    return "" if value is None else percent(value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
