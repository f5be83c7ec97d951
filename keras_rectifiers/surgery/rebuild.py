"""Build the twin of a live model from a document, and give it all that it had."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Container
from typing import Any

import keras

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import walk
from keras_rectifiers.live import placement
from keras_rectifiers.live.layers import is_keras
from keras_rectifiers.surgery.borrowed import Borrowed
from keras_rectifiers.surgery.pairs import Pairs
from keras_rectifiers.surgery.rewrite import Holder
from keras_rectifiers.surgery.twin import lost


def rebuild(
    model: keras.Model,
    document: Entry,
    borrowed: Borrowed,
    layers: dict[str, Any],
    kind: type,
) -> keras.Model:
    """A model made from a document.

    Args:
        model: The original.
        document: Its document, or what became of it; it is changed.
        borrowed: What the document has only names for.
        layers: The layers of the original by path.
        kind: The class that it must have.

    Raises:
        UnsupportedModelError: A class did not come back from its config.
    """
    try:
        new: keras.Model = borrowed.revive(document, layers)
    except (TypeError, ValueError, NotImplementedError) as error:
        message = _not_revived(model, document, borrowed, layers, error)
        raise UnsupportedModelError(message) from error
    if type(new) is not kind:
        raise UnsupportedModelError(
            f"The rebuilt model must be of the same class. Received: "
            f"{type(new).__name__} for {kind.__name__}."
        )
    return new


def _not_revived(
    model: keras.Model,
    document: Entry,
    borrowed: Borrowed,
    layers: dict[str, Any],
    error: Exception,
) -> str:
    """Which layer did not come back from its config, the innermost of them."""
    with borrowed.scope(document, layers):
        for place in reversed(list(walk(document))[1:]):
            if forms.is_operation(place.entry.get("module")):
                continue
            try:
                keras.saving.deserialize_keras_object(place.entry)
            except (TypeError, ValueError, NotImplementedError) as cause:
                return lost(layers.get(place.path, model), place.path, cause)
    message = lost(model, "", error)
    if is_keras(model) or not is_model(document):
        return message
    return (
        f"{message} Or pass as_functional=True to get a plain model of the same layers."
    )


def move(pairs: Pairs, replaced: Container[Holder]) -> None:
    """Give a rebuilt model the values, the flags and the names of its original.

    Args:
        pairs: Their variables and layers.
        replaced: Layers (and attributes) of the new model that are replacements.

    Raises:
        UnsupportedModelError: A variable has another dtype now.
    """
    for variable, twin in pairs.moved:
        if variable.dtype != twin.dtype:
            raise UnsupportedModelError(
                "A variable must keep its dtype. Received: "
                f"{variable.path!r} as {variable.dtype}, rebuilt as {twin.dtype}."
            )
        placement.give(twin, variable)
        if variable.trainable != twin.trainable:
            twin.trainable = variable.trainable
    for path, layer, twin in pairs.layers:
        if (path, "") not in replaced:  # its config says whether it learns
            _carry_flags(layer, twin)
        _carry_name(layer, twin)
        _carry_assets(layer, twin)
    for layer, twin in pairs.rectifiers:
        twin.autocast = layer.autocast


def _carry_assets(layer: Any, twin: Any) -> None:
    """Give a layer what Keras stores as files: the vocabulary of a tokenizer."""
    if hasattr(layer, "save_assets") and type(layer) is type(twin):
        with tempfile.TemporaryDirectory() as folder:
            layer.save_assets(folder)
            twin.load_assets(folder)


def _carry_flags(layer: Any, twin: Any) -> None:
    """Give a layer what was set on another after it was created; no config has it."""
    with contextlib.suppress(AttributeError):
        if layer.trainable != twin.trainable:
            twin._trainable = layer._trainable
    twin.autocast = layer.autocast
    if layer.supports_masking != twin.supports_masking:
        twin.supports_masking = layer.supports_masking
    if isinstance(layer, keras.Model):  # its policy is that of where it was made
        twin._dtype_policy = layer._dtype_policy


def _carry_name(layer: Any, twin: Any) -> None:
    """Layers that Python code creates get new names for each model."""
    if layer.name != twin.name:
        twin.name = layer.name
    names = getattr(layer, "output_names", None)
    if names is not None and names != twin.output_names:
        twin.output_names = list(names)
