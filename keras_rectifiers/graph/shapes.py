"""Shapes, channel axis and dtype of a rectifier, as far as a document tells."""

from __future__ import annotations

import math
from typing import Any

from keras_rectifiers.graph import traits
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import built_shape
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.graph import Ref
from keras_rectifiers.graph.policies import policy_name
from keras_rectifiers.graph.view import View
from keras_rectifiers.specs import Shape

#: Most layers between a rectifier and what tells about it; no real model comes
#: near, and a walk without end per rectifier would let a contrived file take hours.
FAR = 300

#: Config key that states the channels a layer puts out.
_CHANNEL_KEYS = ("units", "filters")
#: Layers of a Sequential that put out the shape they take.
_KEEPS_SHAPE = frozenset(
    {
        *traits.NORMALIZATIONS,
        *traits.PASSING,
        *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax"),
        *("Rescaling", "Normalization", "UnitNormalization"),
    }
)
#: Compute dtype of a bare tensor -> the policy that keeps weights in float32.
_POLICY_OF = {"float16": "mixed_float16", "bfloat16": "mixed_bfloat16"}


def output_shapes(place: Place, view: View, *, fused: bool) -> tuple[Shape | None, ...]:
    """The output's shape at each call of a layer, None where unknown."""
    member = view.member(place)
    graph, name = view.graph_around(place), member.names[-1]
    if fused and _loops(place.entry):
        return (_channels(place.entry, step=True),) * graph.calls(name)
    shapes: list[Shape | None] = []
    for call in range(graph.calls(name)):
        known = graph.output(name, call)
        shape = known.shape if known else None
        if member is not place:
            shape = _inside_wrapper(shape, member, place, fused=fused)
        elif shape is None and graph.functional:
            inputs = graph.inputs(name, call)
            before = inputs[0].shape if inputs else None
            if before is not None and fused:
                before = _passed_on(place.entry, before)
            shape = before
        if shape is None and member is place and member.parent is not None:
            if is_model(place.entry):
                shape = _model_shape(place, view)
            elif not graph.functional:
                shape = _chain_shape(member.parent, view, graph.position(name))
        shapes.append(shape or _own_shape(place, fused=fused))
    return tuple(shapes)


def dtype_name(place: Place, view: View, operand: int, slot: Any = None) -> str:
    """Name of the dtype policy that a rectifier in this place must have.

    Args:
        place: The layer or operation.
        view: The document around it.
        operand: Which operand an operation rectifies.
        slot: The value of the slot, for a fused one; a layer there has its own.
    """
    own = config_of(slot).get("dtype") if isinstance(slot, dict) else None
    dtype = place.config.get("dtype") if own is None else own
    if dtype is not None:
        return policy_name(dtype)
    arguments = view.graph_around(place).arguments(place.names[-1], 0)
    tensor = arguments[operand] if operand < len(arguments) else None
    computed = tensor.dtype if isinstance(tensor, Ref) else None
    return _POLICY_OF.get(computed or "", computed or "float32")


def _inside_wrapper(
    shape: Shape | None, wrapper: Place, place: Place, *, fused: bool
) -> Shape | None:
    """The shape that a wrapped layer sees; only TimeDistributed adds an axis."""
    own = _own_shape(place, fused=fused)
    single = wrapper.entry["class_name"] == "TimeDistributed"
    if own is not None or shape is None or not single or place.parent is not wrapper:
        return own
    return (shape[0], *shape[2:])


def _model_shape(model: Place, view: View) -> Shape | None:
    """The shape of a model's first output."""
    outputs = view.graph(model).outputs
    if not outputs:
        return None
    name, call = outputs[0]
    shapes = output_shapes(view.child(model, name), view, fused=True)
    return shapes[call] if call < len(shapes) else None


def _chain_shape(model: Place, view: View, index: int) -> Shape | None:
    """The shape after one layer of a Sequential, from its neighbours."""
    chain = view.graph(model).chain
    following = built_shape(chain[index + 1]) if index + 1 < len(chain) else None
    return following or _shape_after(model, view, index)


def _shape_after(model: Place, view: View, index: int) -> Shape | None:
    """The shape after one layer, from the nearest before it that states one."""
    chain = view.graph(model).chain
    shape: Shape | None = None
    passed = []
    for position in range(index, max(-1, index - FAR), -1):
        entry = chain[position]
        if is_model(entry):
            shape = _model_shape(view.child(model, name_of(entry)), view)
        else:
            shape = _stated(entry)
        if shape is not None:
            break
        passed.append(entry)
        shape = built_shape(entry)
        if shape is not None:
            break
    for entry in reversed(passed):
        shape = None if shape is None else _passed_on(entry, shape)
    return shape


def _stated(entry: Entry) -> Shape | None:
    """The output shape that a layer states, whatever comes in."""
    config = config_of(entry)
    if entry["class_name"] == "InputLayer":
        shape = config.get("batch_shape")
        return tuple(shape) if isinstance(shape, list) else None
    if entry["class_name"] == "Reshape" and -1 not in config["target_shape"]:
        return (None, *config["target_shape"])
    return _channels(entry)


def _passed_on(entry: Entry, before: Shape) -> Shape | None:
    """The output shape of a layer that takes `before`; None where unknown."""
    class_name, config = str(entry["class_name"]), config_of(entry)
    if class_name in _KEEPS_SHAPE:
        return before
    axis = traits.format_axis(config.get("data_format"))
    whole = class_name.startswith(traits.GLOBAL_POOLING)
    if whole and not config.get("keepdims"):
        return None, before[axis]
    if whole or class_name.startswith((*traits.POOLING, *traits.RESIZING)):
        spatial: list[int | None] = [None] * len(before)
        spatial[axis] = before[axis]
        return tuple(spatial)
    if class_name == "Permute":
        return (before[0], *(before[axis] for axis in config["dims"]))
    if class_name == "RepeatVector":
        return before[0], config["n"], before[-1]
    if class_name == "Flatten":
        return None, _product(before[1:])
    if class_name == "Reshape":
        known = math.prod(size for size in config["target_shape"] if size != -1)
        whole_size = _product(before[1:])
        free = None if whole_size is None or not known else whole_size // known
        target = (free if size == -1 else size for size in config["target_shape"])
        return (before[0], *target)
    if class_name == "TimeDistributed" and len(before) > 2:  # noqa: PLR2004
        inner = config["layer"]
        step = _stated(inner) or _passed_on(inner, (before[0], *before[2:]))
        return None if step is None else (step[0], before[1], *step[1:])
    return None


def _product(sizes: Shape) -> int | None:
    """The number of values in axes; None where one is open."""
    return None if None in sizes else math.prod(size or 0 for size in sizes)


def _own_shape(place: Place, *, fused: bool) -> Shape | None:
    """The shape that the entry's `build_config` and arguments imply."""
    return _channels(place.entry) if fused else built_shape(place.entry)


def _loops(entry: Entry) -> bool:
    """Whether a layer's own activation works on one step of a sequence."""
    name = str(entry["class_name"])
    return name in ("LSTM", "GRU", "SimpleRNN") or name.startswith("ConvLSTM")


def _channels(entry: Entry, *, step: bool = False) -> Shape | None:
    """The output shape of a layer that states how many channels it makes.

    Args:
        entry: The layer.
        step: Whether one step of what a recurrent layer makes is meant.
    """
    config, built = config_of(entry), built_shape(entry)
    axis = traits.format_axis(config.get("data_format"))
    channels = next(
        (config[key] for key in _CHANNEL_KEYS if isinstance(config.get(key), int)),
        None,
    )
    if channels is None and built is not None and "depth_multiplier" in config:
        inputs = built[axis]
        channels = None if inputs is None else inputs * config["depth_multiplier"]
    if channels is None and isinstance(config.get("output_shape"), list):
        return (None, *config["output_shape"])  # EinsumDense
    if channels is None:
        return None
    rank = len(built) if built is not None else 2
    if _loops(entry):
        several = not step and config.get("return_sequences")
        axis = traits.out_of_step(axis) or axis if several else axis
        rank -= built is not None and not several
    shape: list[int | None] = [None] * rank
    shape[axis] = channels
    return tuple(shape)
