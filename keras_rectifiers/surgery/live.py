"""The binding to live models: serialize, rewrite, rebuild, move every variable.

The original is never changed. What Keras cannot rebuild from a config (Python
functions in `Lambda` layers) is taken over as the same function; what cannot be
taken over is refused by name.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras.src.models.functional import Functional

from keras_rectifiers import layers as _registered  # noqa: F401 - Keras finds them
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.surgery import compile_state
from keras_rectifiers.surgery import shared
from keras_rectifiers.surgery.document import Entry
from keras_rectifiers.surgery.document import is_functional
from keras_rectifiers.surgery.document import is_model
from keras_rectifiers.surgery.document import walk
from keras_rectifiers.surgery.pairs import Pairs
from keras_rectifiers.surgery.pairs import pair
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.rewrite import Rewritten
from keras_rectifiers.surgery.rewrite import rewrite
from keras_rectifiers.surgery.sites import FUSED
from keras_rectifiers.surgery.sites import SLOT
from keras_rectifiers.surgery.sites import Site

_REUSED = "keras_rectifiers>Reused"


def document_of(model: keras.Model) -> Entry:
    """The document of a live model, without its compile state.

    Args:
        model: A Functional or Sequential model.

    Raises:
        UnsupportedModelError: Its layers do not stand in its config.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(
            "A model must be a keras.Model or a path. Received: "
            f"{model!r} of type {type(model).__name__}."
        )
    if not isinstance(model, keras.Sequential | Functional):
        raise UnsupportedModelError(_subclassed(model))
    try:
        serialized = shared.serialized(model)
        serialized.pop("compile_config", None)
        document: Entry = json.loads(json.dumps(serialized))
    except (TypeError, ValueError, NotImplementedError) as error:
        raise UnsupportedModelError(_unserializable(model, error)) from error
    if not is_model(document):
        raise UnsupportedModelError(_subclassed(model))
    _keep_tuples(serialized, document)
    return document


def apply(model: keras.Model, plan: Plan) -> keras.Model:
    """Convert a live model by a plan; the original is unchanged.

    Args:
        model: The model that the plan was made for, or its equal.
        plan: The plan.

    Returns:
        A new model with the weights, the seed states, the flags, the compile
        state and the optimizer state of the original.

    Raises:
        PlanMismatchError: The plan is for another model.
        UnsupportedModelError: Something cannot be rebuilt, and would be lost.
    """
    rewritten = rewrite(document_of(model), plan)
    new = _rebuild(model, rewritten.document)
    pairs = pair(model, new, replaced=rewritten.replaced)
    if pairs.split:
        raise UnsupportedModelError(_split(pairs.split[0]))
    _move(pairs, rewritten)
    compile_state.carry(model, new, pairs.moved)
    return new


def layer_at(model: keras.Model, path: str) -> Any:
    """The live layer at a path of a document."""
    for name, layer, _ in pair(model, model).layers:
        if name == path:
            return layer
    raise KeyError(path)


def alpha_at(model: keras.Model, site: Site) -> np.ndarray:
    """The slopes of the PReLU at a site."""
    layer = layer_at(model, site.path)
    rectifier = getattr(layer, SLOT) if site.form == FUSED else layer
    return keras.ops.convert_to_numpy(rectifier.alpha)


def _rebuild(model: keras.Model, document: Entry) -> keras.Model:
    reused = _reuse_functions(model, document)
    try:
        with keras.saving.custom_object_scope({**_custom_objects(model), **reused}):
            new = shared.deserialized(document)
    except (TypeError, ValueError, NotImplementedError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise UnsupportedModelError(
            f"Every layer of {model.name!r} must come back from its config. "
            f"Received: {type(error).__name__}: {first}. Give that class a "
            "get_config and from_config that describe it whole."
        ) from error
    if type(new) is not type(model):
        raise UnsupportedModelError(
            f"The rebuilt model must be of the same class. Received: "
            f"{type(new).__name__} for {type(model).__name__}."
        )
    return new


def _reuse_functions(model: keras.Model, document: Entry) -> dict[str, Any]:
    """Have each Lambda rebuilt around the very function of the original."""
    places = [
        place
        for place in walk(document)
        if place.entry.get("class_name") == "Lambda"
        and place.entry.get("module") == "keras.layers"
    ]
    if not places:
        return {}
    live = {path: layer for path, layer, _ in pair(model, model).layers}

    class Reused:
        """Stands for a Lambda while a document is revived."""

        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            original = live[config["path"]]
            return type(original)(
                original.function,
                output_shape=original._output_shape,
                mask=original.mask,
                arguments=original.arguments,
                name=original.name,
                dtype=original.dtype_policy,
                trainable=original.trainable,
            )

    for place in places:
        place.entry.update(
            module="keras_rectifiers.surgery.live",
            class_name="Reused",
            registered_name=_REUSED,
            config={"path": place.path},
        )
        place.entry.pop("build_config", None)
    return {_REUSED: Reused}


def _custom_objects(model: keras.Model) -> dict[str, Any]:
    """Classes and functions of the live model that nobody registered."""
    known: dict[str, Any] = {}
    for layer in model._flatten_layers():
        for value in (layer, *vars(layer).values()):
            for name, thing in _named(value):
                known.setdefault(name, thing)
    return known


def _named(value: Any) -> Iterator[tuple[str, Any]]:
    parts = (
        keras.layers.Layer,
        keras.initializers.Initializer,
        keras.regularizers.Regularizer,
        keras.constraints.Constraint,
    )
    if isinstance(value, parts) and not _is_keras(type(value)):
        yield keras.saving.get_registered_name(type(value)), type(value)
        yield type(value).__name__, type(value)
    elif (
        hasattr(value, "__code__")
        and not _is_keras(value)
        and value.__name__ != "<lambda>"
    ):
        yield keras.saving.get_registered_name(value), value
        yield value.__name__, value


def _is_keras(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).split(".")[0] == "keras"


def _move(pairs: Pairs, rewritten: Rewritten) -> None:
    for variable, twin in pairs.moved:
        if variable.dtype != twin.dtype:
            raise UnsupportedModelError(
                "A variable must keep its dtype. Received: "
                f"{variable.path!r} as {variable.dtype}, rebuilt as {twin.dtype}."
            )
        # JAX would share the array, and training one model delete the other's.
        twin.assign(keras.ops.copy(variable.value))
        if variable.trainable != twin.trainable:
            twin.trainable = variable.trainable
    for path, layer, twin in pairs.layers:
        if (path, "") not in rewritten.replaced:  # its config says whether it learns
            _carry_flags(layer, twin)
    for layer, twin in pairs.rectifiers:
        twin.autocast = layer.autocast


def _carry_flags(layer: Any, twin: Any) -> None:
    """Give a layer what another was told after it was made; no config has it."""
    with contextlib.suppress(AttributeError):
        if layer.trainable != twin.trainable:
            twin._trainable = layer._trainable
    twin.autocast = layer.autocast
    if layer.supports_masking != twin.supports_masking:
        twin.supports_masking = layer.supports_masking
    if isinstance(layer, keras.Model):  # its policy is that of where it was made
        twin._dtype_policy = layer._dtype_policy


def _keep_tuples(serialized: Any, document: Entry) -> None:
    """Give the ends of each model back the tuples that JSON turned into lists."""
    if not isinstance(serialized, dict):
        return
    if is_functional(document):
        config = serialized["config"]
        for key in ("input_layers", "output_layers"):
            document["config"][key] = config[key]
        pairs = zip(config["layers"], document["config"]["layers"], strict=True)
        for before, after in pairs:
            _keep_tuples(before, after)


def _subclassed(model: keras.Model) -> str:
    return (
        "A model must be Functional or Sequential, so that its layers stand in its "
        f"config. Received: {model.name!r} of class {type(model).__name__}, whose "
        "layers are made in Python code. Replace the activations in that code; "
        "diagnose and DeadUnitMonitor work on it as it is."
    )


def _split(path: str) -> str:
    return (
        "A layer that stands in several places must stay one layer. Received: "
        f"{path!r}, which comes back from its config as a layer with weights of its "
        "own. Give the class that holds it a get_config and from_config that name "
        "it (keras.saving.serialize_keras_object, deserialize_keras_object)."
    )


def _unserializable(model: keras.Model, error: Exception) -> str:
    for layer in model._flatten_layers(include_self=False):
        try:
            keras.saving.serialize_keras_object(layer)
        except (TypeError, ValueError, NotImplementedError) as cause:
            first = str(cause).strip().splitlines()[0]
            return (
                f"Every layer must have a config to be rebuilt from. Received: "
                f"{layer.name!r} of class {type(layer).__name__}, which has none "
                f"({first}). Give the class a get_config."
            )
    return f"The model {model.name!r} cannot be serialized: {error}"
