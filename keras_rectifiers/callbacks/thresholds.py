"""Act when a figure stays above a bound: warn, stop, or call a function."""

from __future__ import annotations

import dataclasses
import fnmatch
import warnings
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

#: Receives the monitor and the diagnosis that crossed the bound.
Action = Callable[[Any, Any], None]

WARN = "warn"
STOP = "stop"


@dataclasses.dataclass(frozen=True)
class Threshold:
    """What to do when a figure of the logs is above a bound.

    It acts each time the figure has been above the threshold in `patience + 1`
    measurements in a row, and then starts counting again.

    Example:
        ```python
        Threshold("dead_fraction", above=0.2)  # warns
        Threshold("not_finite_fraction", above=0, then="stop")
        Threshold("dead_fraction/conv*", above=0.5, then=revive, patience=2)
        ```

    Raises:
        TypeError: If `then` is something else.
        ValueError: If `patience` is negative.
    """

    #: Key of the logs, or a pattern for several: `*` matches any characters.
    figure: str
    #: The figure must be greater than this.
    above: float
    #: `"warn"`, `"stop"` (the training, after this epoch or batch), or a function of
    #: the monitor and the diagnosis.
    then: str | Action = WARN
    #: Measurements that are let pass before the one that acts.
    patience: int = 0

    def __post_init__(self) -> None:
        if self.then not in (WARN, STOP) and not callable(self.then):
            raise TypeError(
                "then must be 'warn', 'stop' or a function of a monitor and a "
                f"diagnosis. Received: then={self.then!r}."
            )
        if self.patience < 0:
            raise ValueError(
                f"patience must be at least 0. Received: patience={self.patience}."
            )

    def crossed(self, figures: Mapping[str, float]) -> dict[str, float]:
        """The figures that are above the bound.

        Args:
            figures: Figures of a measurement by key.
        """
        return {
            key: value
            for key, value in figures.items()
            if fnmatch.fnmatchcase(key, self.figure) and value > self.above
        }

    def act(self, crossed: Mapping[str, float], monitor: Any, diagnosis: Any) -> None:
        """Act as the threshold says.

        Args:
            crossed: What is above the bound, at least one figure.
            monitor: The callback.
            diagnosis: Of the measurement.
        """
        if callable(self.then):
            self.then(monitor, diagnosis)
            return
        worst = max(crossed, key=lambda key: crossed[key])
        others = f" and {len(crossed) - 1} more" if len(crossed) > 1 else ""
        text = (
            f"{worst} is {crossed[worst]:.3g}{others}, above the threshold of "
            f"{self.above:g}."
        )
        if self.then == STOP:
            monitor.model.stop_training = True
            text = f"Training stops: {text}"
        warnings.warn(text, stacklevel=2)


class Streaks:
    """How often in a row each threshold was crossed.

    Args:
        thresholds: The thresholds.
    """

    def __init__(self, thresholds: tuple[Threshold, ...]) -> None:
        self._thresholds = thresholds
        #: One count for each threshold.
        self.counts = [0] * len(thresholds)

    def due(
        self, figures: Mapping[str, float]
    ) -> list[tuple[Threshold, dict[str, float]]]:
        """The thresholds that act on a measurement, and what crossed them.

        Args:
            figures: Figures of the measurement by key.
        """
        found = []
        for place, threshold in enumerate(self._thresholds):
            crossed = threshold.crossed(figures)
            self.counts[place] = self.counts[place] + 1 if crossed else 0
            if self.counts[place] > threshold.patience:
                self.counts[place] = 0
                found.append((threshold, crossed))
        return found
