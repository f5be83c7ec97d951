"""Every call of every layer of a model as one flat graph, in running order.

Models inside models are opened, and so is `TimeDistributed`: what is inside runs
once for each call of them. What follows values through a
model is a pass over it (`graph.passes`). Keras is never imported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple
from typing import overload

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph import forms
from keras_rectifiers.graph import traits
from keras_rectifiers.graph.document import Address
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import built_shape
from keras_rectifiers.graph.graph import Graph
from keras_rectifiers.graph.graph import Node
from keras_rectifiers.graph.graph import Ref
from keras_rectifiers.graph.graph import as_ref
from keras_rectifiers.graph.graph import end_refs
from keras_rectifiers.graph.traits import Traits
from keras_rectifiers.graph.view import View
from keras_rectifiers.specs import Shape

#: Most calls of a model; models inside models that are called often multiply them.
MAX_CALLS = 100_000


@dataclasses.dataclass(frozen=True, slots=True)
class Tensor:
    """One output of one call."""

    #: Number of the call.
    call: int
    #: Which of its outputs.
    index: int


class Stated(NamedTuple):
    """What a document says about a tensor."""

    #: Its shape, batch axis included; None where it is not stated.
    shape: Shape | None
    #: Its dtype; None where it is not stated.
    dtype: str | None
    #: Number of `TimeDistributed` layers for which the shape is that of one step.
    steps: int

    def at(self, steps: int) -> Stated:
        """The same with the shape that there is inside other `TimeDistributed` layers.

        Args:
            steps: Number of them; for each one less an axis of unknown length is
                added after the batch, for each one more an axis is dropped there.
        """
        if self.shape is None:
            return self
        batch, axes = self.shape[:1], self.shape[1:]
        deeper = steps - self.steps
        axes = axes[deeper:] if deeper > 0 else (None,) * -deeper + axes
        return Stated((*batch, *axes), self.dtype, steps)


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Call:
    """One call of one layer, operation, wrapper or input of the model.

    A model inside the model is called, too, but only the calls of its layers are
    numbered.
    """

    #: Position in the running order; -1 for a model.
    number: int
    #: What runs; for `TimeDistributed` the layer inside it.
    place: Place
    #: The place itself, or the outermost wrapper around it.
    member: Place
    #: Which call of the member in its model, from 0.
    node: int
    #: All tensors that it takes, in Keras' order; none for an input of the model.
    takes: tuple[Tensor, ...]
    #: Operands by position: tensors, and everything else as the document has it.
    args: tuple[Any, ...]
    #: Operands by name.
    kwargs: Mapping[str, Any]
    #: Calls of the models around it, outermost first.
    around: tuple[Call, ...] = dataclasses.field(repr=False)
    #: Number of `TimeDistributed` layers around it. A tensor that was made with
    #: fewer of them around loses an axis after the batch for each one more.
    steps: int
    #: What the table says about what runs.
    traits: Traits

    @property
    def class_name(self) -> str:
        """Class of what runs."""
        return str(self.place.entry["class_name"])

    @property
    def is_operation(self) -> bool:
        """Whether an operation runs, and not a layer."""
        return forms.is_operation(self.place.entry.get("module"))

    @property
    def config(self) -> dict[str, Any]:
        """Config of what runs."""
        return self.place.config


class Calls(Sequence[Call]):
    """The numbered calls of a model, each after those that it takes from.

    Args:
        view: The document.

    Attributes:
        view: The document.
        ends: The outputs of the model, in Keras' order.

    Raises:
        ArchiveError: A graph has a cycle, a tensor that no layer makes, or more than
            `MAX_CALLS` calls.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self._calls: list[Call] = []
        self._count = 0
        self._of: dict[Address, list[Call]] = {}
        self._takers: dict[Tensor, list[tuple[Call, int]]] = {}
        self._stated: dict[Tensor, Stated] = {}
        self._outputs: dict[int, int] = {}
        self.ends = self._open(_Model(view, view.places[0], (), (), 0))
        for tensor in self.ends:
            self._count_output(tensor)

    @overload
    def __getitem__(self, number: int) -> Call: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Call]: ...
    def __getitem__(self, number: int | slice) -> Call | Sequence[Call]:
        return self._calls[number]

    def __len__(self) -> int:
        return len(self._calls)

    def of(self, place: Place) -> tuple[Call, ...]:
        """The calls of a place, in running order; those of a model have no number.

        A place inside a wrapper has the calls of the outermost wrapper around it.

        Args:
            place: A layer, operation, wrapper or model.
        """
        return tuple(self._of.get(self.view.member(place).address, ()))

    def of_layer(self, place: Place) -> tuple[Call, ...]:
        """The calls of the layer at a place, also where it is shared.

        Args:
            place: A layer, operation or wrapper.
        """
        return tuple(call for each in self.view.shared(place) for call in self.of(each))

    def outputs(self, call: Call) -> Iterator[Tensor]:
        """The outputs of a call, as far as the document mentions them; at least one.

        Args:
            call: A numbered call.
        """
        for index in range(self._outputs.get(call.number, 1)):
            yield Tensor(call.number, index)

    def takers(self, tensor: Tensor) -> Sequence[tuple[Call, int]]:
        """The calls that take a tensor, each with its position in `takes`.

        Args:
            tensor: An output of a call. A call that takes it twice is there twice.
        """
        return self._takers.get(tensor, ())

    def stated(self, tensor: Tensor, steps: int | None = None) -> Stated:
        """What the document says about a tensor.

        Args:
            tensor: An output of a call.
            steps: Number of `TimeDistributed` layers inside which it is looked at.
                Default None: where it is made.
        """
        if steps is None:
            steps = self._calls[tensor.call].steps
        return self._stated.get(tensor, Stated(None, None, 0)).at(steps)

    def producer(self, operand: Any) -> tuple[str, Sequence[Any]] | None:
        """Class and operands of the call that made an operand; None for a number.

        Args:
            operand: One of `Call.args`.
        """
        if not isinstance(operand, Tensor):
            return None
        made = self._calls[operand.call]
        return made.class_name, made.args

    def depends(self, call: Call, source: Call) -> bool:
        """Whether a call takes what another made, or anything that was made from it.

        Args:
            call: The later call.
            source: The earlier call. True if it is the same.
        """
        pending, seen = [call.number], {call.number}
        while pending:
            number = pending.pop()
            if number == source.number:
                return True
            for tensor in self._calls[number].takes:
                # What runs before the source is not made from it.
                if tensor.call >= source.number and tensor.call not in seen:
                    seen.add(tensor.call)
                    pending.append(tensor.call)
        return False

    def _open(self, model: _Model) -> tuple[Tensor, ...]:
        """Add the calls of a model; its outputs."""
        if not model.graph.entries:
            return model.given
        for node in model.graph.order:
            if node not in model.values and node[0] in model.graph.entries:
                model.values[node] = self._call(model, node)
        return tuple(map(model.tensor, model.ends))

    def _call(self, model: _Model, node: Node) -> int | tuple[Tensor, ...]:
        """Add one call of a member of a model; its number, or its outputs."""
        member = self.view.child(model.place, node[0])
        refs = model.refs(node)
        takes = tuple(map(model.tensor, refs)) if refs else model.given_to(node)
        place, steps = member, model.steps
        while place.entry["class_name"] == "TimeDistributed":
            inner = self.view.below(place)
            if inner is None:
                break
            place, steps = inner, steps + 1
        for ref, tensor in zip(refs, takes, strict=False):
            self._state(tensor, Stated(ref.shape, ref.dtype, model.steps))
        if not model.graph.functional:
            built = Stated(built_shape(member.entry), None, model.steps)
            for tensor in takes:
                self._state(tensor, built)
        if place.entry["class_name"] == "InputLayer" and takes:
            self._state_input(takes[0], place, model.steps)
            return takes
        inside = self.view.is_model(place)
        number = -1 if inside else len(self._calls)
        args, kwargs = model.operands(node) if refs else (takes, {})
        call = Call(
            number,
            place,
            member,
            node[1],
            takes,
            args,
            kwargs,
            model.around,
            steps,
            traits.of_entry(place.entry),
        )
        self._add(call)
        if place.entry["class_name"] == "InputLayer":
            self._state_input(Tensor(number, 0), place, model.steps)
        if inside:
            opened = _Model(self.view, place, takes, (*model.around, call), steps)
            return self._open(opened)
        return number

    def _add(self, call: Call) -> None:
        self._count += 1
        if self._count > MAX_CALLS:
            raise ArchiveError(
                f"A model must have at most {MAX_CALLS:,} layer calls. Received: more "
                f"than {MAX_CALLS:,}, at {call.place.path!r}. Each call of a nested "
                "model adds the calls inside it."
            )
        self._of.setdefault(call.member.address, []).append(call)
        if call.number < 0:
            return
        self._calls.append(call)
        for position, tensor in enumerate(call.takes):
            self._takers.setdefault(tensor, []).append((call, position))

    def _state_input(self, tensor: Tensor, place: Place, steps: int) -> None:
        """Note what an InputLayer says about what it hands on."""
        shape = place.config.get("batch_shape")
        whole = tuple(shape) if isinstance(shape, list) else None
        self._state(tensor, Stated(whole, None, steps))

    def _state(self, tensor: Tensor, said: Stated) -> None:
        """Note what a call says; who sees most axes is believed, then the first."""
        self._count_output(tensor)
        known = self._stated.get(tensor, said)
        dtype = known.dtype or said.dtype
        if said.shape is not None and (known.shape is None or said.steps < known.steps):
            known = said
        self._stated[tensor] = known._replace(dtype=dtype)

    def _count_output(self, tensor: Tensor) -> None:
        known = self._outputs.get(tensor.call, 1)
        self._outputs[tensor.call] = max(known, tensor.index + 1)


class _Model:
    """A model that is being opened.

    Args:
        view: The document.
        place: The model.
        given: The tensors that it is called with.
        around: Calls of the models around it, and its own.
        steps: Number of `TimeDistributed` layers around it.
    """

    def __init__(
        self,
        view: View,
        place: Place,
        given: tuple[Tensor, ...],
        around: tuple[Call, ...],
        steps: int,
    ) -> None:
        self.place, self.given, self.around, self.steps = place, given, around, steps
        self.graph: Graph = view.graph(place)
        #: What each call made: the number of the call, or the outputs of a model.
        self.values: dict[Node, int | tuple[Tensor, ...]] = {}
        if self.graph.functional:
            begins = end_refs(place.entry, "input_layers")
            for ref, tensor in zip(begins, given, strict=False):
                self.values[ref.source] = (tensor,)
            self.ends = list(end_refs(place.entry, "output_layers"))
        else:
            self.ends = [Ref(name, node, 0) for name, node in self.graph.outputs]

    def refs(self, node: Node) -> list[Ref]:
        """What a call takes."""
        return [] if node in self.graph.begins else self.graph.inputs(*node)

    def given_to(self, node: Node) -> tuple[Tensor, ...]:
        """What a call without tensors of its model takes: it may begin a chain."""
        chain = not self.graph.functional
        return self.given if chain and self.graph.order[node] == 0 else ()

    def tensor(self, ref: Ref) -> Tensor:
        """The output of a call that was added already."""
        made = self.values.get(ref.source, ())
        if isinstance(made, int):
            return Tensor(made, ref.tensor)
        if not made:
            raise ArchiveError(
                "Each tensor must come from a layer of its model. Received: a tensor "
                f"of {ref.name!r}. The file was not written by Keras."
            )
        return made[min(ref.tensor, len(made) - 1)]

    def operands(self, node: Node) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """The operands of a call, with tensors in place of references."""
        if not self.graph.functional:
            return tuple(map(self.tensor, self.graph.inputs(*node))), {}
        given = self.graph.nodes[node[0]][node[1]]
        kwargs = given.get("kwargs", {})
        read = {key: self._read(each) for key, each in kwargs.items()}
        return tuple(map(self._read, given.get("args", []))), read

    def _read(self, value: Any) -> Any:
        ref = as_ref(value)
        if ref is not None:
            return self.tensor(ref)
        if isinstance(value, dict):
            return {key: self._read(each) for key, each in value.items()}
        return list(map(self._read, value)) if isinstance(value, list) else value


def same(operand: Any, other: Any) -> bool:
    """Whether two operands are the same tensor."""
    return isinstance(operand, Tensor) and operand == other
