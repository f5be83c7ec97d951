"""Arrays of a file: a view of another array, or values in memory."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol

import numpy as np

if TYPE_CHECKING:
    from keras_rectifiers.legacy.containers.saved import Array


class Readable(Protocol):
    """Anything with values: an array of a file, or one made from others."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Their shape."""

    def read(self) -> np.ndarray[Any, Any]:
        """The values."""


@dataclasses.dataclass(frozen=True)
class Around:
    """A view of another array that changes some of its attributes."""

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


@dataclasses.dataclass(frozen=True)
class Filled:
    """An array of one value."""

    shape: tuple[int, ...]
    value: float
    dtype: str = "float32"

    def read(self) -> np.ndarray[Any, Any]:
        """Its values."""
        return np.full(self.shape, self.value, self.dtype)
