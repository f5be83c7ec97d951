"""The binding to live models: serialize, rewrite, rebuild, move every variable.

The original is never changed. What Keras cannot rebuild from a config (Python
functions in `Lambda` layers) is taken over as the same function; what cannot be
taken over is refused by name.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import keras
import numpy as np
from keras.src.models.functional import Functional

from keras_rectifiers import layers as _registered  # noqa: F401 - Keras finds them
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.graph.unseen import Inside
from keras_rectifiers.live.layers import by_path
from keras_rectifiers.live.layers import flat
from keras_rectifiers.surgery import compile_state
from keras_rectifiers.surgery.borrowed import Borrowed
from keras_rectifiers.surgery.borrowed import as_json
from keras_rectifiers.surgery.pairs import Pairs
from keras_rectifiers.surgery.pairs import pair
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.rewrite import Rewritten
from keras_rectifiers.surgery.rewrite import rewrite
from keras_rectifiers.surgery.twin import lost
from keras_rectifiers.surgery.twin import reason


class LiveModel:
    """A live model and its document, for plans and to carry one out.

    Args:
        model: A Functional or Sequential model; it is never changed.

    Attributes:
        model: The model.
        survey: Its document, without its compile state.

    Raises:
        TypeError: It is no `keras.Model`.
        UnsupportedModelError: Its layers do not stand in its config.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        document, self._borrowed = _serialized(model)
        self.survey = Survey(document)

    @functools.cached_property
    def layers(self) -> dict[str, Any]:
        """Its layers by their paths."""
        return by_path(self.model)

    def read_alpha(self, found: Found) -> np.ndarray:
        """The slopes of a PReLU, as they act.

        Raises:
            UnsupportedModelError: It is not built.
        """
        layer = self.layers[found.site.path]
        rectifier = getattr(layer, found.attribute) if found.attribute else layer
        try:
            alpha = rectifier.alpha
        except AttributeError as error:
            raise UnsupportedModelError(
                "A PReLU must be built to have slopes. Received: one without them at "
                f"{found.site.path!r}. Call the model once."
            ) from error
        return keras.ops.convert_to_numpy(alpha)

    def look(self, place: Place) -> Inside:
        """What the model tells of the layers inside a place."""
        layer = self.layers.get(place.path)
        if layer is None:
            return Inside()
        return Inside(len(flat(layer)) - 1, is_graph(layer))

    def apply(self, plan: Plan) -> keras.Model:
        """The model that a plan makes of it.

        Args:
            plan: A plan that was made for this model, or for its equal.

        Returns:
            A new model with the weights, the seed states, the flags, the compile
            state and the optimizer state of the original.

        Raises:
            PlanMismatchError: The plan is for another model.
            UnsupportedModelError: Something cannot be rebuilt, and would be lost.
        """
        rewritten = rewrite(self.survey, plan)
        new = _rebuild(self.model, rewritten.document, self._borrowed, self.layers)
        pairs = pair(self.model, new, replaced=rewritten.replaced)
        if pairs.split:
            raise UnsupportedModelError(_split(pairs.split[0]))
        _move(pairs, rewritten)
        compile_state.carry(self.model, new, pairs.moved)
        return new


def is_graph(model: Any) -> bool:
    """Whether a model computes what the graph between its inputs and outputs does."""
    own = type(model).call is Functional.call
    return isinstance(model, Functional) and own and bool(model.outputs)


def _serialized(model: keras.Model) -> tuple[Entry, Borrowed]:
    """The document of a model, and what it has only names for."""
    _check_class(model)
    borrowed = Borrowed()
    try:
        serialized = borrowed.serialize(model)
        serialized.pop("compile_config", None)
        document = as_json(serialized)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise UnsupportedModelError(_unserializable(model, borrowed, error)) from error
    if not is_model(document):
        raise UnsupportedModelError(_subclassed(model))
    _keep_tuples(serialized, document)
    return borrowed.readable(document), borrowed


def _check_class(model: Any) -> None:
    if not isinstance(model, keras.Model):
        raise TypeError(
            "A model must be a keras.Model or a path. Received: "
            f"{model!r} of type {type(model).__name__}."
        )
    if not isinstance(model, keras.Sequential | Functional):
        raise UnsupportedModelError(_subclassed(model))


def _rebuild(
    model: keras.Model, document: Entry, borrowed: Borrowed, layers: dict[str, Any]
) -> keras.Model:
    try:
        new: keras.Model = borrowed.revive(document, layers)
    except (TypeError, ValueError, NotImplementedError) as error:
        told = _not_revived(model, document, borrowed, layers, error)
        raise UnsupportedModelError(told) from error
    if type(new) is not type(model):
        raise UnsupportedModelError(
            f"The rebuilt model must be of the same class. Received: "
            f"{type(new).__name__} for {type(model).__name__}."
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
    told = lost(model, "", error)
    if type(model) in (Functional, keras.Sequential) or not _is_wired(model):
        return told
    return f"{told} Or convert keras.Model(m.inputs, m.outputs), where m is this model."


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
    kind = type(model).__name__
    if is_graph(model):
        return (
            "The config of a model must list its layers. Received: "
            f"{model.name!r} of class {kind}, whose config holds the arguments of "
            f"{kind} only. Convert keras.Model(m.inputs, m.outputs) instead, where m "
            "is this model: it has the same layers and the same weights."
        )
    return (
        "A model must be Functional or Sequential, so that its config lists its "
        f"layers. Received: {model.name!r} of class {kind}, whose layers are called by "
        "Python code. Replace the activations in that code; diagnose and "
        "DeadUnitMonitor work on it as it is."
    )


def _split(path: str) -> str:
    return (
        "A layer that is used in several places must stay one layer. Received: "
        f"{path!r}, which comes back from its config as a layer with weights of its "
        "own. Give the class that holds it a get_config and from_config that name "
        "it (keras.saving.serialize_keras_object, deserialize_keras_object)."
    )


def _unserializable(model: keras.Model, borrowed: Borrowed, error: Exception) -> str:
    layers = [each for each in borrowed.stack if isinstance(each, keras.layers.Layer)]
    layer, failed = (layers or [model])[-1], (borrowed.stack or (model,))[-1]
    names = [name for name, value in vars(layer).items() if value is failed]
    what = f"the argument {names[0]!r} of {layer.name!r}" if names else repr(layer.name)
    return (
        "Every layer must have a config to be rebuilt from. Received: "
        f"{what}, of class {type(failed if names else layer).__name__}, which has none "
        f"({reason(error)}). Give that class a get_config."
    )


def _is_wired(model: Any) -> bool:
    """Whether the tensors between a model's inputs and outputs are what it computes."""
    sequential = isinstance(model, keras.Sequential)
    if sequential and type(model).call is keras.Sequential.call:
        return bool(model.built)
    return is_graph(model)
