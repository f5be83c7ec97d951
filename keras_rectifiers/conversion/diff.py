"""Compare two models: rectifiers, slopes, weights, config and compile state."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_rectifiers import specs
from keras_rectifiers.conversion.diff_result import ConfigChange
from keras_rectifiers.conversion.diff_result import ModelDiff
from keras_rectifiers.conversion.diff_result import SiteChange
from keras_rectifiers.conversion.diff_result import SlopeChange
from keras_rectifiers.conversion.diff_result import WeightChange
from keras_rectifiers.conversion.registered import with_registered
from keras_rectifiers.conversion.sides import Read
from keras_rectifiers.conversion.sides import Side
from keras_rectifiers.conversion.sides import side
from keras_rectifiers.files import remote
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import at
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.sites import ATTRIBUTE
from keras_rectifiers.graph.sites import FUSED
from keras_rectifiers.surgery.marks import MARK

#: Kinds of array that have a norm.
_NUMBERS = "biufcV"
#: What an entry says of itself, and not of its place in a graph.
_OF_LAYER = ("module", "class_name", "config", "registered_name", "build_config")
#: Keys that a path leaves out, since the names after them say enough.
_LEFT_OUT = ("config", "layers")


@remote.urls("a", "b")
@with_registered
def diff(
    a: Any, b: Any, *, custom_objects: Mapping[str, Any] | None = None
) -> ModelDiff:
    """Compare two models. Neither is changed, and files are not loaded.

    Arrays are equal if their bytes are equal. Marks by which a config states that
    places share an object are not compared: Keras renumbers them each time.

    Args:
        a: A live `keras.Model`, or the path of a saved model of any Keras version.
            Keras is imported only for a live model, which is saved to a temporary file.
        b: The other model.
        custom_objects: As for `plan`, for old files of models with custom classes.

    Returns:
        The differences: print them, check `same`, or save them as JSON.

    Raises:
        ArchiveError: A file is missing, damaged or foreign.
        UnsupportedModelError: A live model cannot be saved, or something in a saved
            one has no form in Keras 3.
        TypeError: One of them is neither a model nor a path.

    Example:
        >>> import keras, keras_rectifiers
        >>> layers = [keras.Input((4,)), keras.layers.Dense(8, "relu", name="h")]
        >>> model = keras.Sequential(layers)
        >>> converted = keras_rectifiers.convert(model, include="h")
        >>> print(keras_rectifiers.diff(model, converted).sites[0].a)
        Dense(activation='relu')
    """
    with side(a, custom_objects) as one, side(b, custom_objects) as other:
        return _compared(one, other)


def _compared(one: Side, other: Side) -> ModelDiff:
    sites = tuple(_sites(one, other))
    replaced = {each.path for each in sites}
    return ModelDiff(
        one.name,
        other.name,
        sites,
        tuple(_slopes(one, other)),
        tuple(_arrays(one.arrays, other.arrays)),
        tuple(_configs(_bare(one, replaced), _bare(other, replaced))),
        tuple(_configs(dict(one.compiled), dict(other.compiled))),
        tuple(_arrays(one.slots, other.slots)),
        {
            "sites": len(_both(one.sites, other.sites)),
            "weights": len(_both(one.arrays, other.arrays)),
            "optimizer": len(_both(one.slots, other.slots)),
        },
    )


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The keys of both, without duplicates, those of the first one first."""
    return list({**one, **other})


def _sites(one: Side, other: Side) -> Iterator[SiteChange]:
    for path in _both(one.sites, other.sites):
        said = [
            each.sites[path][0].site.spelling if path in each.sites else None
            for each in (one, other)
        ]
        if said[0] != said[1]:
            yield SiteChange(path, *said)


def _slopes(one: Side, other: Side) -> Iterator[SlopeChange]:
    for path in one.sites:
        if path not in other.sites:
            continue
        a, b = (_slopes_of(*each.sites[path]) for each in (one, other))
        distance = None
        if a.size == b.size or 1 in (a.size, b.size):
            apart = np.abs(np.ravel(a) - np.ravel(b))
            distance = float(apart.max(initial=0.0))
        if distance != 0:
            yield SlopeChange(path, _range(a), _range(b), distance)


def _slopes_of(found: Any, read: Read) -> np.ndarray[Any, Any]:
    site = found.site
    slopes = read() if site.kind == specs.PRELU else site.negative_slope
    return np.atleast_1d(np.asarray(slopes, "float64"))


def _range(slopes: np.ndarray[Any, Any]) -> tuple[float, float]:
    return float(slopes.min()), float(slopes.max())


def _arrays(
    one: Mapping[str, Read], other: Mapping[str, Read]
) -> Iterator[WeightChange]:
    for name in _both(one, other):
        a, b = (each[name]() if name in each else None for each in (one, other))
        change = _array(name, a, b)
        if change is not None:
            yield change


def _array(name: str, a: Any, b: Any) -> WeightChange | None:
    if a is None or b is None:
        return WeightChange(name, _norm(a), _norm(b), None)
    form = ""
    if a.shape != b.shape or a.dtype != b.dtype:
        form = " -> ".join(f"{each.dtype.name} {each.shape}" for each in (a, b))
    elif a.tobytes() == b.tobytes():
        return None
    apart = None
    if a.shape == b.shape and _has_norm(a) and _has_norm(b):
        apart = _norm(_numbers(a) - _numbers(b))
    return WeightChange(name, _norm(a), _norm(b), apart, form)


def _has_norm(array: Any) -> bool:
    return array is not None and array.dtype.kind in _NUMBERS


def _numbers(array: Any) -> np.ndarray[Any, Any]:
    return np.asarray(
        array.astype("complex128" if array.dtype.kind == "c" else "float64")
    )


def _norm(array: Any) -> float | None:
    return float(np.linalg.norm(_numbers(array))) if _has_norm(array) else None


def _bare(each: Side, replaced: set[str]) -> Entry:
    """A config without the rectifiers that are already reported."""
    document = copy.deepcopy(each.document)
    if not is_model(document):
        return document
    for path in replaced & each.sites.keys():
        found = each.sites[path][0]
        for place in found.places:
            entry = at(document, place.address)
            if found.site.form == FUSED:
                entry["config"].pop(ATTRIBUTE, None)
            else:
                entry["name"] = name_of(entry)
                for key in _OF_LAYER:
                    entry.pop(key, None)
    return document


def _configs(a: Any, b: Any, path: str = "") -> Iterator[ConfigChange]:
    """Every place where two configs differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in _both(a, b):
            inside = path if key in _LEFT_OUT else f"{path}.{key}" if path else key
            if key == MARK:
                continue
            if key in a and key in b:
                yield from _configs(a[key], b[key], inside)
            else:
                yield ConfigChange(inside or key, _text(a, key), _text(b, key))
        return
    lists = isinstance(a, list | tuple) and isinstance(b, list | tuple)
    if lists and _are_named(a) and _are_named(b):
        before, after = ({name_of(each): each for each in layers} for layers in (a, b))
        yield from _configs(before, after, path)
        orders = [
            [n for n in names if n in before and n in after]
            for names in (before, after)
        ]
        if orders[0] != orders[1]:
            yield ConfigChange(
                f"{path}.order" if path else "order", *map(json.dumps, orders)
            )
    elif lists and len(a) == len(b):
        for index, pair in enumerate(zip(a, b, strict=True)):
            yield from _configs(*pair, f"{path}.{index}" if path else str(index))
    elif a != b:
        yield ConfigChange(path or "the model", json.dumps(a), json.dumps(b))


def _are_named(values: Any) -> bool:
    """Whether a list contains layers or similar, each with a unique name."""
    names = {
        name_of(each)
        for each in values
        if isinstance(each, dict) and ("class_name" in each or "name" in each)
    }
    return len(names) == len(values) > 0


def _text(config: dict[str, Any], key: str) -> str | None:
    return json.dumps(config[key]) if key in config else None
