"""When a callback looks at a model that trains, so that it costs little."""

from __future__ import annotations

#: Most epochs between two looks, and most training steps.
_MOST_EPOCHS = 16
_MOST_STEPS = 1000
#: Share of the units at which something was done, below which all counts as well.
_WELL = 0.05


class Pace:
    """At the end of which epochs to look.

    Args:
        every: Number of epochs between two measurements; None: every epoch at first. If
            all is well, the interval doubles, up to 16 epochs, and never exceeds 1,000
            training steps.
    """

    def __init__(self, every: int | None) -> None:
        self._every = every
        self.begin()

    def begin(self, steps: int = 0) -> None:
        """Training begins.

        Args:
            steps: Training steps that were taken before.
        """
        self._wait = 1
        self._waited = 0
        self._looked_at = steps

    def is_due(self, epoch: int, steps: int) -> bool:
        """Whether to look at the end of an epoch; to be asked once for each.

        Args:
            epoch: Epochs that have ended.
            steps: Training steps that were taken.
        """
        if self._every is not None:
            return epoch % self._every == 0
        self._waited += 1
        long_ago = steps + self._steps_of_epoch(steps) > self._looked_at + _MOST_STEPS
        if self._waited < self._wait and not long_ago:
            return False
        self._waited = 0
        self._looked_at = steps
        return True

    def _steps_of_epoch(self, steps: int) -> int:
        return (steps - self._looked_at) // max(self._waited, 1)

    def looked(self, done: int, units: int) -> None:
        """Something was found, or all is well.

        Args:
            done: Units at which something was done.
            units: All units.
        """
        well = done < _WELL * units
        self._wait = min(2 * self._wait, _MOST_EPOCHS) if well else 1
