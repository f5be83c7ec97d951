"""Pieces of a plan from plain data, which may come from a file that anyone wrote.

Each field must have the type that its class declares: what is read here is used
without another look. Keras is never imported.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_rectifiers.graph.sites import Site
from keras_rectifiers.specs import NewWeight
from keras_rectifiers.specs import Replacement


def made(cls: Any, data: Mapping[str, Any], **understood: Any) -> Any:
    """An instance of a dataclass from the values of its fields.

    Args:
        cls: The dataclass.
        data: The values as JSON has them.
        **understood: Values of fields that stand in `data` in another form.

    Raises:
        TypeError: A value is of another type, or a field is not known.
        KeyError: A field is not known.
    """
    hints = _hints(cls)
    for name, value in data.items():
        if name not in understood and not _fits(value, hints[name]):
            raise TypeError(f"{cls.__name__} with {name}={value!r}"[:80])
    return cls(**{**data, **understood})


def site(data: Mapping[str, Any]) -> Site:
    """A site.

    Args:
        data: Its fields.
    """
    shapes = tuple(None if each is None else _shape(each) for each in data["shapes"])
    found: Site = made(Site, data, shapes=shapes)
    return found


def replacement(data: Mapping[str, Any]) -> Replacement:
    """What replaces a site.

    Args:
        data: Its fields.
    """
    build = data["build_shape"]
    found: Replacement = made(
        Replacement,
        data,
        weights=tuple(_weight(each) for each in data["weights"]),
        build_shape=None if build is None else _shape(build),
    )
    return found


def _weight(data: Mapping[str, Any]) -> NewWeight:
    shape = _shape(data["shape"])
    if any(each is None or each < 0 for each in shape):
        raise ValueError(f"a weight of shape {shape!r}")
    start = np.asarray(data["value"], "float64")
    if start.shape not in ((), shape):
        raise ValueError(f"values of shape {start.shape!r} for one of {shape!r}")
    found: NewWeight = made(NewWeight, data, shape=shape)
    return found


def _shape(value: Any) -> tuple[int | None, ...]:
    if isinstance(value, list | tuple) and all(_fits(e, int | None) for e in value):
        return tuple(value)
    raise TypeError(f"a shape {value!r}"[:80])


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value of JSON is of a declared type."""
    if hint is Any:
        return True
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return any(_fits(value, each) for each in typing.get_args(hint))
    if isinstance(value, bool):
        return hint is bool
    if hint is float:
        return isinstance(value, float | int)
    return isinstance(value, typing.get_origin(hint) or hint)
