"""Shape and dtype of what one call puts out, as far as is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.inference.layers import layer_outputs
from keras_rectifiers.graph.inference.operations import operation_outputs
from keras_rectifiers.graph.inference.sizes import Config
from keras_rectifiers.graph.inference.sizes import TensorSpec
from keras_rectifiers.graph.policies import policy_name


def outputs_of(entry: Entry, args: Sequence[Any], kwargs: Config) -> list[TensorSpec]:
    """Shape and dtype of each output of a call; nothing where they are unknown.

    Nothing is known either of a config that is not one of its class.

    Args:
        entry: A modern entry that is not a model.
        args: Positional arguments; tensors are `TensorSpec`.
        kwargs: Named arguments.
    """
    tensors = tensors_in([*args, *kwargs.values()])
    class_name, config = str(entry["class_name"]), config_of(entry)
    try:
        if forms.is_operation(entry.get("module")):
            return operation_outputs(class_name, config, args, tensors)
        if class_name == "InputLayer":
            shape, dtype = config.get("batch_shape"), config.get("dtype")
            whole = tuple(shape) if isinstance(shape, list | tuple) else None
            return [TensorSpec(whole, policy_name(dtype or "float32"))]
        if tensors and (forms.is_keras(entry) or forms.is_ours(entry)):
            return layer_outputs(class_name, config, tensors)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return []
    return []


def tensors_in(value: Any) -> list[TensorSpec]:
    """All tensors inside a value."""
    if isinstance(value, TensorSpec):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [tensor for each in value for tensor in tensors_in(each)]
    return []
