"""Shape and dtype of what a layer puts out, as far as is known.

Old files state only the shapes of the inputs. Most layers keep a shape or follow
one simple rule; where a class is not known here, the shape is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from keras_rectifiers.graph import traits
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.inference.sizes import Config
from keras_rectifiers.graph.inference.sizes import TensorSpec
from keras_rectifiers.graph.inference.sizes import broadcast
from keras_rectifiers.graph.inference.sizes import channel_axis
from keras_rectifiers.graph.inference.sizes import item
from keras_rectifiers.graph.inference.sizes import joined
from keras_rectifiers.graph.inference.sizes import pooling
from keras_rectifiers.graph.inference.sizes import window
from keras_rectifiers.graph.inference.sizes import with_free
from keras_rectifiers.graph.policies import compute_dtype
from keras_rectifiers.specs import Shape

#: Layers that put out the shape they take.
_KEEP = frozenset(
    {
        *traits.NORMALIZATIONS,
        *traits.PASSING,
        *("UnitNormalization", "Normalization", "Activation", "ReLU", "LeakyReLU"),
        *("PReLU", "ELU", "ThresholdedReLU", "Softmax", "Rescaling", "Masking"),
        *("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation"),
        *("RandomContrast", "RandomBrightness"),
    }
)
#: ... or only move the values about.
_MOVE = frozenset({"Reshape", "Flatten", "Permute", "RepeatVector"})
_MERGE = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"})
_RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN"})
_CELLS = frozenset({"LSTMCell", "GRUCell", "SimpleRNNCell"})


def layer_outputs(
    class_name: str, config: Config, tensors: list[TensorSpec]
) -> list[TensorSpec]:
    """Shape and dtype of each output of a layer of Keras' own.

    Args:
        class_name: Its class.
        config: Its config.
        tensors: All tensors that it takes, at least one.
    """
    shapes = [each.shape for each in tensors]
    dtype = compute_dtype(config.get("dtype"))
    if class_name in _KEEP | _MOVE:
        dtype = dtype if "float" in tensors[0].dtype else tensors[0].dtype
    if class_name in _RECURRENT or class_name == "Bidirectional":
        made = _recurrent(class_name, config, shapes[0])
        return [TensorSpec(shape, dtype) for shape in made]
    return [TensorSpec(_layer(class_name, config, shapes), dtype)]


def _layer(class_name: str, config: Config, shapes: list[Shape | None]) -> Shape | None:
    """The output shape of a layer of Keras' own."""
    before = shapes[0]
    if class_name in _KEEP or before is None:
        return before
    if class_name in _MERGE:
        return broadcast(shapes)
    if class_name == "Concatenate":
        return joined(shapes, config.get("axis", -1))
    rule = _RULES.get(class_name)
    return None if rule is None else rule(config, before)


def _convolution(config: Config, before: Shape) -> Shape | None:
    after, axis = list(before), channel_axis(config, len(before))
    kernel, strides = config["kernel_size"], config.get("strides", 1)
    rates = config.get("dilation_rate", 1)
    for place, index in enumerate(i for i in range(1, len(before)) if i != axis):
        size = (item(kernel, place) - 1) * item(rates, place) + 1
        padding = config.get("padding", "valid")
        after[index] = window(after[index], size, item(strides, place), padding)
    filters, channels = config.get("filters"), before[axis]
    if filters is None and channels is not None:  # depthwise
        filters = channels * config.get("depth_multiplier", 1)
    after[axis] = filters
    return tuple(after)


def _transposed(config: Config, before: Shape) -> Shape | None:
    after, axis = list(before), channel_axis(config, len(before))
    kernel, strides = config["kernel_size"], config.get("strides", 1)
    extra = config.get("output_padding")
    for place, index in enumerate(i for i in range(1, len(before)) if i != axis):
        length, stride = after[index], item(strides, place)
        size = (item(kernel, place) - 1) * item(config.get("dilation_rate", 1), place)
        if length is None:
            continue
        if extra is not None:
            pad = size // 2 if config.get("padding") == "same" else 0
            length = (length - 1) * stride + size + 1 - 2 * pad + item(extra, place)
        elif config.get("padding") == "same":
            length *= stride
        else:
            length = length * stride + max(size + 1 - stride, 0)
        after[index] = length
    after[axis] = config["filters"]
    return tuple(after)


def _resampled(
    change: Callable[[int, Config, int], int],
) -> Callable[[Config, Shape], Shape | None]:
    """The rule of layers that change each inner axis on its own."""

    def rule(config: Config, before: Shape) -> Shape | None:
        after, axis = list(before), channel_axis(config, len(before))
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


def _resized(config: Config, before: Shape) -> Shape | None:
    after, axis = list(before), channel_axis(config, len(before))
    first = 1 if axis != 1 else 2
    after[first : first + 2] = [config["height"], config["width"]]
    return tuple(after)


def _global(config: Config, before: Shape) -> Shape | None:
    axis = channel_axis(config, len(before))
    if not config.get("keepdims"):
        return before[0], before[axis]
    return tuple(
        length if index in (0, axis) else 1 for index, length in enumerate(before)
    )


def _lambda(config: Config, before: Shape) -> Shape | None:
    """Known where it is stated, as that of one tensor."""
    stated = config.get("output_shape")
    plain = isinstance(stated, list) and all(
        length is None or type(length) is int for length in stated
    )
    return (before[0], *stated) if isinstance(stated, list) and plain else None


def _einsum(config: Config, before: Shape) -> Shape | None:
    taken, _, made = str(config["equation"]).partition("->")
    taken = taken.partition(",")[0]
    head, dots, tail = taken.partition("...")
    end = len(before) - len(tail)
    lengths = dict(zip(head, before, strict=False))
    lengths.update(zip(tail, before[end:], strict=True))
    stated = config["output_shape"]
    stated = stated if isinstance(stated, list) else [stated]
    first, _, last = made.partition("...")
    letters = [*first, *before[len(head) : end], *last] if dots else [*made]
    wide = [None] * (len(letters) - len(stated)) + stated
    return tuple(
        (lengths[letter] if letter in lengths else wide[place])
        if isinstance(letter, str)
        else letter
        for place, letter in enumerate(letters)
    )


def _rnn(config: Config, before: Shape) -> Shape | None:
    """Known for cells of Keras' own; the last one's output is the layer's."""
    cell = config["cell"]
    if cell["class_name"] == "StackedRNNCells":
        cell = config_of(cell)["cells"][-1]
    if cell["class_name"] not in _CELLS or config.get("return_state"):
        return None
    steps = before[1:2] if config.get("return_sequences") else ()
    return (before[0], *steps, config_of(cell)["units"])


def _conv_lstm(config: Config, before: Shape) -> Shape | None:
    if config.get("return_state"):
        return None
    after = _convolution(config, (before[0], *before[2:]))
    if after is None or not config.get("return_sequences"):
        return after
    return (after[0], before[1], *after[1:])


def _reshape(config: Config, before: Shape) -> Shape | None:
    return before[0], *with_free(tuple(config["target_shape"]), before[1:])


def _flatten(config: Config, before: Shape) -> Shape | None:
    del config
    if None in before[1:]:
        return before[0], None
    return before[0], math.prod(each or 0 for each in before[1:])


_RULES: dict[str, Callable[[Config, Shape], Shape | None]] = {
    "Dense": lambda config, before: (*before[:-1], config["units"]),
    "Embedding": lambda config, before: (*before, config["output_dim"]),
    "Flatten": _flatten,
    "Lambda": _lambda,
    "EinsumDense": _einsum,
    "RNN": _rnn,
    **dict.fromkeys(["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"], _conv_lstm),
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
    **dict.fromkeys(["Resizing", "CenterCrop"], _resized),
    **dict.fromkeys(
        ["Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"], _transposed
    ),
    **dict.fromkeys(
        [f"{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)],
        pooling,
    ),
    **dict.fromkeys(
        [f"Global{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)],
        _global,
    ),
    **dict.fromkeys(
        ["UpSampling1D", "UpSampling2D", "UpSampling3D"],
        _resampled(lambda length, config, i: length * item(config["size"], i)),
    ),
    **dict.fromkeys(
        ["ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"],
        _resampled(lambda length, config, i: length + _sides(config["padding"], i)),
    ),
    **dict.fromkeys(
        ["Cropping1D", "Cropping2D", "Cropping3D"],
        _resampled(lambda length, config, i: length - _sides(config["cropping"], i)),
    ),
}


def _recurrent(
    class_name: str, config: Config, before: Shape | None
) -> list[Shape | None]:
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
    state: Shape | None = (batch, units)
    whole = (batch, before[1], units) if config.get("return_sequences") else state
    states = 2 if class_name == "LSTM" else 1
    return [whole, *([state] * states if config.get("return_state") else [])]
