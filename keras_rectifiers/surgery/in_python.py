"""Rectifiers in layers that Python code makes and calls.

No config lists such layers. They are found in the live model, and what they are given
is learned by running it on symbolic tensors.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection
from collections.abc import Iterable
from typing import Any

import keras

from keras_rectifiers.graph.policies import policy_name
from keras_rectifiers.graph.roles import CALLED
from keras_rectifiers.graph.roles import ENDS
from keras_rectifiers.graph.roles import HIDDEN
from keras_rectifiers.graph.roles import OUTPUT
from keras_rectifiers.graph.roles import RECURRENT
from keras_rectifiers.graph.sites import FUSED
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.graph.sites import uses_by_width
from keras_rectifiers.live import rectifiers
from keras_rectifiers.live.layers import is_all_keras
from keras_rectifiers.live.layers import without_cap
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.trace import Trace


@dataclasses.dataclass(frozen=True, eq=False)
class Held:
    """A rectifier that Python code calls; plans take it as they take `Found`."""

    site: Site
    rectifier: LiveRectifier
    #: Whether the channels are on the same axis at each call.
    one_axis: bool = True
    #: Python code calls one object: it cannot become several layers.
    divisible: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether it is a layer of this package."""
        return self.rectifier.is_ours

    @property
    def uses(self) -> tuple[int, ...]:
        """For each call the number of its use: one for each width."""
        return uses_by_width(self.site)


class InPython:
    """The rectifiers of a model that its document does not list.

    Args:
        model: The model; not changed.
        listed: Paths of those that it lists.
    """

    def __init__(self, model: keras.Model, listed: Collection[str]) -> None:
        self._model = model
        self._listed = listed

    @functools.cached_property
    def found(self) -> tuple[Held, ...]:
        """Each of them, in the order of the layers.

        A function that nothing calls is left out: it is an argument that was passed on
        to a layer inside.

        Raises:
            UnsupportedModelError: The model is not built.
        """
        return (*self._outside, *self._recurrent) if self._trace else ()

    @property
    def complete(self) -> bool:
        """Whether all that Python code runs was seen."""
        return self._trace is None or self._trace.complete

    @functools.cached_property
    def _trace(self) -> Trace | None:
        """A run of the model; None where there is only Keras code."""
        if is_all_keras(self._model):
            return None
        return Trace(self._model)

    @property
    def _outside(self) -> tuple[Held, ...]:
        trace = self._trace
        assert trace is not None  # noqa: S101 - `found` looks
        return tuple(
            _held(each, trace.shapes(each) or (None,), *_role(each, trace))
            for each in self._not_listed(trace.rectifiers)
            if trace.shapes(each) or not trace.complete or each.layer is not None
        )

    @property
    def _recurrent(self) -> tuple[Held, ...]:
        left = self._not_listed(rectifiers.inside_recurrent(self._model))
        why = "it is inside a recurrent layer"
        return tuple(_held(each, (None,), RECURRENT, why) for each in left)

    def _not_listed(self, found: Iterable[LiveRectifier]) -> list[LiveRectifier]:
        return [each for each in found if each.path not in self._listed]


def _role(rectifier: LiveRectifier, trace: Trace) -> tuple[str, str]:
    if rectifier.calling is not None:
        return CALLED, f"{rectifier.calling}; use a layer instead, and call it"
    if trace.ends(rectifier):
        return OUTPUT, ENDS
    return HIDDEN, ""


def _held(
    rectifier: LiveRectifier, shapes: tuple[Any, ...], role: str, evidence: str
) -> Held:
    function, owner = rectifier.function, rectifier.owner
    policy = getattr(rectifier.sloped or owner, "dtype_policy", None)
    return Held(
        Site(
            path=rectifier.path,
            form=rectifier.form,
            spelling=_spelling(rectifier),
            kind=function.kind,
            negative_slope=function.negative_slope,
            max_value=function.max_value,
            threshold=function.threshold,
            role=role,
            evidence=evidence,
            shapes=tuple(shapes),
            channel_axis=rectifier.channel_axis,
            dtype=policy_name(
                None if policy is None else keras.dtype_policies.serialize(policy)
            ),
        ),
        rectifier,
    )


def _spelling(rectifier: LiveRectifier) -> str:
    """How a rectifier is written in the class that holds it."""
    owner = rectifier.owner
    if rectifier.calling is not None:
        return f"{rectifier.calling.name}(x)"
    if rectifier.form != FUSED and not isinstance(owner, keras.layers.Activation):
        return f"{type(owner).__name__}()"
    value = getattr(owner, rectifier.attribute)
    name = getattr(value, "__name__", None)
    inner = value if name else without_cap(value)
    bound = "" if inner is value else f"max_value={rectifier.function.max_value:g}"
    shown = repr(name) if name else f"{type(inner).__name__}({bound})"
    before = f"{rectifier.attribute}=" if rectifier.form == FUSED else ""
    return f"{type(owner).__name__}({before}{shown})"
