"""The numbers of a replacement, in the dtypes in which a site holds them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_rectifiers import precision
from keras_rectifiers.errors import ArgumentError
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.specs import Cannot
from keras_rectifiers.specs import Replacement


def bounded(site: Site) -> Site:
    """The site, without an upper bound that no number of its dtype can reach."""
    dtype = precision.computes(site.dtype)
    if site.max_value is None or not precision.overflows(site.max_value, dtype):
        return site
    return dataclasses.replace(site, max_value=None)


def checked(
    made: Replacement, note: str, site: Site, *, said: bool
) -> tuple[Replacement, str] | Cannot:
    """A replacement whose numbers its site can hold, and the note about it.

    Args:
        made: The replacement.
        note: What is known about it.
        site: The site.
        said: Whether the caller named the numbers; else they come from the model.

    Returns:
        The two, with a word in the note where a number is 0 in the site's dtype;
        or why it cannot be, where one is infinite and comes from the model.

    Raises:
        ArgumentError: One is infinite, and the caller named it.
    """
    vanished = ""
    for name, values, dtype in _numbers(made, site):
        if precision.overflows(values, dtype):
            worst = float(np.abs(np.asarray(values, "float64")).max())
            if said:
                raise ArgumentError(
                    f"{name} must be finite in the dtype that holds it. Received: "
                    f"{worst:g} for {site.path!r}, which is infinite in {dtype}; its "
                    f"largest number is {precision.largest(dtype):.5g}. Pass a "
                    "smaller number, or exclude this layer."
                )
            return Cannot("slopes", f"{name} {worst:g} is infinite in {dtype}")
        if precision.vanishes(values, dtype):
            if name == "max_value":
                return Cannot("slopes", f"its upper bound is 0 in {dtype}")
            vanished = f"{name} is 0 in {dtype}"
    return made, "; ".join(filter(None, (note, vanished)))


def _numbers(made: Replacement, site: Site) -> Iterator[tuple[str, Any, str]]:
    """Name, values and dtype of all numbers of a replacement."""
    computes, stores = precision.computes(site.dtype), precision.stores(site.dtype)
    for name in ("negative_slope", "max_value", "lower", "upper"):
        value = made.config.get(name)
        if isinstance(value, int | float):
            yield name, value, computes
    scale = made.config.get("learning_rate_multiplier", 1.0)
    for weight in made.weights:
        values = np.asarray(weight.value)
        if values.dtype.kind in "fiu":
            yield weight.name, values, stores
            yield weight.name, values * float(scale or 1.0), computes
