"""Follow intervals through a model, from its inputs to every rectifier."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rectifiers.estimation.bounds import Bounds
from keras_rectifiers.estimation.bounds import Precision
from keras_rectifiers.estimation.bounds import Shape
from keras_rectifiers.estimation.bounds import anything
from keras_rectifiers.estimation.bounds import outward
from keras_rectifiers.estimation.call import BoundedCall
from keras_rectifiers.estimation.functions import activated
from keras_rectifiers.estimation.functions import rectified
from keras_rectifiers.estimation.rules import activates
from keras_rectifiers.estimation.rules import rule_of
from keras_rectifiers.graph import traits
from keras_rectifiers.graph.calls import Call
from keras_rectifiers.graph.calls import Tensor
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.inference.sizes import TensorSpec
from keras_rectifiers.graph.passes import Forward
from keras_rectifiers.graph.policies import policy_name
from keras_rectifiers.graph.sites import ATTRIBUTE
from keras_rectifiers.graph.sites import FUSED
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.graph.variables.quantized import is_quantized
from keras_rectifiers.specs import PRELU
from keras_rectifiers.specs import Rectifier

#: Returns the named weights of the layer at a place, or of the layer in its slot.
ReadWeights = Callable[[Place, Sequence[str], str], list[Any]]
#: Gives the bounds of an input of the model: its name, the shape of a sample.
InputBounds = Callable[[str, Shape | None], Bounds]


@dataclasses.dataclass(frozen=True, eq=False)
class Seen:
    """What one call brings to a rectifier."""

    before: Bounds
    #: Axis of the channels in a sample, counted from the end.
    axis: int


class Engine(Forward[Bounds]):
    """The bounds of every tensor of a model, whatever its inputs are.

    Args:
        survey: The document.
        read: Gives the weights.
        inputs: Gives the bounds of the model's inputs.
    """

    def __init__(self, survey: Survey, read: ReadWeights, inputs: InputBounds) -> None:
        super().__init__(survey.calls, anything(None, ""))
        self.found = survey.found
        self.precision = _precision(survey.view.places)
        #: For each rectifier, by its identity: what its calls bring to it.
        self.seen: dict[tuple[Any, ...], list[Seen]] = {}
        self._shapes = survey.shapes
        self._read, self._inputs = read, inputs
        self._sites = {
            place.identity: found for found in self.found for place in found.places
        }

    def slopes(self, found: Found) -> Any:
        """Slopes of the negative part: a number, or an array as it is stored."""
        if found.site.kind != PRELU:
            return found.site.negative_slope
        (alpha,) = self._read(found.places[0], ["alpha"], found.attribute)
        stored = np.asarray(alpha)
        slopes = (stored * stored.dtype.type(found.slope_scale)).astype(np.float64)
        # Our layer keeps one slope per channel as a vector, wherever the channel axis
        # is.
        if slopes.ndim == 1 and found.site.channel_axis != traits.LAST:
            rank = max((len(s) for s in found.site.shapes if s), default=2)
            slopes = slopes.reshape((-1,) + (1,) * (rank - 1 - found.site.channel_axis))
        return slopes

    def made(self, call: Call, taken: Sequence[Bounds]) -> Sequence[Bounds]:
        """The bounds of each output of a call."""
        name, outputs = call.place.names[-1], list(self.calls.outputs(call))
        shapes = [_sample(self._shapes.of(tensor)) for tensor in outputs]
        others = [
            anything(shape, f"output {index} of {name!r}")
            for index, shape in enumerate(shapes[1:], 1)
        ]
        takes = [_sample(spec) for spec in self._shapes.takes(call)]
        if self._is_input(call):
            inputs = [self._entering(call, (takes or shapes)[0])]
        else:
            inputs = [
                _in_step(bounds, shape, call.steps - self.calls[tensor.call].steps)
                for tensor, bounds, shape in zip(call.takes, taken, takes, strict=False)
            ]
        known = dict(zip(call.takes, inputs, strict=False))
        operands = [
            known[each] if isinstance(each, Tensor) else each for each in call.args
        ]
        bounded = BoundedCall(
            call.class_name,
            name,
            call.config,
            inputs,
            operands or inputs,
            lambda names: self._read(call.place, names, ""),
            self.precision,
            shapes[0],
        )
        blind = not inputs or (_trains(call) and traits.of(call.class_name).trained)
        first = bounded.unknown() if blind else self._layer(call.place, bounded)
        return [dataclasses.replace(first, shape=shapes[0]), *others]

    def _is_input(self, call: Call) -> bool:
        """Whether a call takes what the model takes."""
        if call.takes or any(each.takes for each in call.around):
            return False
        functional = self.calls.view.graph(self.calls.view.places[0]).functional
        first = call.class_name == "InputLayer" and not call.around
        return first if functional else call.number == 0

    def _entering(self, call: Call, shape: Shape | None) -> Bounds:
        """The bounds of what the model takes, as a call takes it."""
        name = (call.around or (call,))[0].member.names[-1]
        outer = None if shape is None else ((None,) * call.steps + shape)
        given = outward(self._inputs(name, outer), self.precision, 2)
        return _in_step(given, shape, call.steps)

    def _layer(self, place: Place, call: BoundedCall) -> Bounds:
        found = self._sites.get(place.identity)
        if found is not None and found.site.form != FUSED:
            operand = call.operands[found.operand]
            before = operand if isinstance(operand, Bounds) else call.unknown()
            return self._rectify(place, found, before)
        rule, follows = rule_of(place.entry), activates(place.entry)
        strange = rule is None or is_quantized(place.config)
        before = call.unknown() if rule is None or strange else rule(call)
        before = dataclasses.replace(before, shape=call.shape)
        if found is not None:
            behind = self._rectify(place, found, before)
            return behind if follows else before
        if not follows:
            return before
        made = activated(before, call.config.get(ATTRIBUTE), call.precision)
        return made or call.unknown()

    def _rectify(self, place: Place, found: Found, before: Bounds) -> Bounds:
        axis = found.site.channel_axis
        if axis != traits.LAST:
            rank = before.lo.ndim if before.shape is None else len(before.shape)
            axis -= rank + 1
        self.seen.setdefault(place.identity, []).append(Seen(before, axis))
        site = found.site
        function = Rectifier(
            site.kind, site.negative_slope, site.max_value, site.threshold
        )
        slopes = np.asarray(self.slopes(found), np.float64)
        try:
            np.broadcast_shapes(before.lo.shape, before.hi.shape, slopes.shape)
        except ValueError:
            before = before.hulled()
        return rectified(before, function, slopes, self.precision)


def _in_step(bounds: Bounds, shape: Shape | None, deeper: int) -> Bounds:
    """Bounds of a tensor in each of its steps, with the shape that it has there."""
    if deeper > 0 and (shape is None or bounds.lo.ndim >= len(shape) + deeper):
        bounds = bounds.hulled(-1)
    return dataclasses.replace(bounds, shape=shape)


def _sample(spec: TensorSpec) -> Shape | None:
    """The shape of one sample of a tensor."""
    return spec.shape[1:] if spec.shape else None


def _trains(call: Call) -> bool:
    """Whether a call, or that of a model around it, asks for what training does."""
    asked = (each.kwargs.get("training") for each in (call, *reversed(call.around)))
    return bool(next((each for each in asked if each is not None), False))


def _precision(places: Iterable[Place]) -> Precision:
    """The coarsest of all the layers' precisions."""
    precision = Precision()
    for place in places:
        precision = precision.coarser(policy_name(place.config.get("dtype") or ""))
    return precision
