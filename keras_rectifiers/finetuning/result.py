"""What a fine-tuning run gave."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any
from typing import ClassVar

from keras_rectifiers.finetuning import shown
from keras_rectifiers.finetuning.outcome import Outcome
from keras_rectifiers.folding.result import FoldResult
from keras_rectifiers.results import Result
from keras_rectifiers.tables import Part


@dataclasses.dataclass(frozen=True)
class Tried:
    """One treatment that was tried."""

    treatment: str
    why: str
    #: The metric by which treatments are compared: on the validation split, or in
    #: training where nothing was held out.
    metric: str
    #: Its value after the trial; None where there was nothing to compare.
    value: float | None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FinetuneResult(Result):
    """What a fine-tuning run gave.

    Metrics have Keras' names (`loss`, `accuracy`, ...). `dead_fraction` (no
    gradient) and `silent_fraction` (never fired, dead or leaking) are shares of all
    units in 0..1 on the probe.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("metric", "before", "after")

    #: The fine-tuned model.
    model: Any
    #: What was done to it: `"revive"`, `"slopes"`, `"norms"`, `"restart"`,
    #: `"convert"` or `"none"`.
    treatment: str
    #: Why, in a few words.
    why: str
    #: What was done before the first step, one line each.
    done: tuple[str, ...]
    #: All treatments that were tried, the one that went on among them.
    tried: tuple[Tried, ...]
    #: How it was converted, None where it was not.
    plan: Any
    #: How much better the original's predictions were than the same ones dealt out
    #: to samples at random: 1 at most, 0 where they say nothing about the labels,
    #: None where that cannot be known.
    skill: float | None
    #: Greatest |difference| between outputs of the original and of the treated
    #: model before its first step, on the probe; 0.0 for the same bytes.
    start_difference: float
    #: Metrics and fractions of the original.
    before: Mapping[str, float]
    #: The same of the model that was kept.
    after: Mapping[str, float]
    #: Logs of each epoch.
    history: tuple[Mapping[str, float], ...]
    #: What the metrics were measured on: `"test data"`, `"validation data"`,
    #: `"validation split"` or `"training data"`.
    evaluated_on: str
    #: What the epoch to keep was chosen by: the same words, never test data.
    chosen_on: str = "training data"
    #: Which weights the model has, in words, such as `"epoch 8 of 10"`.
    kept: str = ""
    #: The epoch whose weights the model has, from 1; 0 where none was better than
    #: the original, which the model then is; None where the last ones were taken.
    best_epoch: int | None = None
    #: Whether it helped: the model is better than it was, above chance, and alive.
    outcome: Outcome = dataclasses.field(default_factory=lambda: Outcome("", ""))
    #: What was said on the way: trials, choices, units that died again.
    notes: tuple[str, ...] = ()
    #: What was folded back, where that was asked for.
    fold: FoldResult | None = None
    #: Classes of this package that the model holds, such as `"PReLU"`: Keras opens a
    #: file of it only where `keras_rectifiers` is imported.
    own_classes: tuple[str, ...] = ()

    @property
    def rescued(self) -> bool:
        """Whether the model is better than it was, above chance, and alive."""
        return self.outcome.rescued

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each metric, and for the shares of dead and silent units."""
        return [
            self._row(name, value, self.after[name])
            for name, value in self.before.items()
        ]

    def parts(self, *, command_line: bool = False) -> list[Part]:
        """The lines and tables that it is shown as.

        Args:
            command_line: Whether it is read on the command line, where advice names
                commands and options.
        """
        return shown.parts(self, command_line=command_line)

    def to_dict(self) -> dict[str, Any]:
        """The result without the models, as plain data."""
        return {
            "rescued": self.rescued,
            "reason": self.outcome.reason,
            "outcome": self.outcome.sentence,
            "cause": self.outcome.cause,
            "advice": self.outcome.advice,
            "notes": list(self.notes),
            "treatment": self.treatment,
            "why": self.why,
            "done": list(self.done),
            "tried": [dataclasses.asdict(each) for each in self.tried],
            "skill": self.skill,
            "start_difference": self.start_difference,
            "before": dict(self.before),
            "after": dict(self.after),
            "evaluated_on": self.evaluated_on,
            "chosen_on": self.chosen_on,
            "kept": self.kept,
            "best_epoch": self.best_epoch,
            "folded": None if self.fold is None else len(self.fold.plan.steps),
            "own_classes": list(self.own_classes),
            "epochs": [dict(logs) for logs in self.history],
        }
