"""The units of a live model, bound to the variables that make and take them up."""

from __future__ import annotations

import dataclasses
import operator
from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_rectifiers.graph.units.wire import Consumer
from keras_rectifiers.graph.units.wire import Part
from keras_rectifiers.graph.units.wire import Producer
from keras_rectifiers.graph.units.wire import UnitWiring
from keras_rectifiers.graph.units.wire import wire
from keras_rectifiers.live.layers import by_path
from keras_rectifiers.live.layers import own_variables
from keras_rectifiers.live.state import copy_of
from keras_rectifiers.specs import Cannot
from keras_rectifiers.specs import CannotError
from keras_rectifiers.surgery.live import LiveModel

Values = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Incoming:
    """A weight that makes units."""

    part: Producer
    layer: Any
    variable: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Outgoing:
    """A weight that takes units up."""

    part: Consumer
    layer: Any
    variable: Any
    #: The live layer of each `part.through`; None for an operation.
    through: tuple[Any, ...]

    def strength(self) -> Values:
        """Sum of |w| over the outgoing entries of each unit, shape `(units,)`."""
        weight = np.abs(copy_of(self.variable).astype(np.float64))
        if len(self.part.axes) == 1:
            lines = np.moveaxis(weight, self.part.axes[0], 0)
            sums = lines.reshape(len(lines), -1).sum(axis=1)
            return np.asarray(sums[self.part.indices[0]].sum(axis=1))
        return np.array(
            [
                weight[self.part.at(unit, weight.shape)].sum()
                for unit in range(self.part.units)
            ]
        )


@dataclasses.dataclass(frozen=True, eq=False)
class LiveUnits:
    """The units of one rectifier of a live model."""

    path: str
    units: int
    incoming: tuple[Incoming, ...]
    outgoing: tuple[Outgoing, ...]

    def strength(self) -> Values:
        """Sum of |w| over all outgoing weights of each unit, shape `(units,)`."""
        return np.asarray(sum(each.strength() for each in self.outgoing))


class LiveWiring:
    """Where the units of a live model can be taken out and put back.

    Args:
        model: A built Functional or Sequential model; not changed.

    Attributes:
        sites: `LiveUnits` by path of the rectifier.
        left: Why a rectifier is left alone, by path.

    Raises:
        UnsupportedModelError: If the model's config does not list its layers.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.sites: dict[str, LiveUnits] = {}
        self.left: dict[str, str] = {}
        self._layers = by_path(model)
        owned = [
            id(each) for layer in self._layers.values() for each in own_variables(layer)
        ]
        self._tied = {key for key, count in Counter(owned).items() if count > 1}
        for path, wiring in wire(LiveModel(model).survey).items():
            try:
                self.sites[path] = self._bound(wiring)
            except CannotError as error:
                self.left[path] = str(error)

    def site(self, path: str) -> LiveUnits:
        """The units of a rectifier.

        Raises:
            CannotError: If they are left alone; it says why.
        """
        if path in self.left:
            raise CannotError(self.left[path])
        return self.sites[path]

    def _bound(self, wiring: UnitWiring) -> LiveUnits:
        incoming, outgoing = wiring.producers, wiring.consumers
        if isinstance(incoming, Cannot):
            raise CannotError(incoming.detail)
        if isinstance(outgoing, Cannot):
            raise CannotError(outgoing.detail)
        return LiveUnits(
            wiring.path,
            wiring.units or 0,
            tuple(Incoming(part, *self._variable(part)) for part in incoming),
            tuple(
                Outgoing(
                    part,
                    *self._variable(part),
                    tuple(self._layers.get(each.path) for each in part.through),
                )
                for part in outgoing
            ),
        )

    def _variable(self, part: Part) -> tuple[Any, Any]:
        layer = self._layers.get(part.path)
        if layer is None:
            raise CannotError(f"the layer {part.path!r} was not found")
        if getattr(layer, "quantization_mode", None) or getattr(
            layer, "lora_enabled", False
        ):
            raise CannotError(f"{part.path!r} is quantized or has LoRA weights")
        variable = operator.attrgetter(part.weight)(layer)
        if variable is None or id(variable) in self._tied:
            raise CannotError(
                f"{part.weight} of {part.path!r} is tied to a weight of another layer"
            )
        moving = isinstance(part, Producer) and part.role.startswith("moving")
        if not moving and not variable.trainable:
            raise CannotError(f"{part.weight} of {part.path!r} is frozen")
        _check_inside(part, variable.shape)
        return layer, variable


def _check_inside(part: Part, shape: Sequence[int]) -> None:
    for axis, indices in zip(part.axes, part.indices, strict=True):
        if len(shape) < -axis or indices.max(initial=0) >= shape[axis]:
            raise CannotError(
                f"{part.weight} of {part.path!r} does not have the expected shape"
            )
