"""Bounds of weighted sums: Dense, convolutions, and their relatives.

The value that a network computes for `sum(w * x)` is, in any order of summation,
`sum(w * x * (1 + t))` with each `|t| <= share` (Higham 2002, Accuracy and Stability
of Numerical Algorithms, equation 3.4). So positive and negative terms are summed
apart, and each side is stretched by its own share: a sum without positive terms
never comes out positive.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_rectifiers.estimation.bounds import Bounds
from keras_rectifiers.estimation.bounds import Precision
from keras_rectifiers.estimation.bounds import Values
from keras_rectifiers.estimation.bounds import outward

#: Weights that are unpacked at a time.
BLOCK = 1 << 22
#: Roundings in addition to those of the sum itself: the product, the cast, the bias.
_EXTRA = 16

#: Takes non-negative vectors `(count, inputs)` and a block of weights.
Contract = Callable[[Values, Values], Values]


@dataclasses.dataclass(frozen=True)
class LinearWeights:
    """A kernel as a matrix `(inputs, outputs)`, or several of them to be added."""

    #: Anything with a shape that gives arrays when it is indexed.
    kernel: Any
    #: Number of leading axes that are summed over: those of the window.
    window: int = 0
    #: Swap the last two axes (transposed convolutions).
    swapped: bool = False

    @property
    def terms(self) -> int:
        """Products in one sum."""
        *window, rows, columns = self.kernel.shape
        return math.prod(window) * (columns if self.swapped else rows)

    def parts(self) -> Iterator[tuple[slice, Values, Values]]:
        """Positive and negative parts, block by block: rows, parts, parts.

        Both are non-negative. At most `BLOCK` weights are unpacked at a time, or
        one slice of the window.
        """
        if not self.window:
            rows, columns = self.kernel.shape
            step = max(1, BLOCK // columns)
            for start in range(0, rows, step):
                block = np.asarray(self.kernel[start : start + step])
                yield slice(start, start + step), *_signed(block)
            return
        positive = negative = np.zeros((1, 1))
        for index in range(self.kernel.shape[0]):
            block = np.asarray(self.kernel[index])
            block = block.reshape(-1, *block.shape[-2:])
            for each in block:
                plus, minus = _signed(each)
                positive, negative = positive + plus, negative + minus
        if self.swapped:
            positive, negative = positive.T, negative.T
        yield slice(None), positive, negative


def weighted(
    x: tuple[Values, Values],
    weights: LinearWeights,
    bias: Any,
    precision: Precision,
    contract: Contract = np.matmul,
) -> tuple[Values, Values]:
    """Bounds of weighted sums of bounded inputs.

    Args:
        x: Lower and upper bounds of the inputs, shape `(inputs,)`.
        weights: The kernel.
        bias: Shape `(outputs,)`, or None.
        precision: Of the network.
        contract: How vectors and a block of weights are multiplied.

    Returns:
        Lower and upper bounds, shape `(outputs,)`.

    Raises:
        ValueError: The shapes do not fit.
    """
    sums: list[Values] = [np.zeros(1)] * 4
    for rows, positive, negative in weights.parts():
        lo, hi = x[0][rows], x[1][rows]
        with_positive = _sums((hi, lo), positive, contract)
        with_negative = _sums((lo, hi), negative, contract)
        # greatest positive and negative terms of the upper sum, then of the lower
        order = (0, 1, 2, 3), (1, 0, 3, 2)
        for index, (a, b) in enumerate(zip(*order, strict=True)):
            sums[index] = sums[index] + with_positive[a] + with_negative[b]
    if bias is not None:
        added = np.asarray(bias, np.float64)
        if added.shape != sums[0].shape:
            raise ValueError(f"a bias of shape {added.shape} for {sums[0].shape}")
        plus, minus = np.maximum(added, 0), np.maximum(-added, 0)
        sums = [sums[0] + plus, sums[1] + minus, sums[2] + plus, sums[3] + minus]
    return _stretched(sums, weights.terms, precision)


def _sums(
    ends: tuple[Values, Values], part: Values, contract: Contract
) -> tuple[Values, Values, Values, Values]:
    """For both ends of the inputs, sums of their positive and negative parts."""
    vectors = [np.maximum(sign * end, 0) for end in ends for sign in (1, -1)]
    # Behind a ReLU most of them are 0 throughout.
    filled = [index for index, vector in enumerate(vectors) if vector.any()]
    stack = np.stack([vectors[index] for index in filled or (0,)])
    infinite = np.isinf(stack)
    found = contract(np.where(infinite, 0.0, stack), part)
    if infinite.any():
        touched = contract(infinite.astype(np.float64), part) > 0
        found = np.where(touched, np.inf, found)
    sums = np.zeros((len(vectors), found.shape[1]))
    sums[filled] = found[: len(filled)]
    upper_plus, upper_minus, lower_plus, lower_minus = sums
    return upper_plus, upper_minus, lower_plus, lower_minus


def _stretched(
    sums: list[Values], terms: int, precision: Precision
) -> tuple[Values, Values]:
    upper_plus, upper_minus, lower_plus, lower_minus = sums
    share = (terms + _EXTRA) * precision.epsilon + precision.product
    less = max(0.0, 1.0 - share)
    flushed = terms * precision.tiny
    with np.errstate(invalid="ignore", over="ignore"):
        upper = upper_plus * (1 + share) - upper_minus * less
        lower = lower_plus * less - lower_minus * (1 + share)
        upper = np.where(upper_plus > 0, upper + flushed, np.minimum(upper, 0.0))
        lower = np.where(lower_minus > 0, lower - flushed, np.maximum(lower, 0.0))
        # Partial sums that overflow result in infinity or NaN.
        upper[~(upper_plus + upper_minus <= precision.largest)] = np.inf
        lower[~(lower_plus + lower_minus <= precision.largest)] = -np.inf
        upper[np.isnan(upper)], lower[np.isnan(lower)] = np.inf, -np.inf
    # What the products left of a tiny sum may be flushed altogether.
    rounded = outward(Bounds(lower, upper), precision, 0.0)
    return rounded.lo, rounded.hi


def _signed(block: Values) -> tuple[Values, Values]:
    return np.maximum(block, 0), np.maximum(-block, 0)
