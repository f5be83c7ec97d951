"""Check the arguments of the layers: one sentence says the rule and the remedy."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any

from keras_rectifiers import precision

#: Value of `shared_axes`: one slope per channel.
SPATIAL = "spatial"
_DATA_FORMATS = ("channels_first", "channels_last")


def finite_number(
    value: Any, argument: str, layer: str, dtype: str | None = None
) -> float:
    """The value as a Python float.

    Args:
        value: What the caller passed; NumPy scalars are numbers too.
        argument: Name of the argument, for the message.
        layer: Name of the layer's class, for the message.
        dtype: The dtype that holds it in the layer; None where none does.

    Raises:
        TypeError: If the value is not a real number.
        ValueError: If it is infinite or NaN, or infinite in its dtype.
    """
    # A bfloat16 scalar and a 0-d array are numbers without being `Real`.
    scalar = isinstance(value, numbers.Real) or getattr(value, "ndim", None) == 0
    if isinstance(value, bool) or not scalar:
        raise TypeError(
            f"{argument} of {layer} must be a number. Received: "
            f"{argument}={value!r} (a {type(value).__name__}). Pass a float."
        )
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(
            f"{argument} of {layer} must be finite. Received: {argument}={value!r}. "
            "Pass a finite float."
        )
    if dtype is not None:
        check_held(number, argument, layer, dtype)
    return number


def check_held(values: Any, argument: str, layer: str, dtype: str) -> None:
    """Refuse numbers that a dtype cannot hold.

    Args:
        values: A number, an array, or lists of numbers.
        argument: Name of the argument, for the message.
        layer: Name of the layer's class, for the message.
        dtype: Name of the dtype.

    Raises:
        ValueError: If one of them is infinite in it.
    """
    if precision.overflows(values, dtype):
        raise ValueError(
            f"{argument} of {layer} must be finite in {dtype}. Received: "
            f"{argument}={values!r}; the largest number of {dtype} is "
            f"{precision.largest(dtype):.5g}. Pass a smaller number, or use another "
            "dtype."
        )


def upper_bound(value: Any, layer: str, dtype: str) -> float | None:
    """`max_value` as a Python float above 0, or None for no bound.

    Raises:
        TypeError: If the value is neither None nor a real number.
        ValueError: If it is not finite, or not above 0, in its dtype.
    """
    if value is None:
        return None
    bound = finite_number(value, "max_value", layer, dtype)
    if bound > 0 and precision.vanishes(bound, dtype):
        raise ValueError(
            f"max_value of {layer} must be above 0 in {dtype}. Received: "
            f"max_value={value!r}, which is 0 in that dtype. Pass a larger value, or "
            "None for no upper bound."
        )
    if bound <= 0:
        raise ValueError(
            f"max_value of {layer} must be above 0. Received: max_value={value!r}. "
            "Pass None for no upper bound."
        )
    return bound


def seed(value: Any, layer: str) -> int | None:
    """`seed` as a Python int of 0 or more, or None.

    Raises:
        TypeError: If it is neither.
        ValueError: If it is negative.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(
            f"seed of {layer} must be an integer or None. Received: seed={value!r} "
            f"(a {type(value).__name__}). Pass an int."
        )
    if value < 0:
        raise ValueError(
            f"seed of {layer} must not be negative. Received: seed={value!r}. "
            "Pass an int of 0 or more."
        )
    return int(value)


def shared_axes(value: Any, layer: str) -> str | list[int] | None:
    """`shared_axes` as `"spatial"`, None or a list of axes.

    Raises:
        TypeError: If an axis is not an integer.
        ValueError: If the word is unknown, or an axis is the batch axis.
    """
    if value is None or value == SPATIAL:
        return value
    if isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - a word of the right type, but unknown
            f'shared_axes of {layer} must be "{SPATIAL}", None, an axis or a list of '
            f"axes. Received: shared_axes={value!r}. "
            f'Pass "{SPATIAL}" for one slope per channel.'
        )
    axes = list(value) if isinstance(value, Iterable) else [value]
    for axis in axes:
        if isinstance(axis, bool) or not isinstance(axis, numbers.Integral):
            raise TypeError(
                f"shared_axes of {layer} must contain integers. Received: "
                f"shared_axes={value!r}. Count the batch axis as 0, or count from the "
                "end with -1."
            )
        if axis == 0:
            raise ValueError(
                f"shared_axes of {layer} must not name the batch axis, which always "
                f"shares its slopes. Received: shared_axes={value!r}. "
                "Leave axis 0 out."
            )
    return [int(axis) for axis in axes]


def positive_axes(axes: list[int], rank: int, layer: str) -> tuple[int, ...]:
    """The axes counted from the front, in order.

    Args:
        axes: Axes, negative ones counted from the end.
        rank: Rank of the input, batch axis included.
        layer: Name of the layer, for the message.

    Raises:
        ValueError: If an axis does not exist, is the batch axis or is named twice.
    """
    front = [axis + rank if axis < 0 else axis for axis in axes]
    if any(not 0 < axis < rank for axis in front) or len(set(front)) < len(front):
        raise ValueError(
            f"shared_axes of {layer} must name different axes of its input, and not "
            f"the batch axis. Received: shared_axes={axes} for an input of rank "
            f"{rank}. Choose from the axes 1 to {rank - 1}, or -1 to {1 - rank}."
        )
    return tuple(sorted(front))


def data_format(value: Any, layer: str) -> str | None:
    """`data_format` as one of Keras' two words, or None.

    Raises:
        ValueError: If it is another value.
    """
    if value is not None and value not in _DATA_FORMATS:
        raise ValueError(
            f"data_format of {layer} must be one of {_DATA_FORMATS}, or None. "
            f"Received: data_format={value!r}. Pass None for the Keras default."
        )
    return value


def multiplier(value: Any, layer: str, dtype: str) -> float:
    """`learning_rate_multiplier` as a Python float above 0.

    Raises:
        TypeError: If the value is not a real number.
        ValueError: If it is not finite, or not above 0.
    """
    number = finite_number(value, "learning_rate_multiplier", layer, dtype)
    if number <= 0 or precision.vanishes(number, dtype):
        raise ValueError(
            f"learning_rate_multiplier of {layer} must be above 0. Received: "
            f"learning_rate_multiplier={value!r}. "
            "Pass trainable=False for slopes that do not learn."
        )
    return number


def trained_channels(value: Any, axes: Any, layer: str) -> tuple[int, ...] | None:
    """`trained_channels` in order, or None for all.

    Args:
        value: Numbers of channels, or None.
        axes: The checked `shared_axes` of the layer.
        layer: Name of the layer's class, for the message.

    Raises:
        TypeError: If it is not a list of integers.
        ValueError: If it is empty, a number is negative or named twice, or slopes
            are not one for each channel.
    """
    if value is None:
        return None
    numbers_of = list(value) if isinstance(value, Iterable) else [value]
    if isinstance(value, str) or any(
        isinstance(each, bool) or not isinstance(each, numbers.Integral)
        for each in numbers_of
    ):
        raise TypeError(
            f"trained_channels of {layer} must contain integers. Received: "
            f"trained_channels={value!r}. Pass channel indices, starting from 0."
        )
    channels = sorted(int(each) for each in numbers_of)
    if not channels or channels[0] < 0 or len(set(channels)) < len(channels):
        raise ValueError(
            f"trained_channels of {layer} must name at least one channel, each once, "
            f"counted from 0. Received: trained_channels={value!r}. Pass "
            "trainable=False if no channel should learn."
        )
    if axes != SPATIAL:
        raise ValueError(
            f"trained_channels of {layer} can only be combined with "
            f'shared_axes="{SPATIAL}". Received: trained_channels={value!r} and '
            f"shared_axes={axes!r}. Remove one of them."
        )
    return tuple(channels)


def check_channels(channels: tuple[int, ...], width: int, name: str) -> None:
    """Refuse trained channels that the input does not have.

    Raises:
        ValueError: If one is too high.
    """
    if channels[-1] >= width:
        raise ValueError(
            "trained_channels must be among the channels of the input. Received: "
            f"channel {channels[-1]} for an input with {width} channels (layer "
            f'"{name}"). Count channels from 0.'
        )
