"""What is done to a layer after it was made, and makes other variables of it.

A config that lists its layers says so; from a class that makes them in Python code
comes a layer as it was before.
"""

from __future__ import annotations

from typing import Any

from keras_rectifiers.live.layers import class_of
from keras_rectifiers.live.layers import own_variables

_MODE = "quantization_mode"
_LORA = "lora_enabled"


def repeat(layer: Any, twin: Any) -> None:
    """Quantize a layer as its original is, and give it factors of the same rank.

    Args:
        layer: The original.
        twin: The layer that its class created again; it is changed.
    """
    if class_of(layer) is not class_of(twin) or not own_variables(twin):
        return
    mode = getattr(layer, _MODE, None)
    if mode is not None and getattr(twin, _MODE, None) is None:
        given = getattr(layer, "quantization_config", None)
        twin.quantize(mode, config=given)
    if getattr(layer, _LORA, False) and not getattr(twin, _LORA, False):
        twin.enable_lora(layer.lora_rank, lora_alpha=layer.lora_alpha)
