"""PReLU layers in a Keras config: ours, and Keras' own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_rectifiers import specs
from keras_rectifiers.graph import capped
from keras_rectifiers.graph import traits
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.specs import Cannot
from keras_rectifiers.specs import NewWeight
from keras_rectifiers.specs import Replacement

#: Arguments that a template may give where its slopes are for some channels only.
OPTIONS = ("alpha_regularizer", "alpha_constraint", "learning_rate_multiplier")


@dataclasses.dataclass(frozen=True)
class Slopes:
    """The slopes at which a PReLU starts, and which of them learn."""

    #: The slope, of the channels named or of all.
    start: float
    #: Channels with that slope, all others having 0; None for all.
    channels: tuple[int, ...] | None = None
    #: Number of channels; of use where some are named.
    width: int = 0
    #: Whether they learn: those of the channels named, or all.
    trainable: bool = True

    @property
    def learn(self) -> bool:
        """Whether any of them learns; none does where no channel is named."""
        return self.trainable and self.channels != ()

    def values(self, factor: float = 1.0) -> Any:
        """One number for all, or a list with one for each channel, times a factor."""
        if self.channels is None:
            return self.start * factor
        values = np.zeros(self.width)
        values[list(self.channels)] = self.start * factor
        return values.tolist()


def axes(site: Site, rank: int) -> dict[str, Any]:
    """The arguments of our PReLU that give each channel of a site its slope.

    Args:
        site: The site.
        rank: Number of axes of its output.
    """
    stated = traits.data_format(site.channel_axis)
    if stated is not None:
        return {"shared_axes": "spatial", "data_format": stated}
    return {
        "shared_axes": _shared(site, rank),
        "data_format": traits.data_format(traits.LAST),
    }


def ours(
    site: Site, shape: specs.Shape, slopes: Slopes, options: Mapping[str, Any]
) -> Replacement | Cannot:
    """Our PReLU for a site, or why it cannot be.

    Args:
        site: The site.
        shape: Shape of its output.
        slopes: Where its slopes start.
        options: Arguments of `OPTIONS` that differ from the defaults.
    """
    spread = axes(site, len(shape))
    sizes: tuple[int, ...] = (int(shape[site.channel_axis] or 0),)
    named = list(slopes.channels) if slopes.channels else None
    if spread["shared_axes"] != "spatial":
        sizes, named = _sizes(site, shape), None
        if slopes.channels is not None and slopes.learn:
            return Cannot(
                "channels",
                f"its channels are on axis {site.channel_axis}; slopes that learn "
                "only for some of them need the first or the last axis",
            )
    config = {
        "alpha_initializer": _initializer(_shaped(slopes.values(), sizes)),
        "alpha_regularizer": None,
        "alpha_constraint": None,
        "max_value": site.max_value,
        **spread,
        "trained_channels": named,
        "learning_rate_multiplier": 1.0,
        **options,
        **_trainable(slopes),
    }
    scale = 1 / config["learning_rate_multiplier"]
    return Replacement(
        specs.LAYERS_MODULE,
        "PReLU",
        specs.PRELU_REGISTERED,
        config,
        (NewWeight("alpha", sizes, _shaped(slopes.values(scale), sizes)),),
        _open(shape, site.channel_axis),
    )


def stock(
    site: Site, shape: specs.Shape, slopes: Slopes, options: Mapping[str, Any]
) -> Replacement | Cannot:
    """Keras' own PReLU for a site, or why it cannot be.

    Args:
        site: The site.
        shape: Shape of its output.
        slopes: Where its slopes start.
        options: Arguments of `OPTIONS` that differ from the defaults.
    """
    if site.max_value is not None and not capped.keeps_dtype(site.dtype):
        return Cannot(
            "portable",
            "stock Keras bounds a PReLU in float64 on TensorFlow only",
        )
    if slopes.channels is not None and slopes.learn:
        return Cannot("portable", "in stock Keras a PReLU learns all its slopes")
    options = dict(options)
    if options.pop("learning_rate_multiplier", 1.0) != 1:
        return Cannot("portable", "in stock Keras slopes learn like the rest")
    sizes = _sizes(site, shape)
    values = _shaped(slopes.values(), sizes)
    config = {
        "alpha_initializer": _initializer(values),
        "alpha_regularizer": None,
        "alpha_constraint": None,
        "shared_axes": _shared(site, len(shape)) or None,
        **options,
        **_trainable(slopes),
    }
    return Replacement(
        "keras.layers",
        "PReLU",
        None,
        config,
        (NewWeight("alpha", sizes, values),),
        _open(shape, site.channel_axis),
        site.max_value,
    )


def stock_of(site: Site, slopes: Any, *, trainable: bool) -> Replacement | Cannot:
    """Keras' own PReLU with the slopes of one of ours, or why it cannot be.

    Args:
        site: The site.
        slopes: Its slopes as they act.
        trainable: Whether they learn.
    """
    shape = next((each for each in site.shapes if each is not None), None)
    if shape is None or shape[site.channel_axis] is None:
        return Cannot("channels", "the model does not state its channels")
    made = stock(site, shape, Slopes(0.0, trainable=trainable), {})
    if isinstance(made, Cannot):
        return made
    (weight,) = made.weights
    values = np.asarray(slopes)
    if values.size != np.prod(weight.shape):
        return Cannot("portable", "it has slopes for each position, not each channel")
    numbers = values.reshape(weight.shape).tolist()
    return dataclasses.replace(
        made,
        config={**made.config, "alpha_initializer": _initializer(numbers)},
        weights=(dataclasses.replace(weight, value=numbers),),
    )


def _shared(site: Site, rank: int) -> list[int]:
    """The axes of a site's output but those of the samples and the channels."""
    channel = site.channel_axis % rank
    return [axis for axis in range(1, rank) if axis != channel]


def _sizes(site: Site, shape: specs.Shape) -> tuple[int, ...]:
    """The shape of slopes with an axis for each of a site's output."""
    shared = _shared(site, len(shape))
    return tuple(
        1 if axis in shared else int(shape[axis] or 0) for axis in range(1, len(shape))
    )


def _shaped(values: Any, sizes: tuple[int, ...]) -> Any:
    """Slopes in the shape of the weights; one number applies to all of them."""
    return np.reshape(values, sizes).tolist() if isinstance(values, list) else values


def _trainable(slopes: Slopes) -> dict[str, bool]:
    """What a layer's config says of slopes that do not learn; else its host decides."""
    return {} if slopes.learn else {"trainable": False}


def _initializer(value: Any) -> dict[str, Any]:
    """An initializer that gives `value`, as Keras writes it."""
    return {
        "module": "keras.initializers",
        "class_name": "Constant" if value else "Zeros",
        "config": {"value": value} if value else {},
        "registered_name": None,
    }


def _open(shape: specs.Shape, channel_axis: int) -> specs.Shape:
    """The shape with every axis free but the channels."""
    channel = channel_axis % len(shape)
    return tuple(
        length if axis == channel else None for axis, length in enumerate(shape)
    )
