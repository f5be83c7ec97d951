"""Which entries of which weights belong to a unit: plain data about wiring.

A unit is one channel of a rectifier. Its weights are slices of the weights of layers
around it; this module describes how to address them, and why that is sometimes
impossible.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_rectifiers.specs import Cannot

Indices = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """The entries of one weight that belong to the units of a rectifier."""

    #: Path of the layer that has the weight, as `live.layers.by_path` gives it.
    path: str
    #: Class of the layer.
    class_name: str
    #: Attribute of the layer that is the weight; `cell.kernel` is one of its cell.
    weight: str
    #: Axes of the weight on which the units lie, counted from its end (negative).
    axes: tuple[int, ...]
    #: For each of these axes the positions of each unit, shape `(units, k)`.
    indices: tuple[Indices, ...]

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.indices[0])

    def at(self, unit: int, shape: Sequence[int]) -> tuple[Any, ...]:
        """An index of numpy that selects the entries of one unit.

        Args:
            unit: Number of the unit (channel), from 0.
            shape: Shape of the weight.

        Returns:
            Index with the same number of axes as the weight.
        """
        chosen = [np.arange(size) for size in shape]
        for axis, indices in zip(self.axes, self.indices, strict=True):
            chosen[axis] = indices[unit]
        return np.ix_(*chosen)

    def mask(self, units: npt.ArrayLike, shape: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Which entries of the weight belong to some units.

        Args:
            units: Numbers of the units.
            shape: Shape of the weight.

        Returns:
            Array of that shape.
        """
        mask = np.zeros(tuple(shape), bool)
        for unit in np.asarray(units, np.int64):
            mask[self.at(unit, shape)] = True
        return mask


@dataclasses.dataclass(frozen=True, eq=False)
class Producer(Part):
    """Entries that make a unit: its incoming weights.

    `role` is `"kernel"`, `"bias"`, `"gamma"`, `"beta"`, `"moving_mean"` or
    `"moving_variance"`. Moving statistics are listed only with the kernel before
    them: where nothing may change that, the measurements remain valid.
    """

    #: What the weight is for.
    role: str


@dataclasses.dataclass(frozen=True, eq=False)
class Passed:
    """A layer or operation between a unit and its consumer.

    All of them keep units apart, and all but BatchNormalization take 0 to 0.
    """

    #: Path of the layer or operation.
    path: str
    #: Its class.
    class_name: str
    #: Its config.
    config: dict[str, Any]
    #: Positions of each unit on the channel axis going in, shape `(units, k)`.
    indices: Indices
    #: Whether it is called once only, so that nothing else goes through it there.
    once: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Consumer(Part):
    """Entries that a unit's output is multiplied with: its outgoing weights.

    The axis of the inputs is `axes[0]`. Where there is a second one (convolutions
    in groups), the unit reaches those outputs only.
    """

    #: Config of the layer: `use_bias`, `padding`, `groups`, ...
    config: dict[str, Any]
    #: What lies between, nearest to the rectifier first.
    through: tuple[Passed, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class UnitWiring:
    """Producers and consumers of the units of one rectifier."""

    #: Path of the rectifier.
    path: str
    #: Number of units; None where unknown.
    units: int | None
    #: Incoming weights, nearest to the rectifier first.
    producers: tuple[Producer, ...] | Cannot
    #: Outgoing weights.
    consumers: tuple[Consumer, ...] | Cannot

    @property
    def cannot(self) -> Cannot | None:
        """Why the units cannot be taken out and put back; None if they can."""
        for side in (self.producers, self.consumers):
            if isinstance(side, Cannot):
                return side
        return None
