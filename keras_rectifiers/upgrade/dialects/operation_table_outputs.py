"""Shape and dtype of what a layer or an operation puts out, as far as is known.

Old files state only the shapes of the inputs. Most layers keep a shape or follow
one simple rule; where a class is not known here, the shape is None.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from keras_rectifiers import forms
from keras_rectifiers.surgery.document import Entry
from keras_rectifiers.surgery.document import config_of
from keras_rectifiers.surgery.shapes import policy_name
from keras_rectifiers.upgrade.dialects.operation_table_values import Shape
from keras_rectifiers.upgrade.dialects.operation_table_values import Tensor

Config = dict[str, Any]
#: Shape and dtype of one output.
Output = tuple[Shape, str]

_COMPUTES = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}
#: Layers that put out the shape they take.
_KEEP = frozenset(
    {
        *("BatchNormalization", "LayerNormalization", "GroupNormalization"),
        *("UnitNormalization", "Normalization", "Activation", "ReLU", "LeakyReLU"),
        *("PReLU", "ELU", "ThresholdedReLU", "Softmax", "Dropout", "SpatialDropout1D"),
        *("SpatialDropout2D", "SpatialDropout3D", "GaussianNoise", "GaussianDropout"),
        *("AlphaDropout", "Rescaling", "Masking", "ActivityRegularization", "Identity"),
        *("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation"),
        *("RandomContrast", "RandomBrightness"),
    }
)
_MERGE = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"})
_RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN"})


def outputs_of(entry: Entry, args: Sequence[Any], kwargs: Config) -> list[Output]:
    """Shape and dtype of each output of a call; nothing where they are unknown.

    Args:
        entry: A modern entry that is no model.
        args: Positional arguments; tensors are `Tensor`.
        kwargs: Named arguments.
    """
    tensors = tensors_in([*args, *kwargs.values()])
    class_name, config = str(entry["class_name"]), config_of(entry)
    if forms.is_operation(entry.get("module")):
        return _operation(class_name, config, args, tensors)
    if class_name == "InputLayer":
        return [
            (
                _shape(config.get("batch_shape")),
                policy_name(config.get("dtype") or "float32"),
            )
        ]
    if not forms.is_keras_module(entry.get("module")) or not tensors:
        return []
    shapes = [each.shape for each in tensors]
    name = policy_name(config.get("dtype") or "float32")
    dtype = _COMPUTES.get(name, name)
    if class_name in _KEEP | {"Reshape", "Flatten", "Permute", "RepeatVector"}:
        dtype = dtype if _is_float(tensors[0].dtype) else tensors[0].dtype
    if class_name in _RECURRENT or class_name == "Bidirectional":
        return [(shape, dtype) for shape in _recurrent(class_name, config, shapes[0])]
    return [(_layer(class_name, config, shapes), dtype)]


def tensors_in(value: Any) -> list[Tensor]:
    """All tensors inside a value."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [tensor for each in value for tensor in tensors_in(each)]
    return []


def array_shape(value: Any) -> Shape:
    """The shape of an operand: a tensor, a number, a constant array."""
    if isinstance(value, Tensor):
        return value.shape
    if isinstance(value, dict):
        value = config_of(value).get("value")
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _shape(value: Any) -> Shape:
    return tuple(value) if isinstance(value, list | tuple) else None


def _is_float(dtype: str) -> bool:
    return "float" in dtype


def _layer(class_name: str, config: Config, shapes: list[Shape]) -> Shape:
    """The output shape of a layer of Keras' own."""
    before = shapes[0]
    if class_name in _KEEP or before is None:
        return before
    if class_name in _MERGE:
        return _broadcast(shapes)
    if class_name == "Concatenate":
        return _joined(shapes, config.get("axis", -1))
    if class_name == "TimeDistributed":
        inner = config["layer"]
        if "layers" in config_of(inner):
            return None
        within = Tensor("", 0, 0, (before[0], *before[2:]))
        made = outputs_of(inner, [within], {})
        shape = made[0][0] if made else None
        return None if shape is None else (shape[0], before[1], *shape[1:])
    rule = _RULES.get(class_name)
    return None if rule is None else rule(config, before)


def _channels(config: Config, rank: int) -> int:
    return 1 if config.get("data_format") == "channels_first" else rank - 1


def _convolution(config: Config, before: tuple[int | None, ...]) -> Shape:
    after, axis = list(before), _channels(config, len(before))
    kernel, strides = config["kernel_size"], config.get("strides", 1)
    rates = config.get("dilation_rate", 1)
    for place, index in enumerate(i for i in range(1, len(before)) if i != axis):
        size = (_item(kernel, place) - 1) * _item(rates, place) + 1
        padding = config.get("padding", "valid")
        after[index] = _window(after[index], size, _item(strides, place), padding)
    filters, channels = config.get("filters"), before[axis]
    if filters is None and channels is not None:  # depthwise
        filters = channels * config.get("depth_multiplier", 1)
    after[axis] = filters
    return tuple(after)


def _transposed(config: Config, before: tuple[int | None, ...]) -> Shape:
    after, axis = list(before), _channels(config, len(before))
    kernel, strides = config["kernel_size"], config.get("strides", 1)
    extra = config.get("output_padding")
    for place, index in enumerate(i for i in range(1, len(before)) if i != axis):
        length, stride = after[index], _item(strides, place)
        size = (_item(kernel, place) - 1) * _item(config.get("dilation_rate", 1), place)
        if length is None:
            continue
        if extra is not None:
            pad = size // 2 if config.get("padding") == "same" else 0
            length = (length - 1) * stride + size + 1 - 2 * pad + _item(extra, place)
        elif config.get("padding") == "same":
            length *= stride
        else:
            length = length * stride + max(size + 1 - stride, 0)
        after[index] = length
    after[axis] = config["filters"]
    return tuple(after)


def _pooling(config: Config, before: tuple[int | None, ...]) -> Shape:
    after, axis = list(before), _channels(config, len(before))
    sizes = config["pool_size"]
    strides = config["strides"] if config.get("strides") is not None else sizes
    for place, index in enumerate(i for i in range(1, len(before)) if i != axis):
        padding = config.get("padding", "valid")
        size, stride = _item(sizes, place), _item(strides, place)
        after[index] = _window(after[index], size, stride, padding)
    return tuple(after)


def _window(length: int | None, size: int, stride: int, padding: str) -> int | None:
    if length is None:
        return None
    if padding == "valid":
        length = length - size + 1
    return -(-length // stride)


def _item(value: Any, place: int) -> int:
    return int(value[place] if isinstance(value, list | tuple) else value)


def _resampled(
    change: Callable[[int, Config, int], int],
) -> Callable[[Config, tuple[int | None, ...]], Shape]:
    """The rule of layers that change each inner axis on its own."""

    def rule(config: Config, before: tuple[int | None, ...]) -> Shape:
        after, axis = list(before), _channels(config, len(before))
        for place, index in enumerate(i for i in range(1, len(before)) if i != axis):
            length = after[index]
            after[index] = None if length is None else change(length, config, place)
        return tuple(after)

    return rule


def _sides(value: Any, place: int) -> int:
    """Sum of what is added or cut at both sides of an axis."""
    if not isinstance(value, list | tuple):
        return 2 * int(value)
    if not any(isinstance(each, list | tuple) for each in value) and place == 0:
        # One axis: (before, after). Several axes: one number for each.
        return int(sum(value)) if len(value) == 2 else 2 * int(value[0])  # noqa: PLR2004
    side = value[place]
    return int(sum(side)) if isinstance(side, list | tuple) else 2 * int(side)


def _global(config: Config, before: tuple[int | None, ...]) -> Shape:
    axis = _channels(config, len(before))
    if not config.get("keepdims"):
        return before[0], before[axis]
    return tuple(
        length if index in (0, axis) else 1 for index, length in enumerate(before)
    )


def _reshape(config: Config, before: tuple[int | None, ...]) -> Shape:
    return before[0], *_with_free(tuple(config["target_shape"]), before[1:])


def _with_free(
    target: tuple[int, ...], before: tuple[int | None, ...]
) -> tuple[int | None, ...]:
    """A target shape with its -1 worked out, if that can be known."""
    known = math.prod(each for each in target if each != -1)
    total = None if None in before else math.prod(each or 0 for each in before)
    free = None if total is None or not known else total // known
    return tuple(free if each == -1 else each for each in target)


def _flatten(config: Config, before: tuple[int | None, ...]) -> Shape:
    del config
    if None in before[1:]:
        return before[0], None
    return before[0], math.prod(each or 0 for each in before[1:])


_RULES: dict[str, Callable[[Config, tuple[int | None, ...]], Shape]] = {
    "Dense": lambda config, before: (*before[:-1], config["units"]),
    "Embedding": lambda config, before: (*before, config["output_dim"]),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "RepeatVector": lambda config, before: (before[0], config["n"], before[-1]),
    "Permute": lambda config, before: (
        before[0],
        *(before[each] for each in config["dims"]),
    ),
    "MultiHeadAttention": lambda config, before: (
        before if config.get("output_shape") is None else None
    ),
    **dict.fromkeys(
        [
            *("Conv1D", "Conv2D", "Conv3D", "SeparableConv1D", "SeparableConv2D"),
            *("DepthwiseConv1D", "DepthwiseConv2D"),
        ],
        _convolution,
    ),
    **dict.fromkeys(
        ["Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"], _transposed
    ),
    **dict.fromkeys(
        [f"{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)],
        _pooling,
    ),
    **dict.fromkeys(
        [f"Global{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)],
        _global,
    ),
    **dict.fromkeys(
        ["UpSampling1D", "UpSampling2D", "UpSampling3D"],
        _resampled(lambda length, config, i: length * _item(config["size"], i)),
    ),
}


def _recurrent(class_name: str, config: Config, before: Shape) -> list[Shape]:
    """Output of a recurrent layer, then its states."""
    if class_name == "Bidirectional":
        inner = config["layer"]
        made = _recurrent(str(inner["class_name"]), config_of(inner), before)
        whole = made[0] if made else None
        if whole is None or config.get("merge_mode") is None:
            return []
        width = whole[-1]
        if config["merge_mode"] == "concat" and width is not None:
            whole = (*whole[:-1], 2 * width)
        return [whole, *made[1:], *made[1:]]
    if class_name not in _RECURRENT or before is None:
        return []
    batch, units = before[0], config["units"]
    state: Shape = (batch, units)
    whole = (batch, before[1], units) if config.get("return_sequences") else state
    states = 2 if class_name == "LSTM" else 1
    return [whole, *([state] * states if config.get("return_state") else [])]


_COMPARES = frozenset(
    {
        *("Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual"),
        *("LogicalAnd", "LogicalOr", "LogicalXor", "LogicalNot", "Any", "All"),
        *("Isnan", "Isinf", "Isfinite"),
    }
)
_BROADCAST = frozenset(
    {
        *("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Power", "Maximum"),
        *("Minimum", "Mod", "FloorDivide", "DivideNoNan", "Arctan2", "Where"),
    }
)
_REDUCE = frozenset(
    {
        *("Mean", "Sum", "Max", "Min", "Prod", "Std", "Var", "Any", "All"),
        *("Logsumexp", "Argmax", "Argmin"),
    }
)


def _operation(
    class_name: str, config: Config, args: Sequence[Any], tensors: list[Tensor]
) -> list[Output]:
    """Shape and dtype of the outputs of an operation."""
    if not tensors:
        return []
    dtype, before = _dtype(class_name, config, tensors), tensors[0].shape
    if before is not None and class_name in ("Split", "Unstack"):
        return [(shape, dtype) for shape in _parted(class_name, before, config)]
    if class_name in _BROADCAST or (class_name in _COMPARES and len(args) > 1):
        shape = _broadcast([array_shape(each) for each in args])
    elif class_name in ("Concatenate", "Stack"):
        parts = [array_shape(each) for each in args[0]]
        shape = _joined(parts, config["axis"], new=class_name == "Stack")
    elif class_name == "Matmul":
        shape = _matmul(*(array_shape(each) for each in args))
    elif before is not None and class_name == "GetItem":
        shape = _item_shape(before, args[1] if isinstance(args[1], list) else [args[1]])
    else:
        shape = _one_operand(class_name, config, before)
    return [(shape, dtype)]


def _one_operand(class_name: str, config: Config, before: Shape) -> Shape:
    """The output shape of an operation that changes one tensor."""
    if before is None or class_name in _UNKNOWN:
        return None
    if class_name in _REDUCE:
        return _reduced(before, config)
    rule = _OPERATIONS.get(class_name)
    return before if rule is None else rule(config, before)


def _dtype(class_name: str, config: Config, tensors: list[Tensor]) -> str:
    if class_name in _COMPARES:
        return "bool"
    if class_name in ("Argmax", "Argmin"):
        return "int32"
    if class_name in ("Cast", "OneHot", "ZerosLike", "OnesLike"):
        return str(config.get("dtype") or tensors[0].dtype)
    numbers = [each.dtype for each in tensors if each.dtype != "bool"]
    return numbers[0] if numbers else "bool"


def _broadcast(shapes: Sequence[Shape]) -> Shape:
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes):
        return None
    rank = max(map(len, known))
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in known]
    return tuple(
        next((size for size in sizes if size is not None and size != 1), None)
        if any(size is not None and size != 1 for size in sizes)
        else (None if None in sizes else 1)
        for sizes in zip(*padded, strict=True)
    )


def _joined(shapes: Sequence[Shape], axis: int, *, new: bool = False) -> Shape:
    """The shape of tensors that are joined along an axis, or stacked on a new one."""
    if any(shape is None for shape in shapes) or not shapes:
        return None
    known = [shape for shape in shapes if shape is not None]
    first = list(known[0])
    if new:
        first.insert(axis if axis >= 0 else len(first) + 1 + axis, len(known))
        return tuple(first)
    lengths = [shape[axis] for shape in known]
    first[axis] = None if None in lengths else sum(each or 0 for each in lengths)
    return tuple(first)


def _axes(config: Config, rank: int) -> set[int]:
    axis = config.get("axis")
    if axis is None:
        return set(range(rank))
    many = axis if isinstance(axis, list | tuple) else [axis]
    return {each % rank for each in many}


def _reduced(before: tuple[int | None, ...], config: Config) -> Shape:
    axes = _axes(config, len(before))
    kept = [1 if i in axes else each for i, each in enumerate(before)]
    if config.get("keepdims"):
        return tuple(kept)
    return tuple(each for i, each in enumerate(before) if i not in axes)


def _matmul(left: Shape, right: Shape) -> Shape:
    if left is None or right is None or min(len(left), len(right)) < 2:  # noqa: PLR2004
        return None
    batch = _broadcast([left[:-2], right[:-2]])
    return None if batch is None else (*batch, left[-2], right[-1])


def _parted(
    class_name: str, before: tuple[int | None, ...], config: Config
) -> list[Shape]:
    axis = config["axis"] % len(before)
    length, rest = before[axis], (before[:axis], before[axis + 1 :])
    if class_name == "Unstack":
        number = config.get("num") or length or 0
        return [(*rest[0], *rest[1])] * number
    parts = config["indices_or_sections"]
    if isinstance(parts, int):
        each = None if length is None else length // parts
        return [(*rest[0], each, *rest[1])] * parts
    ends = [0, *parts, length]
    return [
        (*rest[0], None if stop is None else stop - start, *rest[1])
        for start, stop in itertools.pairwise(ends)
    ]


def _item_shape(before: tuple[int | None, ...], key: list[Any]) -> Shape:
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


def _squeezed(config: Config, before: tuple[int | None, ...]) -> Shape:
    if config.get("axis") is None:
        return tuple(each for each in before if each != 1)
    axes = _axes(config, len(before))
    return tuple(each for i, each in enumerate(before) if i not in axes)


def _expanded(config: Config, before: tuple[int | None, ...]) -> Shape:
    after, axis = list(before), config["axis"]
    after.insert(axis if axis >= 0 else len(before) + 1 + axis, 1)
    return tuple(after)


def _permuted(config: Config, before: tuple[int | None, ...]) -> Shape:
    axes = config.get("axes") or range(len(before))[::-1]
    return tuple(before[each] for each in axes)


def _swapped(config: Config, before: tuple[int | None, ...]) -> Shape:
    after = list(before)
    one, two = config["axis1"], config["axis2"]
    after[one], after[two] = after[two], after[one]
    return tuple(after)


def _padded(config: Config, before: tuple[int | None, ...]) -> Shape:
    return tuple(
        None if each is None else each + sum(widths)
        for each, widths in zip(before, config["pad_width"], strict=True)
    )


def _tiled(config: Config, before: tuple[int | None, ...]) -> Shape:
    return tuple(
        None if each is None else each * times
        for each, times in zip(before, config["repeats"], strict=True)
    )


_OPERATIONS: dict[str, Callable[[Config, tuple[int | None, ...]], Shape]] = {
    "Reshape": lambda config, before: _with_free(tuple(config["newshape"]), before),
    "Squeeze": _squeezed,
    "ExpandDims": _expanded,
    "Transpose": _permuted,
    "Swapaxes": _swapped,
    "Pad": _padded,
    "Tile": _tiled,
    "BroadcastTo": lambda config, before: tuple(config["shape"]),  # noqa: ARG005
    "Resize": lambda config, before: (before[0], *config["size"], before[-1]),
    "OneHot": lambda config, before: (
        (*before, config["num_classes"]) if config["axis"] == -1 else None
    ),
    "MaxPool": _pooling,
    "AveragePool": _pooling,
}
#: Operations whose output has another shape, which is not worked out.
_UNKNOWN = frozenset(
    {
        *("TopK", "Moments", "Repeat", "DepthToSpace", "SpaceToDepth"),
        *("RGBToGrayscale", "Take", "Tensordot", "Conv", "DepthwiseConv"),
    }
)
