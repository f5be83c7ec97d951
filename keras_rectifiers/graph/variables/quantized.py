"""The variables of layers whose kernels are quantized.

Keras 3 states the quantization in a layer's dtype, and stores the variables in a
separate order, which differs from the order in which a layer lists them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from keras_rectifiers.graph.variables.shorthand import Config
from keras_rectifiers.graph.variables.shorthand import Shape
from keras_rectifiers.graph.variables.shorthand import own
from keras_rectifiers.graph.variables.variable import Variable

#: Classes of dtypes that quantize nothing.
_PLAIN = frozenset(["DTypePolicy", "FloatDTypePolicy"])
#: Between mode and source, where Keras 3.3 wrote a dtype as text: `int8_from_float32`.
_FROM = "_from_"
_INT8, _INT4, _FLOAT8 = "int8", "int4", "float8"
#: What Keras keeps of the values of late, where a dtype does not say.
_HISTORY = 1024

_Named = list[tuple[str, Shape]]


def is_quantized(config: Config) -> bool:
    """Whether a layer's dtype is anything but a plain one."""
    dtype = config.get("dtype")
    if isinstance(dtype, str):
        return _FROM in dtype
    return isinstance(dtype, dict) and dtype.get("class_name") not in _PLAIN


def quantized(
    class_name: str, config: Config, plain: tuple[Variable, ...]
) -> tuple[Variable, ...] | None:
    """The variables of a quantized layer; None where they are not known.

    Args:
        class_name: Its class.
        config: Its config.
        plain: The variables that it would have without.
    """
    settings = _settings(config["dtype"])
    mode, _, block = str(settings.get("mode")).partition("/")
    rule = _RULES.get((class_name, mode))
    if rule is None:
        return None
    named = {each.name: each.shape for each in plain}
    grouped = mode == _INT4 and _block_size(config, block) > 0
    made = own(*rule(config, named, grouped, settings))
    if mode == _FLOAT8:  # a layer lists first what its quantization made
        first = [each for each in made if each.name not in named]
        return (
            *(dataclasses.replace(each, overwritten=True) for each in first),
            *(each for each in made if each.name in named),
        )
    return tuple(
        dataclasses.replace(each, trainable=each.name == "bias") for each in made
    )


def _settings(dtype: Any) -> Config:
    """What a dtype says of the quantization."""
    if isinstance(dtype, str):
        return {"mode": dtype.partition(_FROM)[0]}
    return dtype.get("config") or {}


def _block_size(config: Config, stated: str) -> int:
    """How many numbers of a kernel share one scale; -1: all of a column."""
    chosen = (config.get("quantization_config") or {}).get("config") or {}
    return int(chosen.get("block_size") or stated or -1)


_Rule = Callable[[Config, dict[str, Shape], bool, Config], _Named]


def _bias(named: dict[str, Shape]) -> _Named:
    return [("bias", named["bias"])] if "bias" in named else []


def _half(length: Any) -> Any:
    """Two numbers of four bits are in one byte."""
    return (length + 1) // 2 if isinstance(length, int) else None


def _dense(mode: str) -> _Rule:
    def variables(
        config: Config, named: dict[str, Shape], grouped: bool, _: Config
    ) -> _Named:
        units = config.get("units")
        if mode == _INT8:
            return [
                ("kernel", named["kernel"]),
                *_bias(named),
                ("kernel_scale", (units,)),
            ]
        scale = ("groups", units) if grouped else (units,)
        zero: _Named = [("kernel_zero", scale), ("g_idx", ("in",))] if grouped else []
        return [
            ("kernel", ("in", _half(units))),
            *_bias(named),
            ("kernel_scale", scale),
            *zero,
        ]

    return variables


def _einsum(mode: str) -> _Rule:
    def variables(
        config: Config, named: dict[str, Shape], grouped: bool, _: Config
    ) -> _Named:
        del config
        kernel = named["kernel"] if mode == _INT8 else (None, None)
        zero: _Named = [("kernel_zero", None), ("g_idx", (None,))] if grouped else []
        return [("kernel", kernel), *_bias(named), ("kernel_scale", None), *zero]

    return variables


def _embedding(mode: str) -> _Rule:
    def variables(
        config: Config, named: dict[str, Shape], grouped: bool, _: Config
    ) -> _Named:
        rows, columns = config.get("input_dim"), config.get("output_dim")
        zero: _Named = []
        if grouped:
            zero = [("embeddings_zero", None), ("g_idx", (columns,))]
        made: _Named = [
            ("embeddings", (rows, columns if mode == _INT8 else _half(columns))),
            ("embeddings_scale", (rows,) if mode == _INT8 else None),
            *zero,
        ]
        if "reverse_embeddings" in named:
            made += [("reverse_embeddings", None), ("reverse_embeddings_scale", None)]
            made += [("reverse_embeddings_zero", None)] if grouped else []
        return made

    return variables


def _float8(
    config: Config, named: dict[str, Shape], grouped: bool, settings: Config
) -> _Named:
    del config, grouped
    history = (settings.get("amax_history_length", _HISTORY),)
    return [
        ("kernel", named["kernel"]),
        *_bias(named),
        ("inputs_scale", ()),
        ("inputs_amax_history", history),
        ("kernel_scale", ()),
        ("kernel_amax_history", history),
        ("outputs_grad_scale", ()),
        ("outputs_grad_amax_history", history),
    ]


#: Class and mode -> names and shapes, in the order in which Keras stores them.
_RULES: dict[tuple[str, str], _Rule] = {
    ("Dense", _FLOAT8): _float8,
    ("EinsumDense", _FLOAT8): _float8,
    **{("Dense", mode): _dense(mode) for mode in (_INT8, _INT4)},
    **{("EinsumDense", mode): _einsum(mode) for mode in (_INT8, _INT4)},
    **{
        (each, mode): _embedding(mode)
        for each in ("Embedding", "ReversibleEmbedding")
        for mode in (_INT8, _INT4)
    },
}
