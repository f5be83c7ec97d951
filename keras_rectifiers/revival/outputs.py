"""Give a dead output new weights that fit the labels."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_rectifiers.diagnosis.evidence.gather import collect
from keras_rectifiers.graph.roles import OUTPUT
from keras_rectifiers.graph.units.parts import Producer
from keras_rectifiers.graph.units.wire import producers
from keras_rectifiers.live.layers import by_path
from keras_rectifiers.live.outputs import outputs_of
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.rectifiers import find
from keras_rectifiers.live.state import copy_of
from keras_rectifiers.revival import slots
from keras_rectifiers.revival.fresh import fresh
from keras_rectifiers.revival.live_units import Incoming
from keras_rectifiers.revival.live_units import Values
from keras_rectifiers.specs import Cannot
from keras_rectifiers.surgery.live import LiveModel

Units = npt.NDArray[np.int64]
#: Weight of the penalty of the fit, relative to the mean square of a feature.
_RIDGE = 1e-2
#: Mean and deviation of an output about whose labels nothing is known.
_UNKNOWN = (1.0, 0.5)


def revive_outputs(
    model: keras.Model, units: Mapping[str, Units], x: Any, y: Any, seed: int = 0
) -> tuple[str, ...]:
    """Give dead outputs new weights, so that they are close to the labels.

    If the last layer is a Dense layer on features of the model, its weights are those
    of a ridge regression of the labels on the features. Any other layer gets a new
    kernel, scaled so that the outputs have the labels' mean and spread on these
    samples.

    Args:
        model: A built Functional or Sequential model; changed in place.
        units: Numbers of the dead units, by the path of the rectifier.
        x: Inputs, as the model takes them.
        y: Labels of one output: quantities with one column for each unit, or numbers
            of classes.
        seed: Of the new kernels.

    Returns:
        The paths that were revived; frozen layers stay as they are.
    """
    done = []
    for path, weights in _found(model, units):
        _revive(model, path, weights, units[path], (x, y), seed)
        done.append(path)
    return tuple(done)


def redraw_outputs(
    model: keras.Model, paths: Iterable[str], seed: int = 0
) -> tuple[str, ...]:
    """Give outputs whose units are all dead new weights, without labels.

    The output of such a model is constant, and no gradient reaches any of its weights.
    Kernels are drawn with Glorot's initializer, whatever the layer's own is, biases (or
    betas) become 1, so that most outputs are above 0, and the optimizer's state of
    these weights is cleared.

    Args:
        model: A built Functional or Sequential model; changed in place.
        paths: Of the rectifiers.
        seed: Of the new kernels.

    Returns:
        The paths that were redrawn; frozen layers stay as they are.
    """
    optimizer = getattr(model, "optimizer", None)
    done = []
    for path, weights in _found(model, paths):
        every = np.arange(weights[0].part.units)
        for each in weights:
            values = fresh(each, seed, "glorot_uniform")
            shift = each.part.role in ("bias", "beta")
            _set(each, every, np.ones_like(values) if shift else values)
            if optimizer is not None and optimizer.built:
                now = copy_of(each.variable)
                slots.clear(optimizer, each.variable, np.ones(now.shape, bool), now)
        done.append(path)
    return tuple(done)


def _found(
    model: keras.Model, paths: Iterable[str]
) -> Iterator[tuple[str, list[Incoming]]]:
    """Rectifiers among some that are outputs, with the weights that make them."""
    survey = LiveModel(model).survey
    layers = by_path(model)
    wanted = set(paths)
    for found in survey.found:
        if found.site.path not in wanted or not _is_output(found):
            continue
        parts = producers(survey.guessed_shapes, found)
        if isinstance(parts, Cannot):
            continue
        weights = [_bound(part, layers) for part in parts]
        if all(each.variable.trainable for each in weights if not _is_moving(each)):
            yield found.site.path, weights


def _is_output(found: Any) -> bool:
    return bool(found.site.role == OUTPUT)


def _is_moving(weight: Incoming) -> bool:
    return weight.part.role.startswith("moving")


def _bound(part: Producer, layers: Mapping[str, Any]) -> Incoming:
    layer = layers[part.path]
    variable = layer
    for name in part.weight.split("."):
        variable = getattr(variable, name)
    return Incoming(part, layer, variable)


def _revive(
    model: Any,
    path: str,
    weights: list[Incoming],
    units: Units,
    data: tuple[Any, Any],
    seed: int,
) -> None:
    x, y = data
    targets = _targets(y, weights[0].part.units)
    kernel = next(each for each in weights if each.part.role == "kernel")
    features = _features(model, kernel.layer, x)
    plain = len(weights) == 1 + bool(getattr(kernel.layer, "use_bias", False))
    if targets is not None and features is not None and plain:
        _fit(weights, units, features, targets)
        return
    for each in weights:
        _set(each, units, fresh(each, seed))
    means, stds = _UNKNOWN if targets is None else (targets.mean(0), targets.std(0))
    (rectifier,) = [each for each in find(model) if each.path == path]
    _match(model, rectifier, weights, units, (x, means, stds))


def _targets(y: Any, units: int) -> Values | None:
    """Labels with one column for each unit; None where they are something else."""
    leaves = keras.tree.flatten(y)
    if len(leaves) != 1:
        return None
    values = np.asarray(leaves[0])
    if units in (1, values.shape[-1] if values.ndim > 1 else 0):
        return values.reshape(-1, units).astype(np.float64)
    flat = values.ravel()
    if np.array_equal(flat, np.floor(flat)) and 0 <= flat.min() <= flat.max() < units:
        return np.eye(units)[flat.astype(int)]
    return None


def _features(model: Any, layer: Any, x: Any) -> Values | None:
    """What a Dense layer of the model itself takes, `(samples, features)`."""
    top = type(layer) is keras.layers.Dense and any(
        each is layer for each in getattr(model, "layers", ())
    )
    if not top or not getattr(model, "inputs", None):
        return None
    before = keras.Model(model.inputs, layer.input)
    taken = outputs_of(before, x)
    return np.asarray(taken, np.float64).reshape(-1, taken.shape[-1])


def _fit(weights: list[Incoming], units: Units, features: Values, y: Values) -> None:
    """Ridge regression of the labels on the features, for some units."""
    center, mean = features.mean(0), y.mean(0)
    moved = features - center
    square = moved.T @ moved / len(moved)
    square += _RIDGE * max(np.trace(square) / len(square), 1e-12) * np.eye(len(square))
    kernel = np.linalg.solve(square, moved.T @ (y - mean) / len(moved))
    values = {"kernel": kernel, "bias": mean - center @ kernel}
    for each in weights:
        _set(each, units, values[each.part.role])


def _match(
    model: Any,
    rectifier: LiveRectifier,
    weights: list[Incoming],
    units: Units,
    wanted: tuple[Any, Any, Any],
) -> None:
    """Scale and shift units so that they have a mean and a deviation."""
    x, means, stds = wanted
    seen = collect(model, [rectifier], x).rectifier(rectifier.path)
    if seen is None:
        return
    count = weights[0].part.units
    factor = np.broadcast_to(stds, (count,)) / np.maximum(seen.std, 1e-12)
    factor = np.where(seen.std > 0, factor, 1.0)
    shift = np.broadcast_to(means, (count,)) - factor * seen.mean
    roles = {each.part.role for each in weights}
    pair = ("gamma", "beta") if roles & {"gamma", "beta"} else ("kernel", "bias")
    for each in weights:
        if each.part.role in pair:
            added = shift if each.part.role == pair[1] else np.zeros(count)
            _rescale(each, units, factor, added)


def _rescale(weight: Incoming, units: Units, factor: Values, shift: Values) -> None:
    value = copy_of(weight.variable)
    for unit in units:
        place = weight.part.at(int(unit), value.shape)
        value[place] = value[place] * factor[unit] + shift[unit]
    weight.variable.assign(value)


def _set(weight: Incoming, units: Units, values: Values) -> None:
    """Give some units their entries of new values; the others stay."""
    now = copy_of(weight.variable)
    mask = weight.part.mask(units, now.shape)
    weight.variable.assign(np.where(mask, np.broadcast_to(values, now.shape), now))
