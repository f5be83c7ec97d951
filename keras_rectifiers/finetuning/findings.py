"""What is wrong with a model, before anything is done: its units, and its skill."""

from __future__ import annotations

import dataclasses
from typing import Any

from keras_rectifiers.diagnosis.diagnose import diagnose
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.files.data import Data
from keras_rectifiers.finetuning.skill import predictions
from keras_rectifiers.finetuning.skill import skill
from keras_rectifiers.revival.norms import batch_norms


@dataclasses.dataclass(frozen=True, eq=False)
class Findings:
    """What a look at a model on a sample of its training data gave."""

    #: Units on the sample.
    diagnosis: Diagnosis
    #: How much better the predictions are than the same ones dealt out to samples
    #: at random, as a share of the loss: 1 at best, 0 where they say nothing about
    #: the labels, as where the output is a constant. None where that is unknown.
    skill: float | None
    #: Batch normalisations that learn.
    norms: int
    #: Predictions of the sample, as arrays in Keras' structure.
    outputs: Any

    @property
    def dead_fraction(self) -> float:
        """Share of all units without gradient, 0..1."""
        return self.diagnosis.dead_fraction if self.diagnosis.layers else 0.0


def fractions(diagnosis: Diagnosis) -> dict[str, float]:
    """Shares of dead and silent units; nothing for a model without rectifiers."""
    if not diagnosis.layers:
        return {}
    return {
        "dead_fraction": diagnosis.dead_fraction,
        "silent_fraction": diagnosis.silent_fraction,
    }


def find(model: Any, sample: Data, probe: Any, seed: int) -> Findings:
    """Look at a compiled model.

    Args:
        model: The model; not changed.
        sample: Inputs and labels to measure the skill on.
        probe: Inputs on which units are watched.
        seed: Of the deals.
    """
    outputs = predictions(model, sample.x)
    return Findings(
        diagnose(model, probe, batch_size=256, explain=False),
        skill(model, sample, outputs, seed),
        len(list(batch_norms(model))),
        outputs,
    )
