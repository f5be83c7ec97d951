"""Totals of what steps of training counted: in Python, or in TensorFlow's graph."""

from __future__ import annotations

import threading
from typing import Any

import keras
import numpy as np

from keras_rectifiers.callbacks.packing import VectorLayout
from keras_rectifiers.callbacks.packing import Vectors
from keras_rectifiers.callbacks.packing import unpack
from keras_rectifiers.diagnosis.statistics import Measured
from keras_rectifiers.diagnosis.statistics import merged


class HostCounters:
    """Totals that Python keeps, for backends that hand each step's vectors over."""

    #: Steps on an accelerator that wait at most to be read: reading waits for them.
    PENDING = 64

    def __init__(self) -> None:
        self._lock = threading.Lock()  # JAX calls from its own threads
        self._pending: list[tuple[VectorLayout, Vectors]] = []
        self._totals: dict[VectorLayout, Vectors] = {}

    def add(self, layout: VectorLayout, vectors: Vectors) -> None:
        """Add the vectors of one step, now or when they are read.

        Args:
            layout: Of the vectors.
            vectors: Tensors of the backend, outside any trace.
        """
        with self._lock:
            self._pending.append((layout, vectors))
            if len(self._pending) >= self.PENDING:
                self._flush()

    def read(self) -> Measured:
        """What was counted since the last reset."""
        with self._lock:
            self._flush()
            return merged(unpack(*item) for item in self._totals.items())

    def reset(self) -> None:
        """Begin at zero."""
        with self._lock:
            self._pending, self._totals = [], {}

    def _flush(self) -> None:
        for layout, vectors in self._pending:
            before = self._totals.get(layout)
            step = _as_numpy(vectors)
            self._totals[layout] = step if before is None else _added(before, step)
        self._pending = []


class GraphCounters:
    """Totals in variables of TensorFlow, which a compiled step adds to.

    The variables belong to no model. Under a strategy each replica adds to its own
    part; `read` combines the parts of all replicas and all workers.
    """

    def __init__(self) -> None:
        self._totals: dict[VectorLayout, Vectors] = {}
        self._strategy: Any = None

    def add(self, layout: VectorLayout, vectors: Vectors) -> None:
        """Add the vectors of one step, inside the step.

        Args:
            layout: Of the vectors.
            vectors: Tensors, symbolic or not.
        """
        if layout not in self._totals:
            self._totals[layout] = self._variables(vectors)
        totals = self._totals[layout]
        totals.integers.assign_add(vectors.integers)
        totals.sums.assign_add(keras.ops.cast(vectors.sums, "float64"))
        totals.maxima.assign(keras.ops.maximum(totals.maxima, vectors.maxima))

    def read(self) -> Measured:
        """What was counted since the last reset, by all replicas."""
        return merged(
            unpack(layout, part)
            for layout, totals in self._totals.items()
            for part in self._parts(totals)
        )

    def reset(self) -> None:
        """Begin at zero."""
        for totals in self._totals.values():
            for variable, start in zip(totals, (0, 0, -np.inf), strict=True):
                variable.assign(np.full(variable.shape, start))

    def _variables(self, vectors: Vectors) -> Vectors:
        """Variables outside the graph that is being traced."""
        import tensorflow as tf  # noqa: PLC0415 - only the backend in use is there

        self._strategy = tf.distribute.get_strategy()

        def variable(vector: Any, dtype: Any, start: float) -> Any:
            return tf.Variable(
                tf.fill(vector.shape, tf.cast(start, dtype)),
                trainable=False,
                # Each replica writes to its own part.
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.SUM,
            )

        with tf.init_scope():
            return Vectors(
                variable(vectors.integers, tf.int64, 0),
                variable(vectors.sums, tf.float64, 0),
                variable(vectors.maxima, tf.float32, -np.inf),
            )

    def _parts(self, totals: Vectors) -> list[Vectors]:
        columns = [self._values(variable) for variable in totals]
        return [Vectors(*parts) for parts in zip(*columns, strict=True)]

    def _values(self, variable: Any) -> list[Any]:
        """The value that each replica of each worker holds."""
        import tensorflow as tf  # noqa: PLC0415 - only the backend in use is there

        strategy = self._strategy
        local = strategy.experimental_local_results(variable)
        if len(local) == strategy.num_replicas_in_sync:
            return [each.numpy() for each in local]

        def all_values() -> Any:
            context = tf.distribute.get_replica_context()
            return context.all_gather(variable[None], axis=0)

        gathered = strategy.run(all_values)
        return list(strategy.experimental_local_results(gathered)[0].numpy())


def _as_numpy(vectors: Vectors) -> Vectors:
    integers, sums, maxima = map(keras.ops.convert_to_numpy, vectors)
    return Vectors(integers.astype(np.int64), sums.astype(np.float64), maxima)


def _added(first: Vectors, second: Vectors) -> Vectors:
    return Vectors(
        first.integers + second.integers,
        first.sums + second.sums,
        np.maximum(first.maxima, second.maxima),
    )
