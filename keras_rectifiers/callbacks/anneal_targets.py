"""Slopes that can be changed while a compiled training step runs.

A Leaky ReLU's slope is a number that a compiled step has baked in. During training it
is read from a variable instead, which is kept where Keras keeps
the states of random generators: in the state of the step on every backend, and in
no weight, no file and no parameter count. A PReLU's slopes are a variable already.
"""

from __future__ import annotations

import abc
import contextlib
import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers.layers import kernels
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.shadow import Shadow
from keras_rectifiers.live.state import to_numpy
from keras_rectifiers.specs import LEAKY_RELU
from keras_rectifiers.specs import PRELU


class SlopeTarget(abc.ABC):
    """One layer whose slope can be set while it trains."""

    def start(self, model: Any) -> None:  # noqa: B027 - of a variable nothing is to do
        """Have the layer read its slope at each step."""

    @abc.abstractmethod
    def set(self, slope: float) -> None:
        """Set the slope, from the next step on."""

    def stop(self) -> None:  # noqa: B027 - as above
        """Leave the layer with the slope that it has, and nothing else."""


class NumberTarget(SlopeTarget):
    """A layer whose slope is a number: a Leaky ReLU.

    Args:
        layer: A layer with `negative_slope`, ours or Keras' own.
    """

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._state: _State | None = None

    def start(self, model: Any) -> None:
        """Replace the layer's `call` by one that reads a variable."""
        _clear(self._layer)
        strategy = getattr(model, "distribute_strategy", None)
        with contextlib.nullcontext() if strategy is None else strategy.scope():
            variable = keras.Variable(
                self._layer.negative_slope,
                dtype=self._layer.variable_dtype,
                trainable=False,
                name="annealed_slope",
            )
        call = functools.partial(_call, self._layer, variable)
        self._state = _State(variable, Shadow(self._layer, call=call))
        self._layer._seed_generators.append(self._state)  # noqa: SLF001 - see above

    def set(self, slope: float) -> None:
        """Set the variable, and the number that a saved config will state."""
        self._layer.negative_slope = slope
        if self._state is not None:
            self._state.state.assign(slope)

    def stop(self) -> None:
        """Take the variable away, and put the layer's `call` back."""
        _clear(self._layer)
        self._state = None


class WeightTarget(SlopeTarget):
    """A layer whose slopes are a variable that does not learn: a frozen PReLU.

    Where some of its slopes are 0 and others are not, those that are 0 stay so.

    Args:
        layer: A built PReLU, ours or Keras' own.
    """

    def __init__(self, layer: Any) -> None:
        self._weight = layer.weights[0]
        now = to_numpy(self._weight)
        chosen = now != 0 if now.any() else np.ones_like(now, bool)
        # The variable of a layer with a multiplier holds alpha / multiplier.
        self._factor = chosen / getattr(layer, "learning_rate_multiplier", 1.0)

    def set(self, slope: float) -> None:
        """Set the variable."""
        self._weight.assign(self._factor * slope)


class _State:
    """What Keras takes for a random generator: an owner of one variable."""

    def __init__(self, state: Any, shadow: Shadow) -> None:
        self.state = state
        self.shadow = shadow


def _clear(layer: Any) -> None:
    states = layer._seed_generators  # noqa: SLF001 - see above
    for each in states:
        if isinstance(each, _State):
            each.shadow.lift()
    states[:] = [each for each in states if not isinstance(each, _State)]


def _call(layer: Any, variable: Any, inputs: Any) -> Any:
    """What the layer computes, with a slope that is a tensor."""
    x = ops.convert_to_tensor(inputs, dtype=layer.compute_dtype)
    slope = ops.stop_gradient(ops.convert_to_tensor(variable))
    return kernels.prelu(x, slope, getattr(layer, "max_value", None))


def target_of(rectifier: LiveRectifier, learned: set[int]) -> SlopeTarget | str:
    """What sets the slopes of a rectifier, or why nothing can.

    Args:
        rectifier: A rectifier of a live model.
        learned: `id` of each variable that training changes.
    """
    layer, function = rectifier.sloped, rectifier.function
    if function.threshold != 0:
        return f"it is not continuous at {function.threshold:g}"
    if function.kind == LEAKY_RELU and hasattr(layer, "negative_slope"):
        return NumberTarget(layer)
    if function.kind == PRELU:
        if not getattr(layer, "built", False):
            return "it is not built yet"
        if id(layer.weights[0]) in learned:
            return "its slopes are learned; set trainable=False"
        return WeightTarget(layer)
    return "it has no slope"
