"""Moving statistics that lag behind while a model trains."""

from __future__ import annotations

from typing import Any

from keras_rectifiers.callbacks.sources import ProbeSource
from keras_rectifiers.diagnosis.diagnose import Diagnostician
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.live.batch_statistics import batch_norms
from keras_rectifiers.revival.statistics import refresh_statistics

#: Share of the units that moving statistics must silence to be estimated again.
_LAGS = 0.05


class LaggingStatistics:
    """Estimates moving statistics again where they silence units that fire in training.

    Args:
        source: Measures with the statistics of each batch.
        observation: Arguments of the `Diagnostician` that measures at inference.
    """

    def __init__(self, source: ProbeSource, **observation: Any) -> None:
        self._model = source.observer.model
        self._probe = source.probe
        norms = any(each.trainable for each in batch_norms(self._model))
        self._observer = Diagnostician(self._model, **observation) if norms else None

    def lag(self, training: Diagnosis) -> bool:
        """Whether they silence units that fire in training.

        Args:
            training: What was measured of the same weights with the statistics of each
                batch.
        """
        if self._observer is None:
            return False
        inference = self._observer.diagnose(self._probe)
        return bool(inference.dead_fraction - training.dead_fraction >= _LAGS)

    def refresh(self) -> None:
        """Estimate them again from the probe set."""
        refresh_statistics(self._model, iter(self._probe))
