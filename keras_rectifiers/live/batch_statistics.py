"""Run a model with the statistics of its batch in every BatchNormalization.

A BatchNormalization normalizes with the moments of the batch while it trains, and with
moving averages of them at inference. Here the moments of the batch take the place of
the moving averages, and everything else runs as at inference: no dropout, and no
variable changes.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from typing import Any

import keras
from keras.src.backend.common.stateless_scope import get_stateless_scope

from keras_rectifiers.live.layers import flat
from keras_rectifiers.live.shadow import shadowed

#: Receives a layer, its input, its mask or None, and the mean and the variance of the
#: input by channel.
Receiver = Callable[[Any, Any, Any, Any, Any], None]


def batch_norms(model: Any) -> list[Any]:
    """Every BatchNormalization of a model that has its variables, at any depth.

    Args:
        model: A Keras model.
    """
    return [
        layer
        for layer in flat(model)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.built
    ]


@contextlib.contextmanager
def on_batch_statistics(
    layers: Collection[Any], receive: Receiver | None = None
) -> Iterator[None]:
    """Have layers normalize with the moments of their batch inside the context.

    Inside the context no variable of any model changes.

    Args:
        layers: Of class BatchNormalization; frozen ones, too.
        receive: Called each time one of them is called, before its output is computed.
            Default None.
    """
    with keras.StatelessScope(), contextlib.ExitStack() as stack:
        for layer in layers:
            call = _on_batch(layer, receive)
            stack.enter_context(shadowed(layer, call=call))
        yield


def _on_batch(layer: Any, receive: Receiver | None) -> Callable[..., Any]:
    """What replaces the `call` of a layer."""
    original = layer.call
    signature = inspect.signature(original)

    def call(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        inputs = next(iter(given.arguments.values()))
        if isinstance(inputs, keras.KerasTensor):
            return original(*args, **kwargs)
        mask = given.arguments.get("mask")
        mean, variance = _moments(layer, inputs, mask)
        if receive is not None:
            receive(layer, inputs, mask, mean, variance)
        # Inside a scope, be it ours or one of `stateless_call` in it, this is what the
        # layer reads, and nothing is written.
        scope = get_stateless_scope()
        scope.add_update((layer.moving_mean, _as(mean, layer.moving_mean)))
        scope.add_update((layer.moving_variance, _as(variance, layer.moving_variance)))
        if "training" in signature.parameters:
            given.arguments["training"] = False
        return original(*given.args, **given.kwargs)

    return call


def _moments(layer: Any, inputs: Any, mask: Any) -> tuple[Any, Any]:
    """The moments that the layer itself would take in training."""
    wide = keras.backend.result_type(inputs.dtype, "float32")
    return layer._moments(keras.ops.cast(inputs, wide), mask)  # noqa: SLF001 - Keras has no public way


def _as(value: Any, variable: Any) -> Any:
    """A value in the shape and the dtype of a variable."""
    return keras.ops.cast(keras.ops.reshape(value, variable.shape), variable.dtype)
