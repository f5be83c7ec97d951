"""What a model is before anything is done."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.callbacks.sampling import of_first
from keras_rectifiers.files.data import Data
from keras_rectifiers.finetuning import checks
from keras_rectifiers.finetuning import findings
from keras_rectifiers.finetuning.best_epoch import DEAD_FRACTION
from keras_rectifiers.finetuning.best_epoch import deciding_metric
from keras_rectifiers.finetuning.best_epoch import standing
from keras_rectifiers.finetuning.findings import Findings
from keras_rectifiers.finetuning.labels import below_a_rectifier
from keras_rectifiers.finetuning.labels import check_labels
from keras_rectifiers.finetuning.optimizers import prepare
from keras_rectifiers.finetuning.prepare import copied
from keras_rectifiers.finetuning.split import Parts

#: Samples on which units are watched, where no probe is given.
PROBE_SAMPLES = 1024
_BATCH = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Look:
    """What a model is before anything is done."""

    found: Findings
    #: Metrics that are reported.
    measured: Mapping[str, float]
    #: Metrics by which the best epoch is chosen.
    start: Mapping[str, float]
    #: Inputs, labels and weights of some samples, in memory.
    sample: Data
    #: Inputs on which units are watched.
    probe: Any
    #: The compiled copy that was looked at.
    copy: Any

    @functools.cached_property
    def out_of_reach(self) -> str:
        """Labels that no training reaches, in one sentence; empty where all are."""
        return below_a_rectifier(self.sample.y, self.found.diagnosis)

    @property
    def chosen_by(self) -> dict[str, float]:
        """Metrics by which the best epoch is chosen, and the share of dead units."""
        return {**self.start, DEAD_FRACTION: self.found.dead_fraction}

    def is_better_than(self, other: Look) -> bool:
        """Whether a model is better than another."""
        metric = deciding_metric(self.chosen_by)
        mine, theirs = (standing(each.chosen_by, metric) for each in (self, other))
        return mine.better_than_start(theirs)


def look_at(
    model: Any, parts: Parts, probe: Any, compiling: Mapping[str, Any], seed: int
) -> Look:
    """Look at a model: its units, its metrics, and whether it can be trained on.

    Args:
        model: The model; not changed.
        parts: The data.
        probe: Inputs on which units are watched; None takes some of the training
            data.
        compiling: Of `optimizers.prepare`.
        seed: Of the look at the skill.

    Raises:
        DataError: The labels do not fit the model.
    """
    sample = parts.sample(PROBE_SAMPLES)
    checks.check_arrays(model, sample)  # of a data set object, nothing was seen yet
    original = copied(model)
    prepare(original, **compiling)
    measured = check_labels(
        original,
        parts.in_memory() or [sample],
        lambda: evaluated(original, parts.evaluation()),
    )
    start = measured
    if parts.test is not parts.validation:
        start = evaluated(original, parts.choosing())
    watched = sample.x
    if probe is not None:
        watched = of_first(probe, batch_size=_BATCH, steps=None)
    found = findings.find(original, sample, watched, seed)
    return Look(found, measured, start, sample, watched, original)


def evaluated(model: Any, arguments: Mapping[str, Any]) -> dict[str, float]:
    """Metrics of a model.

    Args:
        model: A compiled model.
        arguments: Of `keras.Model.evaluate`, for the data.
    """
    found = model.evaluate(**arguments, verbose=0, return_dict=True)
    return {name: float(value) for name, value in found.items()}
