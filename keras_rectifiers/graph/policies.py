"""Dtype policies as configs write them."""

from __future__ import annotations

from typing import Any

from keras_rectifiers.graph.document import config_of

_COMPUTES = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


def policy_name(dtype: Any) -> str:
    """Name of a serialized dtype policy; quantized ones give their source's."""
    if isinstance(dtype, str):
        return dtype.rpartition("_from_")[2]
    config = config_of(dtype)
    return str(config.get("source_name") or config.get("name") or "float32")


def compute_dtype(dtype: Any) -> str:
    """The dtype in which a layer of a serialized dtype policy (or None) computes."""
    name = policy_name(dtype or "float32")
    return _COMPUTES.get(name, name)
