"""Reductions over positions, each in the form that its backend computes fastest.

The same four quantities everywhere; only the way there differs. What each form
costs is measured by `benchmarks/diagnose.py`:

- A predicate that is counted (`sum(x > 0)`) is not vectorized by XLA on CPU, and
  costs several passes elsewhere: the sum of the sign costs one.
- TensorFlow squares into a separate array; its Euclidean norm does not.
- TensorFlow and torch make a separate array for every sign, and torch for every
  square: in pieces, it is small and not asked from the system again and again.
- XLA on CPU fuses reductions of one array into a loop that it cannot vectorize:
  a barrier between them keeps each one fast.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_rectifiers.diagnosis.array_ops import ops_for

Axes = tuple[int, ...]
#: A function of this module.
Reduction = Callable[[Any, Axes], Any]

#: Values of a piece on torch: its float32 array stays in the cache of a core.
_PIECE = 2**20
#: Pieces of a batch on TensorFlow, which must know their number as it traces.
_PARTS = 4


def positives(x: Any, axes: Axes) -> Any:
    """Number of values above 0, as float32; exact up to 2**24.

    Args:
        x: Floating point; where it is NaN the result is NaN.
        axes: What is reduced.
    """
    tf = _tensorflow_kernels(x)
    if axes and tf is not None:
        samples = tf.shape(x)[0]
        cuts = [samples * part // _PARTS for part in range(_PARTS + 1)]
        slices = (x[a:b] for a, b in itertools.pairwise(cuts))
        return tf.concat(
            [tf.reduce_sum(tf.sign(part), axis=axes) for part in slices], axis=0
        )
    ops = ops_for(x)
    return ops.sum(ops.sign(x), axis=axes)


def total(x: Any, axes: Axes) -> Any:
    """Sum of values."""
    return ops_for(x).sum(x, axis=axes)


def greatest(x: Any, axes: Axes) -> Any:
    """Greatest value; NaN where one is NaN, on every backend but TensorFlow."""
    return ops_for(x).max(x, axis=axes)


def squares(x: Any, axes: Axes) -> Any:
    """Sum of squares."""
    tf = _tensorflow_kernels(x)
    if tf is not None:
        return keras.ops.square(tf.raw_ops.EuclideanNorm(input=x, axis=axes))
    ops = ops_for(x)
    return ops.sum(ops.square(x), axis=axes)


def one_by_one(wanted: dict[str, tuple[Reduction, Any]], axes: Axes) -> dict[str, Any]:
    """Compute several reductions, each so that it costs no more than one pass.

    Args:
        wanted: Name -> a function of this module, and the array that it reduces.
        axes: What is reduced, never the first axis; empty for nothing.

    Returns:
        The reduced arrays by name.
    """
    on_host = any(isinstance(array, np.ndarray) for _, array in wanted.values())
    if not axes or on_host:
        return {
            name: function(array, axes) for name, (function, array) in wanted.items()
        }
    if keras.backend.backend() == "torch":
        return _in_pieces(wanted, axes)
    found: dict[str, Any] = {}
    previous: Any = None
    for name, (function, array) in wanted.items():
        apart = _after(previous, array)
        found[name] = previous = function(apart, axes)
    return found


def _in_pieces(wanted: dict[str, tuple[Reduction, Any]], axes: Axes) -> dict[str, Any]:
    """The reductions piece by piece, so that intermediate arrays stay in the cache."""
    import torch  # noqa: PLC0415 - only the backend in use is there

    first = next(iter(wanted.values()))[1]
    rows = max(len(first), 1)
    if first.device.type == "cpu":
        rows = min(rows, max(_PIECE // max(first[:1].numel(), 1), 1))
    pieces = [
        # Each piece is read by all reductions before the next one is.
        [
            function(part, axes)
            for (function, _), part in zip(wanted.values(), parts, strict=True)
        ]
        for parts in zip(
            *(array.split(rows) for _, array in wanted.values()), strict=True
        )
    ]
    return {
        name: torch.cat(column)
        for name, column in zip(wanted, zip(*pieces, strict=True), strict=True)
    }


def _tensorflow_kernels(x: Any) -> Any:
    """TensorFlow where it runs its own kernels; None for others, and under XLA."""
    if keras.backend.backend() != "tensorflow" or isinstance(x, np.ndarray):
        return None
    import tensorflow as tf  # noqa: PLC0415 - only the backend in use is there
    from tensorflow.python.ops import control_flow_util as control  # noqa: PLC0415

    graph = tf.compat.v1.get_default_graph()
    return None if control.GraphOrParentsInXlaContext(graph) else tf


def _after(previous: Any, array: Any) -> Any:
    """An array that the compiler must not touch before `previous` is there."""
    if previous is None or keras.backend.backend() != "jax":
        return array
    import jax  # noqa: PLC0415 - only the backend in use is there

    return jax.lax.optimization_barrier((array, previous))[0]
