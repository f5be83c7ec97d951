"""A fine-tuning run for people: what was done, each metric, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from keras_rectifiers import portability
from keras_rectifiers.shares import percent
from keras_rectifiers.tables import Part
from keras_rectifiers.tables import Table

if TYPE_CHECKING:
    from keras_rectifiers.finetuning.result import FinetuneResult

_NAMES = {
    "dead_fraction": "dead units (no gradient)",
    "silent_fraction": "silent units (never fired)",
}


def parts(result: FinetuneResult) -> list[Part]:
    """What was done and why, the metrics before and after, and the outcome.

    Args:
        result: What `finetune` returned.
    """
    rows = (
        (
            _NAMES.get(name, name),
            _number(name, result.before[name]),
            _number(name, result.after[name]),
        )
        for name in result.before
    )
    table = Table.of(("", "before", "after"), rows, numbers=("before", "after"))
    return [
        *_treatment(result),
        f"Metrics on the {result.evaluated_on}:",
        table,
        *_outcome(result),
        *filter(None, [portability.requirement(result.own_classes)]),
    ]


def _treatment(result: FinetuneResult) -> Iterator[str]:
    """What was done, and why."""
    yield f"Treatment: {result.treatment} ({result.why})."
    if len(result.tried) > 1:
        compared = ", ".join(
            f"{each.treatment} {each.metric} "
            + ("diverged" if each.value is None else f"{each.value:.4g}")
            for each in result.tried
        )
        yield f"Tried: {compared}."
    yield from result.done
    if result.start_difference == 0:
        yield "Before the first step the outputs were the original's, bit for bit."
    if result.best_epoch is not None:
        of = f"{result.best_epoch} of {len(result.history)}"
        yield f"Kept: epoch {of}." if result.best_epoch else "Kept: the original."
    if result.fold is not None:
        yield f"Folded: {result.fold.plan.summary}"


def _outcome(result: FinetuneResult) -> Iterator[str]:
    """Whether it helped, and where not, why and what next."""
    yield result.outcome.sentence
    if result.outcome.cause:
        yield f"Likely cause: {result.outcome.cause}"
    if result.outcome.advice:
        yield f"Next: {result.outcome.advice}"


def _number(name: str, value: float) -> str:
    return percent(value) if name.endswith("_fraction") else f"{value:.4g}"
