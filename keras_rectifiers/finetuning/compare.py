"""Treatments compared: each is tried for a while, and the better one goes on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from keras_rectifiers.finetuning.notes import Notes
from keras_rectifiers.finetuning.prescriptions import NONE
from keras_rectifiers.finetuning.prescriptions import Prescription
from keras_rectifiers.finetuning.result import Tried
from keras_rectifiers.finetuning.runs import Run

#: Share of all epochs for which each treatment is tried.
_TRIAL = 0.2


@dataclasses.dataclass(frozen=True)
class Program:
    """Which treatments are tried, and for how long."""

    prescriptions: tuple[Prescription, ...]
    #: Epochs of the one that goes on, its trial among them.
    epochs: int
    #: Epochs of a trial.
    trial: int


def program(prescriptions: Sequence[Prescription], epochs: int) -> Program:
    """The program that a number of epochs allows.

    Args:
        prescriptions: Treatments, the safest first; where there is no time to
            compare, it is the only one.
        epochs: Epochs in all, those of trials that are given up among them.
    """
    trial = max(1, round(_TRIAL * epochs))
    left = epochs - trial * (len(prescriptions) - 1)
    if left <= trial:
        return Program(tuple(prescriptions[:1]), epochs, epochs)
    return Program(tuple(prescriptions), left, trial)


def train(
    runs: Sequence[Run], trial: int, notes: Notes
) -> tuple[Run, tuple[Tried, ...]]:
    """Train the best of several runs to its end.

    Args:
        runs: The runs, the safest first: one that keeps less of the model must be
            better than it by more than a standard error.
        trial: Epochs after which they are compared.
        notes: Where it is said what begins, before it begins.

    Returns:
        The run that was trained to its end, and what was tried.
    """
    if len(runs) == 1:
        notes.say(_beginning(runs[0]))
        runs[0].train(runs[0].epochs)
        return runs[0], (_tried(runs[0], None),)
    for run in runs:
        notes.say(f"Trial of {trial} of {run.epochs} epochs. {_beginning(run)}")
        run.train(trial)
    scores = [_score(run, trial) for run in runs]
    best, least = runs[0], scores[0]
    for run, score in zip(runs[1:], scores[1:], strict=True):
        margin = best.error(least)
        ahead = score > least + margin
        notes.say(_compared(run, score, best, least, margin, ahead=ahead))
        if ahead:
            best, least = run, score
    best.train(best.epochs)
    tried = (_tried(run, score) for run, score in zip(runs, scores, strict=True))
    return best, tuple(tried)


def _beginning(run: Run) -> str:
    """What begins, and what it gives up."""
    prescription = run.treated.prescription
    if prescription.treatment == NONE:
        return f"Training as it is ({prescription.why})."
    gives_up = ": all weights are drawn again" if prescription.discards else ""
    return f"{prescription.treatment.capitalize()}{gives_up} ({prescription.why})."


def _compared(
    run: Run, score: float, best: Run, least: float, margin: float, *, ahead: bool
) -> str:
    pair = [run.treated.prescription.treatment, best.treated.prescription.treatment]
    said = [
        f"{run.keeper.value(each):.4g}" if math.isfinite(each) else "no finite loss"
        for each in (score, least)
    ]
    by = f"by {run.keeper.metric} on the {run.chosen_on}"
    verb = "goes on" if ahead else "is given up"
    asked = f"more than {margin:.2g} ahead" if math.isfinite(least) else "finite"
    return (
        f"{pair[0].capitalize()} {verb}, {by}: it has {said[0]}, {pair[1]} has "
        f"{said[1]}, and it must be {asked}."
    )


def _tried(run: Run, score: float | None) -> Tried:
    value = None
    if score is not None and math.isfinite(score):
        value = run.keeper.value(score)
    prescription = run.treated.prescription
    return Tried(prescription.treatment, prescription.why, run.keeper.metric, value)


def _score(run: Run, trial: int) -> float:
    """The score after the trial; -inf for a run that diverged in it."""
    logs = run.logs[:trial]
    if not logs or not math.isfinite(logs[-1].get("loss", 0.0)):
        return -math.inf
    return run.scores[len(logs) - 1]
