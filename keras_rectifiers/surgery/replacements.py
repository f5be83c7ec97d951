"""What goes into a rectifier's place: the `to=` of every command, as plain data."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from keras_rectifiers import specs
from keras_rectifiers.graph import capped
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.specs import Cannot
from keras_rectifiers.specs import NewWeight
from keras_rectifiers.specs import Replacement
from keras_rectifiers.surgery import prelus
from keras_rectifiers.surgery import relus
from keras_rectifiers.surgery import slope_precision

#: The channels of a site that get slopes, or why they cannot.
Channels = Callable[[Site], "tuple[int, ...] | Cannot"]
#: Reads the slopes of a PReLU as they act, as an array.
Slopes = Callable[[], Any]

TARGETS = (specs.LEAKY_RELU, specs.PRELU, specs.RELU)
_KERAS_LAYERS = "keras.layers"


@dataclasses.dataclass(frozen=True)
class Target:
    """The `to=` of a plan with its options, checked.

    Raises:
        ValueError: An option is not finite, or cannot be combined with `to`.
        TypeError: `to` is neither a name, nor a layer, nor a callable.
    """

    to: Any
    negative_slope: float | None = None
    alpha: float | None = None
    portable: bool = False
    #: Whether a PReLU's slopes learn.
    trainable: bool = True
    #: Which channels of a site get slopes other than 0; None for all.
    channels: Channels | None = None

    def __post_init__(self) -> None:
        if isinstance(self.to, str) and self.to not in TARGETS:
            raise ValueError(
                f"to must be one of {', '.join(map(repr, TARGETS))}, a layer, or a "
                f"callable site -> layer. Received: to={self.to!r}."
            )
        if not isinstance(self.to, str) and not callable(self.to):
            raise TypeError(
                f"to must be one of {', '.join(map(repr, TARGETS))}, a layer, or a "
                f"callable site -> layer. Received: to={self.to!r} of type "
                f"{type(self.to).__name__}."
            )
        for name, goes_with in (
            ("negative_slope", specs.LEAKY_RELU),
            ("alpha", specs.PRELU),
        ):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(
                value, int | float | np.floating | np.integer
            ):
                raise TypeError(
                    f"{name} must be a number. Received: {name}={value!r} of type "
                    f"{type(value).__name__}."
                )
            if not math.isfinite(value):
                raise ValueError(
                    f"{name} must be finite. Received: {name}={value}. "
                    "Pass 0 to keep the function of a plain ReLU."
                )
            if self.to != goes_with:
                raise ValueError(
                    f"{name} can only be used with to={goes_with!r}. Received: "
                    f"{name}={value} and to={self.label!r}."
                )
        if not self.trainable and self.to != specs.PRELU:
            raise ValueError(
                f"trainable can only be used with to={specs.PRELU!r}. Received: "
                f"trainable=False and to={self.label!r}. Remove it."
            )

    @property
    def label(self) -> str:
        """The target's name for people."""
        if isinstance(self.to, str):
            return self.to
        name = getattr(self.to, "name", None) or getattr(self.to, "__name__", None)
        return str(name or type(self.to).__name__)

    def replacement(
        self, site: Site, slopes: Slopes
    ) -> tuple[Replacement, str] | Cannot:
        """The layer for one site and a note about it, or why there is none.

        Args:
            site: The site.
            slopes: Reads its slopes; called where it is a PReLU.
        """
        if site.threshold != 0:
            return Cannot(
                "threshold",
                f"it is not continuous at {site.threshold:g}, unlike a Leaky ReLU or "
                "PReLU",
            )
        made = self._made(slope_precision.bounded(site), slopes)
        if isinstance(made, Cannot):
            return made
        said = self.negative_slope is not None or self.alpha is not None
        return slope_precision.checked(
            *made, site, said=said or not isinstance(self.to, str)
        )

    def in_place_of_ours(
        self, site: Site, slopes: Slopes
    ) -> tuple[Replacement, str] | Cannot:
        """The same for a site that is a layer of this package.

        A portable target of the same kind is a Keras layer with the same slopes.

        Args:
            site: The site.
            slopes: Reads its slopes; called where it is a PReLU.
        """
        same = self.to == site.kind and self.portable and self.channels is None
        if not same or self.negative_slope is not None or self.alpha is not None:
            return self.replacement(site, slopes)
        site = slope_precision.bounded(site)
        if site.kind == specs.LEAKY_RELU:
            same_slope = dataclasses.replace(self, negative_slope=site.negative_slope)
            return same_slope._leaky(site, slopes)  # noqa: SLF001 - it is of this class
        made = prelus.stock_of(site, slopes(), trainable=self.trainable)
        return made if isinstance(made, Cannot) else (made, "keeps its slopes")

    def _made(self, site: Site, slopes: Slopes) -> tuple[Replacement, str] | Cannot:
        if self.to == specs.LEAKY_RELU:
            return self._leaky(site, slopes)
        if self.to == specs.PRELU:
            return self._prelu(site, trainable=self.trainable)
        if self.to == specs.RELU and site.kind == specs.RELU:
            return Cannot("already", "it is a ReLU already")
        if self.to == specs.RELU:
            return relus.replacement(site, slopes)
        return self._template(site, slopes)

    def _leaky(self, site: Site, slopes: Slopes) -> tuple[Replacement, str] | Cannot:
        slope, note = self.negative_slope, ""
        if slope is None and site.kind == specs.LEAKY_RELU:
            return Cannot("already", "it is a Leaky ReLU already")
        if slope is None and site.kind == specs.PRELU:
            alpha = np.asarray(slopes(), dtype="float64")
            slope = float(alpha.mean())
            if not math.isfinite(slope):
                return Cannot(
                    "slopes", "its slopes are not finite, so they have no mean"
                )
            distance = float(np.abs(alpha - slope).max())
            note = (
                f"mean of {alpha.size} slopes, which differ from it by up to "
                f"{distance:.4g}"
            )
        slope = float(specs.DEFAULT_NEGATIVE_SLOPE if slope is None else slope)
        if not self.portable:
            config = {"negative_slope": slope, "max_value": site.max_value}
            return Replacement(
                specs.LAYERS_MODULE, "LeakyReLU", specs.LEAKY_RELU_REGISTERED, config
            ), note
        if site.max_value is None and slope >= 0:
            return Replacement(
                _KERAS_LAYERS, "LeakyReLU", None, {"negative_slope": slope}
            ), note
        if slope < 0:
            return Cannot("portable", "stock Keras refuses negative slopes")
        shape = site.shapes[0] if site.shapes else None
        if shape is not None and capped.keeps_dtype(site.dtype):
            return Replacement(
                _KERAS_LAYERS,
                "LeakyReLU",
                None,
                {"negative_slope": slope},
                build_shape=(None,) * len(shape),
                cap=site.max_value,
            ), note
        config = {
            "max_value": site.max_value,
            "negative_slope": slope,
            "threshold": 0.0,
        }
        return Replacement(_KERAS_LAYERS, "ReLU", None, config), note

    def _prelu(
        self,
        site: Site,
        options: Mapping[str, Any] = MappingProxyType({}),
        *,
        trainable: bool,
    ) -> tuple[Replacement, str] | Cannot:
        """A PReLU; `options` are arguments that differ from its defaults."""
        if site.kind == specs.PRELU:
            return Cannot("already", "it is a PReLU already")
        if any(width is None for width in site.widths):
            return Cannot("channels", "the model does not state its channels")
        start, note = self.alpha, ""
        if start is None and site.kind == specs.LEAKY_RELU:
            start, note = site.negative_slope, "starts at the slope it had"
        shape = next(shape for shape in site.shapes if shape is not None)
        slopes = prelus.Slopes(
            float(specs.DEFAULT_ALPHA if start is None else start),
            trainable=trainable,
        )
        if self.channels is not None:
            channels = self.channels(site)
            if isinstance(channels, Cannot):
                return channels
            start = specs.DEFAULT_DEAD_ALPHA if self.alpha is None else self.alpha
            width = int(shape[site.channel_axis] or 0)
            slopes = prelus.Slopes(float(start), channels, width, trainable=trainable)
            note = f"slopes for {len(channels)} of {width} units"
        made = prelus.stock if self.portable else prelus.ours
        replacement = made(site, shape, slopes, options)
        return replacement if isinstance(replacement, Cannot) else (replacement, note)

    def _masked(self, layer: Any, site: Site) -> tuple[Replacement, str] | Cannot:
        """A template whose slopes are for some channels only."""
        keras = sys.modules["keras"]
        registered = keras.saving.get_registered_name(type(layer))
        if registered != specs.PRELU_REGISTERED:
            raise TypeError(
                "Slopes for dead units only need to='prelu', or a "
                "keras_rectifiers.layers.PReLU as template. Received: "
                f"to={self.label!r}. For whole layers pass where=lambda site: ..."
            )
        config = layer.get_config()
        options = {
            name: config[name]
            for name in prelus.OPTIONS
            if config.get(name) is not None
        }
        return self._prelu(site, options, trainable=layer.trainable)

    def _template(self, site: Site, slopes: Slopes) -> tuple[Replacement, str] | Cannot:
        """A layer given as template, or made by a callable for this site."""
        keras = sys.modules.get("keras")
        layer = self.to
        if keras is None or not isinstance(layer, keras.layers.Layer):
            layer = layer(site)
        if layer is None:
            return Cannot("callable", "the callable left it alone")
        if self.channels is not None:
            return self._masked(layer, site)
        if isinstance(layer, str):
            named = dataclasses.replace(self, to=layer)
            return named._made(site, slopes)  # noqa: SLF001 - it is of this class
        keras = sys.modules.get("keras")
        if keras is None or not isinstance(layer, keras.layers.Layer):
            raise TypeError(
                "The callable given as to= must return a Keras layer, a name or None. "
                f"Received: {layer!r} for the site {site.path!r}."
            )
        return _from_layer(layer, site, keras)


def _from_layer(layer: Any, site: Site, keras: Any) -> tuple[Replacement, str]:
    serialized = keras.saving.serialize_keras_object(layer)
    config = {
        key: value
        for key, value in serialized["config"].items()
        if key not in ("name", "trainable", "dtype")
    }
    # Its own dtype may be another one, which holds more.
    slope_precision.checked(Replacement("", "", None, config), "", site, said=True)
    shape = next((shape for shape in site.shapes if shape is not None), None)
    copy = type(layer).from_config({**config, "dtype": site.dtype})
    if shape is not None:
        copy.build(shape)
    weights = tuple(
        NewWeight(weight.name, tuple(weight.shape), keras.ops.convert_to_numpy(weight))
        for weight in copy.weights
    )
    replacement = Replacement(
        serialized["module"],
        serialized["class_name"],
        serialized["registered_name"],
        config,
        weights,
        shape if weights else None,
    )
    return replacement, ""
