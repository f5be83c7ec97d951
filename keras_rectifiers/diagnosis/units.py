"""Which axes of a rectifier's output tell its units apart, and how many there are."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_rectifiers.diagnosis.statistics import Values
from keras_rectifiers.graph import traits
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.state import to_numpy
from keras_rectifiers.specs import PRELU


@dataclasses.dataclass(frozen=True)
class UnitShape:
    """The units of one rectifier as an array."""

    #: Axes of the output that tell units apart, counted from 0 (the samples).
    axes: tuple[int, ...]
    #: The output's shape without its samples; None where it is open.
    output: tuple[int | None, ...]

    @classmethod
    def of(
        cls, rectifier: LiveRectifier, tensor: Any, wanted: tuple[int, ...] | None
    ) -> UnitShape:
        """The units in a rectifier's output.

        Args:
            rectifier: Whose output it is.
            tensor: The output, samples in front.
            wanted: Axes as the user counts them, None for the channel axis. Those
                that the output does not have are left out.
        """
        rank = len(tensor.shape)
        if wanted is None:
            wanted = (rectifier.channel_axis,)
        inside = {axis % rank for axis in wanted if -rank <= axis < rank}
        return cls(tuple(sorted(inside - {0})), tuple(tensor.shape[1:]))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of units along each axis; `(1,)` where no axis is left."""
        return tuple(int(self.output[axis - 1] or 0) for axis in self.axes) or (1,)

    @property
    def positions(self) -> tuple[int, ...]:
        """The other axes, without that of the samples."""
        rank = len(self.output) + 1
        return tuple(axis for axis in range(1, rank) if axis not in self.axes)

    def slopes(self, rectifier: LiveRectifier) -> tuple[Values, npt.NDArray[np.bool_]]:
        """Slope of each unit below the threshold, and whether one is not 0.

        Args:
            rectifier: Whose units they are.

        Returns:
            Arrays of shape `(units,)`. Where positions of one unit have separate
            slopes, their mean, and whether any of them is not 0.
        """
        units = math.prod(self.shape)
        if rectifier.function.kind != PRELU or len(self.axes) <= 1:
            return rectifier.slopes(units)
        alpha = to_numpy(rectifier.sloped.alpha, np.float64)
        if alpha.ndim == 1:
            sizes = [1] * len(self.output)
            sizes[traits.slope_axis(rectifier.channel_axis, len(sizes))] = -1
            alpha = alpha.reshape(sizes)
        whole = np.broadcast_to(alpha, [size or 1 for size in self.output])
        kept = [axis - 1 for axis in self.axes]
        flat = np.moveaxis(whole, kept, range(len(kept))).reshape(units, -1)
        return flat.mean(axis=1), (flat != 0).any(axis=1)
