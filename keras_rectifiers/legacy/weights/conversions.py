"""Weights that are stored otherwise than Keras 3 wants them.

A conversion says what the old file holds for a layer, and makes of it what the
layer wants.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rectifiers.graph.variables.variable import Variable

Values = Sequence[np.ndarray[Any, Any]]


@dataclasses.dataclass(frozen=True)
class Conversion:
    """One way in which old weights differ.

    Attributes:
        about: What it does, in one line for the documentation.
        stored: Layer's modern config -> variables as the old file has them.
        apply: (stored arrays, layer's modern config) -> arrays as wanted.
    """

    about: str
    stored: Callable[[dict[str, Any]], tuple[Variable, ...]]
    apply: Callable[[Values, dict[str, Any]], list[np.ndarray[Any, Any]]]


#: Name -> conversion.
CONVERSIONS: dict[str, Conversion] = {}
