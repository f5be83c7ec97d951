"""Shapes, channel axis and dtype of a rectifier, as far as a document tells."""

from __future__ import annotations

from typing import Any

from keras_rectifiers.specs import Shape
from keras_rectifiers.surgery.document import Entry
from keras_rectifiers.surgery.document import Place
from keras_rectifiers.surgery.document import config_of
from keras_rectifiers.surgery.graph import Ref
from keras_rectifiers.surgery.view import View

#: Most layers between a rectifier and what tells about it; no real model comes
#: near, and a walk without end per rectifier would let a contrived file take hours.
FAR = 300

#: Config key that states the channels a layer puts out.
_CHANNEL_KEYS = ("units", "filters")
#: Layers after which the axes no longer mean what they meant before.
_REORDERS = frozenset({"Permute", "Reshape", "Flatten", "Dense", "Transpose"})
#: Layers of a Sequential that put out the shape they take.
_KEEPS_SHAPE = frozenset(
    {
        *("BatchNormalization", "LayerNormalization", "GroupNormalization"),
        *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "Identity"),
        *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
        *("GaussianNoise", "GaussianDropout", "AlphaDropout", "Rescaling"),
        *("Normalization", "UnitNormalization", "ActivityRegularization"),
    }
)
#: ... and the beginnings of class names that keep at least the channels.
_KEEPS_CHANNELS = ("MaxPool", "AveragePool", "ZeroPadding", "UpSampling", "Cropping")
#: Compute dtype of a bare tensor -> the policy that keeps weights in float32.
_POLICY_OF = {"float16": "mixed_float16", "bfloat16": "mixed_bfloat16"}


def output_shapes(place: Place, view: View, *, fused: bool) -> tuple[Shape | None, ...]:
    """The output's shape at each call of a layer, None where unknown."""
    member = view.member(place)
    graph, name = view.graph_around(place), member.names[-1]
    shapes: list[Shape | None] = []
    for call in range(graph.calls(name)):
        known = graph.output(name, call)
        shape = known.shape if known else None
        if member is not place:
            shape = _inside_wrapper(shape, member, place, fused=fused)
        elif shape is None and not fused:
            inputs = graph.inputs(name, call)
            shape = inputs[0].shape if inputs else None
        if shape is None and not graph.functional and member is place:
            shape = _chain_shape(graph.chain, graph.position(name))
        shapes.append(shape or _own_shape(place, fused=fused))
    return tuple(shapes)


def channel_axis(place: Place, view: View) -> int:
    """1 where the nearest layer that states a data format is channels-first."""
    seen: set[str] = set()
    current: Place | None = place
    while current is not None:
        member = view.member(current)
        if current.config.get("data_format") is not None:
            return _axis(current.config)
        if member.parent is None:
            return -1
        graph = view.graph(member.parent)
        names = [member.names[-1]]
        while names and len(seen) < FAR:
            name = names.pop()
            if name in seen or name not in graph.entries:
                continue
            seen.add(name)
            entry = graph.entries[name]
            if config_of(entry).get("data_format") is not None:
                return _axis(config_of(entry))
            if entry["class_name"] in _REORDERS:
                return -1
            names += [ref.name for ref in graph.inputs(name, 0)]
        current, seen = member.parent, set()
    return -1


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


def policy_name(dtype: Any) -> str:
    """Name of a serialized dtype policy; quantized ones give their source's."""
    if isinstance(dtype, str):
        return dtype
    config = config_of(dtype)
    return str(config.get("source_name") or config.get("name") or "float32")


def _axis(config: Entry) -> int:
    return 1 if config["data_format"] == "channels_first" else -1


def _inside_wrapper(
    shape: Shape | None, wrapper: Place, place: Place, *, fused: bool
) -> Shape | None:
    """The shape that a wrapped layer sees; only TimeDistributed adds an axis."""
    own = _own_shape(place, fused=fused)
    single = wrapper.entry["class_name"] == "TimeDistributed"
    if own is not None or shape is None or not single or place.parent is not wrapper:
        return own
    return (shape[0], *shape[2:])


def _chain_shape(chain: list[Entry], index: int) -> Shape | None:
    """The shape after one layer of a Sequential, from its neighbours."""
    following = _built(chain[index + 1]) if index + 1 < len(chain) else None
    return following or _shape_after(chain, index)


def _shape_after(chain: list[Entry], index: int) -> Shape | None:
    """The shape after one layer, from the nearest before it that states one."""
    shape: Shape | None = None
    passed = []
    for position in range(index, max(-1, index - FAR), -1):
        entry = chain[position]
        shape = _stated(entry)
        if shape is not None:
            break
        passed.append(entry)
        shape = _built(entry)
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
    if entry["class_name"] == "Reshape":
        return (None, *config["target_shape"])
    return _channels(entry)


def _passed_on(entry: Entry, before: Shape) -> Shape | None:
    """The output shape of a layer that takes `before`; None where unknown."""
    class_name, config = str(entry["class_name"]), config_of(entry)
    if class_name in _KEEPS_SHAPE:
        return before
    axis = _axis(config) if config.get("data_format") else -1
    if class_name.startswith("Global"):
        return None, before[axis]
    if class_name.startswith(_KEEPS_CHANNELS):
        spatial: list[int | None] = [None] * len(before)
        spatial[axis] = before[axis]
        return tuple(spatial)
    return None


def _built(entry: Entry) -> Shape | None:
    """The input shape in an entry's `build_config`."""
    build = entry.get("build_config")
    built = build.get("input_shape") if isinstance(build, dict) else None
    if not isinstance(built, list) or any(isinstance(axis, list) for axis in built):
        return None
    return tuple(built)


def _own_shape(place: Place, *, fused: bool) -> Shape | None:
    """The shape that the entry's `build_config` and arguments imply."""
    return _channels(place.entry) if fused else _built(place.entry)


def _channels(entry: Entry) -> Shape | None:
    """The output shape of a layer that states how many channels it makes."""
    config, built = config_of(entry), _built(entry)
    axis = _axis(config) if config.get("data_format") else -1
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
    shape: list[int | None] = [None] * (len(built) if built is not None else 2)
    shape[axis] = channels
    return tuple(shape)
