"""Reduce what the tap shows while one forward pass is traced.

Both those who run a model on purpose (`probe`) and those who look on while it
trains collect in this way.
"""

from __future__ import annotations

from typing import Any

import keras

from keras_rectifiers.diagnosis import reduce
from keras_rectifiers.diagnosis import widths
from keras_rectifiers.diagnosis.units import UnitShape
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.state import to_numpy

#: What one batch leaves behind: one list of reductions for each rectifier, and for
#: each of its widths where it has several (`widths.named`).
Raw = dict[str, list[dict[str, Any]]]
#: The units of a rectifier at each of its widths, by its path and their number.
Shapes = dict[tuple[str, int], UnitShape]


class Collector:
    """The partial reductions of one batch.

    Args:
        x: The batch: a tensor or a structure of tensors, samples in front.
        unit_axes: Axes that tell units apart, None for the channels.
        shapes: Filled with the shape of the units of each rectifier, by path and
            number of units.
        squares: Whether to sum the squares of the outputs, too.
        on_host: Whether to reduce with numpy: outside a compiled function that is
            faster.
    """

    def __init__(
        self,
        x: Any,
        unit_axes: tuple[int, ...] | None = None,
        shapes: Shapes | None = None,
        *,
        squares: bool = True,
        on_host: bool = False,
    ) -> None:
        first = keras.tree.flatten(x)[0]
        self._batch = keras.ops.shape(first)[0]
        self._scope = _scope(first)
        self._unit_axes = unit_axes
        self._squares = squares
        self._on_host = on_host
        self._shapes: Shapes = {} if shapes is None else shapes
        self._partials: dict[str, list[reduce.Partial]] = {}

    def sees(self, tensor: Any) -> bool:
        """Whether a tensor can leave the place where the model computes it."""
        # A value inside a loop or branch cannot; a gradient's own values can.
        return _scope(keras.ops.stop_gradient(tensor)) is self._scope

    def receive(self, rectifier: LiveRectifier, pre: Any, post: Any) -> None:
        """Reduce one call of a rectifier over its positions.

        Args:
            rectifier: Whose call it is.
            pre: Pre-activation.
            post: Post-activation.
        """
        if not self.sees(post):
            return
        # What is counted takes no part in the gradient; on JAX this also takes the
        # value out of the trace that differentiates.
        pre, post = keras.ops.stop_gradient(pre), keras.ops.stop_gradient(post)
        if self._on_host:
            pre, post = to_numpy(pre), to_numpy(post)
        units = UnitShape.of(rectifier, post, self._unit_axes)
        partial = reduce.per_sample(
            rectifier, pre, post, self._batch, units, squares=self._squares
        )
        width = _width(partial)
        self._shapes[rectifier.path, width] = units
        calls = self._partials.setdefault(rectifier.path, [])
        alike = [place for place, each in enumerate(calls) if _width(each) == width]
        if alike and _same_samples(calls[alike[-1]], partial):
            calls[alike[-1]] = reduce.join(calls[alike[-1]], partial)
        else:
            calls.append(partial)

    def receive_gradient(self, rectifier: LiveRectifier, gradient: Any) -> None:
        """Reduce the gradient for one call's pre-activation over its positions.

        Args:
            rectifier: Whose call it is; its calls come in the order of `receive`.
            gradient: Of the loss.
        """
        units = UnitShape.of(rectifier, gradient, self._unit_axes)
        reached = reduce.reached(gradient, self._batch, units)
        for partial in self._partials[rectifier.path]:
            if partial["sum_abs"].shape == reached.shape:
                before = partial.get("gradient", reached)
                partial["gradient"] = keras.ops.maximum(before, reached)

    def partials(self) -> dict[str, list[reduce.Partial]]:
        """What was collected, before it is reduced over the samples."""
        return self._partials

    def resume(self, partials: dict[str, list[reduce.Partial]]) -> None:
        """Go on from the partials of another collector of the same batch."""
        self._partials = partials

    def reduced(self) -> Raw:
        """What was collected, reduced over the samples."""
        found: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for path, calls in self._partials.items():
            for partial in calls:
                place = path, _width(partial)
                found.setdefault(place, []).append(reduce.over_batch(partial))
        return widths.named(found)


def _scope(tensor: Any) -> Any:
    """The graph or trace that a tensor lives in; None for a plain value."""
    if keras.backend.backend() == "tensorflow":
        return getattr(tensor, "graph", None) if hasattr(tensor, "op") else None
    return getattr(tensor, "_trace", None)  # only a tracer of JAX has one


def _width(partial: reduce.Partial) -> int:
    units: int = partial["sum_abs"].shape[-1]
    return units


def _same_samples(first: reduce.Partial, second: reduce.Partial) -> bool:
    return bool(first["sum_abs"].shape[0] == second["sum_abs"].shape[0])
