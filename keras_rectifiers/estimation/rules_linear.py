"""Rules for the layers with a kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_rectifiers.estimation.bounds import Bounds
from keras_rectifiers.estimation.bounds import Values
from keras_rectifiers.estimation.call import BoundedCall
from keras_rectifiers.estimation.call import Rule
from keras_rectifiers.estimation.linear import LinearWeights
from keras_rectifiers.estimation.linear import weighted
from keras_rectifiers.graph import traits


def dense(call: BoundedCall) -> Bounds:
    """`Dense`: over the last axis."""
    found = call.weights("kernel", "bias")
    kernel = _ranked(found["kernel"], 2)
    ends = _inputs(call.x, -1, kernel.shape[0])
    lo, hi = weighted(ends, LinearWeights(kernel), found.get("bias"), call.precision)
    return call.x.replaced(lo, hi)


def convolution(call: BoundedCall) -> Bounds:
    """`Conv1D`, `Conv2D`, `Conv3D`; padding brings zeros in."""
    found = call.weights("kernel", "bias")
    rank, x = call.spatial, _padded(call)
    kernel = _ranked(found["kernel"], rank + 2)
    groups = int(call.config.get("groups") or 1)
    ends = _inputs(x, call.channel_axis, kernel.shape[-2] * groups)

    def by_group(vectors: Values, part: Values) -> Values:
        each = vectors.reshape(len(vectors), groups, -1)
        parts = part.reshape(len(part), groups, -1)
        return np.einsum("vgi,igo->vgo", each, parts).reshape(len(vectors), -1)

    contract = np.matmul if groups == 1 else by_group
    lo, hi = weighted(
        ends, LinearWeights(kernel, rank), found.get("bias"), call.precision, contract
    )
    return _convolved(call, lo, hi)


def transposed(call: BoundedCall) -> Bounds:
    """`Conv1DTranspose` and so on: each output takes a part of the window."""
    found = call.weights("kernel", "bias")
    rank, x = call.spatial, call.x.with_zero()
    kernel = _ranked(found["kernel"], rank + 2)
    ends = _inputs(x, call.channel_axis, kernel.shape[-1])
    weights = LinearWeights(kernel, rank, swapped=True)
    lo, hi = weighted(ends, weights, found.get("bias"), call.precision)
    return _convolved(call, lo, hi)


def depthwise(call: BoundedCall) -> Bounds:
    """`DepthwiseConv1D`, `DepthwiseConv2D`."""
    found = call.weights("kernel", "bias")
    rank, x = call.spatial, _padded(call)
    kernel = _ranked(found["kernel"], rank + 2)
    ends = _inputs(x, call.channel_axis, kernel.shape[-2])
    lo, hi = weighted(
        ends,
        LinearWeights(kernel, rank),
        found.get("bias"),
        call.precision,
        _by_channel,
    )
    return _convolved(call, lo, hi)


def separable(call: BoundedCall) -> Bounds:
    """`SeparableConv1D`, `SeparableConv2D`: depthwise, then pointwise."""
    found = call.weights("depthwise_kernel", "pointwise_kernel", "bias")
    rank, x = call.spatial, _padded(call)
    inner = _ranked(found["depthwise_kernel"], rank + 2)
    outer = _ranked(found["pointwise_kernel"], rank + 2)
    ends = _inputs(x, call.channel_axis, inner.shape[-2])
    middle = weighted(
        ends, LinearWeights(inner, rank), None, call.precision, _by_channel
    )
    if len(middle[0]) != outer.shape[-2]:
        raise ValueError(f"kernels of shapes {inner.shape} and {outer.shape}")
    lo, hi = weighted(
        middle, LinearWeights(outer, rank), found.get("bias"), call.precision
    )
    return _convolved(call, lo, hi)


def embedding(call: BoundedCall) -> Bounds:
    """`Embedding`: one of the rows, whatever the index."""
    (table,) = call.read(["embeddings"])
    table = _ranked(table, 2)
    step = max(1, (1 << 22) // table.shape[1])
    lo = np.full(table.shape[1], np.inf)
    hi = -lo
    for start in range(0, table.shape[0], step):
        rows = np.asarray(table[start : start + step], np.float64)
        lo, hi = np.minimum(lo, rows.min(axis=0)), np.maximum(hi, rows.max(axis=0))
    # JAX gives NaN for an index that is out of range, TensorFlow zeros.
    return Bounds(np.minimum(lo, 0.0), np.maximum(hi, 0.0))


RULES: dict[str, Rule] = {
    "Dense": dense,
    "Embedding": embedding,
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), convolution),
    **dict.fromkeys(
        ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), transposed
    ),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), separable),
}


def _convolved(call: BoundedCall, lo: Values, hi: Values) -> Bounds:
    if call.channel_axis != traits.LAST:
        column = (-1,) + (1,) * (-call.channel_axis - 1)
        lo, hi = lo.reshape(column), hi.reshape(column)
    return call.x.replaced(lo, hi)


def _padded(call: BoundedCall) -> Bounds:
    """What comes in, and the zeros that padding adds."""
    if call.config.get("padding", "valid") == "valid":
        return call.x
    return call.x.with_zero()


def _inputs(x: Bounds, axis: int, count: int) -> tuple[Values, Values]:
    """Bounds of each input channel."""
    stated = x.shape[axis] if x.shape and len(x.shape) >= -axis else None
    ends = []
    for end in x.along(axis):
        for length in (stated, len(end) if len(end) > 1 else None):
            if length not in (None, count):
                raise ValueError(f"a kernel for {count} inputs instead of {length}")
        ends.append(np.broadcast_to(end, (count,)))
    return ends[0], ends[1]


def _ranked(kernel: Any, rank: int) -> Any:
    if len(kernel.shape) != rank:
        raise ValueError(
            f"a kernel of shape {tuple(kernel.shape)}, which does not have {rank} axes"
        )
    return kernel


def _by_channel(vectors: Values, part: Values) -> Values:
    return (vectors[:, :, None] * part).reshape(len(vectors), -1)
