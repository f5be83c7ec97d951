"""What is wrong with a model, before anything is done: its units, and its skill."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_rectifiers.diagnosis.causes.explain import explain
from keras_rectifiers.diagnosis.causes.explanation import Cause
from keras_rectifiers.diagnosis.diagnose import Diagnostician
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.diagnosis.verdicts import DEAD
from keras_rectifiers.files.data import Data
from keras_rectifiers.finetuning.skill import skill
from keras_rectifiers.live.outputs import outputs_of
from keras_rectifiers.revival.norms import learning_norms

#: Score from which on a cause is treated.
_LIKELY = 1 / 3
#: Share of dead units below which a layer lives.
_LIVES = 0.1


@dataclasses.dataclass(frozen=True, eq=False)
class Findings:
    """What a look at a model on a sample of its training data gave."""

    #: Units on the sample.
    diagnosis: Diagnosis
    #: How much better the predictions are than the same ones dealt out to samples
    #: at random, as a share of the loss: 1 at best, 0 where they say nothing about
    #: the labels, as where the output is a constant. None where that is unknown.
    skill: float | None
    #: Batch normalizations that learn.
    norms: int
    #: Predictions of the sample, as arrays in Keras' structure.
    outputs: Any

    #: Likely causes of what is dead.
    causes: tuple[Cause, ...] = ()
    #: Numbers of the dead units of each output rectifier, by its path.
    dead_outputs: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def has_cause(self, kind: str) -> bool:
        """Whether a cause is likely: it explains a third of what is dead, or more."""
        return any(each.kind == kind and each.score >= _LIKELY for each in self.causes)

    @property
    def dead_fraction(self) -> float:
        """Share of all units without gradient, 0..1."""
        return self.diagnosis.dead_fraction if self.diagnosis.layers else 0.0

    @property
    def has_dead_layer(self) -> bool:
        """Whether all units of some layer are dead."""
        return any(each.dead == each.units for each in self.diagnosis.layers)

    @property
    def is_cut(self) -> bool:
        """Whether all units of the later layers are dead, and the other layers live.

        Then the outputs say nothing, whatever the layers before them have learned.
        """
        layers = self.diagnosis.layers
        rest = [each for each in layers if each.dead < each.units]
        if not rest or len(rest) == len(layers) or rest[0] is not layers[0]:
            return False
        dead, units = (sum(getattr(e, n) for e in rest) for n in ("dead", "units"))
        return bool(dead < _LIVES * units)


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
    outputs = outputs_of(model, sample.x)
    diagnosis = units_of(model, probe)
    return Findings(
        diagnosis,
        skill(model, sample, outputs, seed),
        len(list(learning_norms(model))),
        outputs,
        explain(diagnosis).causes,
        dead_outputs(diagnosis),
    )


def units_of(model: Any, probe: Any, *, explain: bool = True) -> Diagnosis:
    """The diagnosis of a network that is looked at once or twice.

    Args:
        model: A compiled model; not changed.
        probe: Inputs on which units are watched.
        explain: Whether to look up what silenced units.
    """
    return Diagnostician(model, batch_size=256, explain=explain).diagnose(probe)


def dead_outputs(diagnosis: Diagnosis) -> dict[str, np.ndarray]:
    """Numbers of the dead units of each rectifier that is an output of a model.

    Args:
        diagnosis: Of its units.
    """
    ends = diagnosis.dead_outputs
    return {
        each.layer: np.flatnonzero(each.verdicts == DEAD)
        for each in diagnosis.layers
        if each.layer in ends
    }
