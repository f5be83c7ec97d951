"""See what rectifiers do inside a training step.

Layers are tapped only while a step is traced (or run eagerly), never between: a
model that is saved meanwhile is as it was.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import keras

from keras_rectifiers.diagnosis.collect import Collector
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.tap import tap


class StepTap:
    """The tap for steps that several threads trace at a time, one for each replica.

    TensorFlow's strategies trace replicas in threads that take turns in the midst
    of a step. The layers are tapped once, from the first that enters to the last
    that leaves, and each thread collects its own.

    Args:
        rectifiers: The rectifiers to watch.
    """

    def __init__(self, rectifiers: Iterable[LiveRectifier]) -> None:
        self._rectifiers = tuple(rectifiers)
        self._lock = threading.Lock()
        self._inside = 0
        self._open = contextlib.ExitStack()
        self._local = threading.local()

    @contextlib.contextmanager
    def collecting(self, x: Any) -> Iterator[Collector]:
        """Collect while the model computes a batch inside the context.

        Args:
            x: The batch that the model will be given.
        """
        # The squares of every sample would cost as much as a third of the rest.
        collector = Collector(x, squares=False)
        self._enter()
        self._local.collector = collector
        try:
            yield collector
        finally:
            self._local.collector = None
            self._leave()

    def _enter(self) -> None:
        with self._lock:
            if not self._inside:
                self._open.enter_context(tap(self._rectifiers, self._receive))
            self._inside += 1

    def _leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._open.close()

    def _receive(self, rectifier: LiveRectifier, pre: Any, post: Any) -> None:
        collector = getattr(self._local, "collector", None)
        if collector is not None:
            collector.receive(rectifier, pre, post)


def inputs_of(data: Any) -> Any:
    """The input in what a training step is given.

    Args:
        data: Argument of `train_step`: `x` or a tuple with it in front.
    """
    return keras.utils.unpack_x_y_sample_weight(data)[0]
