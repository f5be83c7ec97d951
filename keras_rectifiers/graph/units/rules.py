"""What one layer does with units: keeps them apart, takes them up, or makes them.

One function for each question; each looks at one entry of a document and at where
the units lie. Keras is never imported.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from keras_rectifiers.graph import forms
from keras_rectifiers.graph import traits
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.units.parts import Indices
from keras_rectifiers.graph.units.state import UnitState
from keras_rectifiers.specs import CannotError
from keras_rectifiers.specs import Shape

#: (weight, axes from the end, positions of each unit on them)
Piece = tuple[str, tuple[int, ...], tuple[Indices, ...]]

#: Largest tensor, in values of one sample, through which a reshape is followed.
_LARGEST = 4_000_000


def keeps_apart(
    entry: Entry, state: UnitState, shape: Shape | None
) -> UnitState | None:
    """Where the units lie after a layer that keeps them apart.

    Args:
        entry: The layer or operation; it takes one tensor.
        state: Where they lie in its input.
        shape: Shape of its input, None where unknown.

    Returns:
        The state after it (without a record of the layer), or None where it is not such
        a layer.

    Raises:
        CannotError: If it is one, and cannot be followed.
    """
    row, config = traits.of_entry(entry), config_of(entry)
    class_name = str(entry["class_name"])
    if is_elementwise(entry):
        return state
    if row.normalizes and not row.mixes:
        _check_axis(entry, state, _rank(entry, shape), config.get("axis", -1))
        return state
    if row.global_pool or row.pools or (row.resizes and row.spatial):
        rank = _rank(entry, shape)
        _check_axis(entry, state, rank, traits.channel_axis(config, rank))
        flat = row.global_pool and not config.get("keepdims")
        return dataclasses.replace(state, axis=1) if flat else state
    if not row.reorders or forms.is_operation(entry.get("module")):
        return None
    if class_name == "Permute":
        dims = list(config["dims"])
        return dataclasses.replace(state, axis=dims.index(state.axis) + 1)
    if class_name in ("Flatten", "Reshape"):
        return _reshaped(entry, state, shape)
    return None


def is_elementwise(entry: Entry) -> bool:
    """Whether a member works on each value alone, and takes 0 to 0."""
    row = traits.of_entry(entry)
    return row.elementwise and row.keeps_zero and not row.needs_positive


def taken_up(entry: Entry, state: UnitState, shape: Shape | None) -> list[Piece]:
    """The weights that a layer multiplies units with; none if it has no such.

    Args:
        entry: The layer.
        state: Where the units lie in its input.
        shape: Shape of its input.

    Raises:
        CannotError: If the weights are shared between units.
    """
    config = config_of(entry)
    for weight in traits.of_entry(entry).reads:
        if not weight.axes:
            return [(weight.name, *_einsum(entry, state, shape, "input"))]
        rank = _rank(entry, shape)
        _check_axis(entry, state, rank, traits.channel_axis(config, rank))
        groups = int(config.get("groups") or 1)
        if groups > 1:
            return [_grouped(entry, state, shape, groups)]
        return [(weight.name, weight.axes, (state.indices,))]
    return []


def made_by(entry: Entry, state: UnitState, shape: Shape | None) -> list[Piece]:
    """The kernel and bias entries that make units; none if a layer makes none.

    Args:
        entry: The layer.
        state: Where the units lie in its output.
        shape: Shape of its input.

    Raises:
        CannotError: If the weights are shared between units.
    """
    config, weights = config_of(entry), traits.of_entry(entry).makes
    if not weights:
        return []
    if not weights[0].axes:
        return _made_by_einsum(entry, state, shape)
    if weights[0].name == "embeddings":  # it adds an axis
        _check_axis(entry, state, (len(shape) if shape else 2) + 1, -1)
    else:
        rank = _rank(entry, shape)
        _check_axis(entry, state, rank, traits.channel_axis(config, rank))
    many = int(config.get("depth_multiplier") or 1)
    pair = (state.indices // many, state.indices % many)
    return [
        (weight.name, weight.axes, pair if len(weight.axes) > 1 else (state.indices,))
        for weight in weights
        if weight.name != "bias" or config.get("use_bias", True)
    ]


def concatenated(
    entry: Entry, state: UnitState, position: int, inputs: list[Shape | None]
) -> UnitState:
    """Where the units lie after a concatenation.

    Args:
        entry: A Concatenate layer or operation.
        state: Where they lie in one of its inputs.
        position: Which one.
        inputs: Shapes of all.

    Raises:
        CannotError: If the shapes are unknown.
    """
    own = inputs[position]
    axis = int(config_of(entry).get("axis", -1)) % _rank(entry, own)
    if axis != state.axis:
        raise CannotError(f"{name_of(entry)!r} joins axes other than the channels")
    sizes = [None if shape is None else shape[axis] for shape in inputs[:position]]
    if any(size is None for size in sizes):
        raise CannotError(f"the input shapes of {name_of(entry)!r} are unknown")
    offset = sum(size or 0 for size in sizes)
    return dataclasses.replace(state, indices=state.indices + offset)


def mixes_output(entry: Entry) -> bool:
    """Whether a layer's own activation mixes units or is not known."""
    return traits.function(config_of(entry).get("activation")).mixes


def _reshaped(entry: Entry, state: UnitState, shape: Shape | None) -> UnitState:
    """Follow each value of one sample through a Flatten or Reshape."""
    name = name_of(entry)
    if shape is None or any(size is None for size in shape[1:]):
        raise CannotError(f"the input shape of {name!r} is unknown")
    inner = [size or 0 for size in shape[1:]]
    if math.prod(inner) > _LARGEST:
        raise CannotError(f"{name!r} takes a tensor that is too large to trace")
    units, count = state.indices.shape
    owners = np.full(inner, -1, np.int64)
    rows = np.moveaxis(owners, state.axis - 1, 0)
    rows[state.indices.ravel()] = np.repeat(np.arange(units), count).reshape(
        -1, *[1] * (len(inner) - 1)
    )
    if entry["class_name"] == "Flatten":
        if config_of(entry).get("data_format") == "channels_first":
            owners = np.moveaxis(owners, 0, -1)
        owners = owners.reshape(-1)
    else:
        owners = owners.reshape(config_of(entry)["target_shape"])
    for axis in range(owners.ndim):
        lines = np.moveaxis(owners, axis, 0).reshape(owners.shape[axis], -1)
        owner = lines[:, 0]
        if (lines == owner[:, None]).all():
            order = np.argsort(owner, kind="stable")
            found = order[(owner < 0).sum() :]
            if len(found) % units == 0:
                indices = found.reshape(units, -1)
                return dataclasses.replace(state, axis=axis + 1, indices=indices)
    raise CannotError(f"{name!r} spreads one unit over several axes")


def _grouped(entry: Entry, state: UnitState, shape: Shape | None, groups: int) -> Piece:
    size = None if shape is None else shape[state.axis]
    if size is None:
        raise CannotError(f"the input shape of {name_of(entry)!r} is unknown")
    inside = size // groups
    width = int(config_of(entry)["filters"]) // groups
    group = state.indices // inside
    if (group != group[:, :1]).any():
        raise CannotError(f"one unit reaches several groups of {name_of(entry)!r}")
    outputs = group[:, :1] * width + np.arange(width)
    return "kernel", (-2, -1), (state.indices % inside, outputs)


def _terms(entry: Entry, rank: int) -> tuple[str, str, str]:
    """Input, kernel and output of an equation, with letters for every axis."""
    equation = str(config_of(entry)["equation"]).replace(" ", "")
    left, _, output = equation.partition("->")
    given, _, kernel = left.partition(",")
    filler = "0123456789"[: max(0, rank - len(given.replace("...", "")))]
    return given.replace("...", filler), kernel, output.replace("...", filler)


def _einsum(
    entry: Entry, state: UnitState, shape: Shape | None, side: str
) -> tuple[tuple[int, ...], tuple[Indices, ...]]:
    given, kernel, output = _terms(entry, _rank(entry, shape))
    term = given if side == "input" else output
    if state.axis >= len(term) or term[state.axis] not in kernel:
        raise CannotError(f"{name_of(entry)!r} has the same weights for every unit")
    return (kernel.index(term[state.axis]) - len(kernel),), (state.indices,)


def _made_by_einsum(entry: Entry, state: UnitState, shape: Shape | None) -> list[Piece]:
    axes, indices = _einsum(entry, state, shape, "output")
    pieces: list[Piece] = [("kernel", axes, indices)]
    _, _, output = _terms(entry, _rank(entry, shape))
    bias_axes = config_of(entry).get("bias_axes")
    if bias_axes and output[state.axis] in bias_axes:
        # Keras lays the bias out in the order of the output, from its first axis.
        kept = output[min(output.index(letter) for letter in bias_axes) :]
        pieces.append(("bias", (kept.index(output[state.axis]) - len(kept),), indices))
    return pieces


def _rank(entry: Entry, shape: Shape | None) -> int:
    if shape is None:
        raise CannotError(f"the input shape of {name_of(entry)!r} is unknown")
    return len(shape)


def _check_axis(entry: Entry, state: UnitState, rank: int, axis: Any) -> None:
    if isinstance(axis, list) and len(axis) == 1:
        axis = axis[0]
    if not isinstance(axis, int) or axis % rank != state.axis:
        raise CannotError(
            f"{name_of(entry)!r} works on an axis other than that of the units"
        )
