"""How far weights went between measurements, as evidence of a diagnosis."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.diagnosis.evidence.data import LayerChange
from keras_rectifiers.diagnosis.evidence.gather import Evidence
from keras_rectifiers.diagnosis.evidence.gather import WeightWatch
from keras_rectifiers.diagnosis.result import Diagnosis

_NO_BATCH = "the units were counted during training, and no batch is available"


class WeightHistory:
    """Keeps the changes of weights in a run.

    Args:
        model: A built model; not changed.
    """

    def __init__(self, model: Any) -> None:
        self._watch = WeightWatch(model)
        self._changes: list[tuple[int, Mapping[str, LayerChange]]] = []

    def added_to(self, diagnosis: Diagnosis, step: int) -> Diagnosis:
        """The diagnosis with the changes up to now in its evidence.

        Args:
            diagnosis: Of now.
            step: Steps of the optimizer.
        """
        self._changes.append((step, self._watch.measure()))
        evidence = diagnosis.evidence or Evidence(samples=0, problem=_NO_BATCH)
        evidence = dataclasses.replace(evidence, history=tuple(self._changes))
        return dataclasses.replace(diagnosis, evidence=evidence)
