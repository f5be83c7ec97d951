"""The variables of every layer class of Keras 3, from a layer's config alone."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.graph import capped
from keras_rectifiers.graph import forms
from keras_rectifiers.graph import traits
from keras_rectifiers.graph.variables import attention
from keras_rectifiers.graph.variables.quantized import is_quantized
from keras_rectifiers.graph.variables.quantized import quantized
from keras_rectifiers.graph.variables.shorthand import Config
from keras_rectifiers.graph.variables.shorthand import Shape
from keras_rectifiers.graph.variables.shorthand import below
from keras_rectifiers.graph.variables.shorthand import bias
from keras_rectifiers.graph.variables.shorthand import on
from keras_rectifiers.graph.variables.shorthand import own
from keras_rectifiers.graph.variables.variable import Variable
from keras_rectifiers.specs import PRELU_REGISTERED

#: A layer's modern config -> its own variables, in Keras 3's order.
Table = Callable[[Config], tuple[Variable, ...]]

#: Class -> its variables. What is Keras' own and not here has none.
VARIABLES: dict[str, Table] = {}

_EINSUM = re.compile(r"^[^,]*,([^->]*)->(.*)$")


def variables_of(entry: Mapping[str, Any]) -> tuple[Variable, ...] | None:
    """What a layer wants; None for a class that is not Keras' own.

    The variables of layers inside it, which have their own places in a document, are
    not among them; those of a layer in its `activation` are.

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
    mine: tuple[Variable, ...] | None = VARIABLES.get(class_name, _none)(config)
    if is_quantized(config):
        mine = quantized(class_name, config, mine or ())
    return None if mine is None else (*mine, *_activation(class_name, config))


def is_known(entry: Mapping[str, Any]) -> bool:
    """Whether a layer's variables follow from its class and config.

    They do for Keras' classes and this package's, but those that hold a model of
    another library.

    Args:
        entry: A layer, as Keras 3 writes it.
    """
    if traits.of(str(entry.get("class_name"))).foreign:
        return False
    if forms.is_ours(entry):
        return True
    if entry.get("registered_name") not in (None, entry.get("class_name")):
        return False
    return forms.is_keras(entry)


def _none(_: Config) -> tuple[Variable, ...]:
    return ()


def _activation(class_name: str, config: Config) -> tuple[Variable, ...]:
    """Variables of a layer in the `activation` argument."""
    value = config.get("activation")
    if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
        return ()
    groups = capped.below(value)
    inner = variables_of(capped.rectifier(value)) or ()
    for group in reversed(groups):
        inner = below(inner, group, group)
    if value["config"].get("trainable") is False:  # its own, unlike its host's
        inner = tuple(dataclasses.replace(each, trainable=False) for each in inner)
    inner = below(inner, "activation", "activation", "activation")
    if class_name not in _CELLS:
        return inner
    # Keras 3 writes it where it first meets it, which is not the cell.
    return tuple(
        dataclasses.replace(each, attribute=("cell", *each.attribute)) for each in inner
    )


def _dense(config: Config) -> tuple[Variable, ...]:
    units = config.get("units")
    return own(("kernel", ("in", units)), *bias(config, units))


def _kernel_size(config: Config, rank: int) -> tuple[int, ...]:
    size = config.get("kernel_size")
    sizes = (size,) * rank if isinstance(size, int) else tuple(size or ())
    if len(sizes) != rank or not all(isinstance(each, int) for each in sizes):
        raise ValueError(f"kernel_size={size!r} where {rank} lengths are expected")
    return sizes


def _conv(rank: int) -> Table:
    def variables(config: Config) -> tuple[Variable, ...]:
        filters = config.get("filters")
        kernel = (*_kernel_size(config, rank), "in", filters)
        return own(("kernel", kernel), *bias(config, filters))

    return variables


def _transpose(rank: int) -> Table:
    def variables(config: Config) -> tuple[Variable, ...]:
        filters = config.get("filters")
        kernel = (*_kernel_size(config, rank), filters, "in")
        return own(("kernel", kernel), *bias(config, filters))

    return variables


def _depthwise(rank: int) -> Table:
    def variables(config: Config) -> tuple[Variable, ...]:
        kernel = (*_kernel_size(config, rank), "in", config.get("depth_multiplier"))
        # Keras 2 calls it by its longer name.
        found = own(("kernel", kernel), *bias(config, "between"))
        return (
            dataclasses.replace(found[0], attribute=("depthwise_kernel",)),
            *found[1:],
        )

    return variables


def _separable(rank: int) -> Table:
    def variables(config: Config) -> tuple[Variable, ...]:
        filters = config.get("filters")
        multiplier = config.get("depth_multiplier")
        return own(
            ("depthwise_kernel", (*_kernel_size(config, rank), "in", multiplier)),
            ("pointwise_kernel", (*(1,) * rank, "between", filters)),
            *bias(config, filters),
        )

    return variables


def _einsum(config: Config) -> tuple[Variable, ...]:
    split = _EINSUM.match(str(config.get("equation")).replace("...", ""))
    if split is None:
        raise ValueError(f"equation={config.get('equation')!r}")
    kernel = tuple(split[1])
    axes = config.get("bias_axes")
    if not axes:
        return own(("kernel", kernel))
    first = min(split[2].find(axis) for axis in axes)
    added = tuple(axis if axis in axes else 1 for axis in split[2][first:])
    return own(("kernel", kernel), ("bias", added))


def _embedding(config: Config) -> tuple[Variable, ...]:
    shape = (config.get("input_dim"), config.get("output_dim"))
    return own(("embeddings", shape))


def _reversible(config: Config) -> tuple[Variable, ...]:
    tall = (config.get("input_dim"), config.get("output_dim"))
    wide = [] if config.get("tie_weights", True) else [tall[::-1]]
    return own(("embeddings", tall), *(("reverse_embeddings", each) for each in wide))


def _scales(config: Config, *shape: Any) -> list[tuple[str, Shape]]:
    named: list[tuple[str, Shape]] = [("gamma", shape)] if on(config, "scale") else []
    return [*named, ("beta", shape)] if on(config, "center") else named


def _batch_normalization(config: Config) -> tuple[Variable, ...]:
    moving = ["moving_mean", "moving_variance"]
    if config.get("renorm"):
        moving += ["moving_stddev", "renorm_mean", "renorm_stddev"]
    named: list[tuple[str, Shape]] = [(name, ("channels",)) for name in moving]
    return own(*_scales(config, "channels"), *named, fixed=moving)


def _layer_normalization(config: Config) -> tuple[Variable, ...]:
    axes = config.get("axis", -1)
    count = len(axes) if isinstance(axes, list | tuple) else 1
    if config.get("rms_scaling"):
        config = {**config, "scale": True, "center": False}
    return own(*_scales(config, *(f"axis {axis}" for axis in range(count))))


def _group_normalization(config: Config) -> tuple[Variable, ...]:
    return own(*_scales(config, "channels"))


def _rms_normalization(config: Config) -> tuple[Variable, ...]:
    axes = config.get("axis", -1)
    count = len(axes) if isinstance(axes, list | tuple) else 1
    return own(("scale", tuple(f"axis {axis}" for axis in range(count))))


def _spectral(_: Config) -> tuple[Variable, ...]:
    kernel, vector = own(("kernel", None), ("vector_u", (1, None)), fixed=["vector_u"])
    return dataclasses.replace(kernel, twin=("layer", "vars", "0")), vector


def _normalization(config: Config) -> tuple[Variable, ...]:
    if config.get("mean") is not None:
        return ()
    axes = config.get("axis", -1)
    count = len(axes) if isinstance(axes, list | tuple) else int(axes is not None)
    shape = tuple(f"axis {axis}" for axis in range(count))
    named = (("mean", shape), ("variance", shape), ("count", ()))
    mean, variance, seen = own(*named, fixed=("mean", "variance", "count"))
    return (
        dataclasses.replace(mean, attribute=("adapt_mean",)),
        dataclasses.replace(variance, attribute=("adapt_variance",)),
        seen,
    )


def _discretization(config: Config) -> tuple[Variable, ...]:
    """Keras 2 adapts it by a variable, of which Keras 3 has the outcome."""
    if config.get("bin_boundaries") is not None or not config.get("num_bins"):
        return ()
    (summary,) = own(("summary", (2, None)), fixed=["summary"])
    return (dataclasses.replace(summary, in_config=True),)


def _prelu(_: Config) -> tuple[Variable, ...]:
    return own(("alpha", None))


def _cell(gates: int) -> Table:
    def variables(config: Config) -> tuple[Variable, ...]:
        units = int(config["units"])
        reset_after = gates == _GRU and config.get("reset_after", True)
        two = (2,) if reset_after else ()
        return own(
            ("kernel", ("in", gates * units)),
            ("recurrent_kernel", (units, gates * units)),
            *bias(config, *two, gates * units),
        )

    return variables


def _recurrent(gates: int) -> Table:
    return lambda config: below(_cell(gates)(config), "cell", "cell")


def _conv_lstm(rank: int) -> Table:
    def variables(config: Config) -> tuple[Variable, ...]:
        filters = int(config["filters"])
        sizes = _kernel_size(config, rank)
        mine = own(
            ("kernel", (*sizes, "in", _LSTM * filters)),
            ("recurrent_kernel", (*sizes, filters, _LSTM * filters)),
            *bias(config, _LSTM * filters),
        )
        return below(mine, "cell", "cell")

    return variables


def _spectrogram(_: Config) -> tuple[Variable, ...]:
    return own(("real_kernel", (None,) * 3), ("imag_kernel", (None,) * 3))


def _lookup(config: Config) -> tuple[Variable, ...]:
    if config.get("output_mode") != "tf_idf":
        return ()
    name = "idf_weights"
    return (Variable(name, ("vars", name), (name,), (None,), trainable=False),)


def _text_vectorization(config: Config) -> tuple[Variable, ...]:
    inner = below(_lookup(config), "_lookup_layer", "_lookup_layer")
    # Keras writes them for the layer itself, too.
    twins = (
        dataclasses.replace(each, group=each.group[1:], twin=each.group)
        for each in inner
    )
    return (*inner, *twins)


_LSTM, _GRU, _SIMPLE = 4, 3, 1
#: Classes whose activation is their cell's.
_CELLS = frozenset(
    ["LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"]
)

VARIABLES.update(
    {
        "AdditiveAttention": attention.additive_attention,
        "Attention": attention.dot_attention,
        "BatchNormalization": _batch_normalization,
        "Dense": _dense,
        "Discretization": _discretization,
        "EinsumDense": _einsum,
        "Embedding": _embedding,
        "GRU": _recurrent(_GRU),
        "GRUCell": _cell(_GRU),
        "GroupNormalization": _group_normalization,
        "GroupQueryAttention": attention.grouped,
        "GroupedQueryAttention": attention.grouped,
        "IntegerLookup": _lookup,
        "LSTM": _recurrent(_LSTM),
        "LSTMCell": _cell(_LSTM),
        "LayerNormalization": _layer_normalization,
        "MultiHeadAttention": attention.heads,
        "Normalization": _normalization,
        "PReLU": _prelu,
        "RMSNormalization": _rms_normalization,
        "ReversibleEmbedding": _reversible,
        "STFTSpectrogram": _spectrogram,
        "SimpleRNN": _recurrent(_SIMPLE),
        "SimpleRNNCell": _cell(_SIMPLE),
        "SpectralNormalization": _spectral,
        "StringLookup": _lookup,
        "TextVectorization": _text_vectorization,
    }
)
for _rank in (1, 2, 3):
    VARIABLES[f"Conv{_rank}D"] = _conv(_rank)
    VARIABLES[f"Conv{_rank}DTranspose"] = _transpose(_rank)
    VARIABLES[f"ConvLSTM{_rank}D"] = _conv_lstm(_rank)
    if _rank < 3:  # noqa: PLR2004
        VARIABLES[f"DepthwiseConv{_rank}D"] = _depthwise(_rank)
        VARIABLES[f"SeparableConv{_rank}D"] = _separable(_rank)
