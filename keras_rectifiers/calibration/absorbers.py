"""Layers that can absorb a shift of their output's mean, and how each does it.

A bias is added to each position of the output, so it takes up a shift of the mean
at no cost. BatchNormalization takes up shift and spread by its moving statistics.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_rectifiers.graph import traits
from keras_rectifiers.live.layers import is_layer
from keras_rectifiers.live.layers import walk
from keras_rectifiers.live.rectifiers import ATTRIBUTE
from keras_rectifiers.live.state import to_numpy

Values = npt.NDArray[np.float64]

#: A channel whose output varies less than this share of its gamma squared was as
#: good as constant: its spread is nothing to hold on to.
_STILL = 1e-3
#: Most that the spread of one channel is changed by, as a ratio of variances.
_MOST = 4.0


@dataclasses.dataclass(frozen=True, eq=False)
class Absorber:
    """One layer that can absorb."""

    #: Names from inside the top model, joined by `/`.
    path: str
    layer: Any
    #: Whether it is a BatchNormalization.
    normalizes: bool
    #: Axis of the channels.
    channel_axis: int

    @property
    def attribute(self) -> str:
        """What of the layer the output passes through: its activation or its call."""
        return "call" if self.normalizes else ATTRIBUTE

    @property
    def weights(self) -> tuple[Any, ...]:
        """The variables that absorbing changes."""
        if self.normalizes:
            return self.layer.moving_mean, self.layer.moving_variance
        return (self.layer.bias,)

    def absorb(
        self, mean: Values, wanted: Values, variance: Values, spread: Values
    ) -> None:
        """Change the weights so that the output has the mean that is wanted.

        Args:
            mean: Mean of each channel of the output now, `(channels,)`.
            wanted: The mean that it shall have.
            variance: Variance of each channel of the output now; used by
                BatchNormalization only, as is the next.
            spread: The variance that it shall have.
        """
        if self.normalizes:
            self._normalize(mean, wanted, variance, spread)
            return
        bias = to_numpy(self.layer.bias, np.float64)
        change = (wanted - mean).reshape(bias.shape)
        self.layer.bias.assign((bias + change).astype("float32"))

    def _normalize(
        self, mean: Values, wanted: Values, variance: Values, spread: Values
    ) -> None:
        """Moving statistics under which the output has this mean and spread.

        With out = gamma (x - m) / s + beta, out' = (out - mean) / sqrt(r) + wanted
        is the same layer with s' = s sqrt(r) and another m.
        """
        layer = self.layer
        ones = np.ones_like(mean)
        gamma = to_numpy(layer.gamma, np.float64) if layer.scale else ones
        beta = to_numpy(layer.beta, np.float64) if layer.center else 0 * ones
        moving_mean, moving = (
            to_numpy(layer.moving_mean, np.float64),
            to_numpy(layer.moving_variance, np.float64),
        )
        ratio = self.ratio(variance, spread)
        root, deviation = np.sqrt(ratio), np.sqrt(moving + layer.epsilon)
        drift = beta - mean + root * (wanted - beta)
        safe = np.where(gamma == 0, 1.0, gamma)
        moved = np.where(gamma == 0, 0.0, drift * deviation / safe)
        layer.moving_mean.assign((moving_mean - moved).astype("float32"))
        new = ratio * (moving + layer.epsilon) - layer.epsilon
        layer.moving_variance.assign(np.maximum(new, 0.0).astype("float32"))

    def ratio(self, variance: Any, spread: Any, xp: Any = np) -> Any:
        """By how much a BatchNormalization's variance is divided, 1/4 to 4.

        Args:
            variance: As it is, `(channels,)`.
            spread: As it shall be.
            xp: `numpy` for arrays, `keras.ops` for tensors.
        """
        layer = self.layer
        scale: Any = 1.0
        if layer.scale:
            gamma = to_numpy(layer.gamma, np.float64) if xp is np else layer.gamma
            scale = xp.square(gamma)
        still = xp.logical_or(spread < _STILL * scale, variance <= 0)
        ones = xp.ones_like(variance)
        ratio = xp.where(still, ones, variance / xp.where(still, ones, spread))
        return xp.clip(ratio, 1 / _MOST, _MOST)


def find(model: Any) -> tuple[Absorber, ...]:
    """Every layer of a model that can absorb, at any depth, each once.

    Args:
        model: A built Keras model; not changed.
    """
    inside = walk(model, closed=keras.layers.RNN)
    found = (_absorber(path, layer) for path, layer, *_ in inside if is_layer(layer))
    return tuple(each for each in found if each is not None)


def _absorber(path: str, layer: Any) -> Absorber | None:
    if not type(layer).__module__.startswith("keras.") or not layer.built:
        return None  # what another class does with a bias, we do not know
    row = traits.of(type(layer).__name__)
    if row.normalizes and row.stateful:
        axis = layer.axis if isinstance(layer.axis, int) else -1
        return Absorber(path, layer, normalizes=True, channel_axis=axis)
    biased = traits.Weight("bias", (-1,)) in row.makes
    if not biased or getattr(layer, "bias", None) is None:
        return None
    axis = traits.format_axis(getattr(layer, "data_format", None))
    return Absorber(path, layer, normalizes=False, channel_axis=axis)
