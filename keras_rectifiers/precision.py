"""Whether a number keeps its value in the dtype in which it is stored.

Every number that goes into a layer passes here: a slope of 1e39 is finite in Python
and infinite in float32, and 1e-9 is 0 in float16. Keras is never imported here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_MIXED = "mixed_"


def computes(policy: str) -> str:
    """The dtype in which a layer with a dtype policy computes."""
    return policy.removeprefix(_MIXED)


def stores(policy: str) -> str:
    """The dtype in which a layer with a dtype policy keeps its variables."""
    return "float32" if policy.startswith(_MIXED) else policy


def numpy_dtype(name: str) -> np.dtype[Any]:
    """A dtype of Keras, by name, for NumPy."""
    if name == "bfloat16":
        import ml_dtypes  # noqa: PLC0415 (comes with Keras, rarely needed)

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


def overflows(values: Any, dtype: str) -> bool:
    """Whether a finite number is infinite in a dtype.

    Args:
        values: A number, an array, or lists of numbers.
        dtype: Name of a dtype; one that is not floating point holds nothing here.
    """
    given = np.asarray(values, "float64")
    return bool((np.isfinite(given) & ~np.isfinite(_held(given, dtype))).any())


def vanishes(values: Any, dtype: str) -> bool:
    """Whether a number that is not 0 is 0 in a dtype.

    Args:
        values: As for `overflows`.
        dtype: As for `overflows`.
    """
    given = np.asarray(values, "float64")
    return bool(((given != 0) & (_held(given, dtype) == 0)).any())


def largest(dtype: str) -> float:
    """The largest number of a floating point dtype."""
    if dtype == "bfloat16":
        return float(2.0**127 * (2 - 2.0**-7))
    return float(np.finfo(dtype).max)


def _held(values: npt.NDArray[np.float64], dtype: str) -> npt.NDArray[np.float64]:
    if dtype not in ("float16", "bfloat16", "float32"):
        return values
    with np.errstate(over="ignore", under="ignore"):
        return values.astype(numpy_dtype(dtype)).astype("float64")
