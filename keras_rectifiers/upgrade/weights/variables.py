"""The variables of every layer class of Keras 3, from a layer's config alone."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from keras_rectifiers import forms
from keras_rectifiers.specs import PRELU_REGISTERED
from keras_rectifiers.upgrade.weights.wanted import Variable

Config = Mapping[str, Any]
Shape = tuple[int | str | None, ...] | None
#: A layer's modern config -> its own variables, in Keras 3's order.
Table = Callable[[Config], tuple[Variable, ...]]

#: Class -> its variables. What is Keras' own and not here has none.
VARIABLES: dict[str, Table] = {}

_EINSUM = re.compile(r"^[^,]*,([^->]*)->(.*)$")


def variables_of(entry: Mapping[str, Any]) -> tuple[Variable, ...] | None:
    """What a layer wants; None for a class that is not Keras' own.

    The variables of layers inside it, which have places of their own in a
    document, are not among them; those of a layer in its `activation` are.

    Args:
        entry: A layer, as Keras 3 writes it.
    """
    config = entry.get("config")
    config = config if isinstance(config, dict) else {}
    if entry.get("registered_name") == PRELU_REGISTERED:
        return _prelu(config)
    if not is_known(entry):
        return None
    class_name = str(entry.get("class_name"))
    own = VARIABLES.get(class_name, _none)(config)
    return (*own, *_activation(class_name, config))


def is_known(entry: Mapping[str, Any]) -> bool:
    """Whether a layer is of one of Keras' classes, or of this package's."""
    registered = entry.get("registered_name")
    if registered is not None and str(registered).startswith("keras_rectifiers>"):
        return True
    if registered not in (None, entry.get("class_name")):
        return False
    return forms.is_keras_module(entry.get("module"))


def _own(*named: tuple[str, Shape], fixed: Iterable[str] = ()) -> tuple[Variable, ...]:
    """Variables of the layer itself, numbered in this order."""
    return tuple(
        Variable(name, ("vars", str(number)), (name,), shape, name not in fixed)
        for number, (name, shape) in enumerate(named)
    )


def _below(
    variables: Iterable[Variable], group: str, attribute: str, name: str = ""
) -> tuple[Variable, ...]:
    """The same variables, as those of a part of a layer."""
    return tuple(
        dataclasses.replace(
            each,
            name=f"{name}/{each.name}" if name else each.name,
            group=(group, *each.group),
            attribute=(attribute, *each.attribute),
        )
        for each in variables
    )


def _none(_: Config) -> tuple[Variable, ...]:
    return ()


def _activation(class_name: str, config: Config) -> tuple[Variable, ...]:
    """Variables of a layer that stands in the `activation` argument."""
    value = config.get("activation")
    if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
        return ()
    inner = variables_of(value) or ()
    inner = _below(inner, "activation", "activation", "activation")
    return _below(inner, "cell", "cell") if class_name in _CELLS else inner


def _dense(config: Config) -> tuple[Variable, ...]:
    units = config.get("units")
    return _own(("kernel", ("in", units)), *_bias(config, units))


def _bias(config: Config, *shape: Any) -> list[tuple[str, Shape]]:
    return [("bias", shape)] if config.get("use_bias", True) else []


def _kernel_size(config: Config, rank: int) -> tuple[int, ...]:
    size = config.get("kernel_size")
    sizes = (size,) * rank if isinstance(size, int) else tuple(size or ())
    if len(sizes) != rank or not all(isinstance(each, int) for each in sizes):
        raise ValueError(f"kernel_size={size!r} where {rank} lengths are wanted")
    return sizes


def _conv(rank: int) -> Table:
    def variables(config: Config) -> tuple[Variable, ...]:
        filters = config.get("filters")
        kernel = (*_kernel_size(config, rank), "in", filters)
        return _own(("kernel", kernel), *_bias(config, filters))

    return variables


def _transpose(rank: int) -> Table:
    def variables(config: Config) -> tuple[Variable, ...]:
        filters = config.get("filters")
        kernel = (*_kernel_size(config, rank), filters, "in")
        return _own(("kernel", kernel), *_bias(config, filters))

    return variables


def _depthwise(rank: int) -> Table:
    def variables(config: Config) -> tuple[Variable, ...]:
        kernel = (*_kernel_size(config, rank), "in", config.get("depth_multiplier"))
        # Keras 2 calls it by its longer name.
        found = _own(("kernel", kernel), *_bias(config, None))
        return (
            dataclasses.replace(found[0], attribute=("depthwise_kernel",)),
            *found[1:],
        )

    return variables


def _separable(rank: int) -> Table:
    def variables(config: Config) -> tuple[Variable, ...]:
        filters = config.get("filters")
        multiplier = config.get("depth_multiplier")
        return _own(
            ("depthwise_kernel", (*_kernel_size(config, rank), "in", multiplier)),
            ("pointwise_kernel", (*(1,) * rank, "between", filters)),
            *_bias(config, filters),
        )

    return variables


def _einsum(config: Config) -> tuple[Variable, ...]:
    split = _EINSUM.match(str(config.get("equation")).replace("...", ""))
    if split is None:
        raise ValueError(f"equation={config.get('equation')!r}")
    kernel = tuple(split[1])
    axes = config.get("bias_axes")
    if not axes:
        return _own(("kernel", kernel))
    first = min(split[2].find(axis) for axis in axes)
    bias = tuple(axis if axis in axes else 1 for axis in split[2][first:])
    return _own(("kernel", kernel), ("bias", bias))


def _embedding(config: Config) -> tuple[Variable, ...]:
    shape = (config.get("input_dim"), config.get("output_dim"))
    return _own(("embeddings", shape))


def _reversible(config: Config) -> tuple[Variable, ...]:
    tall = (config.get("input_dim"), config.get("output_dim"))
    wide = [] if config.get("tie_weights", True) else [tall[::-1]]
    return _own(("embeddings", tall), *(("reverse_embeddings", each) for each in wide))


def _scales(config: Config, *shape: Any) -> list[tuple[str, Shape]]:
    named: list[tuple[str, Shape]] = [("gamma", shape)] if _on(config, "scale") else []
    return [*named, ("beta", shape)] if _on(config, "center") else named


def _on(config: Config, key: str) -> bool:
    return bool(config.get(key, True))


def _batch_normalization(config: Config) -> tuple[Variable, ...]:
    moving = ["moving_mean", "moving_variance"]
    if config.get("renorm"):
        moving += ["moving_stddev", "renorm_mean", "renorm_stddev"]
    named: list[tuple[str, Shape]] = [(name, ("channels",)) for name in moving]
    return _own(*_scales(config, "channels"), *named, fixed=moving)


def _layer_normalization(config: Config) -> tuple[Variable, ...]:
    axes = config.get("axis", -1)
    count = len(axes) if isinstance(axes, list | tuple) else 1
    if config.get("rms_scaling"):
        config = {**config, "scale": True, "center": False}
    return _own(*_scales(config, *(f"axis {axis}" for axis in range(count))))


def _group_normalization(config: Config) -> tuple[Variable, ...]:
    return _own(*_scales(config, "channels"))


def _rms_normalization(config: Config) -> tuple[Variable, ...]:
    axes = config.get("axis", -1)
    count = len(axes) if isinstance(axes, list | tuple) else 1
    return _own(("scale", (None,) * count))


def _spectral(_: Config) -> tuple[Variable, ...]:
    kernel, vector = _own(("kernel", None), ("vector_u", (1, None)), fixed=["vector_u"])
    return dataclasses.replace(kernel, twin=("layer", "vars", "0")), vector


def _normalization(config: Config) -> tuple[Variable, ...]:
    if config.get("mean") is not None:
        return ()
    axes = config.get("axis", -1)
    count = len(axes) if isinstance(axes, list | tuple) else int(axes is not None)
    shape = tuple(f"axis {axis}" for axis in range(count))
    named = (("mean", shape), ("variance", shape), ("count", ()))
    return _own(*named, fixed=("mean", "variance", "count"))


def _prelu(_: Config) -> tuple[Variable, ...]:
    return _own(("alpha", None))


def _cell(gates: int) -> Table:
    def variables(config: Config) -> tuple[Variable, ...]:
        units = int(config["units"])
        reset_after = gates == _GRU and config.get("reset_after", True)
        two = (2,) if reset_after else ()
        return _own(
            ("kernel", ("in", gates * units)),
            ("recurrent_kernel", (units, gates * units)),
            *_bias(config, *two, gates * units),
        )

    return variables


def _recurrent(gates: int) -> Table:
    return lambda config: _below(_cell(gates)(config), "cell", "cell")


def _conv_lstm(rank: int) -> Table:
    def variables(config: Config) -> tuple[Variable, ...]:
        filters = int(config["filters"])
        sizes = _kernel_size(config, rank)
        own = _own(
            ("kernel", (*sizes, "in", _LSTM * filters)),
            ("recurrent_kernel", (*sizes, filters, _LSTM * filters)),
            *_bias(config, _LSTM * filters),
        )
        return _below(own, "cell", "cell")

    return variables


def _heads(config: Config) -> tuple[Variable, ...]:
    heads, size = config.get("num_heads"), config.get("key_dim")
    value_size = config.get("value_dim") or size
    shape = config.get("output_shape")
    out = shape if isinstance(shape, list | tuple) else (shape or "query",)
    return _attention(
        config,
        query=("query", heads, size),
        key=("key", heads, size),
        value=("value", heads, value_size),
        output=(heads, value_size, *out),
    )


def _grouped(config: Config) -> tuple[Variable, ...]:
    size = config.get("head_dim")
    queries = config.get("num_query_heads")
    pairs = config.get("num_key_value_heads")
    gate = {"gate": ("query", queries, size)} if config.get("use_gate") else {}
    found = _attention(
        config,
        query=("query", queries, size),
        key=("key", pairs, size),
        value=("value", pairs, size),
        **gate,
        output=(queries, size, "query"),
    )
    return tuple(
        dataclasses.replace(each, group=(f"_{each.group[0]}", *each.group[1:]))
        for each in found
    )


def _attention(
    config: Config, **kernels: tuple[int | str | None, ...]
) -> tuple[Variable, ...]:
    found: list[Variable] = []
    for part, kernel in kernels.items():
        inputs = 2 if part == "output" else 1
        dense = _own(("kernel", kernel), *_bias(config, *kernel[inputs:]))
        name = "attention_output" if part == "output" else part
        found += _below(dense, f"{part}_dense", f"_{part}_dense", name)
    return tuple(found)


def _dot_attention(config: Config) -> tuple[Variable, ...]:
    named: list[tuple[str, Shape]] = []
    if config.get("use_scale"):
        named.append(("scale", ()))
    if config.get("score_mode") == "concat":
        named.append(("concat_score_weight", ()))
    return _own(*named)


def _additive_attention(config: Config) -> tuple[Variable, ...]:
    return _own(("scale", (None,))) if _on(config, "use_scale") else ()


def _spectrogram(_: Config) -> tuple[Variable, ...]:
    return _own(("real_kernel", (None,) * 3), ("imag_kernel", (None,) * 3))


_LSTM, _GRU, _SIMPLE = 4, 3, 1
#: Classes whose activation is their cell's.
_CELLS = frozenset(
    ["LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"]
)

VARIABLES.update(
    {
        "AdditiveAttention": _additive_attention,
        "Attention": _dot_attention,
        "BatchNormalization": _batch_normalization,
        "Dense": _dense,
        "EinsumDense": _einsum,
        "Embedding": _embedding,
        "GRU": _recurrent(_GRU),
        "GRUCell": _cell(_GRU),
        "GroupNormalization": _group_normalization,
        "GroupedQueryAttention": _grouped,
        "LSTM": _recurrent(_LSTM),
        "LSTMCell": _cell(_LSTM),
        "LayerNormalization": _layer_normalization,
        "MultiHeadAttention": _heads,
        "Normalization": _normalization,
        "PReLU": _prelu,
        "RMSNormalization": _rms_normalization,
        "ReversibleEmbedding": _reversible,
        "STFTSpectrogram": _spectrogram,
        "SimpleRNN": _recurrent(_SIMPLE),
        "SimpleRNNCell": _cell(_SIMPLE),
        "SpectralNormalization": _spectral,
    }
)
for _rank in (1, 2, 3):
    VARIABLES[f"Conv{_rank}D"] = _conv(_rank)
    VARIABLES[f"Conv{_rank}DTranspose"] = _transpose(_rank)
    VARIABLES[f"ConvLSTM{_rank}D"] = _conv_lstm(_rank)
    if _rank < 3:  # noqa: PLR2004
        VARIABLES[f"DepthwiseConv{_rank}D"] = _depthwise(_rank)
        VARIABLES[f"SeparableConv{_rank}D"] = _separable(_rank)
