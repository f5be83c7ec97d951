"""The axis of the channels at each layer and operation of a live model.

Functional and Sequential models are read forward, as they run. What a model does to
the axes of what it is given is remembered, so that each is read once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras

from keras_rectifiers.graph import traits
from keras_rectifiers.graph.traits import AxisRank
from keras_rectifiers.live.layers import is_functional
from keras_rectifiers.live.layers import members

_UNKNOWN: list[AxisRank] = [(None, None)]
_KERAS = ("keras.", "keras_rectifiers.")


class LiveAxes:
    """The axes of the channels in a model.

    Args:
        model: A Keras model; not changed.
    """

    def __init__(self, model: Any) -> None:
        self._seen: dict[int, list[AxisRank]] = {}
        self._models: dict[tuple[int, tuple[AxisRank, ...]], list[AxisRank]] = {}
        if graph_of(model) is not None or isinstance(model, keras.Sequential):
            self._model(model, [])

    def of(self, member: Any, inherited: int) -> int:
        """The axis of the channels in what a layer or operation puts out.

        Args:
            member: The layer or operation.
            inherited: The axis of its surroundings, for a member that is not part of a
                graph.
        """
        seen = self._seen.get(id(member))
        if seen is None:
            seen = [(_after(member, [(inherited, None)], None), None)]
        return traits.agreed(seen)[0]

    def _model(self, model: Any, given: Sequence[AxisRank]) -> list[AxisRank]:
        key = id(model), tuple(given)
        if key not in self._models:
            self._models[key] = self._read(model, given)
        return self._models[key]

    def _read(self, model: Any, given: Sequence[AxisRank]) -> list[AxisRank]:
        graph = graph_of(model)
        if graph is None:
            values = list(given) or _UNKNOWN
            for layer in members(model):
                values = self._call(layer, values, None)
            return values
        axes: dict[int, traits.Axis] = {}
        for tensor, (axis, _) in zip(
            keras.tree.flatten(graph.inputs), given, strict=False
        ):
            axes[id(tensor)] = axis
        for node in itertools.chain.from_iterable(
            graph._nodes_by_depth[depth]  # noqa: SLF001 - Keras has no public way
            for depth in sorted(graph._nodes_by_depth, reverse=True)  # noqa: SLF001
        ):
            if isinstance(node.operation, keras.layers.InputLayer):
                continue
            takes = [(axes.get(id(x)), len(x.shape)) for x in node.input_tensors]
            outputs = node.outputs
            made = self._call(node.operation, takes, len(outputs[0].shape))
            for position, tensor in enumerate(outputs):
                axes.setdefault(id(tensor), made[min(position, len(made) - 1)][0])
        ends = keras.tree.flatten(graph.outputs)
        return [(axes.get(id(tensor)), len(tensor.shape)) for tensor in ends]

    def _call(
        self, member: Any, takes: Sequence[AxisRank], rank: int | None
    ) -> list[AxisRank]:
        """What one call of a member puts out; notes the axis there."""
        if graph_of(member) is not None or isinstance(member, keras.Sequential):
            return self._model(member, takes)
        axis = _after(member, takes, rank)
        if isinstance(member, keras.layers.TimeDistributed):
            steps = [
                (traits.into_step(given), None if before is None else before - 1)
                for given, before in takes
            ]
            made = self._call(member.layer, steps, None if rank is None else rank - 1)
            axis = traits.out_of_step(made[0][0])
        elif isinstance(member, keras.layers.Wrapper) and not _loops(member):
            axis = self._call(member.layer, takes, rank)[0][0]
        self._seen.setdefault(id(member), []).append((axis, rank))
        return [(axis, rank)]


def graph_of(model: Any) -> Any:
    """The Functional that a model is, or that a built Sequential has; or None."""
    if isinstance(model, keras.Sequential):
        return model._functional  # noqa: SLF001 - Keras has no public way
    return model if is_functional(model) else None


def _after(member: Any, takes: Sequence[AxisRank], rank: int | None) -> traits.Axis:
    kind = type(member)
    found = traits.UNKNOWN
    if kind.__module__.startswith(_KERAS):
        operation = not isinstance(member, keras.layers.Layer)
        found = traits.of(kind.__name__, operation=operation)
    return traits.after(found, _argument(member), takes, rank)


def _argument(member: Any) -> Callable[[str], Any]:
    return lambda name: getattr(member, name, None)


def _loops(layer: Any) -> bool:
    return isinstance(layer, keras.layers.Bidirectional)
