"""Bounds of what activation functions put out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_rectifiers.estimation.bounds import Bounds
from keras_rectifiers.estimation.bounds import Precision
from keras_rectifiers.estimation.bounds import Values
from keras_rectifiers.estimation.bounds import outward
from keras_rectifiers.specs import Rectifier

#: Relative error that a backend's own approximation may have, in epsilons.
_STEPS = 64
#: Beyond this the approximations of the functions with a valley have settled.
_FAR = 1e3


@dataclasses.dataclass(frozen=True)
class _Function:
    """A function that falls to its valley, if it has one, and rises from there."""

    compute: Callable[[Values], Values]
    #: Where it is least, and how much that is; None where it only rises.
    valley: tuple[float, float] | None = None
    #: Whether the output has the sign of the input (or is 0), however it is rounded.
    keeps_sign: bool = False
    #: Bounds that hold whatever comes in.
    least: float = -math.inf
    greatest: float = math.inf
    #: By how much versions of the function differ.
    spread: float = 0.0


def rectified(
    x: Bounds, function: Rectifier, slopes: Any, precision: Precision
) -> Bounds:
    """Bounds after a rectifier.

    Args:
        x: Bounds before it.
        function: What it computes.
        slopes: Slope of the negative part: a number, or an array aligned with the
            last axis of a sample.
        precision: Of the network.
    """
    threshold = function.threshold
    slope = np.asarray(slopes, np.float64)

    def value(at: Values) -> Values:
        with np.errstate(invalid="ignore", over="ignore"):
            below = np.where(slope == 0, 0.0, slope * (at - threshold))
        return np.where(at > threshold, at, below)

    # Linear on either side of the threshold, where it may jump.
    ends = [value(x.lo), value(x.hi)]
    within = (x.lo <= threshold) & (threshold <= x.hi)
    for edge in (threshold, 0.0):
        ends.append(np.where(within, edge, ends[0]))
    ends = list(np.broadcast_arrays(*ends))
    lo, hi = np.minimum.reduce(ends), np.maximum.reduce(ends)
    if function.max_value is not None:
        cap = function.max_value
        lo, hi = np.minimum(lo, cap), np.minimum(hi, cap)
    result = x.replaced(lo, hi)
    if slope.any() or threshold or function.max_value is not None:
        return outward(result, precision, 8)
    moments = None if x.moments is None else x.moments.rectified()
    return dataclasses.replace(result, moments=moments)


def activated(x: Bounds, activation: Any, precision: Precision) -> Bounds | None:
    """Bounds after an `activation` that is not a rectifier; None if unknown.

    Args:
        x: Bounds before it.
        activation: The value in a layer's config, or the name of an operation.
        precision: Of the network.
    """
    name = activation_name(activation)
    if name in ("linear", None):
        return x
    if name in ("softmax", "hard_sigmoid"):  # Keras 2 had another hard sigmoid
        zero = np.zeros(1)
        return x.replaced(zero, zero + 1.0 + _STEPS * precision.epsilon)
    function = _FUNCTIONS.get(name)
    return None if function is None else _applied(function, x, precision)


def activation_name(activation: Any) -> str | None:
    """The plain name of a built-in function; `"?"` for anything else."""
    if activation is None or isinstance(activation, str):
        return activation
    if isinstance(activation, Mapping) and activation.get("class_name") == "function":
        config = activation.get("config")
        if isinstance(config, str):
            return config
    return "?"


def _applied(function: _Function, x: Bounds, precision: Precision) -> Bounds:
    with np.errstate(all="ignore"):
        at_lo, at_hi = function.compute(x.lo), function.compute(x.hi)
        lo, hi = np.minimum(at_lo, at_hi), np.maximum(at_lo, at_hi)
        if function.valley is not None:
            where, least = function.valley
            lo = np.where((x.lo <= where) & (where <= x.hi), least, lo)
            size = np.minimum(np.maximum(np.abs(x.lo), np.abs(x.hi)), _FAR)
        else:
            size = np.minimum(np.maximum(np.abs(lo), np.abs(hi)), 1.0)
    slack = _STEPS * precision.epsilon
    absolute = np.maximum(size, 1.0) * slack + function.spread
    wide = outward(x.replaced(lo, hi), precision, _STEPS, absolute)
    lo, hi = wide.lo, wide.hi
    if function.keeps_sign:
        lo = np.where(x.lo >= 0, np.maximum(lo, 0.0), lo)
        hi = np.where(x.hi <= 0, np.minimum(hi, 0.0), hi)
    lo = np.maximum(lo, function.least)
    hi = np.minimum(hi, function.greatest + slack)
    return x.replaced(lo, np.maximum(hi, lo))


def _sigmoid(x: Values) -> Values:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _silu(x: Values) -> Values:
    return np.where(np.isneginf(x), 0.0, x * _sigmoid(x))


_erf = np.vectorize(math.erf, otypes=[np.float64])


def _gelu(x: Values) -> Values:
    return np.where(np.isneginf(x), 0.0, 0.5 * x * (1 + _erf(x / math.sqrt(2))))


def _softplus(x: Values) -> Values:
    return np.logaddexp(x, 0.0)


def _elu(x: Values, alpha: float = 1.0, scale: float = 1.0) -> Values:
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def _selu(x: Values) -> Values:
    return _elu(x, 1.6732632423543772, 1.0507009873554805)


def _softsign(x: Values) -> Values:
    return np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x)))


#: Gelu and its tanh form differ by less than 5e-4 (Hendrycks & Gimpel 2016).
_FUNCTIONS: dict[str | None, _Function] = {
    "sigmoid": _Function(_sigmoid, least=0.0, greatest=1.0),
    "tanh": _Function(np.tanh, keeps_sign=True),
    "softplus": _Function(_softplus, least=0.0),
    "softsign": _Function(_softsign, keeps_sign=True),
    "elu": _Function(_elu, keeps_sign=True),
    "selu": _Function(_selu, keeps_sign=True),
    "silu": _Function(_silu, (-1.2784645, -0.2784646)),
    "swish": _Function(_silu, (-1.2784645, -0.2784646)),
    "gelu": _Function(_gelu, (-0.7517916, -0.1699712), spread=5e-4),
    "exponential": _Function(np.exp, least=0.0),
    "hard_tanh": _Function(lambda x: np.clip(x, -1.0, 1.0), keeps_sign=True),
}
