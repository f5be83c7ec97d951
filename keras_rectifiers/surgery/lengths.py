"""The axes of a layer's variables that follow from the shapes of its inputs."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from keras_rectifiers.graph.variables.shorthand import Config
from keras_rectifiers.specs import PRELU_REGISTERED
from keras_rectifiers.specs import Shape

#: Config and input shapes -> lengths of axes, as `Variable.shape` names them.
_Rule = Callable[[Config, Sequence[Shape]], dict[str, int | None]]

_EINSUM = re.compile(r"^([^,]*),[^->]*->(.*)$")
_SPATIAL = "spatial"


def lengths_of(
    entry: Mapping[str, Any], inputs: Sequence[Shape | None]
) -> dict[str, int]:
    """Lengths of axes by name, as far as they follow from the inputs.

    Args:
        entry: A layer, as Keras 3 writes it.
        inputs: The shape of each of its inputs, as far as it is known.
    """
    rule = _RULES.get(str(entry.get("class_name")))
    known = [shape for shape in inputs if shape is not None]
    if rule is None or not known or len(known) < len(inputs):
        return {}
    try:
        found = rule(entry["config"], known)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return {}  # the inputs are of some other kind
    return {name: length for name, length in found.items() if isinstance(length, int)}


def slopes_shape(
    entry: Mapping[str, Any], inputs: Sequence[Shape | None]
) -> Shape | None:
    """The shape of a PReLU's slopes; None where the input does not determine it.

    Args:
        entry: Keras' PReLU, or this package's.
        inputs: The shape of its input.
    """
    shape = inputs[0] if inputs else None
    config = entry.get("config") or {}
    shared = config.get("shared_axes")
    if shape is None:
        return None
    rank = len(shape)
    if shared == _SPATIAL and entry.get("registered_name") == PRELU_REGISTERED:
        return (shape[_axis(config)],)
    if isinstance(shared, int):
        shared = [shared]
    if entry.get("registered_name") == PRELU_REGISTERED:
        own = {axis % rank for axis in shared or ()}
        return tuple(1 if i in own else shape[i] for i in range(1, rank))
    slopes = list(shape[1:])
    for axis in shared or ():
        slopes[axis - 1] = 1
    return tuple(slopes)


def _axis(config: Config, first: int = 1) -> int:
    """The axis of the channels, which is `first` where they come first."""
    return first if config.get("data_format") == "channels_first" else -1


def _listed(config: Config) -> list[Any]:
    axis = config.get("axis", -1)
    return list(axis) if isinstance(axis, list | tuple) else [axis]


def _convolution(config: Config, shapes: Sequence[Shape]) -> dict[str, int | None]:
    channels = shapes[0][_axis(config)]
    groups = int(config.get("groups") or 1)
    return {"in": None if channels is None else channels // groups}


def _depthwise(config: Config, shapes: Sequence[Shape]) -> dict[str, int | None]:
    channels = shapes[0][_axis(config)]
    wider = None if channels is None else channels * int(config["depth_multiplier"])
    return {"in": channels, "between": wider}


def _axes(config: Config, shapes: Sequence[Shape]) -> dict[str, int | None]:
    axes = enumerate(sorted(_listed(config)))
    return {f"axis {number}": shapes[0][axis] for number, axis in axes}


def _kept_axes(config: Config, shapes: Sequence[Shape]) -> dict[str, int | None]:
    rank = len(shapes[0])
    kept = sorted(each % rank for each in _listed(config) if each is not None)
    return {f"axis {number}": shapes[0][each] for number, each in enumerate(kept)}


def _attention(config: Config, shapes: Sequence[Shape]) -> dict[str, int | None]:
    del config
    query, value, *rest = shapes
    key = rest[0] if rest else value
    return {"query": query[-1], "value": value[-1], "key": key[-1]}


def _einsum(config: Config, shapes: Sequence[Shape]) -> dict[str, int | None]:
    split = _EINSUM.match(str(config["equation"]))
    out = config["output_shape"]
    if split is None:
        return {}
    # Keras states the output without its batch axis.
    made = (None, *(out if isinstance(out, list | tuple) else (out,)))
    found = _by_letter(split[2], made)
    return {**found, **_by_letter(split[1], shapes[0])}


def _by_letter(letters: str, shape: Shape) -> dict[str, int | None]:
    """The length of each letter; an ellipsis at one end represents the rest."""
    if letters.startswith("..."):
        letters = letters[3:]
        shape = shape[len(shape) - len(letters) :]
    letters = letters.removesuffix("...")
    pairs = zip(letters, shape, strict=False)
    return {letter: length for letter, length in pairs if length is not None}


_RULES: dict[str, _Rule] = {
    **dict.fromkeys(
        [
            "Dense",
            *(
                f"{each}{cell}"
                for each in ("LSTM", "GRU", "SimpleRNN")
                for cell in ("", "Cell")
            ),
        ],
        lambda _, shapes: {"in": shapes[0][-1]},
    ),
    **{f"Conv{rank}D": _convolution for rank in (1, 2, 3)},
    **{f"Conv{rank}DTranspose": _convolution for rank in (1, 2, 3)},
    **{
        f"ConvLSTM{rank}D": lambda config, shapes: {"in": shapes[0][_axis(config, 2)]}
        for rank in (1, 2, 3)
    },
    **{
        f"{each}Conv{rank}D": _depthwise
        for rank in (1, 2)
        for each in ("Depthwise", "Separable")
    },
    **dict.fromkeys(
        ["BatchNormalization", "GroupNormalization"],
        lambda config, shapes: {"channels": shapes[0][_listed(config)[0]]},
    ),
    "LayerNormalization": _axes,
    "RMSNormalization": _axes,
    "Normalization": _kept_axes,
    "MultiHeadAttention": _attention,
    "GroupQueryAttention": _attention,
    "GroupedQueryAttention": _attention,
    "AdditiveAttention": lambda _, shapes: {"features": shapes[0][-1]},
    "EinsumDense": _einsum,
}
