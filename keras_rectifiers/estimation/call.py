"""One call of one layer or operation, as the rules see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from keras_rectifiers.estimation.bounds import Bounds
from keras_rectifiers.estimation.bounds import Precision
from keras_rectifiers.estimation.bounds import Shape
from keras_rectifiers.estimation.bounds import anything
from keras_rectifiers.estimation.bounds import first_blocked
from keras_rectifiers.graph import traits

#: Gives the named weights of the layer, as arrays or as what can be indexed alike.
Read = Callable[[Sequence[str]], list[Any]]


@dataclasses.dataclass(frozen=True)
class BoundedCall:
    """What a rule needs to bound the output of one call."""

    class_name: str
    name: str
    config: Mapping[str, Any]
    #: All tensors that come in, in Keras' order.
    inputs: Sequence[Bounds]
    #: Positional operands of an operation: bounds and other values.
    operands: Sequence[Any]
    read: Read
    precision: Precision
    #: Shape of a sample of the output; None where it is not known.
    shape: Shape | None = None

    @property
    def x(self) -> Bounds:
        """The first tensor that comes in."""
        return self.inputs[0]

    @property
    def spatial(self) -> int:
        """Number of spatial axes of a layer such as `Conv2D`."""
        return traits.of(self.class_name).spatial

    @property
    def channel_axis(self) -> int:
        """Axis of the channels of a layer with a `data_format`, from the end."""
        axis = traits.format_axis(self.config.get("data_format"))
        return axis if axis == traits.LAST else axis - (self.spatial + 2)

    @property
    def label(self) -> str:
        """The call, as messages name it."""
        return f"{self.class_name} {self.name!r}"

    def unknown(self) -> Bounds:
        """No bounds, and this call is to blame, unless an earlier one was."""
        return anything(self.shape, first_blocked(self.inputs) or self.label)

    def weights(self, *names: str) -> dict[str, Any]:
        """Those of the named weights that the config says are there."""
        absent = {
            "bias": not self.config.get("use_bias", True),
            "gamma": not self.config.get("scale", True),
            "beta": not self.config.get("center", True),
        }
        present = [name for name in names if not absent.get(name)]
        return dict(zip(present, self.read(present), strict=True))


Rule = Callable[[BoundedCall], Bounds]


def per_axis(value: Any, rank: int) -> tuple[int, ...]:
    """A number for each spatial axis; a single number applies to all."""
    if isinstance(value, int):
        return (value,) * rank
    numbers = tuple(int(each) for each in value)
    if len(numbers) != rank:
        raise ValueError(f"{value!r} for {rank} axes")
    return numbers
