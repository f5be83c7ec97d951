"""Kernels with which a signal passes through a rectified network.

All have their units on the last axis and what they take on the one before it. All
are drawn by numpy, so that a seed gives the same numbers on every backend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

#: Length that a mirrored Dense kernel gives to a vector: half of it is cut away.
_GAIN = math.sqrt(2)


def he(shape: Sequence[int], rng: np.random.Generator) -> Values:
    """Normal weights of variance 2 / fan_in (He 2015)."""
    fan_in = max(1, math.prod(shape[:-1]))
    return rng.normal(0.0, math.sqrt(2 / fan_in), tuple(shape))


def balanced(shape: Sequence[int], rng: np.random.Generator) -> Values:
    """He's weights, less their mean in each unit.

    What comes from rectified units is never negative. Weights whose sum is not 0 make
    of it a constant, unit by unit another, and a unit with a low one is dead.
    """
    drawn = he(shape, rng)
    return drawn - drawn.mean(axis=tuple(range(len(shape) - 1)))


def orthogonal(rows: int, columns: int, rng: np.random.Generator) -> Values:
    """A random matrix with orthonormal columns, or rows where these are fewer."""
    drawn = rng.normal(size=(max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # else it is not uniform (Saxe 2014)
    return q if rows >= columns else q.T


def mirrored(shape: Sequence[int], rng: np.random.Generator, groups: int = 1) -> Values:
    """Units in pairs: w1, -w1, w2, -w2, ...; an odd last one is single.

    Of each pair one fires, whatever the input. The pairs are adjacent, so that a
    narrower layer that passes on the first units passes on whole pairs.

    Args:
        shape: `(..., inputs, units)`; with axes of a window it is drawn as `he`,
            else orthogonal, times the root of 2.
        rng: Draws.
        groups: Groups of a convolution. A pair is in one group; where groups have an
            odd number of units, the last one of each is single.
    """
    width = shape[-1] // groups
    half = (width + 1) // 2
    blocks = []
    for _ in range(groups):
        if len(shape) == 2:  # noqa: PLR2004 - no window
            drawn = _GAIN * orthogonal(shape[0], half, rng)
        else:
            drawn = he((*shape[:-1], half), rng)
        pairs = np.stack([drawn, -drawn], axis=-1).reshape(*shape[:-1], 2 * half)
        blocks.append(pairs[..., :width])
    return np.concatenate(blocks, axis=-1)


def identity(
    shape: Sequence[int],
    groups: int = 1,
    strides: Sequence[int] = (),
    *,
    causal: bool = False,
) -> Values:
    """Each unit takes the input of the same number, counted round.

    Args:
        shape: `(..., inputs, units)`.
        groups: Groups of a convolution; a unit stays in its own.
        strides: Of a convolution. A strided window takes the mean over its stride, so
            that no position is lost.
        causal: Whether a convolution looks back only, from its last place.
    """
    kernel = np.zeros(tuple(shape))
    window, (inputs, units) = shape[:-2], shape[-2:]
    taps = tuple(
        slice(size - step, size) if causal else slice(start, start + step)
        for size, jump in zip(window, strides, strict=True)
        for step in [min(size, jump)]
        for start in [(size - step) // 2]
    )
    share = 1 / math.prod(tap.stop - tap.start for tap in taps)
    width = units // groups
    for unit in range(units):
        first = unit // width * width
        at: tuple[Any, ...] = (*taps, (unit - first) % inputs, unit)
        kernel[at] = share
    return kernel
