"""A plan for people: sentences, cells and tables."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from keras_rectifiers import specs
from keras_rectifiers.graph.unseen import Unseen
from keras_rectifiers.repairs import Repair
from keras_rectifiers.repairs import grouped
from keras_rectifiers.repairs import where_text
from keras_rectifiers.specs import Replacement
from keras_rectifiers.tables import Part
from keras_rectifiers.tables import Table

if TYPE_CHECKING:
    from keras_rectifiers.graph.sites import Site
    from keras_rectifiers.surgery.plan import Plan


def parts(plan: Plan, *, done: bool = False) -> list[Part]:
    """What is replaced by what, what is left and why, what is not seen.

    Args:
        plan: The plan.
        done: Whether it was applied. Default False.
    """
    said = f"{plan.model}: {plan.summary if done else plan.intent}"
    made: list[Part] = [said]
    if plan.steps:
        head = ("path", "form", "role", "shape", "replaced by", "+parameters")
        rows = (
            (
                *_site_cells(step.site),
                replacement_text(step.replacement),
                f"{step.parameters:,}",
            )
            for step in plan.steps
        )
        made.append(Table.of(head, rows, numbers=("+parameters",)))
        made += [f"{step.site.path}: {step.note}" for step in plan.steps if step.note]
    if plan.skips:
        heads = ("left as it is", "form", "role", "shape", "reason", "why")
        left = (
            (*_site_cells(skip.site), skip.reason, skip.detail) for skip in plan.skips
        )
        made.append(Table.of(heads, left))
    if plan.unseen:
        made.append(_unseen(plan.unseen))
    return [*made, *repairs(plan.repairs)]


def _site_cells(site: Site) -> tuple[str, str, str, str]:
    return site.path, site.spelling, site.role, shape_text(site.shapes)


def repairs(made: Sequence[Repair]) -> list[Part]:
    """What an old file needed and what was dropped, what to check marked.

    Args:
        made: In the order in which they were made.
    """
    if not made:
        return []
    rows = (
        (
            first.rule,
            first.text,
            where_text(first, count),
            "yes" if first.caution else "",
        )
        for first, count in grouped(made)
    )
    return [Table.of(("changed", "what", "where", "to check"), rows)]


def _unseen(unseen: Iterable[Unseen]) -> Table:
    rows = (
        (
            each.path,
            each.class_name,
            "?" if each.layers is None else f"{each.layers:,}",
            each.reason,
            each.detail,
        )
        for each in unseen
    )
    head = ("not seen", "class", "layers", "reason", "why")
    return Table.of(head, rows, numbers=("layers",))


def shape_text(shapes: Sequence[specs.Shape | None]) -> str:
    """Shapes for people: `?` for a free axis, the batch left out."""
    texts = dict.fromkeys(
        "unknown"
        if shape is None
        else "×".join("?" if axis is None else str(axis) for axis in shape[1:])  # noqa: RUF001
        for shape in shapes
    )
    return " and ".join(texts)


def replacement_text(replacement: Replacement) -> str:
    """A replacement for people: its class and what is not a default."""
    config = replacement.config
    arguments = []
    if "negative_slope" in config:
        arguments.append(f"{config['negative_slope']:g}")
    for weight in replacement.weights:
        start = np.asarray(weight.value)
        shown = f"{start:g}" if start.ndim == 0 else _some(config, start)
        arguments.append(f"{weight.name}={shown}")
    cap = config.get("max_value") if replacement.cap is None else replacement.cap
    if cap is not None:
        arguments.append(f"max_value={cap:g}")
    if config.get("trainable") is False:
        arguments.append("fixed")
    stock = "keras." if replacement.module.startswith("keras.") else ""
    return f"{stock}{replacement.class_name}({', '.join(arguments)})"


def _some(config: Mapping[str, Any], start: np.ndarray) -> str:
    """Slopes of several channels for people: one number, where the rest are 0."""
    values = np.unique(start[start != 0])
    if len(values) != 1:
        return "own"
    count = len(config.get("trained_channels") or np.flatnonzero(start))
    scale = config.get("learning_rate_multiplier", 1.0)
    return f"{values[0] * scale:g} for {count} of {start.size}"
