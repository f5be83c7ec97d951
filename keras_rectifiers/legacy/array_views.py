"""The two ways to stand for an array of a file: around another, or by its values."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

if TYPE_CHECKING:
    from keras_rectifiers.legacy.containers.saved import Array


@dataclasses.dataclass(frozen=True)
class Around:
    """Another array, about which something more is known."""

    array: Array

    @property
    def name(self) -> str:
        """Its name in the file."""
        return self.array.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its type."""
        return self.array.dtype

    def read(self) -> np.ndarray[Any, Any]:
        """Its values."""
        return self.array.read()


@dataclasses.dataclass(frozen=True)
class InMemory:
    """An array whose values are known already."""

    name: str
    values: np.ndarray[Any, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self.values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its type."""
        return self.values.dtype

    def read(self) -> np.ndarray[Any, Any]:
        """Its values."""
        return self.values
