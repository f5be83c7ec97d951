"""A fine-tuning run for people: what was done, each metric, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from keras_rectifiers import portability
from keras_rectifiers.diagnosis import calls
from keras_rectifiers.finetuning.measured import TRAINING
from keras_rectifiers.shares import percent
from keras_rectifiers.tables import Part
from keras_rectifiers.tables import Table

if TYPE_CHECKING:
    from keras_rectifiers.finetuning.result import FinetuneResult

_NAMES = {
    "dead_fraction": "dead units (no gradient)",
    "silent_fraction": "silent units (never fired)",
}


def parts(result: FinetuneResult, *, command_line: bool = False) -> list[Part]:
    """What was done and why, the metrics before and after, and the outcome.

    Args:
        result: What `finetune` returned.
        command_line: Whether it is read on the command line.
    """
    rows = (
        (
            _NAMES.get(name, name),
            _number(name, result.before[name]),
            _number(name, result.after[name]),
        )
        for name in result.before
    )
    table = Table.of(("metric", "before", "after"), rows, numbers=("before", "after"))
    return [
        *_treatment(result),
        f"Metrics on the {result.evaluated_on}:",
        table,
        *_outcome(result, command_line=command_line),
        *([] if command_line else _requirement(result)),
    ]


def _treatment(result: FinetuneResult) -> Iterator[str]:
    """What was done, and why."""
    yield f"Treatment: {result.treatment} ({result.why})."
    if len(result.tried) > 1:
        compared = ", ".join(
            f"{each.treatment} "
            + ("diverged" if each.value is None else f"{each.value:.4g}")
            for each in result.tried
        )
        yield f"Tried, by {_chosen_by(result)}: {compared}."
    yield from result.done
    if result.start_difference == 0:
        yield "Before the first step the outputs were the original's, bit for bit."
    if result.kept:
        yield f"Kept: {result.kept}{_why_kept(result)}."
    if result.fold is not None:
        yield f"Folded: {result.fold.plan.summary}"


def _requirement(result: FinetuneResult) -> list[str]:
    """What has to be imported; the command line says it of the file it wrote."""
    return list(filter(None, [portability.requirement(result.own_classes)]))


def _chosen_by(result: FinetuneResult) -> str:
    """The metric by which trials and epochs are compared, and on which data."""
    return f"{result.tried[0].metric} on the {result.chosen_on}"


def _why_kept(result: FinetuneResult) -> str:
    """By which figure these weights were chosen."""
    if result.best_epoch is None or not result.tried:
        return ""
    if not result.best_epoch:
        return f": no epoch was better, by {_chosen_by(result)}"
    name = result.tried[0].metric
    logs = result.history[result.best_epoch - 1]
    value = logs.get(f"val_{name}" if result.chosen_on != TRAINING else name)
    found = "" if value is None else f" ({value:.4g})"
    return f", chosen by {_chosen_by(result)}{found}"


def _outcome(result: FinetuneResult, *, command_line: bool) -> Iterator[str]:
    """Whether it helped, and where not, why and what next."""
    yield result.outcome.sentence
    if result.outcome.cause:
        yield f"Likely cause: {result.outcome.cause}"
    if result.outcome.advice:
        advice = result.outcome.advice
        yield f"Next: {calls.on_command_line(advice) if command_line else advice}"


def _number(name: str, value: float) -> str:
    return percent(value) if name.endswith("_fraction") else f"{value:.4g}"
