"""The gradient side: which units a loss can reach, sample by sample.

The gradient is that of the model's own loss, in inference mode, for what each
rectifier takes (its pre-activation).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

import keras

from keras_rectifiers.diagnosis.collect import Collector
from keras_rectifiers.diagnosis.collect import Raw
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.tap import tap

Loss = Callable[[], Any]


def reductions(
    rectifiers: Iterable[LiveRectifier], make: Callable[[], Collector], loss: Loss
) -> Raw:
    """Reduce activations and gradients of one batch.

    Args:
        rectifiers: The rectifiers to watch.
        make: Makes a collector for the batch.
        loss: Computes the loss of the batch, a scalar, by the watched model.
    """
    return _BACKENDS[keras.backend.backend()](tuple(rectifiers), make, loss)


def _with_tensorflow(
    rectifiers: tuple[LiveRectifier, ...], make: Callable[[], Collector], loss: Loss
) -> Raw:
    import tensorflow as tf  # noqa: PLC0415 - only the backend in use is there

    collector = make()
    taken: list[tuple[LiveRectifier, Any]] = []
    with tf.GradientTape(watch_accessed_variables=False) as tape:

        def watch(rectifier: LiveRectifier, given: Any) -> Any:
            if collector.sees(given):
                tape.watch(given)
                taken.append((rectifier, given))
            return given

        with tap(rectifiers, collector.receive, watch):
            value = loss()
    found = tape.gradient(
        value,
        [given for _, given in taken],
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    return _received(collector, [each for each, _ in taken], found)


def _with_jax(
    rectifiers: tuple[LiveRectifier, ...], make: Callable[[], Collector], loss: Loss
) -> Raw:
    import jax  # noqa: PLC0415 - only the backend in use is there

    taken: list[tuple[LiveRectifier, Any]] = []

    def run(shifts: list[Any] | None) -> tuple[Any, Any]:
        collector = make()
        index = itertools.count()

        def shift(rectifier: LiveRectifier, given: Any) -> Any:
            if not collector.sees(given):
                return given
            if shifts is None:
                taken.append((rectifier, jax.numpy.zeros_like(given)))
                return given
            return given + shifts[next(index)]

        with tap(rectifiers, collector.receive, shift):
            value = loss()
        return value, collector.partials()

    run(None)  # tells the shapes; what it computes is unused, and compiled away
    zeros = [each for _, each in taken]
    found, partials = jax.grad(run, has_aux=True)(zeros)
    collector = make()
    collector.resume(partials)
    return _received(collector, [each for each, _ in taken], found)


def _with_torch(
    rectifiers: tuple[LiveRectifier, ...], make: Callable[[], Collector], loss: Loss
) -> Raw:
    import torch  # noqa: PLC0415 - only the backend in use is there

    collector = make()
    taken: list[tuple[LiveRectifier, Any]] = []

    def watch(rectifier: LiveRectifier, given: Any) -> Any:
        if not given.requires_grad:
            given = given.detach().requires_grad_()
        taken.append((rectifier, given))
        return given

    with torch.enable_grad(), tap(rectifiers, collector.receive, watch):
        value = loss()
        found = torch.autograd.grad(
            value, [given for _, given in taken], allow_unused=True
        )
    arrays = [
        torch.zeros_like(given) if gradient is None else gradient
        for (_, given), gradient in zip(taken, found, strict=True)
    ]
    return _received(collector, [each for each, _ in taken], arrays)


def _received(
    collector: Collector, rectifiers: list[LiveRectifier], found: Iterable[Any]
) -> Raw:
    for rectifier, gradient in zip(rectifiers, found, strict=True):
        collector.receive_gradient(rectifier, gradient)
    return collector.reduced()


_BACKENDS: dict[str, Callable[..., Raw]] = {
    "tensorflow": _with_tensorflow,
    "jax": _with_jax,
    "torch": _with_torch,
}
