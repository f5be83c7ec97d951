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

#: The inputs that a file may hold, each beside its labels.
_PAIRS = (("x", "y"), ("x_test", "y_test"))


def write(data: Data, path: Path) -> None:
    """Write inputs and labels, and those kept apart for evaluation.

    Args:
        data: Arrays; inputs are one array, or a list or a dict of arrays. Labels that
            are not one array are left out.
        path: The `.npz` to write.

    Raises:
        DataError: The inputs are nested deeper, or hold Python objects.
    """
    arrays: dict[str, Any] = {}
    for inputs, labels in _PAIRS:
        x, y = getattr(data, inputs), getattr(data, labels)
        if x is None:
            continue
        arrays |= _split(x, inputs, data.source)
        if hasattr(y, "shape"):
            arrays[labels] = np.asarray(y)
    np.savez(path, **arrays)


def read(path: Path) -> Data:
    """What `write` wrote.

    Args:
        path: The `.npz`.
    """
    with np.load(path, allow_pickle=False) as held:
        found: dict[str, Any] = {}
        for inputs, labels in _PAIRS:
            if f"{inputs}/keys" in held.files:
                found[inputs] = _joined(held, inputs)
            if labels in held.files:
                found[labels] = held[labels]
    return Data(**found, source="data")


def _split(x: Any, name: str, source: str) -> dict[str, Any]:
    """Inputs as plain arrays, and how to put them together again."""
    keys: Any = None
    if isinstance(x, Mapping):
        keys, leaves = list(map(str, x)), list(x.values())
    elif isinstance(x, list | tuple):
        keys, leaves = len(x), list(x)
    else:
        leaves = [x]
    made: dict[str, Any] = {
        f"{name}/{index}": np.asarray(leaf) for index, leaf in enumerate(leaves)
    }
    for place, array in made.items():
        if array.dtype.hasobject or not array.ndim:
            raise DataError(
                "Inputs must be an array, or a list or dict of arrays. Received: "
                f"{_kinds(x)} in {source!r} ({place}). Convert them to arrays."
            )
    return {**made, f"{name}/keys": np.array(json.dumps(keys))}


def _joined(held: Any, name: str) -> Any:
    keys = json.loads(str(held[f"{name}/keys"]))
    if keys is None:
        return held[f"{name}/0"]
    count = keys if isinstance(keys, int) else len(keys)
    leaves = [held[f"{name}/{index}"] for index in range(count)]
    return dict(zip(keys, leaves, strict=True)) if isinstance(keys, list) else leaves


def _kinds(value: Any) -> str:
    found = sorted({type(leaf).__name__ for _, leaf in named_leaves(value)})
    return ", ".join(found) or type(value).__name__
