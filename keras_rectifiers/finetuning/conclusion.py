"""What a call gives back: the model, what was done, and what came of it."""

from __future__ import annotations

import dataclasses
from typing import Any

from keras_rectifiers.diagnosis.causes.explain import explain
from keras_rectifiers.diagnosis.causes.explanation import Explanation
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.files.data import Data
from keras_rectifiers.finetuning import findings
from keras_rectifiers.finetuning import portable
from keras_rectifiers.finetuning.look import PROBE_SAMPLES
from keras_rectifiers.finetuning.look import Look
from keras_rectifiers.finetuning.look import evaluated
from keras_rectifiers.finetuning.notes import Notes
from keras_rectifiers.finetuning.optimizers import prepare
from keras_rectifiers.finetuning.outcome import Judged
from keras_rectifiers.finetuning.outcome import judge
from keras_rectifiers.finetuning.outcome import with_cause
from keras_rectifiers.finetuning.prepare import Order
from keras_rectifiers.finetuning.prepare import copied
from keras_rectifiers.finetuning.result import FinetuneResult
from keras_rectifiers.finetuning.result import Tried
from keras_rectifiers.finetuning.runs import Run
from keras_rectifiers.finetuning.skill import at_chance
from keras_rectifiers.finetuning.skill import difference
from keras_rectifiers.finetuning.split import Parts
from keras_rectifiers.folding.fold import fold as folded
from keras_rectifiers.folding.result import FoldResult

#: Samples that are enough to tell whether outputs are at chance.
_TELLING = 30


@dataclasses.dataclass(frozen=True, eq=False)
class Made:
    """The model that a call gives back."""

    model: Any
    #: How it was converted, None where it was not.
    plan: Any
    #: From 1; 0 for the original, None where the last weights were taken.
    best_epoch: int | None
    #: Whether it is the original, or no better.
    no_better: bool
    fold: FoldResult | None
    #: Which layers of this package have no stock form, in sentences.
    not_portable: tuple[str, ...] = ()


def ship(run: Run, order: Order, fallback: Any, *, keep_best: bool) -> Made:
    """The run's model; what it falls back to where no epoch was better.

    Args:
        run: The run that was trained to its end; its model is changed.
        order: What it was treated with.
        fallback: The original, or its copy with better moving statistics.
        keep_best: Whether the best epoch is taken, and not the last one.
    """
    run.end()
    if not keep_best:
        return _folded(run, None, order)
    if not run.keeper.best_epoch:
        start = copied(fallback)
        prepare(start, **order.compiling)
        start, told = _portable(start, order)
        return Made(start, None, 0, fallback is order.original, None, told)
    run.model.set_weights(run.keeper.weights)
    return _folded(run, run.keeper.best_epoch, order)


def _folded(run: Run, best_epoch: int | None, order: Order) -> Made:
    model, shipped = run.model, None
    if run.treated.lent:
        model = folded(model, include=run.treated.lent).model
    if order.fold:
        shipped = folded(model)
        model = shipped.model
    model, told = _portable(model, order)
    no_better = not run.keeper.is_better(last=best_epoch is None)
    return Made(model, run.treated.plan, best_epoch, no_better, shipped, told)


def _portable(model: Any, order: Order) -> tuple[Any, tuple[str, ...]]:
    """The model in stock layers, where that is asked for, and what has none."""
    return portable.stock(model) if order.portable else (model, ())


def conclude(
    run: Run,
    made: Made,
    look: Look,
    parts: Parts,
    *,
    tried: tuple[Tried, ...],
    start: Any,
    notes: Notes,
    done: tuple[str, ...] = (),
) -> FinetuneResult:
    """The result of a call.

    Args:
        run: The run that was trained to its end.
        made: The model that is given back.
        look: What the original was.
        parts: The data.
        tried: The treatments that were tried.
        start: Outputs of the treated model before its first step.
        notes: What was said.
        done: What was done before the treatment.
    """
    units = findings.units_of(made.model, look.probe, explain=False)
    before = {**look.measured, **findings.fractions(look.found.diagnosis)}
    measured = evaluated(made.model, parts.evaluation())
    after = {**measured, **findings.fractions(units)}
    judged = Judged(
        before,
        after,
        run.keeper.metric,
        parts.evaluated_on,
        no_better=made.no_better,
        at_chance=at_chance(made.model, _told_by(parts, look)),
        dead_outputs=_all_dead(units),
    )
    outcome = judge(judged)
    if not outcome.rescued:
        outcome = with_cause(
            outcome, _explained(made.model, look.probe), look.out_of_reach
        )
    return FinetuneResult(
        model=made.model,
        treatment=run.treated.prescription.treatment,
        why=run.treated.prescription.why,
        done=(*done, *run.treated.done),
        tried=tried,
        plan=made.plan,
        skill=look.found.skill,
        start_difference=difference(look.found.outputs, start),
        before=before,
        after=after,
        history=tuple(run.logs),
        evaluated_on=parts.evaluated_on,
        chosen_on=run.chosen_on,
        kept=_kept(made, run),
        best_epoch=made.best_epoch,
        outcome=outcome,
        notes=tuple(notes.lines),
        fold=made.fold,
        own_classes=portable.own_classes(made.model),
    )


def _kept(made: Made, run: Run) -> str:
    """Which weights the model has, in words."""
    if made.best_epoch is None:
        return f"the last epoch, {len(run.logs)} of {run.epochs}"
    if made.best_epoch:
        return f"epoch {made.best_epoch} of {run.epochs}"
    if made.no_better:
        return "a copy of the original"
    return "the original, with its moving statistics estimated again"


def _told_by(parts: Parts, look: Look) -> Data:
    """Samples that show whether outputs are at chance.

    A few that were held out would not do.
    """
    apart = parts.judged(PROBE_SAMPLES)
    enough = apart is not None and (apart.samples or 0) >= _TELLING
    return apart if apart is not None and enough else look.sample


def _all_dead(diagnosis: Diagnosis) -> tuple[str, ...]:
    """Paths of outputs of which every unit is dead."""
    ends = map(diagnosis.layer, diagnosis.dead_outputs)
    return tuple(each.layer for each in ends if each.dead == each.units)


def _explained(model: Any, probe: Any) -> Explanation | None:
    """Why units of a model are silent; None where none is."""
    found = findings.units_of(model, probe)
    return explain(found) if found.layers else None
