"""The binding to live models: copy, rewrite, move every variable.

The original is never changed. Where the config of a model lists its layers, the copy
is made from the rewritten config. Layers that Python code makes are copied as their
class makes them, and replaced in the copy. What Keras cannot rebuild from a config
(Python functions in `Lambda` layers) is taken over as the same function; what cannot
be taken over is refused by name.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Collection
from typing import Any

import keras
import numpy as np
from keras.src.models.functional import Functional

from keras_rectifiers import layers as _registered  # noqa: F401 - Keras finds them
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.roles import CUSTOM
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.graph.unseen import Inside
from keras_rectifiers.graph.unseen import Unseen
from keras_rectifiers.graph.unseen import unseen
from keras_rectifiers.live import placement
from keras_rectifiers.live.layers import by_path
from keras_rectifiers.live.layers import class_of
from keras_rectifiers.live.layers import flat
from keras_rectifiers.live.layers import without_cap
from keras_rectifiers.repairs import Repair
from keras_rectifiers.surgery import compile_state
from keras_rectifiers.surgery import in_front
from keras_rectifiers.surgery import in_place
from keras_rectifiers.surgery import live_document
from keras_rectifiers.surgery import made_later
from keras_rectifiers.surgery.borrowed import Borrowed
from keras_rectifiers.surgery.custom_attributes import CustomAttributes
from keras_rectifiers.surgery.exchanges import Exchanges
from keras_rectifiers.surgery.in_python import Held
from keras_rectifiers.surgery.in_python import InPython
from keras_rectifiers.surgery.live_document import is_graph
from keras_rectifiers.surgery.pairs import pair
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.plan import Step
from keras_rectifiers.surgery.rebuild import move
from keras_rectifiers.surgery.rebuild import rebuild
from keras_rectifiers.surgery.rewrite import Holder
from keras_rectifiers.surgery.rewrite import Rewritten
from keras_rectifiers.surgery.rewrite import rewrite

_NOT_RUN = "its Python code runs neither on symbolic tensors nor on zeros"


class LiveModel:
    """A live model and what is known about it, to make and apply plans.

    Args:
        model: A Keras model; it is never changed.
        as_functional: Whether to make plain Functional models of those whose class
            hides its layers. Default False.
        lenient: Whether layers may have no config, as for a model that is changed
            itself. Default False.

    Attributes:
        model: The model.

    Raises:
        TypeError: It is not a `keras.Model`.
        UnsupportedModelError: Something in it has no config.
    """

    def __init__(
        self, model: keras.Model, *, as_functional: bool = False, lenient: bool = False
    ) -> None:
        self.model = model
        self._borrowed = Borrowed(lenient=lenient)
        with placement.as_of(model):
            self._document = live_document.serialized(model, self._borrowed)
        found = live_document.opened(self._document, model, self._borrowed)
        self._survey = None if found is None else Survey(found[0])
        #: What a plan can rewrite in the config that the copy is made from.
        self._listed = self._survey
        self._last: tuple[Any, tuple[Rewritten, tuple[Step, ...]]] | None = None
        #: Paths of models that become plain ones.
        self._plain: tuple[str, ...] = ()
        if found is None and as_functional:
            raise UnsupportedModelError(_no_graph(model))
        if found is not None and as_functional:
            self._document, gone = live_document.plain(found[0])
            self._plain = (*found[1], *gone)
            self._survey = self._listed = Survey(self._document)
        elif found is not None and found[1]:
            listed = is_model(self._document)
            self._listed = Survey(self._document) if listed else None

    @property
    def given_up(self) -> tuple[Repair, ...]:
        """The classes that become plain models, where that was asked for."""
        return tuple(
            Repair(
                "as_functional",
                path,
                f"{class_of(self.layers[path]).__name__} → a plain model: its layers, "
                "without the methods and the arguments of its class",
                caution=True,
            )
            for path in self._plain
        )

    @property
    def survey(self) -> Survey:
        """Its document.

        Raises:
            UnsupportedModelError: It has none, since Python code calls its layers.
        """
        if self._survey is None:
            raise UnsupportedModelError(_called_in_python(self.model))
        return self._survey

    @property
    def name(self) -> str:
        """The model's name."""
        return name_of(self._document)

    @functools.cached_property
    def layers(self) -> dict[str, Any]:
        """Its layers by their paths."""
        return by_path(self.model)

    @functools.cached_property
    def found(self) -> tuple[Found | Held, ...]:
        """Every rectifier: those of its document, then those that Python calls.

        Raises:
            UnsupportedModelError: It has no document, and is not built.
        """
        held, _ = self._in_python
        known = tuple(each.site.path for each in held)
        left = (
            each for each in self._in_graph if not _is_inside(each.site.path, known)
        )
        return (*left, *held)

    @functools.cached_property
    def _in_graph(self) -> tuple[Found, ...]:
        graph = () if self._survey is None else self._survey.found
        written = {each.site.path for each in getattr(self._listed, "found", ())}
        return tuple(
            each
            if each.site.path in written
            else dataclasses.replace(each, divisible=False)
            for each in graph
        )

    @functools.cached_property
    def _in_python(self) -> tuple[tuple[Held, ...], bool]:
        """The rectifiers that its document does not list, and whether all were seen."""
        seen = [each for each in self._in_graph if each.site.role != CUSTOM]
        listed = {place.path for each in seen for place in each.places}
        inside = InPython(self.model, listed)
        try:
            return inside.found, inside.complete
        except UnsupportedModelError:
            if self._survey is None:
                raise
            return (), False

    @property
    def unseen(self) -> tuple[Unseen, ...]:
        """The parts that cannot be inspected."""
        left = () if self._survey is None else unseen(self._survey, self._look)
        _, complete = self._in_python
        if complete:
            return tuple(each for each in left if each.reason != CUSTOM)
        cls, layers = class_of(self.model).__name__, len(flat(self.model)) - 1
        return left or (Unseen("", cls, CUSTOM, _NOT_RUN, layers),)

    def read_alpha(self, found: Found | Held) -> np.ndarray:
        """The slopes of a PReLU, as they act.

        Raises:
            UnsupportedModelError: It is not built.
        """
        if isinstance(found, Held):
            rectifier = found.rectifier.sloped
        else:
            layer = self.layers[found.site.path]
            held = getattr(layer, found.attribute) if found.attribute else layer
            rectifier = without_cap(held)
        try:
            alpha = rectifier.alpha
        except AttributeError as error:
            raise UnsupportedModelError(
                "A PReLU must be built to have slopes. Received: "
                f"{found.site.path!r}, which has none. Call the model once."
            ) from error
        return keras.ops.convert_to_numpy(alpha)

    def _look(self, place: Place) -> Inside:
        """What the model shows about the layers inside a place."""
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
        with placement.as_of(self.model):
            return self._applied(plan)

    def _applied(self, plan: Plan) -> keras.Model:
        rewritten, left = self.rewritten(plan)
        exchanges = Exchanges(self.model, self.found, left)
        kind: type = type(self.model)
        if "" in self._plain:
            graph = is_functional(self._document)
            kind = Functional if graph else keras.Sequential
        return self._twin(rewritten.document, kind, rewritten.replaced, exchanges)

    def _twin(
        self,
        document: Entry,
        kind: type,
        replaced: Collection[Holder],
        exchanges: Exchanges | None = None,
    ) -> keras.Model:
        """A model made from what became of the document, with all the original has."""
        new = rebuild(self.model, document, self._borrowed, self.layers, kind)
        pairs = pair(self.model, new, replaced=replaced, prepare=made_later.repeat)
        if pairs.split:
            raise UnsupportedModelError(_split(pairs.split[0]))
        move(pairs, replaced)
        if exchanges is not None:
            exchanges.make(new, {id(layer): twin for _, layer, twin in pairs.layers})
        compile_state.carry(self.model, new, pairs.moved)
        CustomAttributes(self.model, new, pairs).give()
        return new

    def with_layer_in_front(self, layer: keras.layers.Layer) -> keras.Model:
        """A copy of the model with one layer more, between its input and the rest.

        Args:
            layer: A layer without weights that keeps the shape of what it takes.

        Returns:
            A new model with all that the original has.

        Raises:
            UnsupportedModelError: Its config lists no layers, it has several inputs,
                or something cannot be rebuilt.
        """
        entry = keras.saving.serialize_keras_object(layer)
        document = in_front.inserted(copy.deepcopy(self._document), entry)
        with placement.as_of(self.model):
            return self._twin(document, type(self.model), {(layer.name, "")})

    def apply_in_place(self, plan: Plan) -> keras.Model:
        """Change the model itself by a plan; where that fails, it is as before.

        Args:
            plan: A plan that was made for this model.

        Returns:
            The same model. Its optimizer is a new one with the old one's state, where
            slopes came or went.

        Raises:
            PlanMismatchError: The plan is for another model.
            UnsupportedModelError: A rectifier must become several layers.
        """
        with placement.as_of(self.model):
            in_place.convert(self.model, self.found, plan.steps)
        return self.model

    def rewritten(self, plan: Plan) -> tuple[Rewritten, tuple[Step, ...]]:
        """The rewritten config, and the steps that it does not list.

        What was made last is kept: carrying a plan out and the way back both ask.

        Args:
            plan: A plan for this model.
        """
        if self._last is None or self._last[0] is not plan.steps:
            self._last = plan.steps, self._rewrite(plan)
        made, left = self._last[1]
        document = copy.deepcopy(
            made.document
        )  # a model is made from it, and changes it
        return dataclasses.replace(made, document=document), left

    def _rewrite(self, plan: Plan) -> tuple[Rewritten, tuple[Step, ...]]:
        if self._listed is None:
            return Rewritten(self._document, {}, frozenset()), plan.steps
        if self._listed is self._survey:
            held = {each.site.path for each in self.found if isinstance(each, Held)}
            here = [step for step in plan.steps if step.site.path not in held]
        else:
            paths = {each.site.path for each in self._listed.found}
            here = [step for step in plan.steps if step.site.path in paths]
        made = rewrite(self._listed, dataclasses.replace(plan, steps=tuple(here)))
        return made, tuple(step for step in plan.steps if step not in here)


def _is_inside(path: str, known: tuple[str, ...]) -> bool:
    """Whether one of the known paths is a path, or inside it."""
    return any(each == path or each.startswith(f"{path}/") for each in known)


def _called_in_python(model: keras.Model) -> str:
    return (
        "A model must be Functional or Sequential, so that its config lists its "
        f"layers. Received: {model.name!r} of class {type(model).__name__}, whose "
        "layers are called by Python code. convert, diagnose and DeadUnitMonitor work "
        "on it as it is."
    )


def _split(path: str) -> str:
    return (
        f"A shared layer must stay one layer. Received: {path!r}, which its config "
        "rebuilds as a layer with separate weights. Give the class that contains it a "
        "get_config and from_config that name it "
        "(keras.saving.serialize_keras_object, deserialize_keras_object)."
    )


def _no_graph(model: keras.Model) -> str:
    return (
        "as_functional=True needs a model that computes the graph between its inputs "
        f"and outputs. Received: {model.name!r} of class {type(model).__name__}, "
        "whose layers are called by Python code. Remove as_functional=True."
    )
