"""Find the rectifiers of a live model, in the order and with the paths of surgery.

Finds layers, functions and layers in an `activation` attribute, and the operations of
functional graphs, in models and wrappers at any depth and in the tracked sub-layers of
subclassed ones. Not found, because no object represents
them: rectifiers that a subclassed `call` computes by a bare `ops.relu`. Left out,
because they run in a loop whose tensors cannot be seen from outside: what is
inside recurrent layers.
"""

from __future__ import annotations

import dataclasses
import functools
import types
from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_rectifiers.graph import callables
from keras_rectifiers.graph import forms
from keras_rectifiers.graph import traits
from keras_rectifiers.layers import NReLU
from keras_rectifiers.layers import RReLU
from keras_rectifiers.live import layers
from keras_rectifiers.live import state
from keras_rectifiers.live.axes import LiveAxes
from keras_rectifiers.live.called import Calling
from keras_rectifiers.live.exchange import own_attributes
from keras_rectifiers.specs import LEAKY_RELU
from keras_rectifiers.specs import PACKAGE
from keras_rectifiers.specs import PRELU
from keras_rectifiers.specs import RELU
from keras_rectifiers.specs import Rectifier

#: Form, function and operand of a rectifier.
_Known = tuple[str, Rectifier, int]
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, functools.partial)

LAYER = "layer"
FUSED = "fused"
OPERATION = "op"
CALLED = "called"

#: The attribute in which a layer keeps its fused rectifier.
ATTRIBUTE = "activation"


@dataclasses.dataclass(frozen=True, eq=False)
class LiveRectifier:
    """One rectifier of a live model."""

    #: Names from inside the top model, joined by `/`; a fused rectifier has the
    #: path of its host. A second one of the same name ends in `#2`.
    path: str
    #: `"layer"`, `"fused"` (in an attribute), `"op"`, or `"called"` by Python code.
    form: str
    #: The layer, the host, the operation, or the layer whose code makes the call.
    owner: Any
    #: The function that it computes.
    function: Rectifier
    #: Positional operand that is rectified.
    operand: int = 0
    #: Axis of the channels, counted from the batch at 0; -1 for the last one.
    channel_axis: int = -1
    #: Attribute of the owner that holds a fused one.
    attribute: str = ATTRIBUTE
    #: The place of the owner, as in `live.layers.Member`.
    position: tuple[int, ...] = ()
    #: Where a called one is called.
    calling: Calling | None = None

    @property
    def layer(self) -> Any:
        """The layer that rectifies; None for functions and operations."""
        if self.form in (OPERATION, CALLED):
            return None
        inner = getattr(self.owner, self.attribute, None)
        if isinstance(inner, keras.layers.Layer):
            return inner
        return self.owner if self.form == LAYER else None

    @property
    def sloped(self) -> Any:
        """The layer that has its slopes: `layer`, or the one in it under a bound."""
        return layers.without_cap(self.layer)

    @property
    def is_ours(self) -> bool:
        """Whether it is a layer of this package."""
        package = type(self.layer).__module__.partition(".")[0]
        return self.layer is not None and package == PACKAGE

    @property
    def learns(self) -> bool:
        """Whether its slopes are weights that are trained."""
        return self.function.kind == PRELU and bool(self.sloped.trainable_weights)

    def slopes(
        self, units: int
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Slope below the threshold of each unit, and whether one is not 0.

        Args:
            units: Number of units (channels).

        Returns:
            Slopes and flags, both of shape `(units,)`. Where positions of one unit have
            separate slopes, their mean, and whether any of them is not 0.
        """
        slope = self.function.negative_slope
        if self.function.kind != PRELU:
            return np.full(units, slope), np.full(units, slope != 0)
        alpha = state.to_numpy(self.sloped.alpha, np.float64)
        axis = traits.slope_axis(self.channel_axis, alpha.ndim)
        alpha = np.moveaxis(alpha, axis, -1).reshape(-1, alpha.shape[axis])
        alpha = np.broadcast_to(alpha, (len(alpha), units))
        return alpha.mean(axis=0), (alpha != 0).any(axis=0)


def find(model: Any) -> tuple[LiveRectifier, ...]:
    """Every rectifier of a model that can be watched, in the order of its layers.

    Args:
        model: A Keras model; not changed. A subclassed model must have been built,
            or the layers that it makes in `build` are not there yet.

    Returns:
        One entry for each rectifier; one that is shared counts once.
    """
    return tuple(_find(model, keras.layers.RNN))


def inside_recurrent(model: Any) -> tuple[LiveRectifier, ...]:
    """The rectifiers that `find` leaves out, since a loop runs them.

    Args:
        model: A Keras model; not changed.

    Returns:
        One entry for each. One of a cell of Keras has the path of the recurrent layer.
    """
    recurrent = {
        position: path
        for path, member, _, position in layers.walk(model)
        if isinstance(member, keras.layers.RNN)
    }
    found = []
    for each in _find(model, ()):
        if any(each.position[:n] in recurrent for n in range(1, len(each.position))):
            outside = recurrent.get(each.position[:-1])
            if outside is not None and layers.is_keras(each.owner):
                found.append(dataclasses.replace(each, path=outside))
            else:
                found.append(each)
    return tuple(found)


def _find(model: Any, closed: Any) -> Iterator[LiveRectifier]:
    used: Counter[str] = Counter()
    slots: set[int] = set()
    for each, axis in placed(model, closed):
        path, member, _, position = each
        for name, known in _inside(member, slots):
            # What rectifies is this place: not a second one below it.
            held = getattr(member, name, None)
            slots |= {id(held), id(layers.without_cap(held))}
            place = path if name == ATTRIBUTE else "/".join(filter(None, (path, name)))
            used[place] += 1
            again = "" if used[place] == 1 else f"#{used[place]}"
            form, function, operand = known
            yield LiveRectifier(
                f"{place}{again}",
                form,
                member,
                function,
                operand,
                axis,
                name,
                position,
            )


def placed(
    model: Any, closed: Any = keras.layers.RNN
) -> Iterator[tuple[layers.Member, int]]:
    """A model itself and what is inside it, each with the axis of its channels.

    Args:
        model: A Keras model.
        closed: Classes of layers that are left out. Default the recurrent ones.
    """
    axes = LiveAxes(model)
    axis_of = {id(model): traits.LAST}
    top = layers.Member("", model, model, ())
    for each in (top, *layers.walk(model, closed=closed)):
        axis = axes.of(each.member, axis_of[id(each.parent)])
        axis_of[id(each.member)] = axis
        yield each, axis


def _inside(member: Any, slots: set[int]) -> Iterator[tuple[str, _Known]]:
    """The attribute and the kind of each rectifier that a member is, or holds."""
    known = None if id(member) in slots else _recognize(member)
    if known is not None:
        yield ATTRIBUTE, known
    if not layers.is_layer(member) or layers.is_keras(member):
        return
    for name, value in own_attributes(member).items():
        if name == ATTRIBUTE or not isinstance(value, _FUNCTIONS):
            continue
        function = forms.recognize_activation(_serialized(value))
        if function is not None:
            yield name, (FUSED, function, 0)


def _recognize(member: Any) -> _Known | None:
    """Form, function and operand of a member that is a rectifier."""
    if not layers.is_layer(member):
        known = _recognize_operation(member)
        return None if known is None else (OPERATION, *known)
    drawn = _recognize_drawn(member)
    if drawn is not None:
        return LAYER, drawn, 0
    cls = type(member)
    registered = keras.saving.get_registered_name(cls)
    if cls.__name__ in ("ReLU", "LeakyReLU", "PReLU"):
        function = forms.recognize_layer(
            cls.__name__,
            cls.__module__,
            registered if registered != cls.__name__ else None,
            member.get_config(),
        )
        return None if function is None else (LAYER, function, 0)
    value = getattr(member, ATTRIBUTE, None)
    if value is None or not callable(value):
        return None
    function = _recognize_drawn(value)
    if function is None:
        function = forms.recognize_activation(_serialized(value))
    if function is None:
        return None
    own = cls is keras.layers.Activation
    return LAYER if own else FUSED, function, 0


def _recognize_drawn(layer: Any) -> Rectifier | None:
    """What a rectifier that draws in training computes at inference, or None."""
    if isinstance(layer, RReLU):
        return Rectifier(LEAKY_RELU, layer.mean_slope, layer.max_value)
    return Rectifier(RELU, 0.0, layer.max_value) if isinstance(layer, NReLU) else None


def _serialized(activation: Any) -> Any:
    described = callables.describe(activation)
    if described is not None:
        return described
    try:
        return keras.activations.serialize(activation)
    except (ValueError, TypeError, NotImplementedError):
        return None  # what Keras cannot name is not a rectifier that we know


def _recognize_operation(operation: Any) -> tuple[Rectifier, int] | None:
    node = operation._inbound_nodes[0]  # noqa: SLF001 - Keras has no public way
    return forms.recognize_operation(
        type(operation).__name__,
        type(operation).__module__,
        operation.get_config(),
        node.arguments.args,
        _producer,
        lambda a, b: a is b,
    )


def _producer(tensor: Any) -> tuple[str, Sequence[Any]] | None:
    history = getattr(tensor, "_keras_history", None)
    if history is None:
        return None
    source = history.operation
    node = source._inbound_nodes[history.node_index]  # noqa: SLF001
    return type(source).__name__, node.arguments.args
