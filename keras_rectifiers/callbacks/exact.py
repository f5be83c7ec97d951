"""Count every training sample, inside the training step.

The model's `train_step` is replaced while it trains, so that its trace has the
reductions in it. Nothing is added to the model, its weights or its optimizer, and
what validation or `predict` compute is not counted. The units are counted in
training mode: dropout and batch statistics take part.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras

from keras_rectifiers.callbacks.counters import GraphCounters
from keras_rectifiers.callbacks.counters import HostCounters
from keras_rectifiers.callbacks.packing import VectorLayout
from keras_rectifiers.callbacks.packing import Vectors
from keras_rectifiers.callbacks.packing import pack
from keras_rectifiers.diagnosis.collect import Collector
from keras_rectifiers.diagnosis.statistics import Measured
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.shadow import Shadow
from keras_rectifiers.live.tap import SharedTap


class ExactCounter:
    """Counts what the rectifiers of a model do in its training steps.

    Args:
        model: A compiled model, not changed before `start`.
        rectifiers: The rectifiers to watch.
    """

    def __init__(self, model: Any, rectifiers: tuple[LiveRectifier, ...]) -> None:
        self.model = model
        self._tap = SharedTap(rectifiers)
        self._counters = (
            GraphCounters()
            if keras.backend.backend() == "tensorflow"
            else HostCounters()
        )
        self._shadow: Shadow | None = None
        self._original: dict[str, Callable[..., Any]] = {}
        self._in_step = False

    def start(self) -> None:
        """Have each training step counted from now on."""
        left = getattr(vars(self.model).get("train_step"), "__self__", None)
        if isinstance(left, ExactCounter):
            left.stop()  # a run before this one ended in an error
        steps = (
            {"train_step": self._marked_step, "stateless_call": self._counted_call}
            if keras.backend.backend() == "jax"
            else {"train_step": self._counted_step}
        )
        self._original = {name: getattr(self.model, name) for name in steps}
        self._shadow = Shadow(self.model, **steps)
        self.model.train_function = None
        self.model.make_train_function()

    def stop(self) -> None:
        """Leave the model as it was before `start`."""
        if self._shadow is not None and self._shadow.lift():
            self.model.train_function = None  # or the traced step would go on counting

    def read(self) -> Measured:
        """What was counted since the last reset."""
        self._settle()
        return self._counters.read()

    def reset(self) -> None:
        """Begin at zero."""
        self._settle()
        self._counters.reset()

    def _counted_step(self, data: Any) -> Any:
        """A training step of TensorFlow or torch."""
        collector = _collector(keras.utils.unpack_x_y_sample_weight(data)[0])
        with self._tap.watching(collector.receive):
            logs = self._original["train_step"](data)
        raw = collector.reduced()
        if raw:
            self._counters.add(*pack(raw))
        return logs

    def _marked_step(self, state: Any, data: Any) -> Any:
        """A training step of JAX: its forward pass is counted, no other."""
        self._in_step = True
        try:
            return self._original["train_step"](state, data)
        finally:
            self._in_step = False

    def _counted_call(
        self, trainable: Any, others: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """A forward pass of JAX, which nothing but its outputs may leave."""
        call = self._original["stateless_call"]
        if not self._in_step:
            return call(trainable, others, *args, **kwargs)
        import jax  # noqa: PLC0415 - only the backend in use is there

        x = keras.tree.map_structure(jax.lax.stop_gradient, args[:1] or kwargs)
        collector = _collector(x)
        with self._tap.watching(collector.receive):
            outputs = call(trainable, others, *args, **kwargs)
        raw = collector.reduced()
        if raw:
            layout, vectors = pack(raw)
            jax.debug.callback(functools.partial(self._receive, layout), *vectors)
        return outputs

    def _receive(self, layout: VectorLayout, *vectors: Any) -> None:
        self._counters.add(layout, Vectors(*vectors))

    def _settle(self) -> None:
        """Wait for steps that JAX has not finished."""
        if keras.backend.backend() == "jax":
            import jax  # noqa: PLC0415 - only the backend in use is there

            jax.effects_barrier()


def _collector(x: Any) -> Collector:
    # The squares of every sample would cost as much as a third of the rest.
    return Collector(x, squares=False)
