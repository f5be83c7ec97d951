"""What a layer asks of the shape it takes: its rank, and lengths its weights have."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.graph import traits
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.variables.shapes import fits
from keras_rectifiers.legacy.weights.arrange import Placed

#: Axes of a layer's arrays by name, as `Variable.shape` names them -> their lengths.
Lengths = dict[str, int]

#: Layers of images, whose names do not say so.
_IMAGES = frozenset({"Resizing", "CenterCrop", "RandomCrop"})
_IMAGE_RANK = 4
#: Where Keras' own PReLU keeps its slopes' shape among the lengths.
_SLOPES = "slopes"


@dataclasses.dataclass(frozen=True)
class Asks:
    """What a layer asks of its input.

    Attributes:
        rank: Its rank; None where several will do.
        least: The least rank that will do.
        lengths: Axes, counted from 0 or from the end, and their lengths.
        static: Axes that must have a length, whatever it is.
        weighted: Whether the layer has weights, so that it asks for a shape at all.
    """

    rank: int | None = None
    least: int = 1
    lengths: tuple[tuple[int, int], ...] = ()
    static: tuple[int, ...] = ()
    weighted: bool = False


def lengths_of(placed: Iterable[Placed]) -> dict[int, Lengths]:
    """The identity of each layer's entry -> the lengths of its arrays' axes.

    Args:
        placed: Every stored array, and the variable that it is.
    """
    found: dict[int, Lengths] = {}
    for each in placed:
        places = [each.owner.place, *(spot.place for spot in each.owner.also)]
        for place in places:
            lengths = found.setdefault(id(place.entry), {})
            if each.variable is None:
                continue
            fits(each.variable.shape, each.shape, lengths)
            if place.entry.get("class_name") == "PReLU":
                slopes = {f"{_SLOPES} {i}": n for i, n in enumerate(each.shape)}
                lengths.update(slopes)
    return found


def asks_of(entry: Entry, found: Mapping[int, Lengths]) -> Asks:
    """What a layer asks of the shape it takes.

    Args:
        entry: The layer, of a modern document.
        found: As `lengths_of` gives it.
    """
    class_name, config = str(entry["class_name"]), config_of(entry)
    rank, least = _rank(class_name, config)
    lengths = found.get(id(entry), {})
    axes = _axes(class_name, config, lengths)
    static, weighted = _static(class_name, config), id(entry) in found
    if class_name == "EinsumDense" and "..." not in str(config.get("equation")):
        rank = len(str(config["equation"]).partition(",")[0])
    if class_name == "PReLU" and axes:
        rank = 1 + sum(name.startswith(_SLOPES) for name in lengths)
    for inner in _same_input(class_name, config):
        more = asks_of(inner, found)
        axes, static = axes + more.lengths, static + more.static
        weighted = weighted or more.weighted
        rank = more.rank or rank
    return Asks(rank, max(least, _reach(axes)), axes, static, weighted)


def _same_input(class_name: str, config: dict[str, Any]) -> list[Entry]:
    """The layers inside a wrapper that take what the wrapper takes."""
    if class_name == "RNN":
        cell = config["cell"]
        stacked = cell["class_name"] == "StackedRNNCells"
        return [config_of(cell)["cells"][0] if stacked else cell]
    if class_name in ("Bidirectional", "SpectralNormalization"):
        inner = (config.get(key) for key in ("layer", "backward_layer"))
        return [each for each in inner if isinstance(each, dict)]
    return []


def _rank(class_name: str, config: dict[str, Any]) -> tuple[int | None, int]:
    """The rank of what a layer takes, and the least one that will do."""
    row = traits.of(class_name)
    if row.spatial or row.recurrent:
        rank = row.spatial + (3 if row.recurrent else 2)
        return rank, rank
    if class_name in _IMAGES:
        return _IMAGE_RANK, _IMAGE_RANK
    if class_name in ("Embedding", "RepeatVector"):
        return 2, 2
    if class_name == "Permute":
        rank = len(config["dims"]) + 1
        return rank, rank
    return None, {"TimeDistributed": 3, "Dense": 2}.get(class_name, 1)


def _static(class_name: str, config: dict[str, Any]) -> tuple[int, ...]:
    """Axes without whose lengths Keras 3 does not build a layer."""
    axes = [0] if config.get("stateful") else []
    if config.get("unroll"):
        axes.append(1)
    row = traits.of(class_name)
    if row.recurrent and row.spatial:
        first = 2 if _channel_axis(class_name, config) == traits.LAST else 3
        axes += range(first, first + row.spatial)
    return tuple(axes)


def _axes(
    class_name: str, config: dict[str, Any], lengths: Lengths
) -> tuple[tuple[int, int], ...]:
    """The axes whose lengths follow from a layer's arrays."""
    if "channels" in lengths:
        return ((int(config.get("axis", -1)), lengths["channels"]),)
    if "axis 0" in lengths:
        axis = config.get("axis", -1)
        axes = axis if isinstance(axis, list | tuple) else [axis]
        return tuple((int(each), lengths[f"axis {i}"]) for i, each in enumerate(axes))
    if "in" in lengths:
        return ((_channel_axis(class_name, config), _channels(config, lengths)),)
    if class_name == "EinsumDense":
        return _einsum(str(config["equation"]), lengths)
    if class_name == "PReLU":
        shared = config.get("shared_axes") or []
        if isinstance(shared, list):  # this package's own states them in words
            slopes = [n for name, n in lengths.items() if name.startswith(_SLOPES)]
            numbered = enumerate(slopes, start=1)
            return tuple((axis, n) for axis, n in numbered if axis not in shared)
    return ()


def _channel_axis(class_name: str, config: dict[str, Any]) -> int:
    axis = traits.format_axis(config.get("data_format"))
    steps = axis != traits.LAST and traits.of(class_name).recurrent
    return axis + 1 if steps else axis


def _channels(config: dict[str, Any], lengths: Lengths) -> int:
    groups = config.get("groups", 1)
    return lengths["in"] * (groups if isinstance(groups, int) else 1)


def _einsum(equation: str, lengths: Lengths) -> tuple[tuple[int, int], ...]:
    taken = equation.partition(",")[0]
    head, _, tail = taken.partition("...")
    axes = {letter: i for i, letter in enumerate(head)}
    axes.update({letter: i - len(tail) for i, letter in enumerate(tail)})
    return tuple((i, lengths[each]) for each, i in axes.items() if each in lengths)


def _reach(axes: Iterable[tuple[int, int]]) -> int:
    """The least rank that has these axes and the batch."""
    return max((axis + 1 if axis >= 0 else 1 - axis for axis, _ in axes), default=1)
