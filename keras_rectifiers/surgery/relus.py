"""Plain ReLU in a Keras config, and as a name in an `activation`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_rectifiers import specs
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.specs import Replacement

_MODULE = "keras.layers"
_RELU6 = 6.0


def replacement(site: Site, read: Callable[[], Any]) -> tuple[Replacement, str]:
    """Keras' own ReLU for a site, with a note on the slopes that it drops.

    Args:
        site: The site; its upper bound is kept.
        read: Reads its slopes; called where it is a PReLU.
    """
    slopes = site.negative_slope if site.kind != specs.PRELU else read()
    largest = float(np.abs(np.asarray(slopes, dtype="float64")).max())
    config = {"max_value": site.max_value, "negative_slope": 0.0, "threshold": 0.0}
    note = f"drops slopes of up to {largest:.4g}" if largest else ""
    return Replacement(_MODULE, "ReLU", None, config), note


def activation(replacement: Replacement) -> str | None:
    """The name that says the same in an `activation` argument; None without one.

    Args:
        replacement: Any replacement.
    """
    config = replacement.config
    plain = (
        replacement.module == _MODULE
        and replacement.class_name == "ReLU"
        and not config.get("negative_slope")
        and not config.get("threshold")
    )
    if not plain:
        return None
    return {None: "relu", _RELU6: "relu6"}.get(config.get("max_value"))
