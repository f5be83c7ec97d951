"""Hand arrays to the child process: one `.npz`, read without pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_rectifiers.errors import DataError
from keras_rectifiers.files.data import Data
from keras_rectifiers.files.structures import named_leaves

_KEYS = "keys"


def write(data: Data, path: Path) -> None:
    """Write inputs and labels.

    Args:
        data: Arrays; inputs are one array, or a list or a dict of arrays.
        path: The `.npz` to write.

    Raises:
        DataError: The inputs are nested deeper, or hold Python objects.
    """
    x = data.x
    keys: Any = None
    if isinstance(x, Mapping):
        keys, leaves = list(map(str, x)), list(x.values())
    elif isinstance(x, list | tuple):
        keys, leaves = len(x), list(x)
    else:
        leaves = [x]
    arrays: dict[str, Any] = {
        f"x{index}": np.asarray(leaf) for index, leaf in enumerate(leaves)
    }
    if hasattr(data.y, "shape"):
        arrays["y"] = np.asarray(data.y)
    for name, array in arrays.items():
        if array.dtype.hasobject or not array.ndim:
            raise DataError(
                "Inputs must be an array, or a list or dict of arrays. Received: "
                f"{_kinds(x)} in {data.source!r} ({name}). Convert them to arrays."
            )
    arrays[_KEYS] = np.array(json.dumps(keys))
    np.savez(path, **arrays)


def read(path: Path) -> Data:
    """What `write` wrote.

    Args:
        path: The `.npz`.
    """
    with np.load(path, allow_pickle=False) as held:
        keys = json.loads(str(held[_KEYS]))
        count = sum(name.startswith("x") for name in held.files)
        leaves = [held[f"x{index}"] for index in range(count)]
        y = held["y"] if "y" in held.files else None
    x: Any = leaves[0] if keys is None else leaves
    if isinstance(keys, list):
        x = dict(zip(keys, leaves, strict=True))
    return Data(x, y, source="data")


def _kinds(value: Any) -> str:
    found = sorted({type(leaf).__name__ for _, leaf in named_leaves(value)})
    return ", ".join(found) or type(value).__name__
