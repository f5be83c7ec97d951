"""Treatments compared: each is tried for a while, and the better one goes on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

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


def train(runs: Sequence[Run], trial: int) -> tuple[Run, tuple[Tried, ...]]:
    """Train the best of several runs to its end.

    Args:
        runs: The runs, the safest first: one that keeps less of the model must be
            better than it by more than a standard error.
        trial: Epochs after which they are compared.

    Returns:
        The run that was trained to its end, and what was tried.
    """
    if len(runs) > 1:
        for run in runs:
            run.train(trial)
    scores = [_score(run, trial) for run in runs]
    best = runs[0]
    for run, score in zip(runs, scores, strict=True):
        least = scores[runs.index(best)]
        if score > least + run.keeper.error(least, run.samples):
            best = run
    best.train(best.epochs)
    return best, tuple(
        Tried(
            run.treated.prescription.treatment,
            run.treated.prescription.why,
            run.keeper.metric,
            run.keeper.value(score) if len(runs) > 1 and math.isfinite(score) else None,
        )
        for run, score in zip(runs, scores, strict=True)
    )


def _score(run: Run, trial: int) -> float:
    """The score after the trial; -inf for a run that diverged in it."""
    logs = run.logs[:trial]
    if not logs or not math.isfinite(logs[-1].get("loss", 0.0)):
        return -math.inf
    return run.scores[len(logs) - 1]
