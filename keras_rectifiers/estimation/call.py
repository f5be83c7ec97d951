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
class Call:
    """What a rule needs to bound the output of one call."""

    class_name: str
    name: str
    config: Mapping[str, Any]
    #: All tensors that come in, in Keras' order.
    inputs: Sequence[Bounds]
    #: Positional operands of an operation: bounds, and whatever else stands there.
    operands: Sequence[Any]
    read: Read
    precision: Precision
    #: Shape of a sample of the output, where the document states it.
    stated: Shape | None = None

    @property
    def x(self) -> Bounds:
        """The first tensor that comes in."""
        return self.inputs[0]

    @property
    def told(self) -> str:
        """The call, as messages name it."""
        return f"{self.class_name} {self.name!r}"

    def unknown(self) -> Bounds:
        """No bounds, and this call is to blame, unless an earlier one was."""
        return anything(self.stated, first_blocked(self.inputs) or self.told)

    def weights(self, *names: str) -> dict[str, Any]:
        """Those of the named weights that the config says are there."""
        absent = {
            "bias": not self.config.get("use_bias", True),
            "gamma": not self.config.get("scale", True),
            "beta": not self.config.get("center", True),
        }
        present = [name for name in names if not absent.get(name)]
        return dict(zip(present, self.read(present), strict=True))


Rule = Callable[[Call], Bounds]


def spatial_axis(config: Mapping[str, Any], rank: int) -> int:
    """Axis of the channels, counted from the end.

    Args:
        config: Of a layer with a `data_format`.
        rank: Number of spatial axes.
    """
    axis = traits.format_axis(config.get("data_format"))
    return axis if axis == traits.LAST else axis - (rank + 2)


def rank_of(class_name: str) -> int:
    """Number of spatial axes of a layer such as `Conv2D` or `Conv1DTranspose`."""
    return next(int(letter) for letter in class_name if letter in "123")


def per_axis(value: Any, rank: int) -> tuple[int, ...]:
    """A number for each spatial axis, where one may stand for all."""
    if isinstance(value, int):
        return (value,) * rank
    numbers = tuple(int(each) for each in value)
    if len(numbers) != rank:
        raise ValueError(f"{value!r} for {rank} axes")
    return numbers


def spatial(shape: Shape | None, axis: int, rank: int) -> list[int | None]:
    """Lengths of the spatial axes of a sample; None where unknown."""
    if shape is None or len(shape) != rank + 1:
        return [None] * rank
    lengths = list(shape)
    del lengths[axis]
    return lengths


def with_channels(
    lengths: Sequence[int | None], channels: int | None, axis: int
) -> Shape:
    """Shape of a sample from its spatial lengths and its channels."""
    if axis == -1:
        return (*lengths, channels)
    return (channels, *lengths)
