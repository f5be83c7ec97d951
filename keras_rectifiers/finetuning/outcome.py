"""Whether a fine-tuning run helped, and what to do where it did not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from keras_rectifiers.diagnosis import calls
from keras_rectifiers.diagnosis.causes.explanation import Explanation
from keras_rectifiers.finetuning.best_epoch import DEAD_FRACTION
from keras_rectifiers.finetuning.prescriptions import MANY
from keras_rectifiers.shares import percent

NOT_BETTER = "not_better"
AT_CHANCE = "at_chance"
DEAD_OUTPUT = "dead_output"
STILL_DEAD = "still_dead"
DYING = "dying"
#: Units that died in a run, as a share of all, from which on it is said.
_DIED = 0.05
#: Of the units that were dead, the share that may stay so where most of a model is.
_LEFT = 0.5


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    #: Empty where the model was rescued, else `"not_better"`, `"at_chance"`,
    #: `"dead_output"`, `"still_dead"` or `"dying"`.
    reason: str
    #: One sentence.
    sentence: str
    #: The likely cause, with the evidence; empty where nothing is known.
    cause: str = ""
    #: What to do next; empty for a model that was rescued.
    advice: str = ""

    @property
    def rescued(self) -> bool:
        """Whether the model is better than it was, above chance, and alive."""
        return not self.reason


@dataclasses.dataclass(frozen=True)
class Judged:
    """What an outcome is judged by."""

    #: Metrics and `dead_fraction` of the original.
    before: Mapping[str, float]
    #: The same of the result.
    after: Mapping[str, float]
    #: The metric that decides.
    metric: str
    #: What the metrics were measured on, in words.
    evaluated_on: str
    #: Whether the result is the original, or no better.
    no_better: bool
    #: Whether the result's outputs say nothing about the labels.
    at_chance: bool
    #: Paths of output rectifiers whose units are all dead.
    dead_outputs: tuple[str, ...] = ()


def judge(judged: Judged) -> Outcome:
    """What came of a run, without a cause.

    Args:
        judged: The figures.
    """
    for reason, sentence in _complaints(judged):
        if sentence:
            return Outcome(reason, sentence)
    alive = not judged.before.get(DEAD_FRACTION)
    return Outcome("", f"{'Better' if alive else 'Rescued'}: {_change(judged)}.")


def with_cause(
    outcome: Outcome, explanation: Explanation | None, out_of_reach: str = ""
) -> Outcome:
    """An outcome with the likely cause and what to do about it.

    Args:
        outcome: The outcome; one of a model that was rescued stays.
        explanation: Of the result's dead units; None where none was made.
        out_of_reach: Labels that no training reaches, in one sentence.
    """
    if outcome.rescued:
        return outcome
    if out_of_reach:
        return dataclasses.replace(outcome, cause=out_of_reach, advice=_LINEAR)
    causes = () if explanation is None else explanation.causes
    if not causes:
        return dataclasses.replace(outcome, advice=_ADVICE[outcome.reason])
    first = causes[0]
    evidence = f": {first.evidence[0]}" if first.evidence else ""
    advice = first.remedy
    if advice.startswith(calls.FINETUNE[:-1]):  # that is what was done
        advice = " ".join((_OTHERWISE, *advice.split(". ", 1)[1:]))
    return dataclasses.replace(outcome, cause=f"{first.kind}{evidence}", advice=advice)


#: What is left to do where what an explanation advises was done.
_OTHERWISE = (
    "More epochs (epochs=), another learning_rate= or treatment= may do what this run "
    "did not."
)
_LINEAR = (
    "Give the model a linear last layer, or labels of 0 or more, and train it again."
)
_ADVICE = {
    NOT_BETTER: (
        "Its units are alive: it may be as good as these data allow. More epochs "
        "(epochs=) or another learning_rate= may show."
    ),
    AT_CHANCE: (
        "Its units are alive: see whether the labels belong to the samples, and "
        "whether loss and last activation suit them."
    ),
    DEAD_OUTPUT: "See whether the labels can be reached: a ReLU puts out 0 or more.",
    STILL_DEAD: calls.EXPLAIN,
    DYING: "A lower learning_rate= keeps what is alive.",
}


def _complaints(judged: Judged) -> tuple[tuple[str, str], ...]:
    """Each reason with its sentence, empty where it does not hold; the worst first."""
    dead, was = (each.get(DEAD_FRACTION, 0.0) for each in (judged.after, judged.before))
    outputs = ", ".join(map(repr, judged.dead_outputs))
    still = dead >= MANY and dead > _LEFT * was
    return (
        (
            DEAD_OUTPUT,
            f"Not rescued: the output {outputs} is dead; it puts out 0 for every "
            "sample."
            if outputs
            else "",
        ),
        (
            AT_CHANCE,
            "Not rescued: the outputs still say nothing about the labels "
            f"({_change(judged)})."
            if judged.at_chance
            else "",
        ),
        (
            NOT_BETTER,
            f"Not better: no epoch was better than the original ({_change(judged)})."
            if judged.no_better
            else "",
        ),
        (STILL_DEAD, f"Not rescued: {_change(judged)}." if still else ""),
        (
            DYING,
            f"Not rescued: units died meanwhile ({_change(judged)})."
            if dead > was + _DIED
            else "",
        ),
    )


def _change(judged: Judged) -> str:
    """The deciding metric and the dead units, before and after."""
    before, after = judged.before, judged.after
    names = [judged.metric]
    if before.get(judged.metric) == after.get(judged.metric):
        names.append("loss")
    said = [
        f"{name} on the {judged.evaluated_on} {before[name]:.4g} before, "
        f"{after[name]:.4g} after"
        for name in dict.fromkeys(names)
        if name in before and name in after
    ]
    if DEAD_FRACTION in before and DEAD_FRACTION in after:
        said.append(
            f"{percent(before[DEAD_FRACTION])} of the units dead before, "
            f"{percent(after[DEAD_FRACTION])} after"
        )
    return "; ".join(said) or "no metric"
