"""Check the arguments of the initializers: one sentence for the rule and the remedy."""

from __future__ import annotations

import math
import numbers
import random
from typing import Any

_MODES = ("fan_in", "fan_out", "fan_avg")
#: Keras draws its own default seeds below this.
_SEEDS = 10**9


def slope(value: Any, name: str) -> float:
    """`negative_slope` as a Python float.

    Raises:
        TypeError: If it is no real number.
        ValueError: If it is infinite or NaN.
    """
    scalar = isinstance(value, numbers.Real) or getattr(value, "ndim", None) == 0
    if isinstance(value, bool) or not scalar:
        raise TypeError(
            f"negative_slope of {name} must be a number. Received: "
            f"negative_slope={value!r} (a {type(value).__name__}). Pass a float."
        )
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(
            f"negative_slope of {name} must be finite. Received: "
            f"negative_slope={value!r}. Pass an ordinary float."
        )
    return number


def mode(value: Any, name: str) -> str:
    """`mode` as one of Keras' three words.

    Raises:
        ValueError: If it is another value.
    """
    if value not in _MODES:
        raise ValueError(
            f"mode of {name} must be one of {_MODES}. Received: mode={value!r}. "
            'Pass "fan_in" to preserve the forward pass, "fan_out" the backward one.'
        )
    return str(value)


def fan_in(value: Any, name: str) -> int:
    """`fan_in` as a Python int above 0.

    Raises:
        TypeError: If it is no integer.
        ValueError: If it is not above 0.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(
            f"fan_in of {name} must be an integer. Received: fan_in={value!r} "
            f"(a {type(value).__name__}). Pass the number of inputs of one unit."
        )
    if value < 1:
        raise ValueError(
            f"fan_in of {name} must be above 0. Received: fan_in={value!r}. "
            "Pass the number of inputs of one unit."
        )
    return int(value)


def seed(value: Any, name: str) -> int | None:
    """`seed` as a Python int, or None.

    Raises:
        TypeError: If it is neither: a `SeedGenerator` moves on with each draw, and a
            kernel and its bias must come from the same one.
        ValueError: If it is negative.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(
            f"seed of {name} must be an integer or None. Received: seed={value!r} "
            f"(a {type(value).__name__}). Pass an int: kernel and bias share a draw."
        )
    if value < 0:
        raise ValueError(
            f"seed of {name} must not be negative. Received: seed={value!r}. "
            "Pass an int of 0 or more."
        )
    return int(value)


def fresh_seed() -> int:
    """A new seed, from the generator that `keras.utils.set_random_seed` sets."""
    return random.randrange(_SEEDS)  # noqa: S311 - nothing secret is drawn
