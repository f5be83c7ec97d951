"""Padding of models that ran on Theano, which places the zeros differently."""

from __future__ import annotations

from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.legacy.dialects.keras1.names import SIDES
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import entry_rule

#: Before this version, Theano was all there was.
_FIRST_CHOICE = (0, 3)
#: Layers whose result depends on where padding is put, by their old and new names.
_PADDED = {
    **dict.fromkeys(("Convolution1D", "AtrousConvolution1D", "Conv1D"), 1),
    **dict.fromkeys(("Convolution2D", "AtrousConvolution2D", "Conv2D"), 2),
    **dict.fromkeys(("Convolution3D", "Conv3D"), 3),
}
_POOLS = frozenset(
    f"{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)
)


def ran_on_theano(context: Context) -> bool:
    """Whether a document's model was trained on Theano, as far as the file says.

    Args:
        context: Knows the version and the backend, where the file does.
    """
    origin = context.origin
    early = bool(origin.version) and origin.version < _FIRST_CHOICE
    return origin.backend == "theano" or (not origin.backend and early)


@entry_rule("theano_padding", "Theano's padding, where it differs from TensorFlow's")
def pad_as_theano(entry: Entry, context: Context) -> None:
    """Pad in a separate layer where Theano puts the zeros elsewhere.

    Theano pads half a kernel on both sides, whatever the strides; and only Theano
    knew `"full"`. The convolution and its padding take the layer's place together.
    """
    config, class_name = config_of(entry), str(entry.get("class_name"))
    mode = config.get("border_mode", config.get("padding"))
    if class_name in _POOLS and mode == "same" and ran_on_theano(context):
        text = "pooling may differ at the edges: Theano pads differently"
        context.repaired(entry, text, caution=True)
    if class_name not in _PADDED or mode not in ("same", "full"):
        return
    if mode == "same" and not ran_on_theano(context):
        return
    rank = _PADDED[class_name]
    sizes = _per_axis(_size(config), rank)
    strides = config.get("strides", config.get("subsample"))
    strides = _per_axis(config.get("subsample_length", strides), rank)
    rates = _per_axis(config.get("dilation_rate", config.get("atrous_rate")), rank)
    wide = [(size - 1) * rate + 1 for size, rate in zip(sizes, rates, strict=True)]
    if mode == "full":
        sides = [[size - 1, size - 1] for size in wide]
    elif all(size % 2 for size in wide) and all(each == 1 for each in strides):
        return
    else:
        sides = [[size // 2, (size - 1) // 2] for size in wide]
    _pad_before(entry, sides)
    context.repaired(
        entry, f"Theano padding {mode!r} → ZeroPadding{rank}D before the layer"
    )


def _size(config: dict[str, Any]) -> Any:
    for sides in SIDES:
        if all(side in config for side in sides):
            return [config[side] for side in sides]
    return config.get("kernel_size", config.get("filter_length"))


def _per_axis(value: Any, rank: int) -> list[int]:
    values = value if isinstance(value, list | tuple) else [value or 1] * rank
    return [int(each) for each in values]


def _pad_before(entry: Entry, sides: list[list[int]]) -> None:
    name, rank = name_of(entry), len(sides)
    inner = config_of(entry)
    padding: dict[str, Any] = {"name": f"{name}_padding"}
    padding["padding"] = sides[0] if rank == 1 else sides
    for key in ("batch_input_shape", "input_shape", "input_dtype"):
        if key in inner:
            padding[key] = inner.pop(key)
    for key in ("dim_ordering", "data_format"):
        if key in inner and rank > 1:
            padding[key] = inner[key]
    outer: dict[str, Any] = {"name": name}
    if "batch_input_shape" in padding:
        outer["batch_input_shape"] = padding["batch_input_shape"]
    mode = "border_mode" if "border_mode" in inner else "padding"
    layers = [
        {"class_name": f"ZeroPadding{rank}D", "config": padding},
        {"class_name": entry["class_name"], "config": {**inner, mode: "valid"}},
    ]
    entry["class_name"] = "Sequential"
    entry["config"] = {**outer, "layers": layers}
