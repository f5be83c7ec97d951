"""One function of a batch: the model's forward pass and its statistics.

The pass runs in inference mode. Compiled, activations are reduced inside the graph, so
what leaves it is a few numbers per unit. The function reads the model's weights at each
call, so it can be kept while the model trains.

To compile it takes as long as dozens of small batches, so those who look at few
samples again and again run the first of them operation by operation.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_rectifiers.diagnosis import gradients
from keras_rectifiers.diagnosis import reduce
from keras_rectifiers.diagnosis.collect import Collector
from keras_rectifiers.diagnosis.collect import Raw
from keras_rectifiers.diagnosis.collect import Shapes
from keras_rectifiers.diagnosis.statistics import Measured
from keras_rectifiers.diagnosis.statistics import UnitStatistics
from keras_rectifiers.diagnosis.statistics import merged
from keras_rectifiers.live.batch_statistics import batch_norms
from keras_rectifiers.live.batch_statistics import on_batch_statistics
from keras_rectifiers.live.layers import flat
from keras_rectifiers.live.layers import is_keras
from keras_rectifiers.live.processes import local
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.state import inference_mode
from keras_rectifiers.live.state import synchronize
from keras_rectifiers.live.state import to_numpy
from keras_rectifiers.live.tap import tap

#: Batches that those who look again and again run uncompiled: compiling costs as much
#: as these together, and short runs have no more.
UNCOMPILED = 8


class Probe:
    """Measure the units of a model on batches of input.

    Args:
        model: A built Keras model; it is not changed.
        rectifiers: The rectifiers to watch.
        unit_axes: Axes that tell units apart, None for the channels.
        gradients: Whether batches are `(x, y)` or `(x, y, sample_weight)`, and the
            loss's gradients are counted, too.
        batch_statistics: Whether normalizations that are trained use the statistics
            of the batch.
        uncompiled: Batches that run before the function is compiled. Models with
            recurrent layers, or with code of users, are compiled at once: their loops
            are slow otherwise. Default 0.
    """

    def __init__(
        self,
        model: Any,
        rectifiers: Iterable[LiveRectifier],
        *,
        unit_axes: tuple[int, ...] | None = None,
        gradients: bool = False,
        batch_statistics: bool = False,
        uncompiled: int = 0,
    ) -> None:
        self.model = model
        self.rectifiers = tuple(rectifiers)
        #: The units of each rectifier that was seen, by path and their number.
        self.shapes: Shapes = {}
        self._unit_axes = unit_axes
        self.gradients = gradients
        self._norms = (
            [each for each in batch_norms(model) if each.trainable]
            if batch_statistics
            else []
        )
        self._uncompiled = uncompiled if _runs_well_uncompiled(self) else 0
        self._functions: dict[bool, Callable[[Any], Raw]] = {}

    def measure(
        self,
        batches: Iterable[Any],
        before: Measured | None = None,
    ) -> Measured:
        """The statistics of each rectifier over all batches.

        Args:
            batches: Inputs of the model, tensors or structures of tensors.
            before: Statistics to add to; not changed.

        Returns:
            Statistics by path, or by path and width (`widths.named`); a rectifier
            that the model never called is absent.
        """
        synchronize(self.model)
        total: Measured = before or {}
        pending: Raw = {}
        for batch in batches:
            # The next batch is dispatched before the last one is waited for.
            following = self._step(batch)
            total = merged([total, *_calls_of(pending)])
            pending = following
        return merged([total, *_calls_of(pending)])

    def _step(self, batch: Any) -> Raw:
        compiled = not self._uncompiled
        self._uncompiled -= not compiled
        if compiled not in self._functions:
            made = _COMPILERS[keras.backend.backend()](self, compiled)
            self._functions[compiled] = made
        with np.errstate(all="ignore"):  # values of a broken model are counted
            return self._functions[compiled](batch)

    def reductions(
        self,
        forward: Callable[[Any], Any],
        loss: Callable[..., Any],
        batch: Any,
        *,
        on_host: bool = False,
    ) -> Raw:
        """Run a forward pass under the tap and reduce what it shows.

        Args:
            forward: The model as a function of its input.
            loss: The model's loss as a function of `(x, y, y_pred, sample_weight)`.
            batch: One batch.
            on_host: Whether to reduce with numpy, see `Collector`.
        """
        if self.gradients:
            x, y, weight = keras.utils.unpack_x_y_sample_weight(batch)
            return gradients.reductions(
                self.rectifiers,
                lambda: Collector(x, self._unit_axes, self.shapes),
                lambda: loss(x, y, forward(x), weight),
            )
        collector = Collector(batch, self._unit_axes, self.shapes, on_host=on_host)
        with contextlib.ExitStack() as stack:
            stack.enter_context(tap(self.rectifiers, collector.receive))
            if self._norms:
                stack.enter_context(on_batch_statistics(self._norms))
            forward(batch)
        return collector.reduced()


def _calls_of(raw: Raw) -> Iterator[Measured]:
    """The statistics of each call, from what one batch left behind."""
    for path, calls in raw.items():
        for call in calls:
            yield {path: as_statistics(call)}


def as_statistics(raw: dict[str, Any]) -> UnitStatistics:
    """The statistics of one call of a rectifier, from its reductions.

    Args:
        raw: What `reduce.over_batch` gave, computed.
    """
    floats = to_numpy(raw["floats"], np.float64)
    counts = to_numpy(raw["counts"], np.int64)
    reached = to_numpy(raw["reached"], np.int64)
    extra: dict[str, Any] = {}
    if "with_gradient" in raw:
        extra["with_gradient"] = to_numpy(raw["with_gradient"], np.int64)
    if "sum_squares" in raw:
        extra["sum_squares"] = to_numpy(raw["sum_squares"], np.float64)
    samples = int(raw["samples"])
    finite = samples - counts[reduce.COUNTS.index("not_finite")]
    # Samples at or above an edge, less those above the next one.
    above = np.hstack([finite[:, None], reached, np.zeros((len(finite), 1), np.int64)])
    return UnitStatistics(
        samples=samples,
        positions=samples * int(raw["positions"]),
        peaks=above[:, :-1] - above[:, 1:],
        **extra,
        **dict(zip(reduce.FLOATS, floats, strict=True)),
        **dict(zip(reduce.COUNTS, counts, strict=True)),
    )


def _calls(probe: Probe) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The model and its loss as functions, where variables are read in place."""
    model = probe.model

    def loss(x: Any, y: Any, y_pred: Any, weight: Any) -> Any:
        values = {"x": x, "y": y, "y_pred": y_pred, "sample_weight": weight}
        return model.compute_loss(**values, training=False)

    return lambda x: model(x, **inference_mode(model)), loss


def _runs_well_uncompiled(probe: Probe) -> bool:
    """Whether a batch costs little more where nothing is compiled."""
    if keras.backend.backend() == "torch" or probe.gradients:
        return False
    inside = flat(probe.model)
    return all(map(is_keras, inside)) and not any(
        isinstance(each, keras.layers.RNN) for each in inside
    )


def _with_tensorflow(probe: Probe, compiled: bool) -> Callable[[Any], Raw]:
    import tensorflow as tf  # noqa: PLC0415 - only the backend in use is there

    def eager(x: Any) -> Raw:
        return probe.reductions(*_calls(probe), x, on_host=not compiled)

    if probe.model.run_eagerly or not compiled:
        return eager
    jit_compile = bool(probe.model.jit_compile)
    traced: dict[Any, Callable[..., Raw]] = {}

    def step(x: Any) -> Raw:
        flat = keras.tree.flatten(x)
        specs = tuple(_any_batch(tf.type_spec_from_value(leaf)) for leaf in flat)
        if specs not in traced:
            function = tf.function(
                lambda *flat: eager(keras.tree.pack_sequence_as(x, flat)),
                autograph=False,
                jit_compile=jit_compile,
            )
            traced[specs] = function.get_concrete_function(*specs)
        return traced[specs](*flat)

    return step


def _any_batch(spec: Any) -> Any:
    """A tensor's spec that serves every length of batch, so that one trace does.

    The other axes stay fixed: an open time axis would make Keras run
    `TimeDistributed` in a loop, where no tensor can be seen from outside.
    """
    if type(spec).__name__ != "TensorSpec" or not spec.shape.rank:
        return spec
    return type(spec)([None, *spec.shape[1:]], spec.dtype)


def _with_jax(probe: Probe, compiled: bool) -> Callable[[Any], Raw]:
    import jax  # noqa: PLC0415 - only the backend in use is there

    model = probe.model
    mode = inference_mode(model)

    def stateless(trainable: Any, others: Any, batch: Any) -> Raw:
        def forward(x: Any) -> Any:
            return model.stateless_call(trainable, others, x, **mode)[0]

        def loss(x: Any, y: Any, y_pred: Any, weight: Any) -> Any:
            metrics = [variable.value for variable in model.metrics_variables]
            values = {"x": x, "y": y, "y_pred": y_pred, "sample_weight": weight}
            return model.stateless_compute_loss(
                trainable, others, metrics, **values, training=False
            )[0]

        return probe.reductions(forward, loss, batch, on_host=not compiled)

    if compiled and not model.run_eagerly:
        stateless = jax.jit(stateless)

    def step(x: Any) -> Raw:
        trainable = [local(variable.value) for variable in model.trainable_variables]
        others = [local(variable.value) for variable in model.non_trainable_variables]
        return stateless(trainable, others, x)

    return step


def _with_torch(probe: Probe, _: bool) -> Callable[[Any], Raw]:
    import torch  # noqa: PLC0415 - only the backend in use is there

    @torch.no_grad()
    def step(x: Any) -> Raw:
        return probe.reductions(*_calls(probe), x)

    return step


_COMPILERS: dict[str, Callable[[Probe, bool], Callable[[Any], Raw]]] = {
    "tensorflow": _with_tensorflow,
    "jax": _with_jax,
    "torch": _with_torch,
}
