"""Rules for element-wise arithmetic: merging, normalizing, rescaling."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_rectifiers.estimation.bounds import Bounds
from keras_rectifiers.estimation.bounds import Precision
from keras_rectifiers.estimation.bounds import Values
from keras_rectifiers.estimation.bounds import alike
from keras_rectifiers.estimation.bounds import first_blocked
from keras_rectifiers.estimation.bounds import interval
from keras_rectifiers.estimation.bounds import outward
from keras_rectifiers.estimation.call import BoundedCall
from keras_rectifiers.estimation.call import Rule
from keras_rectifiers.estimation.functions import activated
from keras_rectifiers.estimation.moments import Moments
from keras_rectifiers.estimation.moments import summed
from keras_rectifiers.graph.sites import ATTRIBUTE

#: Roundings of a normalization, with some room for fast square roots.
_STEPS = 64
#: Keras' smallest divisor: `keras.backend.epsilon()`.
_EPSILON = 1e-7
#: Operands of a sum, a product, and their like.
_PAIR = 2

Pair = Callable[[Bounds, Bounds, Precision], Bounds]


def added(a: Bounds, b: Bounds, precision: Precision) -> Bounds:
    """Bounds of `a + b`."""
    a, b = alike((a, b))
    with np.errstate(invalid="ignore"):
        made = _pair(a, b, a.lo + b.lo, a.hi + b.hi)
    made = dataclasses.replace(made, moments=summed(a.moments, b.moments))
    return outward(made, precision, 2)


def negative(x: Bounds) -> Bounds:
    """Bounds of `-x`."""
    return x.replaced(-x.hi, -x.lo)


def multiplied(a: Bounds, b: Bounds, precision: Precision) -> Bounds:
    """Bounds of `a * b`; 0 times an infinite bound is 0."""
    a, b = alike((a, b))
    products = [_product(x, y) for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    made = _pair(a, b, np.minimum.reduce(products), np.maximum.reduce(products))
    return outward(made, precision, 2)


def lesser(a: Bounds, b: Bounds, precision: Precision) -> Bounds:
    """Bounds of `minimum(a, b)`."""
    a, b = alike((a, b))
    made = _pair(a, b, np.minimum(a.lo, b.lo), np.minimum(a.hi, b.hi))
    return outward(made, precision, 0)


def greater(a: Bounds, b: Bounds, precision: Precision) -> Bounds:
    """Bounds of `maximum(a, b)`."""
    a, b = alike((a, b))
    made = _pair(a, b, np.maximum(a.lo, b.lo), np.maximum(a.hi, b.hi))
    return outward(made, precision, 0)


def scaled(x: Bounds, factor: float, offset: float, precision: Precision) -> Bounds:
    """Bounds of `factor * x + offset`, and the moments of it."""
    product = multiplied(x, interval(factor, factor, ()), precision)
    result = added(product, interval(offset, offset, ()), precision)
    if x.moments is None:
        return result
    return dataclasses.replace(result, moments=x.moments.scaled(factor, offset))


def batch_normalized(call: BoundedCall) -> Bounds:
    """`BatchNormalization` as it is used, with its moving statistics.

    Its output has mean beta and standard deviation `|gamma|`, as far as the moving
    statistics are those of the data (Ioffe & Szegedy 2015, section 3); exactly
    `|gamma| * sqrt(variance / (variance + epsilon))`.
    """
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    trailing = _axis(call)
    if trailing is None or call.config.get("renorm"):
        return call.unknown()
    found = {
        name: np.asarray(value, np.float64)
        for name, value in call.weights(*names).items()
    }
    mean, variance = found["moving_mean"], found["moving_variance"]
    shapes = {value.shape for value in found.values()}
    if len(shapes) != 1 or mean.ndim != 1:
        raise ValueError(f"statistics of shapes {sorted(shapes)}")
    gamma = found.get("gamma", np.ones_like(mean))
    beta = found.get("beta", np.zeros_like(mean))
    with np.errstate(all="ignore"):
        spread = np.sqrt(variance + float(call.config.get("epsilon", 1e-3)))
        scale = gamma / spread
        deviation = np.abs(gamma) * np.sqrt(variance) / spread
    column = (-1,) + (1,) * (-trailing - 1)
    scale, shift = scale.reshape(column), (-mean * scale).reshape(column)
    beta = beta.reshape(column)
    _check_channels(call.x, trailing, len(mean))
    result = _affine(call.x, scale, (shift, beta), call.precision)
    moments = Moments(beta, deviation.reshape(column))
    return dataclasses.replace(result, moments=moments)


def normalized(call: BoundedCall) -> Bounds:
    """`Normalization`, with the statistics that it was adapted to."""
    axis = call.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
    rank = None if call.x.shape is None else len(call.x.shape)
    if axis not in (-1, rank):
        return call.unknown()
    if call.config.get("mean") is None:
        mean, variance, _ = call.read(["mean", "variance", "count"])
    else:
        mean, variance = call.config["mean"], call.config["variance"]
    mean, variance = (np.asarray(each, np.float64) for each in (mean, variance))
    mean, variance = mean.reshape(-1), variance.reshape(-1)
    if len(mean) != len(variance):
        raise ValueError(f"{len(mean)} means and {len(variance)} variances")
    _check_channels(call.x, -1, len(mean))
    with np.errstate(all="ignore"):
        spread = np.maximum(np.sqrt(variance), _EPSILON)
    if call.config.get("invert"):
        return _affine(call.x, spread, (mean,), call.precision)
    return _affine(call.x, 1 / spread, (-mean / spread,), call.precision)


def rescaled(call: BoundedCall) -> Bounds:
    """`Rescaling` by numbers."""
    factor, offset = call.config.get("scale"), call.config.get("offset", 0.0)
    if not isinstance(factor, int | float) or not isinstance(offset, int | float):
        return call.unknown()
    return scaled(call.x, float(factor), float(offset), call.precision)


def merged(pair: Pair) -> Rule:
    """The rule of a layer that merges all its inputs by one operation."""

    def rule(call: BoundedCall) -> Bounds:
        return functools.reduce(
            lambda a, b: pair(a, b, call.precision), list(call.inputs)
        )

    return rule


def mean_of(call: BoundedCall) -> Bounds:
    """`Average`."""
    total = merged(added)(call)
    return scaled(total, 1 / len(call.inputs), 0.0, call.precision)


def subtracted(a: Bounds, b: Bounds, precision: Precision) -> Bounds:
    """Bounds of `a - b`."""
    return added(a, negative(b), precision)


def operation(pair: Pair) -> Rule:
    """The rule of an operation on two operands, one of which may be a number."""

    def rule(call: BoundedCall) -> Bounds:
        found = [_operand(each) for each in call.operands]
        a, b = found if len(found) == _PAIR else (None, None)
        if a is None or b is None:
            return call.unknown()
        numbers = [each for each in call.operands if isinstance(each, int | float)]
        if len(numbers) == 1 and pair in (added, multiplied, subtracted):
            return _by_number(pair, call, a, b, float(numbers[0]))
        return pair(a, b, call.precision)

    return rule


def divided(call: BoundedCall) -> Bounds:
    """Division by a number."""
    if len(call.operands) != _PAIR:
        return call.unknown()
    x, divisor = _operand(call.operands[0]), call.operands[1]
    if x is None or not isinstance(divisor, int | float) or not divisor:
        return call.unknown()
    return scaled(x, 1 / divisor, 0.0, call.precision)


def clipped(call: BoundedCall) -> Bounds:
    """`ops.clip` to numbers."""
    least, most = call.config.get("x_min"), call.config.get("x_max")
    if not isinstance(least, int | float) or not isinstance(most, int | float):
        return call.unknown()
    made = call.x.replaced(
        np.clip(call.x.lo, least, most), np.clip(call.x.hi, least, most)
    )
    return outward(made, call.precision, 2)


def function(name: str) -> Rule:
    """The rule of an operation that is an activation function."""

    def rule(call: BoundedCall) -> Bounds:
        return activated(call.x, name, call.precision) or call.unknown()

    return rule


def activation(call: BoundedCall) -> Bounds:
    """`Activation`."""
    found = activated(call.x, call.config.get(ATTRIBUTE), call.precision)
    return found or call.unknown()


def exponential_linear(call: BoundedCall) -> Bounds:
    """`ELU` with its usual alpha."""
    if call.config.get("alpha", 1.0) != 1:
        return call.unknown()
    return activated(call.x, "elu", call.precision) or call.unknown()


def recurrent(call: BoundedCall) -> Bounds:
    """Recurrent layers whose state is a product of gates and tanh stay in [-1, 1]."""
    gates = call.config.get("recurrent_activation", "sigmoid")
    bounded = call.config.get("activation") == "tanh" and gates in (
        "sigmoid",
        "hard_sigmoid",
    )
    # A state that is handed in may be anything.
    if not bounded or call.config.get("return_state") or len(call.inputs) > 1:
        return call.unknown()
    most = 1.0 + call.precision.product
    return interval(-most, most, call.shape)


LAYERS: dict[str, Rule] = {
    "Add": merged(added),
    "Multiply": merged(multiplied),
    "Maximum": merged(greater),
    "Minimum": merged(lesser),
    "Subtract": merged(subtracted),
    "Average": mean_of,
    "BatchNormalization": batch_normalized,
    "SyncBatchNormalization": batch_normalized,
    "Normalization": normalized,
    "Rescaling": rescaled,
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN"), recurrent),
    "Activation": activation,
    "Softmax": function("softmax"),
    "ELU": exponential_linear,
}

OPERATIONS: dict[str, Rule] = {
    "Add": operation(added),
    "Subtract": operation(subtracted),
    "Multiply": operation(multiplied),
    "Maximum": operation(greater),
    "Minimum": operation(lesser),
    "Divide": divided,
    "TrueDivide": divided,
    "Clip": clipped,
    "Negative": lambda call: negative(call.x),
    **{
        name: function(name.lower())
        for name in ("Sigmoid", "Tanh", "Softplus", "Softsign", "Silu", "Softmax")
    },
    "Gelu": function("gelu"),
    "Exp": function("exponential"),
    "HardSigmoid": function("hard_sigmoid"),
}


def _affine(
    x: Bounds, scale: Values, terms: tuple[Values, ...], precision: Precision
) -> Bounds:
    """Bounds of `scale * x + terms`, each term rounded for itself."""
    x = x if _fits(x, scale) else x.hulled()
    ends = [_product(scale, x.lo), _product(scale, x.hi)]
    lo, hi = np.minimum(*ends), np.maximum(*ends)
    share = _STEPS * precision.epsilon
    with np.errstate(invalid="ignore", over="ignore"):
        lo, hi = lo - share * np.abs(lo), hi + share * np.abs(hi)
        for term in terms:
            slack = share * np.abs(term)
            lo, hi = lo + (term - slack), hi + (term + slack)
    return outward(x.replaced(lo, hi), precision, _STEPS)


def _fits(x: Bounds, scale: Values) -> bool:
    try:
        np.broadcast_shapes(x.lo.shape, x.hi.shape, scale.shape)
    except ValueError:
        return False
    return True


def _product(a: Values, b: Values) -> Values:
    with np.errstate(invalid="ignore", over="ignore"):
        product = a * b
    return np.where((a == 0) | (b == 0), 0.0, product)


def _pair(a: Bounds, b: Bounds, lo: Values, hi: Values) -> Bounds:
    return Bounds(lo, hi, None, first_blocked((a, b)))


def _operand(value: Any) -> Bounds | None:
    """An operand as bounds; None where it is something else."""
    if isinstance(value, Bounds):
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return interval(value, value, ())
    if isinstance(value, Mapping) and value.get("class_name") in (
        "__numpy__",
        "__tensor__",
    ):
        array = np.asarray(value["config"]["value"], np.float64)
        return interval(array.min(), array.max())
    return None


def _by_number(
    pair: Pair, call: BoundedCall, a: Bounds, b: Bounds, number: float
) -> Bounds:
    x = a if isinstance(call.operands[0], Bounds) else b
    if pair is multiplied:
        return scaled(x, number, 0.0, call.precision)
    if pair is added:
        return scaled(x, 1.0, number, call.precision)
    if x is a:
        return scaled(x, 1.0, -number, call.precision)
    return scaled(x, -1.0, number, call.precision)


def _axis(call: BoundedCall) -> int | None:
    """The normalized axis, counted from the end; None where that is unknown."""
    axis = call.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
    if not isinstance(axis, int) or axis == 0:
        return None
    if axis < 0:
        return axis
    return None if call.x.shape is None else axis - len(call.x.shape) - 1


def _check_channels(x: Bounds, axis: int, count: int) -> None:
    length = len(x.along(axis)[0])
    if 1 not in (length, count) and length != count:
        raise ValueError(f"statistics of {count} channels instead of {length}")
