"""One compiled function of a batch: the model's forward pass and its statistics.

The pass runs in inference mode. Activations are reduced inside the graph, so what
leaves it is a few numbers per unit. The function reads the model's weights at each
call, so it can be kept while the model trains.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_rectifiers.activity import reduce
from keras_rectifiers.activity.rectifiers import LiveRectifier
from keras_rectifiers.activity.statistics import UnitStatistics
from keras_rectifiers.activity.tap import tap

#: What one batch leaves behind: one list of reductions for each rectifier.
_Raw = dict[str, list[dict[str, Any]]]


class Probe:
    """Measure the units of a model on batches of input.

    Args:
        model: A built Keras model; it is not changed.
        rectifiers: The rectifiers to watch.
    """

    def __init__(self, model: Any, rectifiers: Iterable[LiveRectifier]) -> None:
        self.model = model
        self.rectifiers = tuple(rectifiers)
        self._step: Callable[[Any], _Raw] = _COMPILERS[keras.backend.backend()](self)

    def measure(
        self,
        batches: Iterable[Any],
        before: Mapping[str, UnitStatistics] | None = None,
    ) -> dict[str, UnitStatistics]:
        """The statistics of each rectifier over all batches.

        Args:
            batches: Inputs of the model, tensors or structures of tensors.
            before: Statistics to add to; not changed.

        Returns:
            Statistics by path; a rectifier that the model never called is absent.
        """
        if hasattr(self.model, "jax_state_sync"):
            # While `fit` runs on JAX, the weights live outside the model.
            self.model.jax_state_sync()
        total = dict(before or {})
        pending: _Raw | None = None
        for batch in batches:
            # The next batch is dispatched before the last one is waited for.
            following = self._step(batch)
            _accumulate(total, pending)
            pending = following
        _accumulate(total, pending)
        return total

    def reductions(self, forward: Callable[[Any], Any], x: Any) -> _Raw:
        """Run a forward pass under the tap and reduce what it shows.

        Args:
            forward: The model as a function of its input.
            x: One batch.
        """
        batch = keras.ops.shape(keras.tree.flatten(x)[0])[0]
        partials: dict[str, list[reduce.Partial]] = {}
        scope = _scope(keras.tree.flatten(x)[0])

        def receive(rectifier: LiveRectifier, pre: Any, post: Any) -> None:
            if _scope(post) is not scope:
                return  # a value inside a loop or branch cannot leave it
            partial = reduce.per_sample(rectifier, pre, post, batch)
            calls = partials.setdefault(rectifier.path, [])
            if calls and _same_samples(calls[-1], partial):
                calls[-1] = reduce.join(calls[-1], partial)
            else:
                calls.append(partial)

        with tap(self.rectifiers, receive):
            forward(x)
        return {
            path: [reduce.over_batch(partial) for partial in calls]
            for path, calls in partials.items()
        }

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments that put the model into inference mode."""
        takes_training = getattr(self.model, "_call_has_training_arg", True)
        return {"training": False} if takes_training else {}


def _scope(tensor: Any) -> Any:
    """The graph or trace that a tensor lives in; None for a plain value."""
    if keras.backend.backend() == "tensorflow":
        return getattr(tensor, "graph", None) if hasattr(tensor, "op") else None
    return getattr(tensor, "_trace", None)  # only a tracer of JAX has one


def _same_samples(first: reduce.Partial, second: reduce.Partial) -> bool:
    return bool(first["sum_abs"].shape[0] == second["sum_abs"].shape[0])


def _accumulate(total: dict[str, UnitStatistics], raw: _Raw | None) -> None:
    for path, calls in (raw or {}).items():
        for call in calls:
            statistics = _as_statistics(call)
            before = total.get(path)
            total[path] = statistics if before is None else before + statistics


def _as_statistics(raw: dict[str, Any]) -> UnitStatistics:
    floats = keras.ops.convert_to_numpy(raw["floats"]).astype(np.float64)
    counts = keras.ops.convert_to_numpy(raw["counts"]).astype(np.int64)
    samples = int(raw["samples"])
    return UnitStatistics(
        samples=samples,
        positions=samples * int(raw["positions"]),
        **dict(zip(reduce.FLOATS, floats, strict=True)),
        **dict(zip(reduce.COUNTS, counts, strict=True)),
    )


def _with_tensorflow(probe: Probe) -> Callable[[Any], _Raw]:
    import tensorflow as tf  # noqa: PLC0415 - only the backend in use is there

    def eager(x: Any) -> _Raw:
        return probe.reductions(lambda x: probe.model(x, **probe.arguments()), x)

    if probe.model.run_eagerly:
        return eager
    jit_compile = bool(probe.model.jit_compile)
    traced: dict[Any, Callable[..., _Raw]] = {}

    def step(x: Any) -> _Raw:
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


def _with_jax(probe: Probe) -> Callable[[Any], _Raw]:
    import jax  # noqa: PLC0415 - only the backend in use is there

    model = probe.model

    def stateless(trainable: Any, others: Any, x: Any) -> _Raw:
        return probe.reductions(
            lambda x: model.stateless_call(trainable, others, x, **probe.arguments()),
            x,
        )

    if not model.run_eagerly:
        stateless = jax.jit(stateless)

    def step(x: Any) -> _Raw:
        trainable = [variable.value for variable in model.trainable_variables]
        others = [variable.value for variable in model.non_trainable_variables]
        return stateless(trainable, others, x)

    return step


def _with_torch(probe: Probe) -> Callable[[Any], _Raw]:
    import torch  # noqa: PLC0415 - only the backend in use is there

    @torch.no_grad()
    def step(x: Any) -> _Raw:
        return probe.reductions(lambda x: probe.model(x, **probe.arguments()), x)

    return step


_COMPILERS: dict[str, Callable[[Probe], Callable[[Any], _Raw]]] = {
    "tensorflow": _with_tensorflow,
    "jax": _with_jax,
    "torch": _with_torch,
}
