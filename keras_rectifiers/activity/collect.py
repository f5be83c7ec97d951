"""Reduce what the tap shows while one forward pass is traced.

Both those who run a model on purpose (`probe`) and those who look on while it
trains collect in this way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import keras

from keras_rectifiers.activity import reduce
from keras_rectifiers.activity.rectifiers import LiveRectifier
from keras_rectifiers.activity.tap import tap

#: What one batch leaves behind: one list of reductions for each rectifier.
Raw = dict[str, list[dict[str, Any]]]


class Collector:
    """The partial reductions of one batch.

    Args:
        x: The batch: a tensor or a structure of tensors, samples in front.
    """

    def __init__(self, x: Any) -> None:
        first = keras.tree.flatten(x)[0]
        self._batch = keras.ops.shape(first)[0]
        self._scope = _scope(first)
        self._partials: dict[str, list[reduce.Partial]] = {}

    def receive(self, rectifier: LiveRectifier, pre: Any, post: Any) -> None:
        """Reduce one call of a rectifier over its positions.

        Args:
            rectifier: Whose call it is.
            pre: Pre-activation.
            post: Post-activation.
        """
        if _scope(post) is not self._scope:
            return  # a value inside a loop or branch cannot leave it
        partial = reduce.per_sample(rectifier, pre, post, self._batch)
        calls = self._partials.setdefault(rectifier.path, [])
        if calls and _same_samples(calls[-1], partial):
            calls[-1] = reduce.join(calls[-1], partial)
        else:
            calls.append(partial)

    def reduced(self) -> Raw:
        """What was collected, reduced over the samples."""
        return {
            path: [reduce.over_batch(partial) for partial in calls]
            for path, calls in self._partials.items()
        }


@contextlib.contextmanager
def collecting(rectifiers: Iterable[LiveRectifier], x: Any) -> Iterator[Collector]:
    """Collect while a model computes a batch inside the context.

    Args:
        rectifiers: The rectifiers to watch.
        x: The batch that the model will be given.
    """
    collector = Collector(x)
    with tap(rectifiers, collector.receive):
        yield collector


def _scope(tensor: Any) -> Any:
    """The graph or trace that a tensor lives in; None for a plain value."""
    if keras.backend.backend() == "tensorflow":
        return getattr(tensor, "graph", None) if hasattr(tensor, "op") else None
    return getattr(tensor, "_trace", None)  # only a tracer of JAX has one


def _same_samples(first: reduce.Partial, second: reduce.Partial) -> bool:
    return bool(first["sum_abs"].shape[0] == second["sum_abs"].shape[0])
