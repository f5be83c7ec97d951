"""The rectifiers as plain data: names on disk, arguments, shapes of weights.

File surgery writes layers through this module and never imports `keras` or
`keras_rectifiers.layers`; a test checks that both descriptions agree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

#: Kinds of rectifier, in the words of the command line.
RELU = "relu"
LEAKY_RELU = "leaky_relu"
PRELU = "prelu"

#: Maas et al. 2013, section 2: the slope of Leaky ReLU.
DEFAULT_NEGATIVE_SLOPE = 0.01
#: With alpha 0 the converted model is the original, bit for bit.
DEFAULT_ALPHA = 0.0
#: He et al. 2015, section 2.1: where slopes start. A unit that is dead gives 0
#: whatever its slope is meant to be; from here its gradient flows at once.
DEFAULT_DEAD_ALPHA = 0.25

#: On-disk format: never change these.
PACKAGE = "keras_rectifiers"
LAYERS_MODULE = "keras_rectifiers.layers"
CONSTRAINTS_MODULE = "keras_rectifiers.constraints"
INITIALIZERS_MODULE = "keras_rectifiers.initializers"
LEAKY_RELU_REGISTERED = "keras_rectifiers>LeakyReLU"
PRELU_REGISTERED = "keras_rectifiers>PReLU"
RRELU_REGISTERED = "keras_rectifiers>RReLU"
NRELU_REGISTERED = "keras_rectifiers>NReLU"
CONVERTED_REGISTERED = "keras_rectifiers>Converted"
#: Keys of the config of a converted object: that of before, and what was put where.
CONVERTED_INNER = "inner"
CONVERTED_ROUNDS = "rounds"

Shape = tuple[int | None, ...]


@dataclasses.dataclass(frozen=True)
class Rectifier:
    """The function that one rectifier computes.

    ``f(x) = min(x, max_value)`` for ``x > threshold``, else
    ``negative_slope * (x - threshold)``.
    """

    #: `"relu"`, `"leaky_relu"` or `"prelu"`.
    kind: str
    #: Slope for negative input; for a PReLU its slopes are weights, and this is 0.
    negative_slope: float = 0.0
    #: Upper bound of the output, or None.
    max_value: float | None = None
    #: Input below which the negative branch applies.
    threshold: float = 0.0


@dataclasses.dataclass(frozen=True)
class Cannot:
    """Why something is not done as requested."""

    #: One word, for programs: a role; `"kind"`, `"include"`, `"exclude"` or
    #: `"where"`, by which a selection leaves it out; `"already"`, `"threshold"`,
    #: `"channels"`, `"slope"`, `"slopes"`, `"portable"`, `"callable"` or `"units"`.
    reason: str
    #: The same in words, for people.
    detail: str


class CannotError(ValueError):
    """Ends a walk that has found why something cannot be done; it holds the answer.

    Args:
        detail: As for `Cannot`.
        reason: As for `Cannot`.
    """

    def __init__(self, detail: str, reason: str = "units") -> None:
        super().__init__(detail)
        self.cannot = Cannot(reason, detail)


@dataclasses.dataclass(frozen=True)
class NewWeight:
    """A weight that a replacement adds: its shape and the value it starts at."""

    name: str
    shape: tuple[int, ...]
    value: Any  # a float, an array of `shape`, or that as lists

    @property
    def size(self) -> int:
        """Number of parameters."""
        size = 1
        for length in self.shape:
            size *= length
        return size


@dataclasses.dataclass(frozen=True)
class Replacement:
    """A layer to put in a rectifier's place, in the form of a Keras config."""

    module: str
    class_name: str
    registered_name: str | None
    #: Constructor arguments without `name`, `trainable` and `dtype`.
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    #: New weights in the order in which the layer creates them.
    weights: tuple[NewWeight, ...] = ()
    #: Shape to build the layer with; None where it has neither weights nor a `cap`.
    build_shape: Shape | None = None
    #: Upper bound that the layer itself cannot have: `graph.capped` puts one over it.
    cap: float | None = None

    @property
    def parameters(self) -> int:
        """Number of parameters that this replacement adds."""
        return sum(weight.size for weight in self.weights)
