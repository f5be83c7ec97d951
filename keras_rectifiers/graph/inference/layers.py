"""Shape and dtype of what a layer puts out, as far as is known.

Most layers keep a shape or follow one simple rule; where a class is not known here,
the shape is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from keras_rectifiers.graph import traits
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.inference.sizes import Config
from keras_rectifiers.graph.inference.sizes import TensorSpec
from keras_rectifiers.graph.inference.sizes import broadcast
from keras_rectifiers.graph.inference.sizes import item
from keras_rectifiers.graph.inference.sizes import joined
from keras_rectifiers.graph.inference.sizes import pooling
from keras_rectifiers.graph.inference.sizes import resampled
from keras_rectifiers.graph.inference.sizes import window
from keras_rectifiers.graph.inference.sizes import with_free
from keras_rectifiers.graph.policies import compute_dtype
from keras_rectifiers.specs import Shape

#: Config and the shape of the first input -> the shape of the output.
_Rule = Callable[[Config, Shape], Shape | None]

#: Layers and cells that keep a state -> the number of tensors in it.
_STATES = {
    "LSTM": 2,
    "GRU": 1,
    "SimpleRNN": 1,
    "LSTMCell": 2,
    "GRUCell": 1,
    "SimpleRNNCell": 1,
}


def layer_outputs(
    class_name: str, config: Config, tensors: Sequence[TensorSpec]
) -> list[TensorSpec]:
    """Shape and dtype of each output of a layer of Keras' or this package's own.

    Args:
        class_name: Its class.
        config: Its config.
        tensors: All tensors that it takes, at least one.
    """
    dtype = compute_dtype(config.get("dtype"))
    row = traits.of(class_name)
    if row.keeps_shape or row.reorders:
        dtype = dtype if "float" in tensors[0].dtype else tensors[0].dtype
    shapes = _shapes(class_name, config, [each.shape for each in tensors])
    return [TensorSpec(shape, dtype) for shape in shapes]


def _shapes(
    class_name: str, config: Config, taken: Sequence[Shape | None]
) -> Sequence[Shape | None]:
    """The shapes of the outputs; none where not even their number is known."""
    before, row = taken[0], traits.of(class_name)
    if row.keeps_shape or before is None:
        return [before]
    if row.merges:
        return [broadcast(taken)]
    if row.joins:
        return [joined(taken, config.get("axis", -1))]
    if class_name in ("Attention", "AdditiveAttention"):
        value = taken[1] if len(taken) > 1 else None
        return [None if value is None else (*before[:-1], value[-1])]
    if row.pools or row.global_pool:
        return [(_global if row.global_pool else _pooled)(config, before)]
    if class_name in _SEVERAL:
        return _SEVERAL[class_name](class_name, config, before)
    rule = _RULES.get(class_name)
    return [None if rule is None else rule(config, before)]


def _convolution(config: Config, before: Shape) -> Shape:
    kernel, strides = config["kernel_size"], config.get("strides", 1)
    rates, padding = config.get("dilation_rate", 1), config.get("padding", "valid")

    def length_after(length: int, place: int) -> int:
        size = (item(kernel, place) - 1) * item(rates, place) + 1
        return window(length, size, item(strides, place), padding)

    after, axis = resampled(config, before, length_after)
    filters, channels = config.get("filters"), before[axis]
    if filters is None and channels is not None:  # depthwise
        filters = channels * config.get("depth_multiplier", 1)
    after[axis] = filters
    return tuple(after)


def _transposed(config: Config, before: Shape) -> Shape:
    kernel, strides = config["kernel_size"], config.get("strides", 1)
    rates, extra = config.get("dilation_rate", 1), config.get("output_padding")

    def length_after(length: int, place: int) -> int:
        stride = item(strides, place)
        size = (item(kernel, place) - 1) * item(rates, place) + 1
        same = config.get("padding") == "same"
        if extra is None:
            return length * stride + (0 if same else max(size - stride, 0))
        whole = size % 2 if same else size
        return (length - 1) * stride + whole + item(extra, place)

    after, axis = resampled(config, before, length_after)
    after[axis] = config["filters"]
    return tuple(after)


def _each_axis(change: Callable[[int, Config, int], int]) -> _Rule:
    """The rule of layers that change each inner axis on its own."""

    def rule(config: Config, before: Shape) -> Shape:
        after, _ = resampled(config, before, lambda n, place: change(n, config, place))
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


def _resized(config: Config, before: Shape) -> Shape:
    after, axis = list(before), traits.channel_axis(config, len(before))
    first = 1 if axis != 1 else 2
    after[first : first + 2] = [config["height"], config["width"]]
    return tuple(after)


def _global(config: Config, before: Shape) -> Shape:
    axis = traits.channel_axis(config, len(before))
    if not config.get("keepdims"):
        return before[0], before[axis]
    return tuple(
        length if index in (0, axis) else 1 for index, length in enumerate(before)
    )


def _pooled(config: Config, before: Shape) -> Shape:
    if "output_size" not in config:
        return pooling(config, before)
    # Adaptive pooling makes the same lengths of whatever it takes.
    after, axis = list(before), traits.channel_axis(config, len(before))
    for place, index in enumerate(i for i in range(1, len(before)) if i != axis):
        after[index] = item(config["output_size"], place)
    return tuple(after)


def _lambda(config: Config, before: Shape) -> Shape | None:
    """Known where it is stated, as that of one tensor."""
    stated = config.get("output_shape")
    plain = isinstance(stated, list) and all(
        length is None or type(length) is int for length in stated
    )
    return (before[0], *stated) if isinstance(stated, list) and plain else None


def _einsum(config: Config, before: Shape) -> Shape:
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


def _reshape(config: Config, before: Shape) -> Shape:
    return before[0], *with_free(tuple(config["target_shape"]), before[1:])


def _flatten(config: Config, before: Shape) -> Shape:
    del config
    if None in before[1:]:
        return before[0], None
    return before[0], math.prod(each or 0 for each in before[1:])


def _recurrent(class_name: str, config: Config, before: Shape) -> list[Shape]:
    """Output of a recurrent layer, or of one that runs a cell, then its states."""
    cell = {"class_name": class_name, "config": config}
    states = _states(config["cell"] if class_name == "RNN" else cell, before)
    if not states:
        return []
    steps = before[1:2] if config.get("return_sequences") else ()
    # Of stacked cells, the last one makes the output.
    batch, *made = states[-1]
    whole = (batch, *steps, *made)
    return [whole, *states] if config.get("return_state") else [whole]


def _states(cell: Config, before: Shape) -> list[Shape]:
    """The shapes of the state of a cell; none where it is not known."""
    class_name, config = str(cell["class_name"]), config_of(cell)
    if class_name == "StackedRNNCells":
        inside = [_states(each, before) for each in config["cells"]]
        return [state for each in inside for state in each] if all(inside) else []
    if class_name.startswith("ConvLSTM"):
        return [_convolution(config, (before[0], *before[2:]))] * 2
    return [(before[0], config["units"])] * _STATES.get(class_name, 0)


def _cell(class_name: str, config: Config, before: Shape) -> list[Shape]:
    states = _states({"class_name": class_name, "config": config}, before)
    return [*states[-1:], *states]


def _both_ways(class_name: str, config: Config, before: Shape) -> list[Shape]:
    """Outputs of a Bidirectional: what both directions make, then their states."""
    del class_name
    inner = config["layer"]
    made = _recurrent(str(inner["class_name"]), config_of(inner), before)
    if not made:
        return []
    whole, *states = made
    merge = config.get("merge_mode")
    if merge is None:
        return [whole, whole, *states, *states]
    if merge == "concat" and whole[-1] is not None:
        whole = (*whole[:-1], 2 * whole[-1])
    return [whole, *states, *states]


def _wrapped(class_name: str, config: Config, before: Shape) -> Sequence[Shape | None]:
    """Outputs of a layer that is called as it is by the one around it."""
    inner, steps = config["layer"], before[1:2]
    timed = class_name == "TimeDistributed"
    taken = (before[0], *before[2:]) if timed else before
    made = _shapes(str(inner["class_name"]), config_of(inner), [taken])
    if not timed:
        return made
    return [None if each is None else (each[0], *steps, *each[1:]) for each in made]


_SEVERAL: dict[str, Callable[[str, Config, Shape], Sequence[Shape | None]]] = {
    **dict.fromkeys(("RNN", "LSTM", "GRU", "SimpleRNN"), _recurrent),
    **dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), _recurrent),
    **dict.fromkeys(("LSTMCell", "GRUCell", "SimpleRNNCell", "StackedRNNCells"), _cell),
    "Bidirectional": _both_ways,
    **dict.fromkeys(("TimeDistributed", "SpectralNormalization"), _wrapped),
}
_RULES: dict[str, _Rule] = {
    "Dense": lambda config, before: (*before[:-1], config["units"]),
    "Embedding": lambda config, before: (*before, config["output_dim"]),
    "Flatten": _flatten,
    "Lambda": _lambda,
    "EinsumDense": _einsum,
    "Reshape": _reshape,
    "RepeatVector": lambda config, before: (before[0], config["n"], before[-1]),
    "Permute": lambda config, before: (
        before[0],
        *(before[each] for each in config["dims"]),
    ),
    "MultiHeadAttention": lambda config, before: (
        before if config.get("output_shape") is None else None
    ),
    "GroupQueryAttention": lambda config, before: before,  # noqa: ARG005
    "GroupedQueryAttention": lambda config, before: before,  # noqa: ARG005
    **dict.fromkeys(
        [
            *("Conv1D", "Conv2D", "Conv3D", "SeparableConv1D", "SeparableConv2D"),
            *("DepthwiseConv1D", "DepthwiseConv2D"),
        ],
        _convolution,
    ),
    **dict.fromkeys(["Resizing", "CenterCrop", "RandomCrop"], _resized),
    **dict.fromkeys(
        ["Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"], _transposed
    ),
    **dict.fromkeys(
        ["UpSampling1D", "UpSampling2D", "UpSampling3D"],
        _each_axis(lambda length, config, i: length * item(config["size"], i)),
    ),
    **dict.fromkeys(
        ["ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"],
        _each_axis(lambda length, config, i: length + _sides(config["padding"], i)),
    ),
    **dict.fromkeys(
        ["Cropping1D", "Cropping2D", "Cropping3D"],
        _each_axis(lambda length, config, i: length - _sides(config["cropping"], i)),
    ),
}
