"""Slopes that learn faster than the rest, or not at all: what their gradient is.

Adam and its kin do not notice a factor on a gradient. So the variable is scaled
instead: it holds `alpha / m` and is given alpha's own gradient. Whatever step an
optimizer makes of that gradient, `alpha` makes it m times.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops


def times(variable: Any, factor: float) -> Any:
    """`factor * variable`, whose gradient is passed on unscaled.

    Args:
        variable: Floating point variable or tensor.
        factor: A finite number.
    """
    value = ops.convert_to_tensor(variable)
    # The difference is 0: it carries the gradient, and adds nothing.
    return ops.stop_gradient(value * ops.cast(factor, value.dtype)) + (
        value - ops.stop_gradient(value)
    )


def hold(alpha: Any, trained: tuple[int, ...]) -> Any:
    """`alpha`, whose gradient reaches the trained channels only.

    Args:
        alpha: Slopes, of shape `(channels,)`.
        trained: Numbers of the channels that learn.
    """
    value = ops.convert_to_tensor(alpha)
    return ops.where(_mask(value, trained), value, ops.stop_gradient(value))


@dataclasses.dataclass(frozen=True)
class SlopeTraining:
    """How slopes learn, and what that makes of the variable that holds them."""

    #: The variable holds `alpha / factor`.
    factor: float = 1.0
    #: The channels that learn; None for all.
    channels: tuple[int, ...] | None = None

    @property
    def plain(self) -> bool:
        """Whether the variable is alpha, and all of it learns."""
        return self.factor == 1 and self.channels is None

    def slopes(self, variable: Any) -> Any:
        """Alpha, with the gradient that the variable is to get."""
        alpha = variable if self.factor == 1 else times(variable, self.factor)
        return alpha if self.channels is None else hold(alpha, self.channels)

    def initializer(self, initializer: Any) -> Any:
        """Starts the variable so that the slopes start as asked."""
        if self.factor == 1:
            return initializer

        def start(shape: Any, dtype: Any = None) -> Any:
            return initializer(shape, dtype=dtype) / self.factor

        return start

    def regularizer(self, regularizer: Any) -> Callable[[Any], Any] | None:
        """The penalty of the slopes; its gradient counts as theirs."""
        if self.plain or regularizer is None:
            return regularizer
        return lambda variable: regularizer(self.slopes(variable))

    def constraint(self, constraint: Any) -> Callable[[Any], Any] | None:
        """Keeps the slopes that learn in bounds."""
        if self.plain or constraint is None:
            return constraint

        def bounded(variable: Any) -> Any:
            value = ops.convert_to_tensor(variable)
            inside = constraint(value * self.factor) / self.factor
            if self.channels is None:
                return inside
            return ops.where(_mask(value, self.channels), inside, value)

        return bounded


def _mask(alpha: Any, channels: tuple[int, ...]) -> Any:
    mask = np.zeros(tuple(alpha.shape), bool)
    mask[list(channels)] = True
    return ops.convert_to_tensor(mask)
