"""The shape and the dtype of every tensor of a model, without running it."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from keras_rectifiers.graph import forms
from keras_rectifiers.graph import traits
from keras_rectifiers.graph.calls import Call
from keras_rectifiers.graph.calls import Calls
from keras_rectifiers.graph.calls import Stated
from keras_rectifiers.graph.calls import Tensor
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import built_shape
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.inference.outputs import outputs_of
from keras_rectifiers.graph.inference.sizes import TensorSpec
from keras_rectifiers.graph.passes import Forward
from keras_rectifiers.specs import Shape


class Shapes(Forward[TensorSpec]):
    """What each call puts out: what the document states, and else what is inferred.

    Args:
        calls: The calls of a model.
        given: What the model takes, where it does not state that itself.
    """

    def __init__(self, calls: Calls, given: Sequence[TensorSpec] = ()) -> None:
        super().__init__(calls, TensorSpec())
        self._given = given
        #: Number of a call -> lengths of the axes that `TimeDistributed` takes away.
        self._steps: dict[int, Shape] = {}
        self.run()

    def made(self, call: Call, taken: Sequence[TensorSpec]) -> Sequence[TensorSpec]:
        """Shape and dtype of each output of a call."""
        if call.steps:
            self._steps[call.number] = self._steps_of(call)
        stated = [self.calls.stated(each) for each in self.calls.outputs(call)]
        return self.chosen(call, stated)

    def chosen(self, call: Call, stated: Sequence[Stated]) -> Sequence[TensorSpec]:
        """What is stated of the outputs of a call, and what is inferred of others."""
        whole = all(each.shape is not None and each.dtype for each in stated)
        found = [] if whole else self.inferred(call)
        found += [TensorSpec()] * (len(stated) - len(found))
        for index, (shape, dtype, _) in enumerate(stated):
            other = found[index]
            found[index] = TensorSpec(
                other.shape if shape is None else shape, dtype or other.dtype
            )
        return found

    def inferred(self, call: Call) -> list[TensorSpec]:
        """What a call puts out, whatever the document states of that."""
        takes = self.takes(call)
        specs = dict(zip(call.takes, takes, strict=False))
        args = _filled(call.args, specs) if call.takes else takes
        return outputs_of(call.place.entry, args, _filled(dict(call.kwargs), specs))

    def takes(self, call: Call) -> list[TensorSpec]:
        """What a call takes, on the axes that it has in a step of `TimeDistributed`.

        Args:
            call: A call that was visited, or that is visited now.
        """
        if not call.takes:
            first = self.first(call, call.steps)
            return [] if first is None else [first]
        found = [self.at(tensor, call.steps) for tensor in call.takes]
        if len(found) == 1 and found[0].shape is None:
            built = built_shape(call.place.entry)
            found = [TensorSpec(built, found[0].dtype)]
        return found

    def taken(self, call: Call, position: int = 0) -> Shape | None:
        """The shape of a tensor that a call takes; None where it is unknown.

        Args:
            call: A call that was visited.
            position: Which of the tensors.
        """
        takes = self.takes(call)
        return takes[position].shape if position < len(takes) else None

    def first(self, call: Call, steps: int) -> TensorSpec | None:
        """The first tensor that a call takes; None where it takes none.

        Args:
            call: A call that was visited, or that is visited now.
            steps: How many `TimeDistributed` layers are around.
        """
        if call.takes:
            return self.at(call.takes[0], steps)
        entry = call.member.entry
        graph = self.calls.view.graph_around(call.member)
        if graph.functional or entry["class_name"] == "InputLayer":
            return None
        if self._given:
            return _in_step(self._given[0], steps)
        config = config_of(entry)
        stated = config.get("batch_shape", config.get("batch_input_shape"))
        if stated is None and call.member.parent is not None:
            stated = call.member.parent.config.get("build_input_shape")
        built = built_shape(entry)
        if built is None and isinstance(stated, list):
            built = tuple(stated)
        return _in_step(TensorSpec(built), steps)

    def at(self, tensor: Tensor, steps: int) -> TensorSpec:
        """A tensor on the axes that it has inside some `TimeDistributed` layers.

        Args:
            tensor: An output of a call that was visited.
            steps: How many of them are around.
        """
        found, source = self.of(tensor), self.calls[tensor.call]
        deeper = steps - source.steps
        if deeper >= 0 or found.shape is None:
            return _in_step(found, deeper)
        batch, *rest = found.shape
        lengths = self._steps[source.number][deeper:]
        return TensorSpec((batch, *lengths, *rest), found.dtype)

    def outputs(self, place: Place, *, fused: bool) -> tuple[Shape | None, ...]:
        """The shape of what a rectifier puts out, at each call in its own model.

        Args:
            place: The layer or operation.
            fused: Whether its activation is meant, which works on one step of what a
                recurrent layer takes.
        """
        view = self.calls.view
        graph, name = view.graph_around(place), view.member(place).names[-1]
        first = {call.node: call for call in reversed(self.calls.of(place))}
        nodes = range(graph.calls(name))
        return tuple(self._output(place, first.get(node), fused) for node in nodes)

    def _output(self, place: Place, call: Call | None, fused: bool) -> Shape | None:
        entry = place.entry
        loops = fused and traits.of_entry(entry).recurrent
        if call is not None and call.place is place and not loops:
            return self.of(Tensor(call.number, 0)).shape
        if loops:
            step = {"return_sequences": False, "return_state": False}
            entry = {**entry, "config": {**config_of(entry), **step}}
        shape = None if call is None else self.taken_inside(call, place)
        taken = TensorSpec(built_shape(place.entry) if shape is None else shape)
        made = outputs_of(entry, [taken], {})
        return self.guessed(entry, made[0].shape if made else None)

    def guessed(self, entry: Entry, shape: Shape | None) -> Shape | None:
        """The output shape of an entry, where nothing more is known."""
        del entry
        return shape

    def taken_inside(self, call: Call, place: Place) -> Shape | None:
        """What a layer takes inside a wrapper that is not opened; None if unknown.

        Args:
            call: A call that was visited.
            place: What runs in it, or a layer inside that.
        """
        wrapper = place.parent
        if place is call.place or wrapper is None:
            return self.taken(call)
        shape = self.taken_inside(call, wrapper)
        if shape is not None and wrapper.entry["class_name"] == "RNN":
            return (shape[0], *shape[2:])
        same = wrapper.entry["class_name"] in ("Bidirectional", "SpectralNormalization")
        return shape if same else None

    def _steps_of(self, call: Call) -> Shape:
        """Lengths of the axes after the batch that a call does not have."""
        known = self._steps.get(call.takes[0].call, ()) if call.takes else ()
        outer = self.first(call, min(len(known), call.steps))
        if outer is None:
            outer = next(iter(self._given), TensorSpec())
        new = outer.shape[1:] if outer.shape else ()
        return (*known, *new, *((None,) * call.steps))[: call.steps]


class GuessedShapes(Shapes):
    """Shapes that are guessed, too, where a model was never built.

    A layer that states the number of its channels, and takes nobody knows what, is
    given the least rank that it can have: the channels are then known further on.
    """

    def inferred(self, call: Call) -> list[TensorSpec]:
        """The output of a call, as far as it is known or can be guessed."""
        first, *others = super().inferred(call) or [TensorSpec()]
        shape = self.guessed(call.place.entry, first.shape)
        return [TensorSpec(shape, first.dtype), *others]

    def guessed(self, entry: Entry, shape: Shape | None) -> Shape | None:
        """The shape that an entry puts out; its channels where no more is known."""
        config, row = config_of(entry), traits.of_entry(entry)
        if shape is not None or forms.is_operation(entry.get("module")):
            return shape
        keys = ("units", "filters")
        found = (config[key] for key in keys if isinstance(config.get(key), int))
        channels = next(found, None)
        if channels is None:
            made = config.get("output_shape")  # EinsumDense
            return (None, *made) if isinstance(made, list) else None
        built = built_shape(entry)
        rank = row.spatial + 2 if built is None else len(built)
        guess: list[int | None] = [None] * rank
        guess[traits.format_axis(config.get("data_format"))] = channels
        return tuple(guess)


def _in_step(spec: TensorSpec, deeper: int) -> TensorSpec:
    """A tensor in each of its steps; unknown where it is too short for that."""
    if not deeper or spec.shape is None:
        return spec
    batch, *rest = spec.shape or (None,)
    shape = (batch, *rest[deeper:]) if deeper < len(rest) else None
    return TensorSpec(shape, spec.dtype)


def _filled(value: Any, specs: Mapping[Tensor, TensorSpec]) -> Any:
    """Operands with what is known of each tensor in its place."""
    if isinstance(value, Tensor):
        return specs[value]
    if isinstance(value, dict):
        return {key: _filled(each, specs) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(each, specs) for each in value]
    return value
