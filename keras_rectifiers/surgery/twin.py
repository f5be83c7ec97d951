"""Placeholders for classes while Keras builds a model from a document.

Keras asks a class to build a layer from its config. The layer of the original knows
more: its class, its name, and the functions that were given to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras.src.utils import python_utils

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.surgery import constructors


class FromClass:
    """Builds layers of a class that a custom layer builds by itself.

    Args:
        cls: The class.
        functions: Names in the document -> functions.
    """

    def __init__(self, cls: Any, functions: Mapping[str, Any]) -> None:
        self._class = cls
        self._functions = functions

    def from_config(self, config: dict[str, Any]) -> Any:
        """The layer that the config describes."""
        return _with_functions(self._class.from_config(config), self._functions)


class TwinBuilder:
    """Builds the twin of one layer.

    Args:
        original: The layer.
        path: Its path in the model.
        functions: Names in the document -> functions.
    """

    def __init__(self, original: Any, path: str, functions: Mapping[str, Any]) -> None:
        self._original = original
        self._path = path
        self._functions = functions

    def from_config(self, config: dict[str, Any]) -> Any:
        """The layer that the config describes, with the name of the original.

        Raises:
            UnsupportedModelError: The class cannot build it; names it.
        """
        original = self._original
        if type(original) is keras.layers.Lambda:
            return _same_lambda(original)
        with constructors.policy(original.dtype_policy):
            try:
                layer = type(original).from_config(config)
            except (TypeError, ValueError, NotImplementedError) as error:
                layer = self._from_arguments(error)
        if layer.name != original.name:
            layer.name = original.name
        if not layer.built and layer.dtype_policy != original.dtype_policy:
            layer.dtype_policy = original.dtype_policy
        return _with_functions(layer, self._functions)

    def _from_arguments(self, error: Exception) -> Any:
        """The layer from the arguments that Keras noted when it was made.

        Keras adds `trainable` and `dtype` to them in a config, which not every
        constructor takes.
        """
        original = self._original
        noted = getattr(original, "_auto_config", None)
        if noted is None or not python_utils.is_default(original.get_config):
            if not self._path:
                raise error  # of the model itself; whoever rebuilds it says what to do
            raise UnsupportedModelError(lost(original, self._path, error)) from error
        try:
            return type(original)(**noted.config)
        except (TypeError, ValueError) as second:
            raise UnsupportedModelError(lost(original, self._path, second)) from second


def _with_functions(layer: Any, functions: Mapping[str, Any]) -> Any:
    """A layer with functions where its class left what the config says of them."""
    for name, value in list(vars(layer).items()):
        if isinstance(value, dict) and value.get("registered_name") in functions:
            setattr(layer, name, functions[value["registered_name"]])
    return layer


def lost(layer: Any, path: str, error: Exception) -> str:
    """What to do about a layer that its class cannot build again.

    Args:
        layer: The layer.
        path: Its path; empty for the model itself.
        error: What its class said.
    """
    return (
        "Every layer must be rebuilt from its config. Received: "
        f"{path or layer.name!r} of class {type(layer).__name__}, which cannot be "
        f"rebuilt ({reason(error)}). Give the class a get_config method and a "
        "constructor that takes its result."
    )


def reason(error: Exception) -> str:
    """The part of Keras' message that says what went wrong."""
    text = str(error).rsplit("Exception encountered:", maxsplit=1)[-1]
    first = " ".join(text.split()).split(". ", maxsplit=1)[0]
    return f"{type(error).__name__}: {first}".removesuffix(".")


def _same_lambda(original: keras.layers.Lambda) -> Any:
    return keras.layers.Lambda(
        original.function,
        output_shape=original._output_shape,
        mask=original.mask,
        arguments=original.arguments,
        name=original.name,
        dtype=original.dtype_policy,
        trainable=original.trainable,
    )
