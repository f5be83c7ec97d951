"""What a config says that the constructor of a user's class does not take.

Where a class has no `get_config`, Keras writes the arguments that it noted, and adds
`trainable` and `dtype` to them. Many constructors take neither, nor a name; Keras does
not make such an object from its own config.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import keras
from keras.src.utils import python_utils

_ADDED = ("trainable", "dtype", "activity_regularizer")


def set_aside(made: Any, config: dict[str, Any]) -> dict[str, Any]:
    """Take out of a config what its class does not take.

    Args:
        made: The object.
        config: Its config; it is changed.

    Returns:
        What was taken out, and the name, where the config does not say it; empty where
        the class has its own `get_config`, or takes any argument.
    """
    if not python_utils.is_default(made.get_config):
        return {}
    parameters = inspect.signature(type(made).__init__).parameters
    kinds = {each.kind for each in parameters.values()}
    if inspect.Parameter.VAR_KEYWORD in kinds:
        return {}
    aside = {
        key: config.pop(key)
        for key in _ADDED
        if key in config and key not in parameters
    }
    return aside if "name" in config else {**aside, "name": made.name}


def give_back(made: Any, aside: Mapping[str, Any]) -> None:
    """Give an object what was set aside of its config.

    Args:
        made: The object.
        aside: What `set_aside` gave.
    """
    if "name" in aside:
        made.name = aside["name"]
    if "trainable" in aside:
        made._trainable = aside["trainable"]
    if "dtype" in aside:
        made._dtype_policy = keras.dtype_policies.get(aside["dtype"])


@contextlib.contextmanager
def policy(dtype: Any) -> Iterator[None]:
    """Let layers that a constructor makes have the dtype policy of the original's.

    Args:
        dtype: A policy, or what `keras.dtype_policies.get` takes; where it is None, or
            one for quantized layers, nothing happens.
    """
    wanted = None if dtype is None else keras.dtype_policies.get(dtype)
    if type(wanted) is not keras.dtype_policies.DTypePolicy:
        yield
        return
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(wanted)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
