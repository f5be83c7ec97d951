"""Dtype policies as configs write them."""

from __future__ import annotations

from typing import Any

from keras_rectifiers.graph.document import config_of

#: Policy that keeps weights in float32 -> the dtype in which it computes.
_COMPUTES = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}
_POLICIES = {dtype: name for name, dtype in _COMPUTES.items()}


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


def policy_for(dtype: str | None) -> str:
    """Name of the policy for a layer that computes in a dtype (None: float32)."""
    return _POLICIES.get(dtype or "", dtype or "float32")
