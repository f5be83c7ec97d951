"""Follow intervals through a document, from its inputs to every rectifier."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rectifiers.estimation import rules_arithmetic
from keras_rectifiers.estimation import rules_linear
from keras_rectifiers.estimation import rules_shape
from keras_rectifiers.estimation.bounds import Bounds
from keras_rectifiers.estimation.bounds import Precision
from keras_rectifiers.estimation.bounds import Shape
from keras_rectifiers.estimation.bounds import anything
from keras_rectifiers.estimation.bounds import first_blocked
from keras_rectifiers.estimation.bounds import outward
from keras_rectifiers.estimation.call import Call
from keras_rectifiers.estimation.call import Rule
from keras_rectifiers.estimation.functions import activated
from keras_rectifiers.estimation.functions import rectified
from keras_rectifiers.graph import forms
from keras_rectifiers.graph import traits
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.graph import Graph
from keras_rectifiers.graph.graph import Node
from keras_rectifiers.graph.graph import Ref
from keras_rectifiers.graph.graph import end_refs
from keras_rectifiers.graph.graph import nodes_of
from keras_rectifiers.graph.policies import policy_name
from keras_rectifiers.graph.sites import FUSED
from keras_rectifiers.graph.sites import SLOT
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.graph.variables.quantized import is_quantized
from keras_rectifiers.specs import PRELU
from keras_rectifiers.specs import Rectifier

#: Gives the named weights of the layer at a place, or of what stands in its slot.
ReadWeights = Callable[[Place, Sequence[str], str], list[Any]]
#: Gives the bounds of an input of the model: its name, the shape of a sample.
InputBounds = Callable[[str, Shape | None], Bounds]

#: Most calls that are followed; nested models that are called often multiply them.
MAX_CALLS = 100_000

_LAYERS: dict[str, Rule] = {
    **rules_linear.RULES,
    **rules_shape.LAYERS,
    **rules_arithmetic.LAYERS,
}
_OPERATIONS: dict[str, Rule] = {
    **rules_shape.OPERATIONS,
    **rules_arithmetic.OPERATIONS,
}
#: Layers that put their `activation` behind what their rule bounds.
_ACTIVATED = frozenset({*rules_linear.RULES, "EinsumDense"})
#: Layers that do something else in training, which a call can ask for.
_TRAINED = ("BatchNormalization", "Dropout", "Gaussian", "Random", "SyncBatch")


@dataclasses.dataclass(frozen=True, eq=False)
class Seen:
    """What one call brings to a rectifier."""

    before: Bounds
    #: Axis of the channels in a sample, counted from the end.
    axis: int


class Engine:
    """One walk through a document.

    Args:
        survey: The document.
        read: Gives the weights.
        inputs: Gives the bounds of the model's inputs.
    """

    def __init__(self, survey: Survey, read: ReadWeights, inputs: InputBounds) -> None:
        self.found = survey.found
        self.precision = _precision(survey.view.places)
        #: For each rectifier, by its identity: what its calls bring to it.
        self.seen: dict[tuple[Any, ...], list[Seen]] = {}
        self.view = survey.view
        self._read, self._inputs = read, inputs
        self._calls = 0
        self._places = {id(place.entry): place for place in self.view.places}
        self._sites = {
            place.identity: found for found in self.found for place in found.places
        }

    def run(self) -> None:
        """Follow the whole model."""
        top = self.view.places[0]
        given = [
            outward(self._inputs(name, shape), self.precision, 2)
            for name, shape in _model_inputs(top.entry)
        ]
        self._model(top, given, training=False)

    def slopes(self, found: Found) -> Any:
        """Slopes of the negative part: a number, or an array as it is stored."""
        if found.site.kind != PRELU:
            return found.site.negative_slope
        (alpha,) = self._read(found.places[0], ["alpha"], found.slot)
        stored = np.asarray(alpha)
        slopes = (stored * stored.dtype.type(found.slope_scale)).astype(np.float64)
        # Ours keeps one slope per channel as a vector, wherever the channels stand.
        if slopes.ndim == 1 and found.site.channel_axis != traits.LAST:
            rank = max((len(s) for s in found.site.shapes if s), default=2)
            slopes = slopes.reshape((-1,) + (1,) * (rank - 1 - found.site.channel_axis))
        return slopes

    def inside(self, found: Found) -> str:
        """The wrapper around a rectifier that was never reached."""
        member = self.view.member(found.places[0])
        return f"{member.entry['class_name']} {member.names[-1]!r}"

    def _model(
        self, place: Place, inputs: Sequence[Bounds], *, training: bool
    ) -> list[Bounds]:
        graph = self.view.graph(place)
        if not graph.functional:
            bounds = list(inputs)
            for entry in graph.chain:
                bounds = self._call(self._places[id(entry)], bounds, training=training)
            return bounds
        values: dict[Node, list[Bounds]] = {}
        ends = list(end_refs(place.entry, "input_layers"))
        if len(ends) != len(inputs):
            why = first_blocked(inputs) or f"{place.entry['class_name']} {place.path!r}"
            inputs = [anything(None, why) for _ in ends]
        for ref, given in zip(ends, inputs, strict=True):
            values[ref.source] = [_shaped(given, graph.entries[ref.name])]
        outputs = list(end_refs(place.entry, "output_layers"))
        for name, index in _order(graph, outputs, set(values)):
            values[name, index] = self._node(graph, name, index, values, training)
        return [_tensor(values, ref) for ref in outputs]

    def _node(
        self,
        graph: Graph,
        name: str,
        index: int,
        values: Mapping[Node, list[Bounds]],
        training: bool,
    ) -> list[Bounds]:
        place = self._places[id(graph.entries[name])]
        nodes = nodes_of(place.entry)
        asked = nodes[index]["kwargs"].get("training") if index < len(nodes) else None
        output = graph.output(name, index)
        stated = None if output is None or not output.shape else output.shape[1:]
        return self._call(
            place,
            [_tensor(values, ref) for ref in graph.inputs(name, index)],
            [
                _tensor(values, each) if isinstance(each, Ref) else each
                for each in graph.arguments(name, index)
            ],
            training=training if asked is None else bool(asked),
            stated=stated,
        )

    def _call(
        self,
        place: Place,
        inputs: Sequence[Bounds],
        operands: Sequence[Any] = (),
        *,
        training: bool,
        stated: Shape | None = None,
    ) -> list[Bounds]:
        self._calls += 1
        if self._calls > MAX_CALLS:
            raise ValueError(f"more than {MAX_CALLS} calls of layers")
        if is_model(place.entry):
            return self._model(place, inputs, training=training)
        class_name = str(place.entry["class_name"])
        call = Call(
            class_name,
            place.names[-1],
            place.config,
            inputs,
            operands or inputs,
            lambda names: self._read(place, names, ""),
            self.precision,
            stated,
        )
        if not inputs:
            return [call.unknown()]
        if training and class_name.startswith(_TRAINED):
            return [call.unknown()]
        return [self._layer(place, call, training=training)]

    def _layer(self, place: Place, call: Call, *, training: bool) -> Bounds:
        found = self._sites.get(place.identity)
        if found is not None and found.site.form != FUSED:
            operand = call.operands[found.operand]
            before = operand if isinstance(operand, Bounds) else call.unknown()
            return self._rectify(place, found, before)
        module = place.entry.get("module")
        known = forms.is_keras(place.entry)
        inner = self._places.get(id(place.config.get("layer")))
        if known and call.class_name == "TimeDistributed" and inner is not None:
            return self._each_step(inner, call, training=training)
        if known and call.class_name == "Activation":
            value = activated(call.x, call.config.get(SLOT), call.precision)
            return call.unknown() if value is None else value
        rules = _OPERATIONS if forms.is_operation(module) else _LAYERS
        rule = rules.get(call.class_name) if known else None
        strange = rule is None or is_quantized(place.config)
        before = call.unknown() if rule is None or strange else rule(call)
        follows = known and call.class_name in _ACTIVATED
        if found is not None:
            behind = self._rectify(place, found, before)
            return behind if follows else before
        if not follows:
            return before
        value = activated(before, call.config.get(SLOT), call.precision)
        return call.unknown() if value is None else value

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

    def _each_step(self, inner: Place, call: Call, *, training: bool) -> Bounds:
        """`TimeDistributed`: the same layer at each index of the first axis."""
        shape = call.x.shape
        if shape is None or call.x.lo.ndim >= len(shape):
            step = call.x.hulled(-1)
        else:
            step = call.x
        step = dataclasses.replace(step, shape=None if shape is None else shape[1:])
        (made,) = self._call(inner, [step], training=training)[:1]
        outer = None
        if shape is not None and made.shape is not None:
            outer = (shape[0], *made.shape)
        return dataclasses.replace(made, shape=outer)


def _precision(places: Sequence[Place]) -> Precision:
    """The coarsest of all the layers' precisions."""
    precision = Precision()
    for place in places:
        precision = precision.coarser(policy_name(place.config.get("dtype") or ""))
    return precision


def _model_inputs(entry: Entry) -> Iterator[tuple[str, Shape | None]]:
    """Name and shape of each input of a model."""
    graph = Graph(entry)
    if graph.functional:
        for ref in end_refs(entry, "input_layers"):
            yield ref.name, _stated_shape(graph.entries[ref.name])
        return
    first = graph.chain[0] if graph.chain else {}
    shape = _stated_shape(first)
    if shape is None and is_model(first):
        ((_, shape), *_) = [*_model_inputs(first), ("", None)]
    yield str(config_of(first).get("name", "input")), shape


def _stated_shape(entry: Entry) -> Shape | None:
    """Shape of a sample that goes into a layer, as far as its entry states it."""
    config, build = config_of(entry), entry.get("build_config")
    built = build.get("input_shape") if isinstance(build, dict) else None
    for shape in (config.get("batch_shape"), config.get("batch_input_shape"), built):
        flat = isinstance(shape, list) and not any(isinstance(n, list) for n in shape)
        if flat and shape:
            return tuple(n if isinstance(n, int) else None for n in shape[1:])
    return None


def _shaped(bounds: Bounds, entry: Entry) -> Bounds:
    """Bounds of a model's input, with the shape that the model states."""
    if bounds.shape is not None and None not in bounds.shape:
        return bounds
    stated = _stated_shape(entry)
    return bounds if stated is None else dataclasses.replace(bounds, shape=stated)


def _tensor(values: Mapping[Node, list[Bounds]], ref: Ref) -> Bounds:
    outputs = values.get(ref.source, [])
    if ref.tensor < len(outputs):
        return outputs[ref.tensor]
    shape = None if not ref.shape else ref.shape[1:]
    return anything(shape, f"output {ref.tensor} of {ref.name!r}")


def _order(graph: Graph, outputs: Sequence[Ref], given: set[Node]) -> Iterator[Node]:
    """The calls of a graph, each behind those that it takes from."""
    done = set(given)
    for output in outputs:
        stack = [(output.source, False)]
        while stack:
            node, ready = stack.pop()
            if node in done:
                continue
            if ready:
                done.add(node)
                yield node
                continue
            stack.append((node, True))
            stack += [(ref.source, False) for ref in graph.inputs(*node)]
