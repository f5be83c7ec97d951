"""Shape and dtype of what an operation puts out, as far as is known."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from keras_rectifiers.graph import traits
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.inference.sizes import Config
from keras_rectifiers.graph.inference.sizes import TensorSpec
from keras_rectifiers.graph.inference.sizes import broadcast
from keras_rectifiers.graph.inference.sizes import joined
from keras_rectifiers.graph.inference.sizes import pooling
from keras_rectifiers.graph.inference.sizes import with_free
from keras_rectifiers.specs import Shape

#: Most outputs of one operation whose shapes are kept.
_MAX_PARTS = 1 << 16


def array_shape(value: Any) -> Shape | None:
    """The shape of an operand: a tensor, a number, a constant array."""
    if isinstance(value, TensorSpec):
        return value.shape
    if isinstance(value, dict):
        value = config_of(value).get("value")
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def operation_outputs(
    class_name: str, config: Config, args: Sequence[Any], tensors: list[TensorSpec]
) -> list[TensorSpec]:
    """Shape and dtype of each output of an operation; nothing where it takes none.

    Args:
        class_name: Its class.
        config: Its config.
        args: Positional operands: `TensorSpec`, numbers, constant arrays, lists.
        tensors: All tensors that it takes.
    """
    if not tensors:
        return []
    row, before = traits.of(class_name, operation=True), tensors[0].shape
    dtype = _dtype(class_name, config, args, tensors)
    if before is not None and class_name in ("Split", "Unstack"):
        parts = _parted(class_name, before, config)
        return [TensorSpec(shape, dtype) for shape in parts]
    if before is not None and class_name == "TopK":
        best = (*before[:-1], config["k"])
        return [TensorSpec(best, dtype), TensorSpec(best, "int32")]
    if row.merges:
        shape = broadcast([array_shape(each) for each in args])
    elif class_name in ("Concatenate", "Stack"):
        parts = [array_shape(each) for each in args[0]]
        shape = joined(parts, config["axis"], new=class_name == "Stack")
    elif class_name == "Matmul":
        shape = _matmul(*(array_shape(each) for each in args))
    elif class_name == "Take":
        shape = _taken(array_shape(args[0]), array_shape(args[1]), config["axis"])
    elif before is not None and class_name == "GetItem":
        shape = _item_shape(before, args[1] if isinstance(args[1], list) else [args[1]])
    elif before is None or (row.keeps_shape and class_name not in _RULES):
        shape = before
    else:
        rule = _reduced if row.reduces and len(args) == 1 else _RULES.get(class_name)
        shape = None if rule is None else rule(config, before)
    return [TensorSpec(shape, dtype)]


def _taken(values: Shape | None, indices: Shape | None, axis: int) -> Shape | None:
    if values is None or indices is None:
        return None
    axis %= len(values)
    return (*values[:axis], *indices, *values[axis + 1 :])


def _dtype(
    class_name: str, config: Config, args: Sequence[Any], tensors: list[TensorSpec]
) -> str:
    if traits.of(class_name, operation=True).tests:
        return "bool"
    if class_name in ("Argmax", "Argmin"):
        return "int32"
    if class_name in ("Cast", "OneHot", "ZerosLike", "OnesLike"):
        return str(config.get("dtype") or tensors[0].dtype)
    if class_name == "Take" and isinstance(args[0], dict):
        return str(config_of(args[0])["dtype"])
    numbers = [each.dtype for each in tensors if each.dtype != "bool"]
    return numbers[0] if numbers else "bool"


def _axes(config: Config, rank: int) -> set[int]:
    axis = config.get("axis")
    if axis is None:
        return set(range(rank))
    many = axis if isinstance(axis, list | tuple) else [axis]
    return {each % rank for each in many}


def _reduced(config: Config, before: Shape) -> Shape | None:
    axes = _axes(config, len(before))
    kept = [1 if i in axes else each for i, each in enumerate(before)]
    if config.get("keepdims"):
        return tuple(kept)
    return tuple(each for i, each in enumerate(before) if i not in axes)


def _matmul(left: Shape | None, right: Shape | None) -> Shape | None:
    if left is None or right is None or min(len(left), len(right)) < 2:  # noqa: PLR2004
        return None
    batch = broadcast([left[:-2], right[:-2]])
    return None if batch is None else (*batch, left[-2], right[-1])


def _parted(class_name: str, before: Shape, config: Config) -> list[Shape | None]:
    axis = config["axis"] % len(before)
    length, rest = before[axis], (before[:axis], before[axis + 1 :])
    if class_name == "Unstack":
        number = min(config.get("num") or length or 0, _MAX_PARTS)
        return [(*rest[0], *rest[1])] * number
    parts = config["indices_or_sections"]
    if isinstance(parts, int):
        parts = min(parts, _MAX_PARTS)
        each = None if length is None else length // parts
        return [(*rest[0], each, *rest[1])] * parts
    ends = [0, *parts, length]
    return [
        (*rest[0], None if stop is None else stop - start, *rest[1])
        for start, stop in itertools.pairwise(ends)
    ]


def _item_shape(before: Shape, key: list[Any]) -> Shape | None:
    after: list[int | None] = []
    rest = list(before)
    key = list(key)
    for position, part in enumerate(key):
        if part is None:
            after.append(1)
        elif isinstance(part, dict) and part.get("class_name") == "__ellipsis__":
            later = sum(each is not None for each in key[position + 1 :])
            many = len(rest) - later
            after, rest = after + rest[:many], rest[many:]
        elif isinstance(part, dict):
            length, bounds = rest.pop(0), config_of(part)
            cut = slice(bounds.get("start"), bounds.get("stop"), bounds.get("step"))
            whole = cut in (slice(None), slice(0, None))
            known = None if length is None else len(range(*cut.indices(length)))
            after.append(length if whole else known)
        else:
            rest.pop(0)
    return (*after, *rest)


def _squeezed(config: Config, before: Shape) -> Shape | None:
    if config.get("axis") is None:
        return tuple(each for each in before if each != 1)
    axes = _axes(config, len(before))
    return tuple(each for i, each in enumerate(before) if i not in axes)


def _expanded(config: Config, before: Shape) -> Shape | None:
    after, axis = list(before), config["axis"]
    after.insert(axis if axis >= 0 else len(before) + 1 + axis, 1)
    return tuple(after)


def _permuted(config: Config, before: Shape) -> Shape | None:
    axes = config.get("axes") or range(len(before))[::-1]
    return tuple(before[each] for each in axes)


def _swapped(config: Config, before: Shape) -> Shape | None:
    after = list(before)
    one, two = config["axis1"], config["axis2"]
    after[one], after[two] = after[two], after[one]
    return tuple(after)


def _padded(config: Config, before: Shape) -> Shape | None:
    return tuple(
        None if each is None else each + sum(widths)
        for each, widths in zip(before, config["pad_width"], strict=True)
    )


def _repeated(config: Config, before: Shape) -> Shape | None:
    axis, times = config["axis"], config["repeats"]
    if axis is None or not isinstance(times, int):
        return None
    after = list(before)
    length = after[axis]
    after[axis] = None if length is None else length * times
    return tuple(after)


def _blocks(config: Config, before: Shape, *, apart: bool) -> Shape | None:
    """The shape after the channels became pixels, or the pixels channels."""
    size = config["block_size"]
    batch, *inner, channels = before
    if apart:
        kept = [None if each is None else each // size for each in inner]
        return (batch, *kept, None if channels is None else channels * size**2)
    kept = [None if each is None else each * size for each in inner]
    return (batch, *kept, None if channels is None else channels // size**2)


def _tiled(config: Config, before: Shape) -> Shape | None:
    return tuple(
        None if each is None else each * times
        for each, times in zip(before, config["repeats"], strict=True)
    )


def _flat(config: Config, before: Shape) -> Shape:
    """The shape after what works on all values in a row, where no axis is named."""
    return before if config.get("axis") is not None else with_free((-1,), before)


_RULES: dict[str, Callable[[Config, Shape], Shape | None]] = {
    **dict.fromkeys(("Ravel", "Cumsum", "Cumprod", "Nancumsum", "Nancumprod"), _flat),
    "SearchSorted": lambda config, before: None,  # noqa: ARG005 - that of its operand
    "Reshape": lambda config, before: with_free(tuple(config["newshape"]), before),
    "Squeeze": _squeezed,
    "ExpandDims": _expanded,
    "Transpose": _permuted,
    "Swapaxes": _swapped,
    "Pad": _padded,
    "Tile": _tiled,
    "Repeat": _repeated,
    "DepthToSpace": functools.partial(_blocks, apart=False),
    "SpaceToDepth": functools.partial(_blocks, apart=True),
    "BroadcastTo": lambda config, before: tuple(config["shape"]),  # noqa: ARG005
    "Resize": lambda config, before: (before[0], *config["size"], before[-1]),
    "OneHot": lambda config, before: (
        (*before, config["num_classes"]) if config["axis"] == -1 else None
    ),
    "MaxPool": pooling,
    "AveragePool": pooling,
}
