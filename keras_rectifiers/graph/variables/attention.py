"""The variables of Keras' attention layers."""

from __future__ import annotations

import dataclasses

from keras_rectifiers.graph.variables.shorthand import Config
from keras_rectifiers.graph.variables.shorthand import Shape
from keras_rectifiers.graph.variables.shorthand import below
from keras_rectifiers.graph.variables.shorthand import bias
from keras_rectifiers.graph.variables.shorthand import on
from keras_rectifiers.graph.variables.shorthand import own
from keras_rectifiers.graph.variables.variable import Variable


def heads(config: Config) -> tuple[Variable, ...]:
    """MultiHeadAttention: a kernel for each of query, key, value and output."""
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


def grouped(config: Config) -> tuple[Variable, ...]:
    """GroupQueryAttention: the same, with fewer heads for key and value."""
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
        dense = own(("kernel", kernel), *bias(config, *kernel[inputs:]))
        name = "attention_output" if part == "output" else part
        found += below(dense, f"{part}_dense", f"_{part}_dense", name)
    return tuple(found)


def dot_attention(config: Config) -> tuple[Variable, ...]:
    """Attention: scalars, where they are asked for."""
    named: list[tuple[str, Shape]] = []
    if config.get("use_scale"):
        named.append(("scale", ()))
    if config.get("score_mode") == "concat":
        named.append(("concat_score_weight", ()))
    return own(*named)


def additive_attention(config: Config) -> tuple[Variable, ...]:
    """AdditiveAttention: one scale for each feature."""
    return own(("scale", ("features",))) if on(config, "use_scale") else ()
