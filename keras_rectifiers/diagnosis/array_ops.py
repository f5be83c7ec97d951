"""The operations that reductions take, on a backend's tensors and on numpy arrays.

Reductions are written once. Inside a compiled function they are operations of Keras;
outside of one those cost more than they compute, and numpy does the same.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


class _Numpy:
    """The names of `keras.ops` that numpy does not have; all others are numpy's."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def cast(array: Any, dtype: str) -> Any:
        return np.asarray(array).astype(dtype)

    @staticmethod
    def convert_to_tensor(array: Any) -> Any:
        return np.asarray(array)

    @staticmethod
    def relu(array: Any) -> Any:
        return np.maximum(array, 0)


_NUMPY = _Numpy()


def ops_for(array: Any) -> Any:
    """The module of operations that an array takes.

    Args:
        array: A numpy array, or a tensor of the backend.
    """
    return _NUMPY if isinstance(array, np.ndarray) else keras.ops
