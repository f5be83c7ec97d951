"""What a silent unit adds to its consumers, where that is not zero.

Between a rectifier and its consumer a batch normalization makes a constant of the
zeros of a silent unit: c = beta - gamma * mean / sqrt(variance + epsilon). Taking
the unit out means to add what c adds to the consumer's bias.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_rectifiers.graph import traits
from keras_rectifiers.live.layers import is_layer
from keras_rectifiers.live.state import copy_of
from keras_rectifiers.revival.live_units import Outgoing
from keras_rectifiers.revival.live_units import Values
from keras_rectifiers.specs import CannotError


def constants(outgoing: Outgoing) -> Values:
    """What reaches a consumer from each unit, while that puts out 0.

    Args:
        outgoing: The consumer.

    Returns:
        Array of shape `(units,)`; NaN where it is not one constant.
    """
    value = np.zeros(outgoing.part.units)
    for step, layer in zip(outgoing.part.through, outgoing.through, strict=True):
        row = traits.of(step.class_name, operation=not is_layer(layer))
        if row.normalizes:
            value = _normalized(value, step.indices, layer)
        elif not _keeps_constants(row):
            value = np.where(value == 0, value, np.nan)
    return value


def bias_shift(outgoing: Outgoing, constant: Values, units: Values) -> Values:
    """What the constants of some units add to a consumer's output.

    Args:
        outgoing: A Dense layer, or a convolution without padding and groups, that
            has a bias.
        constant: See `constants`.
        units: Numbers of the units.

    Returns:
        Array of the bias' shape.

    Raises:
        CannotError: If no bias can take them over.
    """
    part, config = outgoing.part, outgoing.part.config
    plain = traits.of(part.class_name).plain_kernel
    padded = config.get("padding", "valid") != "valid"
    bias = getattr(outgoing.layer, "bias", None)
    if not plain or padded or len(part.axes) != 1 or bias is None:
        raise CannotError(
            "a normalization before its consumer turns zeros into a constant, which "
            f"no bias of {part.path!r} ({part.class_name}) can absorb"
        )
    if not bias.trainable or not np.isfinite(constant[units]).all():
        raise CannotError(
            f"what reaches {part.path!r} from a silent unit is not a constant"
        )
    weight = copy_of(outgoing.variable).astype(np.float64)
    summed = weight.reshape(-1, *weight.shape[-2:]).sum(axis=0)
    rows = part.indices[0][units]
    shift = (summed[rows] * constant[units][:, None, None]).sum(axis=(0, 1))
    return np.asarray(shift)


def _keeps_constants(row: traits.Traits) -> bool:
    """Whether one value at all positions of a unit stays that value."""
    moves = row.pools or row.global_pool or (row.resizes and not row.pads)
    return moves or row.reorders or row.joins or (row.passes and row.keeps_zero)


def _normalized(value: Values, indices: Values, layer: Any) -> Values:
    """The output of a batch normalization for one input of each unit."""
    mean, variance = copy_of(layer.moving_mean), copy_of(layer.moving_variance)
    scale = 1 / np.sqrt(variance.astype(np.float64) + layer.epsilon)
    if layer.scale:
        scale = scale * copy_of(layer.gamma)
    shift = copy_of(layer.beta) if layer.center else np.zeros_like(scale)
    every = shift[indices] + (value[:, None] - mean[indices]) * scale[indices]
    alike = (every == every[:, :1]).all(axis=1)
    return np.asarray(np.where(alike, every[:, 0], np.nan))
