"""Check the arguments of the initializers: one sentence for the rule and the remedy."""

from __future__ import annotations

import numbers
import random
from typing import Any

_MODES = ("fan_in", "fan_out", "fan_avg")
#: Keras draws its own default seeds below this.
_SEEDS = 10**9


def mode(value: Any, name: str) -> str:
    """`mode` as one of Keras' three words.

    Raises:
        ValueError: If it is another value.
    """
    if value not in _MODES:
        raise ValueError(
            f"mode of {name} must be one of {_MODES}. Received: mode={value!r}. Pass "
            '"fan_in" to preserve the variance in the forward pass, "fan_out" in the '
            "backward pass."
        )
    return str(value)


def fan_in(value: Any, name: str) -> int:
    """`fan_in` as a Python int above 0.

    Raises:
        TypeError: If it is not an integer.
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


def fresh_seed() -> int:
    """A new seed, from the generator that `keras.utils.set_random_seed` sets."""
    return random.randrange(_SEEDS)  # noqa: S311 - nothing secret is drawn
