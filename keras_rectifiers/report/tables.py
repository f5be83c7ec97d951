"""Results as rich renderables: a plan, a diagnosis, a comparison of models.

Nothing is printed here. Each function returns a list of tables and lines of plain
text (`str`), in the order in which they are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from rich.table import Table
from rich.text import Text

from keras_rectifiers.diagnosis import headlines
from keras_rectifiers.repairs import Repair
from keras_rectifiers.repairs import grouped
from keras_rectifiers.repairs import where_text

if TYPE_CHECKING:
    from keras_rectifiers.diagnosis.result import Diagnosis
    from keras_rectifiers.finetuning.result import FinetuneResult
    from keras_rectifiers.surgery.plan import Plan

#: Verdicts in the columns of a diagnosis, after `layer` and `units`.
_VERDICTS = ("dead", "leaking", "dormant", "linear", "alive")

#: Share of dead units from which a layer stands out.
_MANY = 0.1


def plan_tables(plan: Plan, *, done: bool = True) -> list[Any]:
    """A plan: what is replaced by what, what is left and why, what is not seen.

    Args:
        plan: The plan.
        done: Whether it was carried out.
    """
    from keras_rectifiers.surgery.plan import UNSEEN_HEAD  # noqa: PLC0415
    from keras_rectifiers.surgery.plan import replacement_text  # noqa: PLC0415
    from keras_rectifiers.surgery.plan import shape_text  # noqa: PLC0415
    from keras_rectifiers.surgery.plan import unseen_row  # noqa: PLC0415

    sentence = plan.summary if done else plan.intent
    parts: list[Any] = [f"{plan.model}: {sentence}"]
    if plan.steps:
        parts.append(
            _table(
                ("path", "form", "role", "shape", "replaced by", "+parameters"),
                (
                    (
                        step.site.path,
                        step.site.spelling,
                        step.site.role,
                        shape_text(step.site.shapes),
                        replacement_text(step.replacement),
                        f"{step.parameters:,}",
                    )
                    for step in plan.steps
                ),
                numbers=("+parameters",),
            )
        )
        parts += [f"{step.site.path}: {step.note}" for step in plan.steps if step.note]
    if plan.skips:
        parts.append(
            _table(
                ("left as it is", "form", "role", "shape", "reason", "why"),
                (
                    (
                        skip.site.path,
                        skip.site.spelling,
                        skip.site.role,
                        shape_text(skip.site.shapes),
                        skip.reason,
                        skip.detail,
                    )
                    for skip in plan.skips
                ),
            )
        )
    if plan.unseen:
        rows = map(unseen_row, plan.unseen)
        parts.append(_table(UNSEEN_HEAD, rows, numbers=("layers",)))
    return [*parts, *repair_tables(plan.repairs)]


def repair_tables(repairs: Sequence[Repair]) -> list[Any]:
    """What an old file needed: the repairs, those to look at marked.

    Args:
        repairs: In the order in which they were made.
    """
    if not repairs:
        return []
    return [
        _table(
            ("repaired", "what", "where", ""),
            (
                (
                    first.rule,
                    first.text,
                    where_text(first, count),
                    "please look" if first.caution else "",
                )
                for first, count in grouped(repairs)
            ),
        )
    ]


def diagnosis_tables(diagnosis: Diagnosis) -> list[Any]:
    """A diagnosis: one line for each layer, the worst first, and what it allows.

    Args:
        diagnosis: The diagnosis.
    """
    broken = [diagnosis.not_finite] if diagnosis.not_finite else []
    if not diagnosis.layers:
        found = f"{diagnosis.model}: no rectifier was found, so there are no verdicts."
        return [found, *broken]
    layers = sorted(
        diagnosis.layers,
        key=lambda layer: (layer.not_finite, layer.dead_fraction, layer.leaking),
        reverse=True,
    )
    some = any(layer.not_finite for layer in layers)
    verdicts = (*(("not_finite",) if some else ()), *_VERDICTS)
    head = ("layer", "units", *verdicts, "dead share")
    table = _table(
        head,
        (
            (
                layer.layer,
                f"{layer.units:,}",
                *(f"{layer.count(verdict):,}" for verdict in verdicts),
                _share(layer.dead_fraction),
            )
            for layer in layers
        ),
        numbers=head[1:],
        footer=(
            "all layers",
            f"{diagnosis.units:,}",
            *(f"{diagnosis.count(verdict):,}" for verdict in verdicts),
            _share(diagnosis.dead_fraction),
        ),
    )
    dead = diagnosis.count("dead")
    headline = (
        f"{diagnosis.model}: {dead:,} of {diagnosis.units:,} units are dead "
        f"({diagnosis.dead_fraction:.1%})."
    )
    told = (
        headlines.waking(diagnosis),
        headlines.next_step(diagnosis, command_line=True),
    )
    parts: list[Any] = [
        *headlines.outputs(diagnosis),
        headline,
        *broken,
        table,
        _bound(diagnosis),
        *filter(None, told),
    ]
    if diagnosis.unseen:
        parts.append("Never called on these data: " + ", ".join(diagnosis.unseen))
    return parts


def comparison_table(
    rows: Iterable[Mapping[str, Any]], title: str | None = None
) -> list[Any]:
    """Several models side by side.

    Args:
        rows: Mappings with the keys `model` (text), `accuracy` (0..1), `units`,
            `dead` and `silent` (numbers of units).
        title: Line above the table.
    """
    head = ("model", "test accuracy", "dead units", "silent units")
    table = _table(
        head,
        (
            (
                str(row["model"]),
                f"{row['accuracy']:.1%}",
                _of(row["dead"], row["units"]),
                _of(row["silent"], row["units"]),
            )
            for row in rows
        ),
        numbers=head[1:],
    )
    return [*([title] if title else []), table]


def finetune_tables(result: FinetuneResult) -> list[Any]:
    """A fine-tuning run: each metric, and the units, before and after.

    Args:
        result: What `finetune` returned.
    """
    names = {
        "dead_fraction": "dead units (no gradient)",
        "silent_fraction": "silent units (never fired)",
    }
    table = _table(
        ("", "before", "after"),
        (
            (names.get(name, name), *(_number(name, each[name]) for each in pair))
            for pair in ((result.before, result.after),)
            for name in result.before
        ),
        numbers=("before", "after"),
    )
    return [
        *_treatment(result),
        f"Metrics on the {result.evaluated_on}:",
        table,
        *_outcome(result),
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
    return f"{value:.1%}" if name.endswith("_fraction") else f"{value:.4g}"


def _bound(diagnosis: Diagnosis) -> str:
    """What "never" means for the number of samples seen."""
    from keras_rectifiers.diagnosis.criteria import NEVER_POSITIVE  # noqa: PLC0415
    from keras_rectifiers.diagnosis.verdicts import upper_bound  # noqa: PLC0415

    samples = min(layer.statistics.samples for layer in diagnosis.layers)
    confidence = diagnosis.layers[0].confidence
    never = float(upper_bound(0, samples, confidence))
    criterion = diagnosis.layers[0].criterion
    if criterion.name == NEVER_POSITIVE.name:
        meaning = f"Dead: never positive on {samples:,} samples, and no slope."
    else:
        meaning = f"Dead by {criterion.name!r} ({criterion.reference})."
        flagged = [layer.layer for layer in diagnosis.layers if layer.flagged]
        meaning += f" Its authors flag: {', '.join(flagged)}." if flagged else ""
    return (
        f"{meaning} A unit that never "
        f"fired on so many fires on less than {never:.2%} of all "
        f"({confidence:.0%} confidence)."
    )


def _table(
    head: tuple[str, ...],
    rows: Iterable[tuple[Any, ...]],
    *,
    numbers: tuple[str, ...] = (),
    footer: tuple[Any, ...] | None = None,
) -> Table:
    table = Table(show_footer=footer is not None)
    for index, name in enumerate(head):
        table.add_column(
            name,
            footer="" if footer is None else _text(footer[index]),
            justify="right" if name in numbers else "left",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*map(_text, row))
    return table


def _text(value: Any) -> Text:
    """Text as it is: names may hold brackets, which are rich's markup."""
    return value if isinstance(value, Text) else Text(str(value))


def _share(fraction: float) -> Text:
    return Text(f"{fraction:.1%}", style="bold red" if fraction >= _MANY else "")


def _of(count: int, total: int) -> str:
    return f"{count:,} of {total:,} ({count / max(total, 1):.1%})"
