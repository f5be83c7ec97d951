"""Look for NaN and infinity in the weights of a live model, and in its data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_rectifiers.diagnosis.broken import BrokenWeight
from keras_rectifiers.live.layers import listed
from keras_rectifiers.live.layers import own_variables
from keras_rectifiers.live.state import synchronize
from keras_rectifiers.live.state import to_numpy

_FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})


def broken_weights(model: Any) -> tuple[BrokenWeight, ...]:
    """Weights that hold NaN or infinity, in the order in which layers compute.

    Args:
        model: A built Keras model; not changed.
    """
    synchronize(model)
    found = list(_weights(model))
    if not found:
        return ()
    whole = [keras.ops.all(keras.ops.isfinite(each)) for _, each in found]
    flags = to_numpy(keras.ops.stack(whole))
    broken = []
    for (path, weight), fine in zip(found, flags, strict=True):
        if not fine:
            values = to_numpy(weight, np.float64)
            count = int((~np.isfinite(values)).sum())
            broken.append(BrokenWeight(path, weight.name, count, values.size))
    return tuple(broken)


def broken_samples(x: Any) -> int:
    """Number of samples of a batch that hold NaN or infinity.

    Args:
        x: One batch of input: a tensor or a structure of tensors.
    """
    bad: np.ndarray | None = None
    for leaf in keras.tree.flatten(x):
        values = _floats(leaf)
        if values is None or np.isfinite(values).all():
            continue
        rows = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        bad = rows if bad is None or len(bad) != len(rows) else bad | rows
    return 0 if bad is None else int(bad.sum())


def _weights(model: Any) -> Iterator[tuple[str, Any]]:
    seen: set[int] = set()
    for path, layer in listed(model):
        for variable in own_variables(layer):
            dtype = keras.backend.standardize_dtype(variable.dtype)
            if id(variable) not in seen and dtype in _FLOATS:
                seen.add(id(variable))
                yield path, variable


def _floats(leaf: Any) -> np.ndarray | None:
    """An array of floats with samples in front; None for anything else."""
    try:
        dtype = keras.backend.standardize_dtype(leaf.dtype)
        if dtype not in _FLOATS or not getattr(leaf, "shape", None):
            return None
        values = to_numpy(leaf)
    except (AttributeError, ValueError, TypeError, RuntimeError, NotImplementedError):
        return None  # sparse, ragged, or strings
    return values if values.dtype.kind == "f" else values.astype(np.float32)
